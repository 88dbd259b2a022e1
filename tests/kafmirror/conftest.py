"""Two clusters to mirror between, started once a session; and a pair that a test may break."""

from collections.abc import Iterator

import pytest

from devkafka import KafkaCluster, running
from tests.kafmirror.side import Pair


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of the long tests."""
    config.addinivalue_line("markers", "soak: takes minutes; `make soak` runs it, `make test` doesn't")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out unless they are asked for by `-m soak`."""
    if "soak" not in config.option.markexpr:
        long = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


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
