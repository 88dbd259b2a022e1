"""A broker is gone with all replicas of some partitions: the others are read and copied, and those are named."""

import json
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from confluent_kafka.admin import AdminClient

from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from devkafka.client import SILENT_LOGGER
from tests.kafmirror.logs import commit_offset, compute_digests, read_bounds
from tests.kafmirror.side import Pair
from tests.running import CompletedRun, RunningTool, run

PARTITIONS = 6
NOW_MS = int(time.time() * 1000)


class Half(NamedTuple):
    """A mirrored topic of a source of three brokers, of which one is gone; its partitions ``lost`` and ``left``.

    The topic ``copy-of-…`` lies on the same brokers, is empty, and has partitions without a leader, too.
    """

    pair: Pair
    topic: str
    lost: list[int]
    left: list[int]
    tail: RunningTool

    def kshark(self, *arguments: str) -> CompletedRun:
        """Run kshark on the source."""
        return run("kshark", *arguments, "--cluster", self.pair.source.bootstrap, "--topic", self.topic)

    @property
    def named(self) -> str:
        """How the partitions without a leader are named."""
        return f"{'partition' if len(self.lost) == 1 else 'partitions'} {', '.join(map(str, self.lost))} can't be read"

    def kafmirror(self, command: str, *more: str) -> Any:
        """Run kafmirror from the source to the target."""
        return self.pair.run(command, "--topics", self.topic, *more)


def make_message(number: int, partition: int) -> Message:
    session = f"sess_{partition}"
    fields = {"event_id": f"evt_{number}", "session_id": session, "agent_id": "a", "event_type": "user_message"}
    value = json.dumps({**fields, "timestamp": "2026-02-03T10:00:00Z", "payload": {"text": "hello"}})
    return Message(session, value, partition=partition, timestamp=NOW_MS + number)


@pytest.fixture
def half(three: KafkaCluster, pair: Pair) -> Iterator[Half]:
    region = Pair(three, pair.target)
    config = {"min.insync.replicas": "1"}
    topic = create_topic(three.bootstrap, partitions=PARTITIONS, replication=1, config=config)
    create_topic(three.bootstrap, f"copy-of-{topic}", partitions=PARTITIONS, replication=1, config=config)
    produce(three.bootstrap, topic, [make_message(n, n % PARTITIONS) for n in range(60)])
    assert region.replicate_once(topic).code == 0
    leaders = find_leaders(region, topic)
    gone = leaders[0]
    tail = RunningTool("kshark", "tail", "--cluster", three.bootstrap, "--topic", topic)
    assert tail.read_error_line().endswith(" on; Ctrl-C ends it")
    try:
        three.brokers[gone - 1].kill()
        eventually(lambda: find_leaders(region, topic)[0] < 0, timeout=240)
        lost = [number for number, node in leaders.items() if node == gone]
        left = [number for number in leaders if number not in lost]
        yield Half(region, topic, lost, left, tail)
    finally:
        tail.kill()
        tail.wait_for_end()


def find_leaders(pair: Pair, topic: str) -> dict[int, int]:
    """Return the broker that leads each partition of the source; -1 stands for none."""
    admin = AdminClient({"bootstrap.servers": pair.source.bootstrap}, logger=SILENT_LOGGER)
    partitions = admin.list_topics(topic, timeout=30).topics[topic].partitions
    return {number: each.leader for number, each in sorted(partitions.items())}


def read_error_until(running: RunningTool, part: str) -> str:
    """Return the next line of standard error with ``part``. A slow machine may also say that the cluster is silent."""
    while part not in (line := running.read_error_line()):
        pass
    return line


