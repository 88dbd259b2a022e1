"""A long and lossy way between the clusters makes the copy slower, never different."""

import signal
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from devkafka import KafkaCluster, create_topic, eventually
from tests.kafmirror.link import Link
from tests.kafmirror.logs import digests, ends, fill
from tests.kafmirror.side import Pair

ROUND_TRIP, LOSS = 0.08, 0.01


class Far(NamedTuple):
    """A cluster whose clients are sent over a link."""

    cluster: KafkaCluster
    link: Link


@pytest.fixture(scope="module")
def far() -> Iterator[Far]:
    with Link() as link:
        sent_over_it = {"advertised.listeners": f"PLAIN://127.0.0.1:{link.port}"}
        with KafkaCluster("far", properties=sent_over_it) as cluster:
            link.to = int(cluster.bootstrap.rpartition(":")[2])
            yield Far(cluster, link)


def test_there_and_back_over_80_ms_and_1_percent_loss_is_exact(pair: Pair, far: Far) -> None:
    topic = create_topic(pair.source.bootstrap, partitions=6)
    fill(pair.source.bootstrap, topic, 60_000)
    with far.link.long(ROUND_TRIP, LOSS):
        there = Pair(pair.source, far.cluster).once(topic)
        back = Pair(far.cluster, pair.target).once(topic)
    assert (there.code, back.code) == (0, 0), there.err + back.err
    assert far.link.lost > 20
    source = digests(pair.source.bootstrap, topic)
    assert sum(count for count, _ in source.values()) == 60_000
    assert digests(far.cluster.bootstrap, topic) == digests(pair.target.bootstrap, topic) == source


def test_mirrors_over_a_long_way_that_breaks_again_and_again_copy_exactly(pair: Pair, far: Far) -> None:
    topic, away = create_topic(pair.source.bootstrap, partitions=6), Pair(pair.source, far.cluster)
    create_topic(far.cluster.bootstrap, topic, partitions=6)
    fill(pair.source.bootstrap, topic, 60_000)
    with far.link.long(ROUND_TRIP, LOSS), away.mirroring(topic) as one, away.mirroring(topic) as two:
        for part in range(1, 6):
            eventually(lambda part=part: ends(far.cluster.bootstrap, topic) >= part * 10_000, 60)
            far.link.cut()
            fill(pair.source.bootstrap, topic, 6_000)
        one.kill()
        eventually(lambda: ends(far.cluster.bootstrap, topic) == 90_000, 60)
        assert two.stop().code == 128 + signal.SIGTERM, two.err
    assert away.is_exact(topic)
