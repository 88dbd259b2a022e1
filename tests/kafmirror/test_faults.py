"""Mirrors and brokers are killed, paused, full or restarted: no record is lost, doubled or moved."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer

from devkafka import KafkaCluster, Message, create_topic, produce
from devkafka.client import SILENT_LOGGER
from tests.kafmirror.disk import fill_disk, mount_small_disk
from tests.kafmirror.logs import delete_records, fill_topic, read_bounds, sum_end_offsets
from tests.kafmirror.side import Pair


def test_a_mirror_that_is_killed_while_it_copies_goes_on_exactly(pair: Pair) -> None:
    topic, rng = pair.create_filled_topic(100_000), random.Random(7)
    for _ in range(4):
        before = sum_end_offsets(pair.target.bootstrap, topic)
        with pair.run_mirror(topic) as mirror:
            pair.wait_for_records(topic, before + rng.randrange(1, 20_000))
            mirror.kill()
        fill_topic(pair.source.bootstrap, topic, 30_000)
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    assert pair.count_exact_records(topic) == 220_000


def test_several_mirrors_of_one_topic_copy_it_exactly(pair: Pair) -> None:
    topic = pair.create_filled_topic(100_000)
    with pair.run_mirror(topic) as one, pair.run_mirror(topic) as two, pair.run_mirror(topic) as three:
        pair.wait_for_records(topic, 10_000)
        one.kill()
        pair.wait_for_records(topic, 100_000)
        fill_topic(pair.source.bootstrap, topic, 6_000)
        pair.wait_for_records(topic, 106_000)
        assert (two.is_running, three.is_running) == (True, True), two.err + three.err
    assert pair.count_exact_records(topic) == 106_000


@pytest.mark.parametrize("side", [pytest.param("source", marks=pytest.mark.soak), "target"])
def test_a_broker_that_is_killed_is_waited_for(pair: Pair, side: str) -> None:
    topic = pair.create_filled_topic(50_000)
    [broker] = getattr(pair, side).brokers
    with pair.run_mirror(topic) as mirror:
        pair.wait_for_records(topic, 100)
        broker.kill()
        mirror.wait_for_output("still waiting after")
        broker.start()
        fill_topic(pair.source.bootstrap, topic, 6_000)
        pair.wait_for_records(topic, 56_000)
        mirror.wait_for_output("continuing after")
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert pair.count_exact_records(topic) == 56_000


@pytest.mark.soak
def test_both_sides_may_be_killed_at_once(pair: Pair) -> None:
    topic = pair.create_filled_topic(50_000)
    with pair.run_mirror(topic) as mirror:
        pair.wait_for_records(topic, 100)
        for cluster in (pair.source, pair.target):
            cluster.brokers[0].kill()
        mirror.wait_for_output("still waiting after")
        pair.source.recover()
        pair.target.recover()
        pair.wait_for_records(topic, 50_000)
        assert mirror.is_running, mirror.err
    assert pair.count_exact_records(topic) == 50_000


@pytest.mark.soak
def test_a_target_that_is_paused_for_30_seconds_is_waited_for(pair: Pair) -> None:
    topic = pair.create_filled_topic(50_000)
    [broker] = pair.target.brokers
    with pair.run_mirror(topic) as mirror:
        pair.wait_for_records(topic, 100)
        broker.pause()
        time.sleep(30)
        mirror.wait_for_output("still waiting after")
        broker.resume()
        pair.wait_for_records(topic, 50_000)
        mirror.wait_for_output("continuing after")
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert pair.count_exact_records(topic) == 50_000


@pytest.mark.soak
def test_a_target_whose_disk_is_full_is_waited_for(pair: Pair, tmp_path: Path) -> None:
    with mount_small_disk(tmp_path / "small") as small:
        two_disks = {"log.dirs": f"{tmp_path / 'large'},{small}", "log.index.size.max.bytes": "65536"}
        with KafkaCluster("full", properties=two_disks) as target:
            onto_it, [broker] = Pair(pair.source, target), target.brokers
            topic = onto_it.create_filled_topic(60_000)
            with onto_it.run_mirror(topic) as mirror:
                onto_it.wait_for_records(topic, 60_000)
                with fill_disk(small, broker):
                    fill_topic(pair.source.bootstrap, topic, 120_000, **{"compression.type": "none"})
                    mirror.wait_for_output("still waiting after")
                    broker.kill()
                broker.start()
                onto_it.wait_for_records(topic, 180_000)
                assert mirror.stop().code == 128 + signal.SIGTERM
            assert onto_it.count_exact_records(topic) == 180_000


def test_a_running_mirror_that_retention_overtakes_stops_and_names_the_lost_records(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}") for n in range(100)])
    create_topic(pair.target.bootstrap, topic)
    with pair.run_mirror(topic) as mirror:
        pair.wait_for_records(topic, 100)
        with open_transaction(pair.source.bootstrap, topic, 100):  # uncommitted records can't be copied in time
            delete_records(pair.source.bootstrap, topic, 150)
            ran = mirror.wait_for_end()
    assert ran.code == 1
    assert f"{topic}[0]" in ran.err
    assert "retention deleted offsets 100 to 149" in ran.err
    assert read_bounds(pair.target.bootstrap, topic) == (0, 100)


@contextmanager
def open_transaction(bootstrap: str, topic: str, count: int) -> Iterator[None]:
    """Write ``count`` records of a transaction that stays open for the block, and is aborted then."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic}, logger=SILENT_LOGGER)
    producer.init_transactions(30)
    producer.begin_transaction()
    for n in range(count):
        producer.produce(topic, f"later {n}", "k")
    producer.flush()
    try:
        yield
    finally:
        producer.abort_transaction(30)
