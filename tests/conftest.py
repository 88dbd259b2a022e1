"""Real Kafka and a real browser for the tests: started on first use, once a session, and gone with it."""

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

settings.register_profile("no timings", deadline=None)  # how long an example takes says more of the machine
settings.load_profile("no timings")


class TopicFactory(Protocol):
    """Makes a new topic on `kafka` and returns its name; `retention.ms` is -1 unless `config` says otherwise."""

    def __call__(
        self, name: str | None = None, *, partitions: int = 1, config: dict[str, str] | None = None
    ) -> str: ...


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The bootstrap address of a broker that tests share: DEV_BOOTSTRAP, or one started for this session."""
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
    """A function that makes a new topic on `kafka`, until the end of the session."""
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
    """A shared cluster whose second listener wants TLS and a SCRAM password."""
    with KafkaCluster("secure", secure=True) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def _breakable_kafka() -> Iterator[KafkaCluster]:
    with KafkaCluster("fragile") as cluster:
        yield cluster


@pytest.fixture
def fragile_kafka(_breakable_kafka: KafkaCluster) -> Iterator[KafkaCluster]:
    """A cluster that a test may kill, pause or stop; it runs again before the next test."""
    yield _breakable_kafka
    _breakable_kafka.recover()


@pytest.fixture(scope="session")
def _chromium() -> Iterator[Browser]:
    with run_chromium() as found:
        yield found


@pytest.fixture
def browser(_chromium: Browser) -> Iterator[Browser]:
    """Headless Chromium; a page that writes a warning or an error on the console fails its test."""
    _chromium.reset()
    yield _chromium
    assert _chromium.read_console() == []