def test_what_is_there_is_read_and_each_partition_without_a_leader_is_named(half: Half) -> None:
    lost_text = ", ".join(map(str, half.lost))
    named = f"{'partition' if len(half.lost) == 1 else 'partitions'} {lost_text} can't be read: no leader"
    unavailable = [{"partition": each, "reason": "no leader"} for each in half.lost]

    listed = half.kshark("sessions", "--no-catalog", "--format", "json")
    assert listed.code == 0, listed.error_text
    document = json.loads(listed.out)
    assert sorted(each["session_id"] for each in document["sessions"]) == [f"sess_{each}" for each in half.left]
    assert document["searched"]["unavailable"] == unavailable
    assert named in " ".join(half.kshark("sessions", "--no-catalog").text.split())

    found = half.kshark("replay", f"sess_{half.left[0]}", "--all-partitions", "--format", "text")
    assert found.code == 0, found.error_text
    assert named in " ".join(found.text.split())
    why = half.kshark("why", f"sess_{half.left[0]}", "--all-partitions", "--format", "json")
    assert json.loads(why.out)["searched"]["unavailable"] == unavailable

    missing = half.kshark("replay", f"sess_{half.lost[0]}", "--all-partitions")
    assert (missing.code, missing.out) == (3, b"")
    assert named in missing.error_text

    counted = half.kshark("stats", "--from", "-1h", "--format", "ndjson")
    assert (counted.code, json.loads(counted.out)["events"]) == (0, 10 * len(half.left)), counted.error_text
    assert named in counted.error_text

    status = half.kafmirror("status", "--lag-threshold", "10s")
    assert status.code == 1
    ends = {each["partition"]: (each["position"], each["source_end"]) for each in status.json["partitions"]}
    assert ends == {number: (10, None if number in half.lost else 10) for number in range(PARTITIONS)}

    refused = half.kafmirror("failover")
    assert refused.code == 1
    assert "--accept-loss" in refused.json["refusals"][0]
    accepted = half.kafmirror("failover", "--accept-loss")
    assert accepted.code == 0, accepted.out + accepted.err
    assert [(each["partition"], each["from"]) for each in accepted.json["unknown"]] == [
        (each, 10) for each in half.lost
    ]
    assert accepted.json["lost"] == []

    verified = half.kafmirror("verify")
    assert verified.code == 1
    verdicts = {each["partition"]: each["verdict"] for each in verified.json["partitions"]}
    assert verdicts == {number: "unknown" if number in half.lost else "same" for number in range(PARTITIONS)}


def test_a_running_tail_names_the_partitions_and_shows_what_comes_when_they_are_back(half: Half) -> None:
    lost_text = ", ".join(map(str, half.lost))
    told = read_error_until(half.tail, "no leader")
    assert told.startswith(f"partition{'s' if len(half.lost) > 1 else ''} {lost_text} ha")
    produce(half.pair.source.bootstrap, half.topic, [make_message(100, half.left[0])])
    assert json.loads(half.tail.read_line())["event_id"] == "evt_100"
    half.pair.source.recover()
    read_error_until(half.tail, "a leader again")
    eventually(lambda: min(find_leaders(half.pair, half.topic).values()) > 0, timeout=240)
    produce(half.pair.source.bootstrap, half.topic, [make_message(101, half.lost[0])])
    assert json.loads(half.tail.read_line())["event_id"] == "evt_101"


def test_a_tail_that_began_without_a_partition_shows_what_comes_when_it_is_back(half: Half) -> None:
    late = RunningTool("kshark", "tail", "--cluster", half.pair.source.bootstrap, "--topic", half.topic)
    try:
        read_error_until(late, "can't be read: no leader")
        read_error_until(late, " on; Ctrl-C ends it")
        half.pair.source.recover()
        eventually(lambda: min(find_leaders(half.pair, half.topic).values()) > 0, timeout=240)
        produce(half.pair.source.bootstrap, half.topic, [make_message(102, half.lost[0])])
        assert json.loads(late.read_line())["event_id"] == "evt_102"
    finally:
        late.kill()
        late.wait_for_end()


