"""The way home loses nothing, whoever still writes to the old primary, and gives back what it changed there."""

import base64
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer

from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from kafmirror.kafka.metadata import Setting
from kafmirror.plan.plan import compute_setting_changes
from tests.kafmirror.logs import (
    change_setting,
    count_partitions,
    delete_topic,
    read_log,
    read_topic_settings,
    sum_end_offsets,
)
from tests.kafmirror.side import MirrorProcess, Pair, run_kafmirror

ROOT = Path(__file__).parents[2]
BLOCKED = "takes no records of other writers any more"


def both_went_on(home: Pair, *, partitions: int = 2, late_count: int = 3) -> str:
    """Return a topic that was mirrored from the old primary (``home.target``), and then written on both sides."""
    topic = create_topic(home.target.bootstrap, partitions=partitions)
    produce(home.target.bootstrap, topic, [Message(f"k{n}", f"{n}") for n in range(50)])
    assert Pair(home.target, home.source).replicate_once(topic).code == 0
    produce(home.source.bootstrap, topic, [Message(f"k{n}", f"new {n}") for n in range(20)])
    produce(home.target.bootstrap, topic, [Message(f"k{n}", f"late {n}") for n in range(late_count)])
    return topic


def read_saved(path: Path) -> list[bytes]:
    """Return the values of saved records that aren't events."""
    return [base64.b64decode(json.loads(line)["raw"]["value"]) for line in path.read_bytes().splitlines()]


def read_values(cluster: KafkaCluster, topic: str) -> set[bytes | None]:
    return {record.value for records in read_log(cluster.bootstrap, topic).values() for record in records}


@contextmanager
def stray_writer(cluster: KafkaCluster, topic: str, acks: str) -> Iterator[list[bytes]]:
    """Write a record now and then in the background. Yield the values that were acknowledged."""
    acknowledged: list[bytes] = []
    is_over = threading.Event()
    producer = Producer(
        {"bootstrap.servers": cluster.bootstrap, "acks": acks, "message.timeout.ms": 3000, "log_level": 0}
    )

    def write() -> None:
        number = 0
        while not is_over.wait(0.005):
            number += 1
            value = b"stray %d, longer than a marker" % number
            producer.produce(topic, value, on_delivery=lambda error, m: error or acknowledged.append(m.value()))
            producer.flush(5)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield acknowledged
    finally:
        is_over.set()
        thread.join()


def test_an_old_primary_that_is_still_written_is_left_as_it_is(pair: Pair, tmp_path: Path) -> None:
    home, path = Pair(pair.target, pair.source), tmp_path / "late.ndjson"
    topic = both_went_on(home)
    with stray_writer(pair.source, topic, "all") as acknowledged:
        eventually(lambda: len(acknowledged) > 20, 60)
        ran = home.run("failback", "--topics", topic, "--save", str(path), "--yes")
    assert (ran.code, "is still written; stop its writers first" in ran.err, path.exists()) == (1, True, False), ran.err
    assert set(acknowledged) <= read_values(pair.source, topic)


@pytest.mark.parametrize("acks", ["all", "1"])
def test_what_a_forgotten_writer_writes_meanwhile_is_saved_or_stays(
    pair: Pair, three: KafkaCluster, tmp_path: Path, acks: str
) -> None:
    home = Pair(pair.target, three)
    topic, files = both_went_on(home, partitions=3), [tmp_path / "first.ndjson", tmp_path / "second.ndjson"]
    with running_failback(home, topic, files[0]) as process:
        process.wait_for_output(BLOCKED, 120)  # the brokers don't refuse writers yet
        with stray_writer(three, topic, acks) as acknowledged:
            ran = process.wait_for_end(240)
    saved = set(read_saved(files[0]))
    assert {b"late 0", b"late 1", b"late 2"} <= saved, ran.err
    assert set(acknowledged) <= saved | read_values(three, topic)
    if ran.code:  # the writer was first in the new topic
        assert (ran.code, "run failback again" in ran.err) == (1, True), ran.err
        again = home.run("failback", "--topics", topic, "--save", str(files[1]), "--yes")
        assert again.code == 0, again.err
        saved |= set(read_saved(files[1]))
    assert set(acknowledged) <= saved | read_values(three, topic)


def test_a_transaction_that_ends_meanwhile_is_saved(pair: Pair, tmp_path: Path) -> None:
    home, path = Pair(pair.target, pair.source), tmp_path / "late.ndjson"
    topic = both_went_on(home)
    producer = begin_transaction(pair.source, topic)
    with running_failback(home, topic, path) as process:
        process.wait_for_output(BLOCKED, 120)
        producer.commit_transaction(30)
        ran = process.wait_for_end(240)
    assert ran.code == 0, ran.err
    assert sorted(read_saved(path)) == [b"in a transaction", b"late 0", b"late 1", b"late 2"]
    assert read_log(pair.source.bootstrap, topic) == read_log(pair.target.bootstrap, topic)


