"""`kshark demo`: the story in a file, a pipe or a topic, and its replay from there."""

import shlex
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource

from devkafka import KafkaCluster
from devkafka.client import SILENT_LOGGER
from devkafka.ports import get_port, reserve_port
from tests.running import run

TopicFactory = Callable[..., str]

WEEK = {"retention.ms": "604800000"}


@pytest.fixture(scope="module")
def admin(kafka: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka}, logger=SILENT_LOGGER)


@pytest.fixture(scope="module")
def made(kafka: str, admin: AdminClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a topic that `kshark demo` created."""
    name = f"made-by-demo-{tmp_path_factory.getbasetemp().name}"
    done = run("kshark", "demo", "--cluster", kafka, "--topic", name)
    assert (done.code, done.out) == (0, b""), done.error_text
    return name


def replayed(out: bytes) -> list[dict[str, object]]:
    """Return replayed events with their places, without the topic's name."""
    events = [orjson.loads(line) for line in out.splitlines()]
    for each in events:
        del each["_record"]["topic"]
    return events


def test_a_file_and_standard_output_get_the_same_bytes_and_a_hint_that_works(tmp_path: Path) -> None:
    written = run("kshark", "demo", "story.ndjson", cwd=tmp_path)
    piped = run("kshark", "demo", "-")
    assert (written.code, written.out, piped.code, piped.err) == (0, b"", 0, b"")
    assert (tmp_path / "story.ndjson").read_bytes() == piped.out
    assert written.error_text == "wrote story.ndjson; try: kshark replay sess_invoice_847 --file story.ndjson\n"
    hint = shlex.split(written.error_text.partition("try: ")[2])
    assert len(run(*hint, cwd=tmp_path).lines) == 888


def test_began_moves_the_story(tmp_path: Path) -> None:
    run("kshark", "demo", "story.ndjson", "--began", "2026-03-01T08:00Z", cwd=tmp_path)
    arguments = ("replay", "sess_invoice_847", "--file", "story.ndjson", "--format", "text")
    assert "began 2026-03-01 09:23:09 UTC" in run("kshark", *arguments, cwd=tmp_path).lines


def test_a_missing_topic_is_made_and_keeps_what_is_old(kafka: str, admin: AdminClient, made: str) -> None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, made)
    settings = admin.describe_configs([resource])[resource].result(timeout=30)
    assert settings["retention.ms"].value == "-1"
    assert len(admin.list_topics(made, timeout=10).topics[made].partitions) == 12


@pytest.mark.parametrize("session", ["sess_invoice_847", "sess_trip_planner", "sess_late_claim", "sess_hostile"])
def test_a_topic_replays_what_the_file_does(kafka: str, made: str, story: Path, session: str) -> None:
    from_topic = run("kshark", "replay", session, "--cluster", kafka, "--topic", made, "--all-partitions")
    from_file = run("kshark", "replay", session, "--file", story)
    assert from_topic.code == 0
    assert replayed(from_topic.out) == replayed(from_file.out)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("story") / "story.ndjson"
    run("kshark", "demo", path)
    return path


def test_a_topic_that_would_delete_the_story_is_refused_and_left_alone(kafka: str, topic: TopicFactory) -> None:
    name = topic(config=WEEK)
    done = run("kshark", "demo", "--cluster", kafka, "--topic", name)
    assert done.code == 2
    assert f"topic {name} of {kafka} keeps records for 7 d 0 h, and the story's are older" in done.error_text
    assert "--began -3h" in done.error_text
    assert run("kshark", "replay", "sess_invoice_847", "--cluster", kafka, "--topic", name).code == 4


def test_a_story_that_began_just_now_goes_into_a_topic_with_retention(kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=3, config=WEEK)
    done = run("kshark", "demo", "--cluster", kafka, "--topic", name, "--began", "-3h")
    assert done.code == 0
    wrote, hint = done.error_text.splitlines()
    assert wrote == f"wrote 4,483 records into topic {name} of {kafka}"
    assert len(run(*shlex.split(hint.partition("try: ")[2])).lines) == 888


def test_a_compacted_topic_is_refused(kafka: str, topic: TopicFactory) -> None:
    name = topic(config={"cleanup.policy": "compact"})
    done = run("kshark", "demo", "--cluster", kafka, "--topic", name)
    assert done.code == 2
    assert "is compacted" in done.error_text


def test_a_cluster_that_is_down_is_3() -> None:
    with reserve_port() as held:
        done = run("kshark", "demo", "--cluster", f"127.0.0.1:{get_port(held)}")
    assert done.code == 3
    assert "can't be reached" in done.error_text


def test_who_may_not_make_a_topic_is_told_so(secure_kafka: KafkaCluster) -> None:
    properties = secure_kafka.client_properties("stranger")
    address = properties.pop("bootstrap.servers")
    flags = [part for name, value in properties.items() for part in ("-X", f"{name}={value}")]
    done = run("kshark", "demo", "--cluster", address, *flags)
    assert done.code == 3
    assert "not authorised on topic agent-events" in done.error_text
    assert properties["sasl.password"] not in done.error_text
    with pytest.raises(KafkaException):
        secure_topic(secure_kafka)


def secure_topic(secure_kafka: KafkaCluster) -> None:
    """Raise KafkaException if there is no topic `agent-events`."""
    admin = AdminClient({"bootstrap.servers": secure_kafka.bootstrap}, logger=SILENT_LOGGER)
    resource = ConfigResource(ConfigResource.Type.TOPIC, "agent-events")
    admin.describe_configs([resource])[resource].result(timeout=30)
