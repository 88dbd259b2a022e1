"""Two clusters to mirror between, started once a session; and a pair that a test may break."""

from collections.abc import Iterator

import pytest

from devkafka import KafkaCluster, running
from tests.kafmirror.side import Pair


@pytest.fixture(scope="session")
def _clusters() -> Iterator[Pair]:
    quick = {"log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "100"}
    clusters = KafkaCluster("source", properties=quick), KafkaCluster("target", properties=quick)
    with running(*clusters) as (source, target):
        yield Pair(source, target)


@pytest.fixture
def pair(_clusters: Pair) -> Iterator[Pair]:
    """A source and a target, both answering; what a test stops runs again before the next test."""
    yield _clusters
    _clusters.source.recover()
    _clusters.target.recover()