def begin_transaction(cluster: KafkaCluster, topic: str) -> Producer:
    """Return a producer with an open transaction that holds a record."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "transactional.id": topic})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic, b"in a transaction")
    assert producer.flush(60) == 0
    return producer


@contextmanager
def running_failback(home: Pair, topic: str, path: Path) -> Iterator[MirrorProcess]:
    process = MirrorProcess(home.build_arguments("failback", "--topics", topic, "--save", str(path), "--yes"))
    try:
        yield process
    finally:
        process.close()


def test_a_signal_leaves_the_old_primary_as_it_was(pair: Pair, tmp_path: Path) -> None:
    home, path = Pair(pair.target, pair.source), tmp_path / "late.ndjson"
    topic = both_went_on(home)
    change_setting(pair.source.bootstrap, topic, "max.message.bytes", "500000")
    producer = begin_transaction(pair.source, topic)
    with running_failback(home, topic, path) as process:
        process.wait_for_output(BLOCKED, 120)
        assert process.stop().code == 128 + signal.SIGTERM
    assert not path.exists()
    assert read_topic_settings(pair.source.bootstrap, topic)["max.message.bytes"] == "500000"
    producer.commit_transaction(30)
    produce(pair.source.bootstrap, topic, [Message("k", "written again")])
    assert {b"late 0", b"in a transaction", b"written again"} <= read_values(pair.source, topic)


def test_a_failure_leaves_the_old_primary_as_it_was(pair: Pair, tmp_path: Path) -> None:
    home = Pair(pair.target, pair.source)
    topic = both_went_on(home)
    before = read_topic_settings(pair.source.bootstrap, topic)
    ran = home.run("failback", "--topics", topic, "--save", str(tmp_path / "gone" / "late.ndjson"), "--yes")
    assert (ran.code, "late.ndjson: No such file or directory" in ran.err) == (2, True), ran.err
    assert read_topic_settings(pair.source.bootstrap, topic) == before
    produce(pair.source.bootstrap, topic, [Message("k", "written again")])
    assert b"written again" in read_values(pair.source, topic)


@pytest.fixture(scope="session")
def keeping() -> Iterator[KafkaCluster]:
    """A cluster that lets nobody delete topics."""
    with KafkaCluster("keeping", properties={"delete.topic.enable": "false"}) as cluster:
        yield cluster


def test_a_cluster_without_deletion_is_named_before_anything_is_saved(
    pair: Pair, keeping: KafkaCluster, tmp_path: Path
) -> None:
    home, path = Pair(pair.target, keeping), tmp_path / "late.ndjson"
    topic = both_went_on(home)
    looked = home.run("failback", "--topics", topic)
    assert looked.code == 1
    assert "delete.topic.enable=false" in looked.json["refusals"][0]
    ran = home.run("failback", "--topics", topic, "--save", str(path), "--yes")
    assert (ran.code, "delete.topic.enable=false" in ran.err, path.exists()) == (1, True, False), ran.err
    assert sum_end_offsets(keeping.bootstrap, topic) == 53
    produce(keeping.bootstrap, topic, [Message("k", "written again")])


def test_a_topic_that_somebody_else_creates_again_is_named_and_not_filled(pair: Pair, tmp_path: Path) -> None:
    home, path = Pair(pair.target, pair.source), tmp_path / "late.ndjson"
    topic = both_went_on(home)
    arguments = home.build_arguments("failback", "--topics", topic, "--save", str(path), "--yes")
    module = [sys.executable, "-m", "tests.kafmirror.overtaken", *arguments]
    ran = subprocess.run(module, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, "with 1 partition (the source has 2)" in ran.stderr) == (1, True), ran.stderr
    assert sorted(read_saved(path)) == [b"late 0", b"late 1", b"late 2"]
    assert (count_partitions(pair.source.bootstrap, topic), sum_end_offsets(pair.source.bootstrap, topic)) == (1, 0)
    again = home.run("failback", "--topics", topic, "--yes")
    assert again.code == 0, again.err
    assert read_log(pair.source.bootstrap, topic) == read_log(pair.target.bootstrap, topic)


def test_a_second_failback_finds_nothing_that_only_the_old_primary_holds(pair: Pair, tmp_path: Path) -> None:
    home = Pair(pair.target, pair.source)
    topic = both_went_on(home)
    assert home.run("failback", "--topics", topic, "--save", str(tmp_path / "late.ndjson"), "--yes").code == 0
    for _ in range(2):
        produce(pair.target.bootstrap, topic, [Message("k", "newer")])
        again = home.run("failback", "--topics", topic, "--yes")
        assert again.code == 0, again.err
        found = again.json["topics"][0]
        assert (found["made_anew"], found["beyond"], found["copied"]) == (False, [], 1)
    assert read_log(pair.source.bootstrap, topic) == read_log(pair.target.bootstrap, topic)


def test_what_is_written_into_a_filled_topic_is_all_that_is_saved_later(pair: Pair, tmp_path: Path) -> None:
    home, path = Pair(pair.target, pair.source), tmp_path / "stray.ndjson"
    topic = both_went_on(home)
    assert home.run("failback", "--topics", topic, "--save", str(tmp_path / "late.ndjson"), "--yes").code == 0
    produce(pair.source.bootstrap, topic, [Message("k1", "stray")])
    ran = home.run("failback", "--topics", topic, "--save", str(path), "--yes")
    assert ran.code == 0, ran.err
    assert read_saved(path) == [b"stray"]


def test_a_mirror_does_not_copy_the_limit_that_refuses_all_writers() -> None:
    desired, current = {"max.message.bytes": "0"}, {"max.message.bytes": Setting("5000000", is_overridden=True)}
    assert compute_setting_changes(desired, current, holds_records=True) == {}
    assert compute_setting_changes({"max.message.bytes": "100"}, current, holds_records=True) == {
        "max.message.bytes": "100"
    }


def test_a_topic_that_is_gone_in_the_old_primary_is_copied_home(pair: Pair) -> None:
    home = Pair(pair.target, pair.source)
    topic = both_went_on(home)
    delete_topic(pair.source.bootstrap, topic)
    ran = run_kafmirror(home.build_arguments("failback", "--topics", topic, "--yes"))
    assert ran.code == 0, ran.err
    assert read_log(pair.source.bootstrap, topic) == read_log(pair.target.bootstrap, topic)
