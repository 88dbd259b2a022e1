"""Kafka as a sink, written through librdkafka."""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import AgentlogError, KafkaRefused, TopicNotFound
from ...log.connection.client import (
    ClientErrors,
    KafkaException,
    LibrdkafkaError,
    Producer,
    create_client,
    find_fatal_error,
    is_disconnected,
)
from ...settings.clusters import Cluster
from .outbound import OutboundEvent
from .sink import SINGLE_EVENT_BATCH_BYTES, FailureKind

PROBE_TIMEOUT_S = 0.5
"""How long a probe waits for the cluster's answer, in seconds."""
WARM_AFTER_S = 0.5
"""How long a new producer gets no records, in seconds. librdkafka asks for the id of an idempotent producer twice a
second. The first attempt fails, because the producer isn't connected yet."""

DEFAULT_PROPERTIES = {
    "compression.type": "lz4",
    "linger.ms": "1",  # short, because the sender already collects events
    "log_level": "2",  # otherwise it logs each second that it can't connect; we log what matters
    "reconnect.backoff.max.ms": "1000",  # reconnect within a second after an outage; its default is ten
    "socket.keepalive.enable": "true",
    "topic.metadata.propagation.max.ms": "5000",
}
"""Properties that the user may change."""
GUARANTEED_PROPERTIES = {
    "acks": "all",
    "enable.idempotence": "true",
    # With several requests in flight, a broker that has just come back may refuse the first and take the second. Then
    # librdkafka begins a new epoch, and records of the first request that the broker already had arrive twice.
    "max.in.flight.requests.per.connection": "1",
    "retries": "2147483647",
    "partitioner": "murmur2_random",  # the partitioner of Java's clients; our keys are never null
    "delivery.timeout.ms": "0",  # no timeout: a record that timed out may still have arrived
    "queue.buffering.max.messages": "20000",
    "queue.buffering.max.kbytes": "65536",
}
"""Properties that the promise of delivery needs. The user can't change them."""

SINGLE_EVENT_PROPERTIES = {
    "batch.num.messages": "1",
    # librdkafka sends the event behind a refused one too early, and so again after this wait. Its default is 0.1 s.
    "retry.backoff.ms": "10",
}
"""Properties of a producer whose batches hold one event each."""

RECORD_ERRORS = frozenset(
    {LibrdkafkaError.INVALID_TIMESTAMP, LibrdkafkaError.INVALID_RECORD, LibrdkafkaError.INVALID_MSG}
)
"""The broker refuses a record for its own sake. It then refuses the whole batch, and doesn't always name the record."""
SIZE_ERRORS = frozenset({LibrdkafkaError.MSG_SIZE_TOO_LARGE, LibrdkafkaError.RECORD_LIST_TOO_LARGE})
"""The broker refuses a batch, because it is larger than the topic's ``max.message.bytes``."""
RETURN_ERRORS = frozenset(
    {LibrdkafkaError._PURGE_QUEUE, LibrdkafkaError._PURGE_INFLIGHT, LibrdkafkaError._INVALID_DIFFERENT_RECORD}
)
"""The record wasn't written, but not for its own sake."""

OUTAGE_ERRORS = frozenset(
    {
        LibrdkafkaError.UNKNOWN_TOPIC_OR_PART,
        LibrdkafkaError.TOPIC_AUTHORIZATION_FAILED,
        LibrdkafkaError.CLUSTER_AUTHORIZATION_FAILED,
        LibrdkafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        LibrdkafkaError.DUPLICATE_SEQUENCE_NUMBER,
        LibrdkafkaError.INVALID_PRODUCER_EPOCH,
        LibrdkafkaError.UNKNOWN_PRODUCER_ID,
    }
)
"""The broker takes no record now, because of the topic, our rights or the producer. So do librdkafka's own errors say,
whose codes are below ``UNKNOWN``. What another error of the broker means is found out by sending records alone."""

ANY_PARTITION = -1
"""Lets the partitioner choose."""


