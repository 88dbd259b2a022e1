"""Records written to a topic in order."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from confluent_kafka import Message, Producer

from ..clusters import Cluster
from ..errors import KafkaRefused
from ..events import Headers
from .client import Code, Troubles, client


class Outgoing(NamedTuple):
    """A record to write; the partition is told, the timestamp in milliseconds since the epoch."""

    partition: int
    key: bytes
    value: bytes | None
    timestamp: int
    headers: Headers


def write(cluster: Cluster, topic: str, records: Iterable[Outgoing]) -> None:
    """Write ``records`` in order, acknowledged by all replicas.

    Raises:
        KafkaError: the first that failed; those behind it may be missing.
    """
    troubles, failed = Troubles(cluster), list[Code]()
    settings = {"enable.idempotence": "true", "linger.ms": "20", "message.timeout.ms": "30000"}
    producer = client(Producer, cluster, settings, troubles)

    def delivered(error: Code | None, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for record in records:
        _produce(producer, topic, record, delivered)
    producer.flush()
    if failed:
        timed_out = failed[0].code() == Code._MSG_TIMED_OUT
        refused = KafkaRefused(f"cluster {cluster.name}, topic {topic}: {failed[0].str()}")
        raise troubles.explained(f"writing topic {topic}") if timed_out else refused


def _produce(producer: Producer, topic: str, record: Outgoing, delivered: Callable[..., None]) -> None:
    """Hand a record to the producer, waiting while its queue is full."""
    fields: dict[str, Any] = {**record._asdict(), "headers": list(record.headers), "on_delivery": delivered}
    while True:
        try:
            return producer.produce(topic, **fields)
        except BufferError:
            producer.poll(0.1)
