"""The common steps of tests and benchmarks: create a topic, write records in order, wait for a condition."""

import logging
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Delivered
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

T = TypeVar("T")

# Outside the logging tree: a refused connection is expected while a broker starts, and failures are raised.
SILENT_LOGGER = logging.Logger("devkafka")
SILENT_LOGGER.addHandler(logging.NullHandler())


class Message(NamedTuple):
    """A record to write.

    `timestamp` is in ms since 1970; 0 or None stands for now. With `partition` None the key decides the partition.
    """

    key: str | bytes | None
    value: str | bytes | None
    timestamp: int | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int | None = None


class Place(NamedTuple):
    """The place of a written record."""

    partition: int
    offset: int


def create_topic(
    bootstrap: str,
    name: str | None = None,
    *,
    partitions: int = 1,
    replication: int = -1,
    config: Mapping[str, str] | None = None,
) -> str:
    """Create a topic, wait until every broker knows the leaders of its partitions, and return its name.

    Without a `name` it gets a new one. `retention.ms` is -1 unless `config` sets it, because Kafka would delete records
    with old timestamps within minutes. `replication` -1 is the cluster's default.
    """
    name = name or f"test-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": bootstrap}, logger=SILENT_LOGGER)
    new_topic = NewTopic(name, partitions, replication, config={"retention.ms": "-1", **(config or {})})
    admin.create_topics([new_topic])[name].result(timeout=30)
    eventually(lambda: _is_known(admin, name, partitions), timeout=30)
    return name


def _is_known(admin: AdminClient, topic: str, partitions: int) -> bool:
    try:
        brokers = admin.list_topics(timeout=5).brokers.values()
        return bool(brokers) and all(_has_leaders(f"{each.host}:{each.port}", topic, partitions) for each in brokers)
    except KafkaException:
        return False


def _has_leaders(broker: str, topic: str, partitions: int) -> bool:
    """Ask one broker with a new client, because a client that knows several brokers asks any of them."""
    metadata = (
        AdminClient({"bootstrap.servers": broker}, logger=SILENT_LOGGER).list_topics(topic, timeout=5).topics[topic]
    )
    return len(metadata.partitions) == partitions and all(each.leader >= 0 for each in metadata.partitions.values())


def produce(
    bootstrap: str, topic: str, messages: Iterable[Message], properties: Mapping[str, str | int] | None = None
) -> list[Place]:
    """Write messages in order, wait until all in-sync replicas have them, and return their places.

    `properties` are librdkafka's, for example {"compression.type": "lz4", "partitioner": "murmur2_random"}.
    Raise KafkaException for the first message that isn't acknowledged within 60 s.
    """
    safe = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 60_000}
    producer = Producer({**safe, **(properties or {})}, logger=SILENT_LOGGER)
    places: dict[int, Place | KafkaError] = {}
    for number, message in enumerate(messages):
        _send(producer, topic, message, partial(_note_delivery, places, number))
    producer.flush()
    return [_require_acknowledged(places[number]) for number in range(len(places))]


def _send(
    producer: Producer, topic: str, message: Message, on_delivery: Callable[[KafkaError | None, Delivered], None]
) -> None:
    while True:
        try:
            producer.produce(
                topic,
                message.value,
                message.key,
                partition=-1 if message.partition is None else message.partition,
                timestamp=message.timestamp or 0,
                headers=list(message.headers),
                on_delivery=on_delivery,
            )
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _note_delivery(
    places: dict[int, Place | KafkaError], number: int, error: KafkaError | None, record: Delivered
) -> None:
    partition, offset = record.partition(), record.offset()
    places[number] = error or Place(partition if partition is not None else -1, offset if offset is not None else -1)


def _require_acknowledged(place: Place | KafkaError) -> Place:
    if isinstance(place, KafkaError):
        raise KafkaException(place)
    return place


def eventually(condition: Callable[[], T], timeout: float = 30.0) -> T:
    """Call `condition` until its result is true, and return the result; raise TimeoutError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {timeout:g} s the condition still returns {answer!r}")
        time.sleep(0.02)
    return answer
