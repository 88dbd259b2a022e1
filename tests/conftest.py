"""Real Kafka and a real browser for the tests. They start on first use, and end with the test session."""

import os
from collections.abc import Iterator
from typing import Protocol

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from hypothesis import settings

from devkafka import DevKafkaError, KafkaCluster, create_topic
from devkafka.client import SILENT_LOGGER
from tests.browser import Browser, run_chromium
from tests.silent_addresses import drop_connections, take_connections_without_answer

settings.register_profile("no timings", deadline=None)  # the time of an example depends on the machine
settings.load_profile("no timings")


class TopicFactory(Protocol):
    """A function that creates a topic on `kafka` and returns its name; `retention.ms` is -1 unless `config` sets it."""

    def __call__(
        self, name: str | None = None, *, partitions: int = 1, config: dict[str, str] | None = None
    ) -> str: ...


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Return the bootstrap address of a shared broker: DEV_BOOTSTRAP, or one started for this session."""
    if named := os.environ.get("DEV_BOOTSTRAP"):
        yield _check_answering(named)
        return
    with KafkaCluster("tests") as cluster:
        yield cluster.bootstrap


def _check_answering(bootstrap: str) -> str:
    try:
        AdminClient({"bootstrap.servers": bootstrap}, logger=SILENT_LOGGER).list_topics(timeout=10)
    except KafkaException as error:
        raise DevKafkaError(f"DEV_BOOTSTRAP is {bootstrap}, where no broker answers: {error}") from None
    return bootstrap


@pytest.fixture(scope="session")
def topic(kafka: str) -> Iterator[TopicFactory]:
    """Return a function that creates topics on `kafka`. They are deleted at the end of the session."""
    topics: list[str] = []

    def make(name: str | None = None, *, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        topics.append(create_topic(kafka, name, partitions=partitions, config=config))
        return topics[-1]

    yield make
    _delete_topics(kafka, topics)


def _delete_topics(bootstrap: str, topics: list[str]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for deleted in admin.delete_topics(topics).values() if topics else ():
        deleted.exception(timeout=30)


@pytest.fixture(scope="session")
def secure_kafka() -> Iterator[KafkaCluster]:
    """Return a shared cluster whose second listener requires TLS and a SCRAM password."""
    with KafkaCluster("secure", secure=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def misleading_kafka() -> Iterator[KafkaCluster]:
    """Return a shared cluster with listeners whose clients are sent to addresses where no broker is."""
    with drop_connections() as dropping, take_connections_without_answer() as silent:
        addresses = {
            "REFUSED": "127.0.0.1:1",
            "UNKNOWN": "broker-1.invalid:9092",
            "DROPPED": dropping,
            "SILENT": silent,
        }
        with KafkaCluster("misleading", misleading=addresses) as cluster:
            yield cluster


@pytest.fixture(scope="session")
def _breakable_kafka() -> Iterator[KafkaCluster]:
    with KafkaCluster("fragile") as cluster:
        yield cluster


@pytest.fixture
def fragile_kafka(_breakable_kafka: KafkaCluster) -> Iterator[KafkaCluster]:
    """Return a cluster that a test may kill, pause or stop. It runs again before the next test."""
    yield _breakable_kafka
    _breakable_kafka.recover()


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Browser]:
    with run_chromium() as started:
        yield started


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """Return headless Chromium. A test fails if a page writes a warning or an error to the console."""
    _chromium.reset()
    yield _chromium
    assert _chromium.read_console() == []
