"""Kafka, written behind the caller's back: records handed to librdkafka, which tells later what became of each."""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import AgentlogError, KafkaRefused, TopicNotFound
from ...log.client import ClientErrors, KafkaException, LibrdkafkaError, Producer, create_client, is_disconnected
from ...settings.clusters import Cluster
from .outbound import OutboundEvent
from .sink import FailureKind

PROBE_TIMEOUT_S = 0.5
WARM_AFTER_S = 0.5
"""An idempotent producer of librdkafka's asks for its id twice a second, at first in vain: it isn't connected yet."""

DEFAULT_PROPERTIES = {
    "compression.type": "lz4",
    "linger.ms": "1",  # the sender itself waits for more
    "log_level": "2",  # it would repeat each second that it can't connect; what matters we log ourselves
    "reconnect.backoff.max.ms": "1000",  # after an outage the first second counts, not the tenth
    "socket.keepalive.enable": "true",
    "topic.metadata.propagation.max.ms": "5000",
}
GUARANTEED_PROPERTIES = {
    "acks": "all",
    "enable.idempotence": "true",
    # With several, a broker that has just come back may refuse the first and take the next: librdkafka then begins a
    # new epoch, and what the broker had of the first before it went away arrives twice.
    "max.in.flight.requests.per.connection": "1",
    "retries": "2147483647",
    "partitioner": "murmur2_random",  # as Java's clients; a key is never null here
    "delivery.timeout.ms": "0",  # never given up in there: a record that timed out may have arrived all the same
    "queue.buffering.max.messages": "20000",
    "queue.buffering.max.kbytes": "65536",
}

SINGLE_EVENT_BATCH_BYTES = 1_000
"""A batch no larger than that is one event, or is taken by any topic."""


class KafkaSink:
    """One topic of one cluster, written by one idempotent producer.

    Args:
        cluster: its properties may set anything but what ``GUARANTEED_PROPERTIES`` needs.
        batch_bytes: the largest batch; None: as the properties have it, or librdkafka.

    Raises:
        SettingsError: a property that librdkafka doesn't take.
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
        self._producer: Producer = create_client(Producer, cluster, properties, self._client_errors)
        self._refusal: AgentlogError | None = None
        self.is_closed = self.is_broken = False
        self._warm_at = time.monotonic() + WARM_AFTER_S

    @property
    def is_warm(self) -> bool:
        """Whether what is handed over is on its way at once; earlier it would only have to be waited for in there."""
        return time.monotonic() >= self._warm_at

    def send(self, record: OutboundEvent) -> bool:
        """Hand ``record`` over; False while librdkafka's queue is full.

        Raises:
            ValueError: librdkafka will never take it.
        """
        try:
            self._producer.produce(
                self._topic,
                record.value,
                record.author.session_id,
                timestamp=record.at_ms,
                headers=record.headers,
                on_delivery=record.on_delivery,
            )
        except BufferError:
            return False
        except KafkaException as error:
            if error.args[0].code() == LibrdkafkaError._FATAL:
                self.is_broken = True
                return False
            raise ValueError(error.args[0].str()) from error
        return True

    def poll(self, timeout_s: float) -> None:
        """Wait until librdkafka has something to say, and let it tell the records."""
        with self._note_breakage():
            self._producer.poll(timeout_s)

    def purge(self) -> None:
        """Call back whatever isn't acknowledged, what is on its way included: that may arrive all the same."""
        if not self.is_closed:
            self._producer.purge()
            with self._note_breakage():
                self._producer.flush(5)

    @contextmanager
    def _note_breakage(self) -> Iterator[None]:
        """Take in that librdkafka gives a producer up, for instance one that isn't authorised to have an id."""
        try:
            yield
        except KafkaException as error:
            self.is_broken = True
            self._refusal = self._explain_refusal(error.args[0])

    def reset_failures(self) -> None:
        """Forget earlier troubles: records are delivered."""
        self._refusal = None
        self._client_errors.text_by_code.clear()

    def classify_error(self, error: LibrdkafkaError) -> FailureKind:
        """What librdkafka's error about a record means."""
        if error.code() in (LibrdkafkaError._PURGE_QUEUE, LibrdkafkaError._PURGE_INFLIGHT):
            return FailureKind.PURGED
        if error.code() == LibrdkafkaError.MSG_SIZE_TOO_LARGE and not self._has_single_event_batches:
            return FailureKind.BATCH_TOO_LARGE
        if error.code() in (
            LibrdkafkaError.MSG_SIZE_TOO_LARGE,
            LibrdkafkaError.INVALID_RECORD,
            LibrdkafkaError.INVALID_MSG,
        ):
            return FailureKind.RECORD_REFUSED
        self._refusal = self._explain_refusal(error)
        return FailureKind.SINK_FAILED

    def _explain_refusal(self, error: LibrdkafkaError) -> AgentlogError | None:
        name = self._cluster.name
        if error.code() in (
            LibrdkafkaError._UNKNOWN_TOPIC,
            LibrdkafkaError.UNKNOWN_TOPIC_OR_PART,
            LibrdkafkaError._UNKNOWN_PARTITION,
        ):
            return TopicNotFound(f"cluster {name} has no topic {self._topic}; create it, or name another one: topic=")
        if error.code() in (LibrdkafkaError.TOPIC_AUTHORIZATION_FAILED, LibrdkafkaError.CLUSTER_AUTHORIZATION_FAILED):
            return KafkaRefused(f"cluster {name}: not authorised on topic {self._topic}; its right WRITE is needed")
        return None

    def refusal(self) -> AgentlogError | None:
        """Why no record can be taken until somebody changes something; None where waiting may help."""
        return self._refusal

    def last_error(self) -> AgentlogError:
        """Why records aren't taken, as far as librdkafka told."""
        return self._refusal or self._client_errors.explain(f"recording to topic {self._topic}")

    def probe(self) -> bool:
        """Whether the cluster answers, and has the topic; waits up to half a second."""
        try:
            metadata = self._producer.list_topics(self._topic, timeout=PROBE_TIMEOUT_S).topics[self._topic]
        except (KafkaException, RuntimeError):  # the latter when it is closed
            return False
        return metadata.error is None

    def is_disconnected(self) -> bool:
        """Whether there is no connection to any broker, nor one within half a second."""
        return is_disconnected(self._producer, self._topic)

    def close(self) -> None:
        """End its threads, for good. All that was handed over was answered."""
        self.is_closed = True
        self._producer.close()

    def abandon(self) -> None:
        """In a forked child: never free what is the parent's, which would wait for threads that aren't here."""
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._producer))
