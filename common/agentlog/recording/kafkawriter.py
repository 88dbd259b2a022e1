"""Kafka, written behind the caller's back: records handed to librdkafka, which tells later what became of each."""

from collections.abc import Iterator

from ..clusters import Cluster
from ..errors import AgentlogError, KafkaRefused, TopicNotFound
from ..kafka.client import Code, KafkaException, Producer, Troubles, client
from .outlets import Verdict
from .records import Outbound

PROBE_S = 0.5

DEFAULTS = {
    "compression.type": "lz4",
    "linger.ms": "1",  # the sender itself waits for more
    "log_level": "2",  # it would repeat each second that it can't connect; what matters we log ourselves
    "reconnect.backoff.max.ms": "1000",  # after an outage the first second counts, not the tenth
    "socket.keepalive.enable": "true",
    "topic.metadata.propagation.max.ms": "5000",
}
PROMISED = {
    "acks": "all",
    "enable.idempotence": "true",
    "max.in.flight.requests.per.connection": "5",
    "retries": "2147483647",
    "partitioner": "murmur2_random",  # as Java's clients; a key is never null here
    "delivery.timeout.ms": "0",  # never given up in there: a record that timed out may have arrived all the same
    "queue.buffering.max.messages": "20000",
    "queue.buffering.max.kbytes": "65536",
}


class KafkaWriter:
    """One topic of one cluster, written by one idempotent producer.

    Args:
        cluster: its properties may set anything but what ``PROMISED`` needs.

    Raises:
        SettingsError: a property that librdkafka doesn't take.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self.where = f"topic {topic} of cluster {cluster.name}"
        self._cluster, self._topic = cluster, topic
        self._troubles = Troubles(cluster)
        own = {name: value for name, value in DEFAULTS.items() if name not in cluster.properties}
        self._producer: Producer = client(Producer, cluster, own | PROMISED, self._troubles)
        self._refusal: AgentlogError | None = None

    def send(self, record: Outbound) -> bool:
        """Hand ``record`` over; False while librdkafka's queue is full.

        Raises:
            ValueError: librdkafka will never take it.
        """
        try:
            self._producer.produce(
                self._topic,
                record.value,
                record.key,
                timestamp=record.at_ms,
                headers=record.headers,
                on_delivery=record.answered,
            )
        except BufferError:
            return False
        except KafkaException as error:
            raise ValueError(error.args[0].str()) from error
        return True

    def poll(self, timeout_s: float) -> None:
        """Wait until librdkafka has something to say, and let it tell the records."""
        self._producer.poll(timeout_s)

    def take_back(self) -> None:
        """Call back whatever isn't acknowledged, what is on its way included: that may arrive all the same."""
        self._producer.purge()
        self._producer.flush(5)

    def is_well(self) -> None:
        """Forget earlier troubles: records are delivered."""
        self._refusal = None
        self._troubles.seen.clear()

    def verdict(self, error: Code) -> Verdict:
        """What librdkafka's error about a record means."""
        if error.code() in (Code._PURGE_QUEUE, Code._PURGE_INFLIGHT):
            return Verdict.TAKEN_BACK
        if error.code() in (Code.MSG_SIZE_TOO_LARGE, Code.INVALID_RECORD, Code.INVALID_MSG):
            return Verdict.REFUSED
        self._refusal = self._explained(error)
        return Verdict.FAILED

    def _explained(self, error: Code) -> AgentlogError | None:
        name = self._cluster.name
        if error.code() in (Code._UNKNOWN_TOPIC, Code.UNKNOWN_TOPIC_OR_PART, Code._UNKNOWN_PARTITION):
            return TopicNotFound(f"cluster {name} has no topic {self._topic}; create it, or name another one: topic=")
        if error.code() in (Code.TOPIC_AUTHORIZATION_FAILED, Code.CLUSTER_AUTHORIZATION_FAILED):
            return KafkaRefused(f"cluster {name}: not authorised on topic {self._topic}; its right WRITE is needed")
        return None

    def refusal(self) -> AgentlogError | None:
        """Why no record can be taken until somebody changes something; None where waiting may help."""
        return self._refusal

    def trouble(self) -> AgentlogError:
        """Why records aren't taken, as far as librdkafka told."""
        return self._refusal or self._troubles.explained(f"recording to topic {self._topic}")

    def answers(self) -> bool:
        """Whether the cluster answers, and has the topic; waits up to half a second."""
        try:
            found = self._producer.list_topics(self._topic, timeout=PROBE_S).topics[self._topic]
        except KafkaException:
            return False
        return found.error is None

    def clients(self) -> Iterator[object]:
        """What must not be touched any more in a forked child, not even to be freed: its threads aren't there."""
        yield self._producer