def test_what_is_there_is_copied_and_the_rest_when_it_is_back(half: Half) -> None:
    """Three copies: one that goes on, one that is made anew, and one whose records another program wrote before."""
    source, target, topic = half.pair.source, half.pair.target, half.topic
    unknown = [{"partition": each, "reason": f"no leader in {source.bootstrap}"} for each in half.lost]
    group = f"group-{topic}"
    for partition in (half.left[0], half.lost[0]):
        commit_offset(source.bootstrap, group, topic, 4, partition)
    again, adopted = f"again-{topic}", create_topic(target.bootstrap, f"adopted-{topic}", partitions=PARTITIONS)
    produce(target.bootstrap, adopted, [make_message(n, n % PARTITIONS) for n in range(60)])
    produce(source.bootstrap, topic, [make_message(100 + n, half.left[0]) for n in range(7)])

    planned = half.kafmirror("plan", "--target-topic", "again-{topic}")
    assert planned.code == 0, planned.err
    [plan] = planned.json["topics"]
    assert (plan["partitions"], plan["create"], plan["records"]) == (PARTITIONS, True, 10 * len(half.left) + 7)
    assert plan["unknown"] == unknown
    shown = half.kafmirror("plan", "--format", "text")
    assert half.named in " ".join(shown.out.split())

    once = half.kafmirror("replicate", "--once", "--target-topic", "again-{topic}", "--groups", group)
    assert once.code == 1, once.err
    carried = {each["partition"]: (each["target_offset"], each["skipped"]) for each in once.json["groups"]}
    assert carried == {half.left[0]: (4, None), half.lost[0]: (None, unknown[0]["reason"])}
    assert half.named in once.err
    problems = {each["partition"]: each["problem"] for each in once.json["partitions"]}
    assert problems == {n: unknown[0]["reason"] if n in half.lost else None for n in range(PARTITIONS)}
    ends = {number: read_bounds(target.bootstrap, again, number)[1] for number in range(PARTITIONS)}
    counts = {number: 17 if number == half.left[0] else 10 for number in half.left}
    assert ends == {number: counts.get(number, 0) for number in range(PARTITIONS)}

    others = ("--target-topic", "adopted-{topic}")
    with half.pair.run_mirror(topic) as mirror, half.pair.run_mirror(topic, *others) as adopting:
        for each in (mirror, adopting):
            each.wait_for_output("still waiting after", 90)
            assert half.named in each.err
        produce(source.bootstrap, topic, [make_message(200 + n, half.left[0]) for n in range(3)])
        eventually(lambda: read_bounds(target.bootstrap, topic, half.left[0])[1] == 20, 90)
        source.recover()
        for each in (mirror, adopting):
            each.wait_for_output("continuing after", 90)
        produce(source.bootstrap, topic, [make_message(300 + n, half.lost[0]) for n in range(5)])
        half.pair.wait_until_exact(topic, 90)
        eventually(lambda: compute_digests(target.bootstrap, adopted) == compute_digests(source.bootstrap, topic), 90)
        assert mirror.stop().code == 143
        assert adopting.stop().code == 143
    assert half.kafmirror("replicate", "--once", "--target-topic", "again-{topic}").code == 0
    assert compute_digests(target.bootstrap, again) == compute_digests(source.bootstrap, topic)


def test_a_target_without_some_leaders_gets_what_it_can_take(half: Half) -> None:
    pair, copy = Pair(half.pair.target, half.pair.source), f"copy-of-{half.topic}"
    lost = [number for number, node in find_leaders(half.pair, copy).items() if node < 0]
    copied = ("--topics", half.topic, "--target-topic", "copy-of-{topic}")
    planned = pair.run("plan", *copied)
    assert planned.code == 0, planned.err
    assert [each["partition"] for each in planned.json["topics"][0]["unknown"]] == lost
    once = pair.run("replicate", "--once", *copied)
    assert once.code == 1, once.err
    assert f"can't be read: no leader in {pair.target.bootstrap}" in once.err
    assert planned.json["topics"][0]["unknown"][0]["reason"] == f"no leader in {pair.target.bootstrap}"
    positions = {each["partition"]: each["position"] for each in once.json["partitions"]}
    assert positions == {number: None if number in lost else 10 for number in range(PARTITIONS)}
    half.pair.source.recover()
    eventually(lambda: min(find_leaders(half.pair, copy).values()) > 0, timeout=240)
    assert pair.run("replicate", "--once", *copied).code == 0
    assert compute_digests(pair.target.bootstrap, copy) == compute_digests(pair.source.bootstrap, half.topic)


def test_replay_waits_for_a_session_whose_partition_has_no_leader(half: Half) -> None:
    source = half.pair.source
    arguments = ("--cluster", source.bootstrap, "--topic", half.topic, "--all-partitions", "--format", "ndjson")
    running = RunningTool("kshark", "replay", f"sess_{half.lost[0]}", "--follow", *arguments)
    try:
        read_error_until(running, half.named)
        read_error_until(running, "waiting for session")
        source.recover()
        assert [json.loads(running.read_line())["event_id"] for _ in range(10)] == [
            f"evt_{half.lost[0] + PARTITIONS * n}" for n in range(10)
        ]
    finally:
        running.kill()
        running.wait_for_end()
