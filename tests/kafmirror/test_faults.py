"""Whatever is killed, paused, full or restarted: no record is lost, doubled or moved; nobody restarts the mirror."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer

from devkafka import KafkaCluster, Message, create_topic, produce
from devkafka.client import QUIET
from tests.kafmirror.disk import full, small_disk
from tests.kafmirror.logs import bounds, delete_records, ends, fill
from tests.kafmirror.side import Pair


def test_a_mirror_that_is_killed_while_it_copies_goes_on_exactly(pair: Pair) -> None:
    topic, rng = pair.filled(100_000), random.Random(7)
    for _ in range(4):
        before = ends(pair.target.bootstrap, topic)
        with pair.mirroring(topic) as mirror:
            pair.holds(topic, before + rng.randrange(1, 20_000))
            mirror.kill()
        fill(pair.source.bootstrap, topic, 30_000)
    ran = pair.once(topic)
    assert ran.code == 0, ran.err
    assert pair.exact(topic) == 220_000


def test_several_mirrors_of_one_topic_copy_it_exactly(pair: Pair) -> None:
    topic = pair.filled(100_000)
    with pair.mirroring(topic) as one, pair.mirroring(topic) as two, pair.mirroring(topic) as three:
        pair.holds(topic, 10_000)
        one.kill()
        pair.holds(topic, 100_000)
        fill(pair.source.bootstrap, topic, 6_000)
        pair.holds(topic, 106_000)
        assert (two.is_running, three.is_running) == (True, True), two.err + three.err
    assert pair.exact(topic) == 106_000


@pytest.mark.parametrize("side", [pytest.param("source", marks=pytest.mark.soak), "target"])
def test_a_broker_that_is_killed_is_waited_for(pair: Pair, side: str) -> None:
    topic = pair.filled(50_000)
    [broker] = getattr(pair, side).brokers
    with pair.mirroring(topic) as mirror:
        pair.holds(topic, 100)
        broker.kill()
        mirror.says("waiting since")
        broker.start()
        fill(pair.source.bootstrap, topic, 6_000)
        pair.holds(topic, 56_000)
        mirror.says("going on after")
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert pair.exact(topic) == 56_000


@pytest.mark.soak
def test_both_sides_may_be_killed_at_once(pair: Pair) -> None:
    topic = pair.filled(50_000)
    with pair.mirroring(topic) as mirror:
        pair.holds(topic, 100)
        for cluster in (pair.source, pair.target):
            cluster.brokers[0].kill()
        mirror.says("waiting since")
        pair.source.recover()
        pair.target.recover()
        pair.holds(topic, 50_000)
        assert mirror.is_running, mirror.err
    assert pair.exact(topic) == 50_000


@pytest.mark.soak
def test_a_target_that_is_paused_for_30_seconds_is_waited_for(pair: Pair) -> None:
    topic = pair.filled(50_000)
    [broker] = pair.target.brokers
    with pair.mirroring(topic) as mirror:
        pair.holds(topic, 100)
        broker.pause()
        time.sleep(30)
        mirror.says("waiting since")
        broker.resume()
        pair.holds(topic, 50_000)
        mirror.says("going on after")
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert pair.exact(topic) == 50_000


@pytest.mark.soak
def test_a_target_whose_disk_is_full_is_waited_for(pair: Pair, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as small:
        two_disks = {"log.dirs": f"{tmp_path / 'large'},{small}", "log.index.size.max.bytes": "65536"}
        with KafkaCluster("full", properties=two_disks) as target:
            onto_it, [broker] = Pair(pair.source, target), target.brokers
            topic = onto_it.filled(60_000)
            with onto_it.mirroring(topic) as mirror:
                onto_it.holds(topic, 60_000)
                with full(small, broker):
                    fill(pair.source.bootstrap, topic, 120_000, **{"compression.type": "none"})
                    mirror.says("waiting since")
                    broker.kill()
                broker.start()
                onto_it.holds(topic, 180_000)
                assert mirror.stop().code == 128 + signal.SIGTERM
            assert onto_it.exact(topic) == 180_000


def test_a_running_mirror_that_retention_overtakes_stops_and_names_what_is_lost(pair: Pair) -> None:
    topic = pair.topic()
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}") for n in range(100)])
    create_topic(pair.target.bootstrap, topic)
    with pair.mirroring(topic) as mirror:
        pair.holds(topic, 100)
        with open_transaction(pair.source.bootstrap, topic, 100):  # an answer can't bring what isn't committed
            delete_records(pair.source.bootstrap, topic, 150)
            ran = mirror.ended()
    assert ran.code == 1
    assert f"{topic}[0]" in ran.err
    assert "retention deleted offsets 100 to 149" in ran.err
    assert bounds(pair.target.bootstrap, topic) == (0, 100)


@contextmanager
def open_transaction(bootstrap: str, topic: str, count: int) -> Iterator[None]:
    """So many records of a transaction that stays open as long as the block."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic}, logger=QUIET)
    producer.init_transactions(30)
    producer.begin_transaction()
    for n in range(count):
        producer.produce(topic, f"later {n}", "k")
    producer.flush()
    try:
        yield
    finally:
        producer.abort_transaction(30)
