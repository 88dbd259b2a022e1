"""Long tests: many records, many killed mirrors, and a long sleep. `make soak` runs them."""

import random
import signal
import time
from contextlib import ExitStack

import pytest
from confluent_kafka import Producer

from devkafka import KafkaCluster
from tests.kafmirror.logs import delete_records, fill_topic, read_bounds, sum_end_offsets
from tests.kafmirror.side import MirrorProcess, Pair

pytestmark = pytest.mark.soak


def odd_records(bootstrap: str, topic: str, count: int) -> None:
    """Write records that are as odd as Kafka allows, with every compression, up to 900 KB."""
    rng = random.Random(3)
    large = rng.randbytes(900_000)
    values = [*[None, b"", b"{}"] * 200, *(large[: rng.randrange(most)] for most in (400, 2000) for _ in range(200))]
    headers = [[], [], [], *([(name, value)] * n for name in ("a", "") for value in (None, b"", b"x") for n in (1, 30))]
    keys = [None, b"", *(b"sess_%d" % n for n in range(99))]
    for number, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd")):
        settings = {"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": True}
        producer = Producer({**settings, "queue.buffering.max.messages": 10_000_000, "linger.ms": 5})
        for n in range(count // 5):
            value = large[: rng.randrange(900_000)] if n % 20_000 == number else rng.choice(values)
            when = 1_700_000_000_000 + rng.randrange(10**9)
            own = {"partition": n % 20, "timestamp": when, "headers": rng.choice(headers)}
            producer.produce(topic, value, rng.choice(keys), **own)
            if not n % 5000:
                producer.poll(0)
        assert producer.flush(120) == 0


def test_a_million_odd_records_are_identical_to_the_offset(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=20)
    odd_records(pair.source.bootstrap, topic, 1_000_000)
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    assert pair.count_exact_records(topic) == 1_000_000


def test_three_mirrors_killed_at_random_fifty_times_copy_exactly(pair: Pair) -> None:
    count = 600_000
    topic = pair.create_filled_topic(count)
    arguments, rng = pair.build_arguments("replicate", "--topics", topic), random.Random(1)
    with ExitStack() as mirrors:
        alive = [MirrorProcess(arguments) for _ in range(3)]
        for _ in range(50):
            pair.wait_for_records(topic, min(sum_end_offsets(pair.target.bootstrap, topic) + 2000, count))
            number = rng.randrange(3)
            alive[number].close()
            alive[number] = MirrorProcess(arguments)
            fill_topic(pair.source.bootstrap, topic, 6000)
            count += 6000
        for each in alive:
            mirrors.callback(each.close)
        pair.wait_for_records(topic, count, timeout=240)
        assert all(each.is_running for each in alive), [each.err for each in alive]
    assert pair.count_exact_records(topic) == 900_000


def test_a_mirror_that_was_frozen_longer_than_the_target_remembers_goes_on_exactly(pair: Pair) -> None:
    short = {"connections.max.idle.ms": "4000", "producer.id.expiration.ms": "6000"}
    quick = {**short, "producer.id.expiration.check.interval.ms": "500"}
    with KafkaCluster("forgetful", properties=quick) as target:
        onto_it, topic = Pair(pair.source, target), pair.create_source_topic(partitions=6)
        write_now(pair, topic)
        with onto_it.run_mirror(topic) as frozen, onto_it.run_mirror(topic) as other:
            onto_it.wait_for_records(topic, 60_000)
            frozen.send_signal(signal.SIGSTOP)
            write_now(pair, topic)
            onto_it.wait_for_records(topic, 120_000)
            time.sleep(12)
            frozen.send_signal(signal.SIGCONT)
            write_now(pair, topic)
            onto_it.wait_for_records(topic, 180_000)
            assert (frozen.is_running, other.is_running) == (True, True), frozen.err + other.err
        assert onto_it.count_exact_records(topic) == 180_000


def write_now(pair: Pair, topic: str) -> None:
    fill_topic(pair.source.bootstrap, topic, 60_000, start_ms=int(time.time() * 1000))


def test_a_source_that_begins_at_three_million_is_copied_to_the_same_offsets(pair: Pair) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 3_000_100, partitions=1)
    delete_records(pair.source.bootstrap, topic, 3_000_000)
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    assert read_bounds(pair.target.bootstrap, topic) == (3_000_000, 3_000_100)
    assert pair.count_exact_records(topic) == 100
