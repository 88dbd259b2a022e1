"""A slow and lossy network between the clusters makes the copy slower, never different."""

import json
import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from tests.kafmirror.link import Link
from tests.kafmirror.logs import compute_digests, fill_topic, sum_end_offsets
from tests.kafmirror.side import MirrorProcess, Pair, run_kafmirror
from tests.running import run

ROUND_TRIP, LOSS = 0.08, 0.01


class Far(NamedTuple):
    """A cluster that clients reach over a link."""

    cluster: KafkaCluster
    link: Link


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    with Link() as link:
        sent_over_it = {"advertised.listeners": f"PLAIN://127.0.0.1:{link.port}"}
        with KafkaCluster("far", properties=sent_over_it) as cluster:
            link.target_port = int(cluster.bootstrap.rpartition(":")[2])
            yield Far(cluster, link)


def test_there_and_back_over_80_ms_and_1_percent_loss_is_exact(pair: Pair, far: Far) -> None:
    topic = create_topic(pair.source.bootstrap, partitions=6)
    fill_topic(pair.source.bootstrap, topic, 60_000)
    with far.link.slow_down(ROUND_TRIP, LOSS):
        there = Pair(pair.source, far.cluster).replicate_once(topic)
        back = Pair(far.cluster, pair.target).replicate_once(topic)
    assert (there.code, back.code) == (0, 0), there.err + back.err
    assert far.link.lost_segments > 20
    source = compute_digests(pair.source.bootstrap, topic)
    assert sum(count for count, _ in source.values()) == 60_000
    assert compute_digests(far.cluster.bootstrap, topic) == compute_digests(pair.target.bootstrap, topic) == source


def test_mirrors_over_a_long_way_that_breaks_again_and_again_copy_exactly(pair: Pair, far: Far) -> None:
    topic, away = create_topic(pair.source.bootstrap, partitions=6), Pair(pair.source, far.cluster)
    create_topic(far.cluster.bootstrap, topic, partitions=6)
    fill_topic(pair.source.bootstrap, topic, 60_000)
    with far.link.slow_down(ROUND_TRIP, LOSS), away.run_mirror(topic) as one, away.run_mirror(topic) as two:
        for each in (one, two):
            each.wait_for_output("behind")
        for part in range(1, 6):
            eventually(lambda part=part: sum_end_offsets(far.cluster.bootstrap, topic) >= part * 10_000, 60)
            far.link.break_connections()
            fill_topic(pair.source.bootstrap, topic, 6_000)
        one.kill()
        eventually(lambda: sum_end_offsets(far.cluster.bootstrap, topic) == 90_000, 60)
        assert two.stop().code == 128 + signal.SIGTERM, two.err
    assert away.is_exact(topic)


def test_a_copy_that_ends_further_behind_than_the_threshold_ends_with_1(pair: Pair, far: Far) -> None:
    """A fetch brings 1 MB per round trip, and records written after the start aren't waited for."""
    topic, back = create_topic(far.cluster.bootstrap), Pair(far.cluster, pair.target)
    create_topic(pair.target.bootstrap, topic)
    large = Message("k", b"v" * 10_000)
    produce(far.cluster.bootstrap, topic, [large] * 6000)
    with far.link.slow_down(ROUND_TRIP, 0), back.run_mirror(topic, "--once", "--lag-threshold", "100") as mirror:
        back.wait_for_records(topic, 1)
        produce(far.cluster.bootstrap, topic, [large] * 400)
        ran = mirror.wait_for_end()
    [partition] = ran.json["partitions"]
    assert (ran.code, partition["source_end"]) == (1, 6400), ran.err
    assert 6000 <= partition["position"] < 6300
    assert back.replicate_once(topic, "--lag-threshold", "0").code == 0
    assert back.count_exact_records(topic) == 6400


def test_a_connection_that_is_closed_while_records_are_compared_is_made_anew(pair: Pair, far: Far) -> None:
    topic, back = create_topic(far.cluster.bootstrap), Pair(far.cluster, pair.target)
    produce(far.cluster.bootstrap, topic, [Message("k", b"v" * 10_000)] * 3000)
    assert back.replicate_once(topic).code == 0
    arguments = back.build_arguments("verify", "--topics", topic)
    with far.link.slow_down(ROUND_TRIP, 0):
        question_count = _count_questions(far, lambda: run_kafmirror(arguments).code, 0)
        start = far.link.question_count
        verify = MirrorProcess(arguments)
        try:
            eventually(lambda: far.link.question_count >= start + 0.75 * question_count, 60)
            far.link.break_connections()
            ran = verify.wait_for_end()
        finally:
            verify.close()
    assert ran.code == 0, ran.err


MANY = 120
"""A topic with so many partitions costs as few questions as one with a few."""

MAX_QUESTIONS = 70


def test_no_command_asks_for_one_partition_after_the_other(pair: Pair, far: Far) -> None:
    """What a partition costs is a round trip where each is asked by itself: 80 s for a thousand."""
    topic, back = create_topic(far.cluster.bootstrap, partitions=MANY), Pair(far.cluster, pair.target)
    produce(far.cluster.bootstrap, topic, [Message(f"sess_{n}", make_event(n), partition=n % MANY) for n in range(240)])
    counts = {"replicate": _count_questions(far, lambda: back.replicate_once(topic).code, 0)}
    for command in ("plan", "status", "verify", "failover"):
        counts[command] = _count_questions(far, lambda name=command: back.run(name, "--topics", topic).code, 0)
    topic_options = ("--cluster", f"127.0.0.1:{far.link.port}", "--topic", topic)
    for name, code, arguments in (
        ("sessions", 0, ("sessions", "--no-catalog")),
        ("a session", 0, ("replay", "sess_7", "--no-catalog")),
        ("no session", 4, ("replay", "sess_none", "--no-catalog")),
        ("a time", 0, ("replay", "sess_7", "--from", "2026-01-01", "--no-catalog")),
        ("stats", 0, ("stats", "--from", "-1h")),
    ):
        counts[name] = _count_questions(
            far, lambda arguments=arguments: run("kshark", *arguments, *topic_options).code, code
        )
    assert {name: count for name, count in counts.items() if count > MAX_QUESTIONS} == {}
    assert back.count_exact_records(topic) == 240


def make_event(number: int) -> str:
    """Return an event of a session of its own."""
    fields = {
        "event_id": f"evt_{number}",
        "session_id": f"sess_{number}",
        "agent_id": "a",
        "event_type": "user_message",
    }
    return json.dumps({**fields, "timestamp": "2026-02-03T10:00:00Z", "payload": {}})


def _count_questions(far: Far, run_command: Callable[[], int], expected_code: int) -> int:
    """Run a command, check its exit code, and return how often it sent something to the far cluster."""
    count_before = far.link.question_count
    assert run_command() == expected_code
    return far.link.question_count - count_before
