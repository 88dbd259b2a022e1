"""`kdiff compare` on real Kafka: from one cluster, from two, and against a file."""

from pathlib import Path

import orjson
import pytest

from devkafka import KafkaCluster, create_topic, produce
from kshark.story import INVOICE_847, INVOICE_OK, build_story
from tests.recording import make_messages, make_tool_call
from tests.running import CompletedRun, run


@pytest.fixture(scope="module")
def written(kafka: str) -> str:
    """Return a topic with the two invoice sessions of the story."""
    topic = create_topic(kafka, partitions=6)
    produce(kafka, topic, make_messages(_invoices()))
    return topic


def _invoices() -> list[dict[str, object]]:
    wanted = {INVOICE_OK.encode(), INVOICE_847.encode()}
    return [orjson.loads(record.value or b"") for record in build_story() if record.key in wanted]


def compare(a: str, b: str, *arguments: str | Path) -> CompletedRun:
    return run("kdiff", "compare", a, b, "--format", "json", *arguments)


def test_two_sessions_of_one_cluster_are_compared(kafka: str, written: str) -> None:
    done = compare(INVOICE_OK, INVOICE_847, "--cluster", kafka, "--topic", written)
    assert done.code == 1
    found = orjson.loads(done.out)
    assert (found["decisive"]["label"], found["decisive"]["times"]) == ("stripe.create_invoice", {"a": 1, "b": 164})
    assert found["decisive"]["b"]["record"]["topic"] == written


def test_a_session_is_the_same_as_its_mirror_on_another_cluster(
    kafka: str, written: str, fragile_kafka: KafkaCluster
) -> None:
    create_topic(fragile_kafka.bootstrap, written, partitions=6)
    produce(fragile_kafka.bootstrap, written, make_messages(_invoices()))
    there = ("--cluster", kafka, "--topic", written, "--other-cluster", fragile_kafka.bootstrap)
    assert compare(INVOICE_847, INVOICE_847, *there).code == 0
    assert compare(INVOICE_OK, INVOICE_847, *there).code == 1


def test_a_golden_file_is_held_against_a_session_in_kafka(kafka: str, written: str, tmp_path: Path) -> None:
    golden = run("kshark", "replay", INVOICE_OK, "--cluster", kafka, "--topic", written, "--format", "ndjson").out
    (tmp_path / "golden.ndjson").write_bytes(golden)
    there = ("--file", tmp_path / "golden.ndjson", "--other-cluster", kafka, "--topic", written)
    assert compare(INVOICE_OK, INVOICE_OK, *there).code == 0


def test_a_session_that_is_not_there_is_4_on_either_side(kafka: str, written: str) -> None:
    for pair in ((INVOICE_OK, "nobody"), ("nobody", INVOICE_OK)):
        assert compare(*pair, "--cluster", kafka, "--topic", written).code == 4


def test_a_beginning_that_retention_has_deleted_is_doubted(kafka: str) -> None:
    from confluent_kafka import TopicPartition  # noqa: PLC0415
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    topic = create_topic(kafka)
    produce(kafka, topic, make_messages([make_tool_call(n, input={"n": n}, output=1) for n in range(1, 6)]))
    admin = AdminClient({"bootstrap.servers": kafka})
    for deleted in admin.delete_records([TopicPartition(topic, 0, 2)]).values():
        deleted.result(timeout=30)
    found = orjson.loads(compare("sess_1", "sess_1", "--cluster", kafka, "--topic", topic).out)
    assert found["verdict"] == "same"
    assert any("beginning may be missing" in said for said in found["doubts"])
