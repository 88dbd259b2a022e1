"""Clusters to mirror between, started once per session. Brokers that a test stopped are restarted after it."""

from collections.abc import Iterator

import pytest

from devkafka import KafkaCluster, run_clusters
from tests.kafmirror.side import Pair


@pytest.fixture(scope="session")
def _clusters() -> Iterator[Pair]:
    quick = {"log.cleaner.backoff.ms": "100", "log.initial.task.delay.ms": "100"}
    source_only = {"offset.metadata.max.bytes": "8192"}  # so that a group's metadata can be too long for the target
    clusters = KafkaCluster("source", properties={**quick, **source_only}), KafkaCluster("target", properties=quick)
    with run_clusters(*clusters) as (source, target):
        yield Pair(source, target)


@pytest.fixture
def pair(_clusters: Pair) -> Iterator[Pair]:
    """A source and a target of one broker each."""
    yield _clusters
    _clusters.source.recover()
    _clusters.target.recover()


@pytest.fixture(scope="session")
def _three() -> Iterator[KafkaCluster]:
    with KafkaCluster("three", brokers=3) as cluster:
        yield cluster


@pytest.fixture
def three(_three: KafkaCluster) -> Iterator[KafkaCluster]:
    """A cluster of three brokers, with two in-sync replicas required."""
    yield _three
    _three.recover()
