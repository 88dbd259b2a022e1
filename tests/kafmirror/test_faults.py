"""Whatever is killed, paused or restarted: no record is lost, doubled or moved, and nobody need restart the mirror."""

import random
import signal
import uuid
from collections.abc import Callable

import pytest

from devkafka import create_topic, eventually
from tests.kafmirror.side import Pair, Running, ends, fill


def filled(pair: Pair, count: int) -> str:
    """A topic of six partitions with so many records."""
    topic = create_topic(pair.source.bootstrap, f"test-{uuid.uuid4().hex[:8]}", partitions=6)
    create_topic(pair.target.bootstrap, topic, partitions=6)
    fill(pair.source.bootstrap, topic, count)
    return topic


def grown(pair: Pair, topic: str, by: int, goal: int) -> Callable[[], bool]:
    """Whether the target has so many records more than now, or all."""
    before = ends(pair.target.bootstrap, topic)
    return lambda: ends(pair.target.bootstrap, topic) >= min(before + by, goal)


def kill_while_it_copies(pair: Pair, topic: str, count: int, kills: int) -> int:
    """Kill mirrors as they copy; the number of kills before all was copied."""
    rng = random.Random(7)
    for number in range(kills):
        with pair.mirroring(topic) as mirror:
            eventually(grown(pair, topic, rng.randrange(1, 2 * count // kills), count), 60)
            mirror.kill()
        if ends(pair.target.bootstrap, topic) == count:
            return number + 1
    return kills


def test_a_mirror_that_is_killed_while_it_copies_goes_on_exactly(pair: Pair) -> None:
    topic = filled(pair, 60_000)
    assert kill_while_it_copies(pair, topic, 60_000, kills=4) > 1
    ran = pair.once(topic)
    assert ran.code == 0, ran.err
    assert pair.is_exact(topic)


def test_several_mirrors_of_one_topic_copy_it_exactly(pair: Pair) -> None:
    topic = filled(pair, 100_000)
    with pair.mirroring(topic) as one, pair.mirroring(topic) as two, pair.mirroring(topic) as three:
        eventually(lambda: ends(pair.target.bootstrap, topic) > 10_000, 60)
        one.kill()
        eventually(lambda: ends(pair.target.bootstrap, topic) == 100_000, 60)
        fill(pair.source.bootstrap, topic, 6_000)
        eventually(lambda: ends(pair.target.bootstrap, topic) == 106_000, 60)
        assert (two.is_running, three.is_running) == (True, True), two.err + three.err
    assert pair.is_exact(topic)


@pytest.mark.parametrize("side", [pytest.param("source", marks=pytest.mark.soak), "target"])
def test_a_broker_that_is_killed_is_waited_for(pair: Pair, side: str) -> None:
    topic = filled(pair, 50_000)
    [broker] = getattr(pair, side).brokers
    with pair.mirroring(topic) as mirror:
        eventually(grown(pair, topic, 100, 50_000), 60)
        broker.kill()
        mirror.says("waiting since")
        broker.start()
        fill(pair.source.bootstrap, topic, 6_000)
        eventually(lambda: ends(pair.target.bootstrap, topic) == 56_000, 60)
        mirror.says("going on after")
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert pair.is_exact(topic)


@pytest.mark.soak
def test_a_target_that_is_paused_is_waited_for(pair: Pair) -> None:
    topic = filled(pair, 50_000)
    [broker] = pair.target.brokers
    arguments = pair.arguments("replicate", "--topics", topic, "-X", "socket.timeout.ms=2000")
    mirror = Running(arguments)
    eventually(grown(pair, topic, 100, 50_000), 60)
    broker.pause()
    mirror.says("waiting since")
    broker.resume()
    eventually(lambda: ends(pair.target.bootstrap, topic) == 50_000, 60)
    assert mirror.stop().code == 128 + signal.SIGTERM
    mirror.close()
    assert pair.is_exact(topic)


@pytest.mark.soak
def test_both_sides_may_be_killed_at_once(pair: Pair) -> None:
    topic = filled(pair, 50_000)
    with pair.mirroring(topic) as mirror:
        eventually(grown(pair, topic, 100, 50_000), 60)
        for cluster in (pair.source, pair.target):
            cluster.brokers[0].kill()
        mirror.says("waiting since")
        pair.source.recover()
        pair.target.recover()
        eventually(lambda: ends(pair.target.bootstrap, topic) == 50_000, 60)
        assert mirror.is_running, mirror.err
    assert pair.is_exact(topic)
