"""The long ones: a mirror held under fire. `make soak` runs them."""

import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka import Producer

from devkafka import KafkaCluster, create_topic, eventually, running
from tests.kafmirror.side import Pair, Running, bounds, delete_records, digests, ends, fill

pytestmark = pytest.mark.soak


def name() -> str:
    return f"soak-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def three() -> Iterator[Pair]:
    """A source, and a target of three brokers that want two in sync."""
    with running(KafkaCluster("source"), KafkaCluster("target", brokers=3)) as (source, target):
        yield Pair(source, target)


def odd_records(pair: Pair, topic: str, count: int) -> None:
    """Records as odd as Kafka takes them, with every compression, up to 900 KB."""
    rng = random.Random(3)
    large = rng.randbytes(900_000)
    for number, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
        settings = {"bootstrap.servers": pair.source.bootstrap, "compression.type": codec, "enable.idempotence": True}
        producer = Producer({**settings, "queue.buffering.max.messages": 10_000_000, "linger.ms": 5})
        for n in range(count // 5):
            value = rng.choice([None, b"", b"{}", large[: rng.randrange(400)], large[: rng.randrange(2000)]])
            value = large[: rng.randrange(900_000)] if n % 20_000 == number else value
            headers = [(rng.choice(["a", "b", ""]), rng.choice([None, b"", b"x"]))] * rng.choice([0, 0, 0, 1, 30])
            key = rng.choice([None, b"", b"sess_%d" % (n % 99)])
            when = 1_700_000_000_000 + rng.randrange(10**9)
            producer.produce(topic, value, key, partition=n % 20, timestamp=when, headers=headers)
            if not n % 5000:
                producer.poll(0)
        assert producer.flush(120) == 0


def test_a_million_odd_records_are_identical_to_the_offset(pair: Pair) -> None:
    topic = create_topic(pair.source.bootstrap, name(), partitions=20)
    odd_records(pair, topic, 1_000_000)
    ran = pair.once(topic)
    assert ran.code == 0, ran.err
    source = digests(pair.source.bootstrap, topic)
    assert sum(count for count, _ in source.values()) == 1_000_000
    assert digests(pair.target.bootstrap, topic) == source


def grown(pair: Pair, topic: str, to: int) -> Callable[[], bool]:
    return lambda: ends(pair.target.bootstrap, topic) >= to


def test_three_mirrors_killed_at_random_fifty_times_copy_exactly(pair: Pair) -> None:
    topic, count = create_topic(pair.source.bootstrap, name(), partitions=6), 600_000
    create_topic(pair.target.bootstrap, topic, partitions=6)
    fill(pair.source.bootstrap, topic, count)
    arguments, rng = pair.arguments("replicate", "--topics", topic), random.Random(1)
    with ExitStack() as mirrors:
        alive = [Running(arguments) for _ in range(3)]
        for _ in range(50):
            before = ends(pair.target.bootstrap, topic)
            eventually(grown(pair, topic, min(before + 2000, count)), 120)
            number = rng.randrange(3)
            alive[number].close()
            alive[number] = Running(arguments)
            fill(pair.source.bootstrap, topic, 6000)
            count += 6000
        for each in alive:
            mirrors.callback(each.close)
        eventually(lambda: ends(pair.target.bootstrap, topic) == count, 240)
        assert all(each.is_running for each in alive), [each.err for each in alive]
    assert pair.is_exact(topic)


def test_a_leader_that_is_killed_and_too_few_in_sync_are_waited_for(three: Pair) -> None:
    topic = create_topic(three.source.bootstrap, name(), partitions=6)
    fill(three.source.bootstrap, topic, 200_000)
    one, two, _ = three.target.brokers
    with three.mirroring(topic) as mirror:
        eventually(lambda: ends(three.target.bootstrap, topic) > 1000, 120)
        one.kill()
        fill(three.source.bootstrap, topic, 60_000)
        eventually(lambda: ends(three.target.bootstrap, topic) == 260_000, 240)
        two.kill()
        fill(three.source.bootstrap, topic, 6_000)
        mirror.says("waiting since", timeout=120)
        three.target.recover()
        eventually(lambda: ends(three.target.bootstrap, topic) == 266_000, 240)
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert three.is_exact(topic)


def test_a_mirror_that_was_frozen_longer_than_the_target_remembers_goes_on_exactly() -> None:
    short = {"connections.max.idle.ms": "4000", "producer.id.expiration.ms": "6000"}
    quick = {**short, "producer.id.expiration.check.interval.ms": "500"}
    with running(KafkaCluster("source"), KafkaCluster("target", properties=quick)) as (source, target):
        pair = Pair(source, target)
        topic = create_topic(source.bootstrap, name(), partitions=6)
        fill(source.bootstrap, topic, 60_000, began=int(time.time() * 1000))
        with pair.mirroring(topic) as frozen, pair.mirroring(topic) as other:
            eventually(lambda: ends(target.bootstrap, topic) == 60_000, 120)
            frozen.send(signal.SIGSTOP)
            fill(source.bootstrap, topic, 60_000, began=int(time.time() * 1000))
            eventually(lambda: ends(target.bootstrap, topic) == 120_000, 120)
            forget = Forgetting(12.0)
            eventually(forget.is_over, 30)
            frozen.send(signal.SIGCONT)
            fill(source.bootstrap, topic, 60_000, began=int(time.time() * 1000))
            eventually(lambda: ends(target.bootstrap, topic) == 180_000, 120)
            assert (frozen.is_running, other.is_running) == (True, True), frozen.err + other.err
        assert pair.is_exact(topic)


class Forgetting:
    """The time after which the target has forgotten who wrote."""

    def __init__(self, seconds: float) -> None:
        self._over = time.monotonic() + seconds

    def is_over(self) -> bool:
        return time.monotonic() > self._over


def test_a_source_that_begins_at_three_million_is_copied_to_the_same_offsets(pair: Pair) -> None:
    topic = create_topic(pair.source.bootstrap, name())
    fill(pair.source.bootstrap, topic, 3_000_100, partitions=1)
    delete_records(pair.source.bootstrap, topic, 3_000_000)
    ran = pair.once(topic)
    assert ran.code == 0, ran.err
    assert bounds(pair.target.bootstrap, topic) == (3_000_000, 3_000_100)
    assert pair.is_exact(topic)