class KafkaSink:
    """A sink that writes to one topic of one cluster, with one idempotent producer.

    Args:
        cluster: the cluster. Its properties may set everything except ``GUARANTEED_PROPERTIES``.
        topic: the topic.
        batch_bytes: the largest batch, in bytes. None means the cluster's properties, or else librdkafka's default.

    Raises:
        SettingsError: librdkafka refuses a property.
    """

    def __init__(self, cluster: Cluster, topic: str, batch_bytes: int | None = None) -> None:
        self.where = f"topic {topic} of cluster {cluster.name}"
        self._cluster, self._topic = cluster, topic
        self._client_errors = ClientErrors(cluster)
        properties = {
            name: value for name, value in DEFAULT_PROPERTIES.items() if name not in cluster.properties
        } | GUARANTEED_PROPERTIES
        if batch_bytes is not None:
            properties["batch.size"] = str(batch_bytes)
        self._has_single_event_batches = batch_bytes is not None and batch_bytes <= SINGLE_EVENT_BATCH_BYTES
        if self._has_single_event_batches:
            properties |= SINGLE_EVENT_PROPERTIES
        self._producer: Producer = create_client(Producer, cluster, properties, self._client_errors)
        self._refusal: AgentlogError | None = None
        self.is_closed = self.is_broken = False
        self._warm_at = time.monotonic() + WARM_AFTER_S

    @property
    def is_warm(self) -> bool:
        """Whether the producer sends records at once. Before that, they would only wait inside librdkafka."""
        return time.monotonic() >= self._warm_at

    def send(self, record: OutboundEvent) -> bool:
        """Hand ``record`` to librdkafka. Return False while its queue is full or the producer is broken.

        librdkafka takes no more records when it has learnt that the topic is gone, or that we have no right to write.

        Raises:
            ValueError: librdkafka will never take the record.
        """
        try:
            self._producer.produce(  # by position, because keywords take 0.8 us: partition, on_delivery, …, headers
                self._topic,
                record.value,
                record.author.session_id,
                ANY_PARTITION,
                record.on_delivery,
                None,
                record.at_ms,
                record.headers,
            )
        except BufferError:
            return False
        except KafkaException as error:
            if error.args[0].code() in (LibrdkafkaError.MSG_SIZE_TOO_LARGE, LibrdkafkaError._INVALID_ARG):
                raise ValueError(self.describe_error(error.args[0])) from error
            self.is_broken, self._refusal = True, self._explain_refusal(error.args[0])
            return False
        return True

    def poll(self, timeout_s: float) -> None:
        """Wait for results of librdkafka for at most ``timeout_s`` seconds, and pass them to the records."""
        with self._note_breakage():
            self._producer.poll(timeout_s)

    def purge(self) -> None:
        """Recall all unacknowledged records. Those on their way may still arrive."""
        if not self.is_closed:
            self._producer.purge()
            with self._note_breakage():
                self._producer.flush(5)

    def recall_queued(self) -> None:
        """Recall the records that aren't on their way yet. ``poll`` passes their results."""
        self._producer.purge(in_flight=False)

    @contextmanager
    def _note_breakage(self) -> Iterator[None]:
        """Note a fatal error of the producer, for example if it isn't authorised to get a producer id."""
        try:
            yield
        except (KafkaException, SystemError) as error:
            self.is_broken = True
            self._refusal = self._explain_refusal(find_fatal_error(error))

    def reset_failures(self) -> None:
        """Forget earlier errors, because records are delivered again."""
        self._refusal = None
        self._client_errors.clear()

    def classify_error(self, error: LibrdkafkaError) -> FailureKind:
        """Return what librdkafka's error about a record means."""
        if error.code() in RETURN_ERRORS:
            return FailureKind.RETURNED
        if error.code() in SIZE_ERRORS | RECORD_ERRORS and self._has_single_event_batches:
            return FailureKind.RECORD_REFUSED_ALONE
        if error.code() in SIZE_ERRORS:
            return FailureKind.BATCH_TOO_LARGE
        if error.code() in RECORD_ERRORS:
            return FailureKind.RECORD_REFUSED
        self._refusal = self._explain_refusal(error)
        is_outage = error.code() in OUTAGE_ERRORS or error.code() < LibrdkafkaError.UNKNOWN
        return FailureKind.SINK_FAILED if is_outage else FailureKind.UNEXPLAINED

    def describe_error(self, error: LibrdkafkaError) -> str:
        """Return librdkafka's or the broker's error in words, with its name."""
        return f"{error.str()} ({error.name()})"

    def _explain_refusal(self, error: LibrdkafkaError) -> AgentlogError | None:
        name = self._cluster.name
        if error.code() in (
            LibrdkafkaError._UNKNOWN_TOPIC,
            LibrdkafkaError.UNKNOWN_TOPIC_OR_PART,
            LibrdkafkaError._UNKNOWN_PARTITION,
        ):
            return TopicNotFound(f"cluster {name} has no topic {self._topic}; create it, or name another one: topic=")
        if error.code() in (LibrdkafkaError.TOPIC_AUTHORIZATION_FAILED, LibrdkafkaError.CLUSTER_AUTHORIZATION_FAILED):
            return KafkaRefused(f"cluster {name}: not authorised on topic {self._topic}; the right WRITE is needed")
        if error.code() >= LibrdkafkaError.UNKNOWN:
            return KafkaRefused(f"cluster {name} refused events for topic {self._topic}: {self.describe_error(error)}")
        return None

    def refusal(self) -> AgentlogError | None:
        """Return why no record is taken until a person changes something. None if waiting may help."""
        return self._refusal

    def last_error(self) -> AgentlogError:
        """Return why records aren't taken, from librdkafka's last errors."""
        return self._refusal or self._client_errors.explain(f"recording to topic {self._topic}")

    def probe(self) -> bool:
        """Return whether the cluster answers and has the topic. Wait at most ``PROBE_TIMEOUT_S``."""
        try:
            metadata = self._producer.list_topics(self._topic, timeout=PROBE_TIMEOUT_S).topics[self._topic]
        except (KafkaException, RuntimeError):  # the latter when it is closed
            return False
        return metadata.error is None

    def is_disconnected(self) -> bool:
        """Return whether there is no connection to any broker, and none can be made within half a second."""
        return is_disconnected(self._producer, self._topic)

    def close(self) -> None:
        """Close the producer and end its threads. All records must have a result."""
        self.is_closed = True
        self._producer.close()

    def abandon(self) -> None:
        """Keep the parent's producer in memory, in a forked child.

        Freeing it would wait for threads that don't exist in the child.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._producer))
