"""Records written to a topic in order."""

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import Message, Producer

from ..errors import AgentlogError, KafkaRefused
from ..event.event import Headers
from ..settings.clusters import Cluster
from .client import Code, Troubles, client

MAX_BYTES = 1_000_000
LOOK_EVERY = 1_000

DEFAULTS = {"compression.type": "lz4"}
WRITING: dict[str, str | bool] = {
    "enable.idempotence": "true",
    "linger.ms": "20",
    "message.timeout.ms": "30000",
    "queue.buffering.max.kbytes": "32768",
    "delivery.report.only.error": True,  # confluent's own, of its own type
}


class Outgoing(NamedTuple):
    """A record to write; the partition is told, the timestamp in milliseconds since the epoch."""

    partition: int
    key: bytes
    value: bytes | None
    timestamp: int
    headers: Headers


class Writer:
    """Writes records to a topic in order, acknowledged by all replicas.

    Args:
        max_bytes: the largest batch that the topic takes.

    Attributes:
        handed: how many records were taken to be written.

    Raises:
        SettingsError: a property that librdkafka doesn't take.
    """

    def __init__(self, cluster: Cluster, topic: str, max_bytes: int = MAX_BYTES) -> None:
        self.handed = 0
        self._cluster, self._topic = cluster, topic
        self._troubles, self._failed = Troubles(cluster), list[Code]()
        own = {name: value for name, value in DEFAULTS.items() if name not in cluster.properties}
        sizes = {"message.max.bytes": str(max_bytes), "batch.size": str(min(max_bytes, MAX_BYTES))}
        self._producer = client(Producer, cluster, {**own, **WRITING, **sizes}, self._troubles)

    @property
    def arrived(self) -> int:
        """How many records are known to have arrived."""
        return self.handed - len(self._producer) - len(self._failed)

    def write(self, records: Iterable[Outgoing]) -> None:
        """Write ``records``; when interrupted, what was handed over is waited for.

        Raises:
            KafkaError: the first that failed; others may be missing, behind it and before.
        """
        try:
            for record in records:
                self._hand_over(record)
                if self.handed % LOOK_EVERY == 0:
                    self._producer.poll(0)
                if self._failed:
                    self._producer.purge(in_flight=False)
                    break
        finally:
            self._producer.flush()
        if self._failed:
            raise self._failure()

    def _hand_over(self, record: Outgoing) -> None:
        """Hand a record to the producer, waiting while its queue is full."""
        partition, key, value, timestamp, headers = record
        while not self._failed:
            try:
                self._producer.produce(
                    self._topic,
                    value,
                    key,
                    partition,
                    on_delivery=self._answered,
                    timestamp=timestamp,
                    headers=list(headers),
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                self.handed += 1
                return

    def _answered(self, error: Code | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def _failure(self) -> AgentlogError:
        error = self._failed[0]
        if error.code() == Code._MSG_TIMED_OUT:
            return self._troubles.explained(f"writing topic {self._topic}")
        return KafkaRefused(f"cluster {self._cluster.name}, topic {self._topic}: {error.str()}")


def write(cluster: Cluster, topic: str, records: Iterable[Outgoing]) -> None:
    """Write ``records`` in order, acknowledged by all replicas; see ``Writer``."""
    Writer(cluster, topic).write(records)
