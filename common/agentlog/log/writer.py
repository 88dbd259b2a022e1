"""The writer of a topic: records in order, acknowledged."""

from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import Message, Producer

from ..errors import AgentlogError, KafkaRefused
from ..event.event import Headers
from ..settings.clusters import Cluster
from .connection.client import ClientErrors, KafkaException, LibrdkafkaError, create_client, find_fatal_error

MAX_BATCH_BYTES = 1_000_000
POLL_EVERY_RECORDS = 1_000
"""The producer is polled for failures after this many records."""

DEFAULT_PROPERTIES = {"compression.type": "lz4"}
PRODUCER_SETTINGS: dict[str, str | bool] = {
    "enable.idempotence": "true",
    "linger.ms": "20",
    "message.timeout.ms": "30000",
    "queue.buffering.max.kbytes": "32768",
    "delivery.report.only.error": True,  # a property of confluent_kafka, which is a bool
}


class OutgoingRecord(NamedTuple):
    """A record to write to a given partition. The timestamp is in milliseconds since the epoch."""

    partition: int
    key: bytes
    value: bytes | None
    timestamp: int
    headers: Headers


class TopicWriter:
    """A writer of records to a topic, in order, acknowledged by all replicas.

    Args:
        max_bytes: the largest batch that the topic accepts.

    Attributes:
        handed_over_count: the number of records that were given to the producer.

    Raises:
        SettingsError: librdkafka refuses a property.
    """

    def __init__(self, cluster: Cluster, topic: str, max_bytes: int = MAX_BATCH_BYTES) -> None:
        self.handed_over_count = 0
        self._cluster, self._topic = cluster, topic
        self._client_errors, self._failed_count = ClientErrors(cluster), 0
        self._failure: LibrdkafkaError | None = None
        defaults = {name: value for name, value in DEFAULT_PROPERTIES.items() if name not in cluster.properties}
        sizes = {"message.max.bytes": str(max_bytes), "batch.size": str(min(max_bytes, MAX_BATCH_BYTES))}
        self._producer = create_client(
            Producer, cluster, {**defaults, **PRODUCER_SETTINGS, **sizes}, self._client_errors
        )

    @property
    def delivered_count(self) -> int:
        """The number of records that were acknowledged."""
        return self.handed_over_count - len(self._producer) - self._failed_count

    def write(self, records: Iterable[OutgoingRecord]) -> None:
        """Write ``records``. If interrupted, wait for the records that the producer already has.

        Raises:
            KafkaError: the first failure. Other records, before and behind it, may also be missing.
        """
        try:
            for record in records:
                self._hand_over(record)
                if self.handed_over_count % POLL_EVERY_RECORDS == 0:
                    self._poll(0)
                if self._failure is not None:
                    self._producer.purge(in_flight=False)
                    break
        finally:
            self._flush()
        if self._failure is not None:
            raise self._explain_failure(self._failure)

    def _hand_over(self, record: OutgoingRecord) -> None:
        """Give a record to the producer, and wait while its queue is full."""
        partition, key, value, timestamp, headers = record
        while self._failure is None:
            try:
                self._producer.produce(
                    self._topic,
                    value,
                    key,
                    partition,
                    on_delivery=self._on_delivery,
                    timestamp=timestamp,
                    headers=list(headers),
                )
            except BufferError:
                self._poll(0.1)
            except KafkaException as error:
                self._failure = error.args[0]
            else:
                self.handed_over_count += 1
                return

    def _poll(self, timeout_s: float) -> None:
        """Wait for results. A producer that breaks raises its error here, and fails its records afterwards."""
        try:
            self._producer.poll(timeout_s)
        except (KafkaException, SystemError) as error:
            self._failure = find_fatal_error(error)

    def _flush(self) -> None:
        """Wait for the results of all records."""
        try:
            self._producer.flush()
        except (KafkaException, SystemError) as error:
            self._failure = find_fatal_error(error)
            self._producer.flush()

    def _on_delivery(self, error: LibrdkafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed_count += 1
            self._failure = self._failure or error

    def _explain_failure(self, error: LibrdkafkaError) -> AgentlogError:
        if error.code() == LibrdkafkaError._MSG_TIMED_OUT:
            return self._client_errors.explain(f"writing topic {self._topic}")
        if error.code() in (LibrdkafkaError.TOPIC_AUTHORIZATION_FAILED, LibrdkafkaError.CLUSTER_AUTHORIZATION_FAILED):
            text = f"not authorised on topic {self._topic}; the right WRITE is needed"
            return KafkaRefused(f"cluster {self._cluster.name}: {text}")
        return KafkaRefused(f"cluster {self._cluster.name}, topic {self._topic}: {error.str()}")


def write_records(cluster: Cluster, topic: str, records: Iterable[OutgoingRecord]) -> None:
    """Write ``records`` in order, acknowledged by all replicas; see ``TopicWriter``."""
    TopicWriter(cluster, topic).write(records)
