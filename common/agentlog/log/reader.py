"""Topics of a cluster, read by partition and offset."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar, cast

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as Message  # noqa: PLC0414  handed on to topics

from ..errors import AgentlogError, KafkaRefused, KafkaUnavailable, TopicNotFound
from ..event.event import Headers, Place
from ..settings.clusters import Cluster
from .client import Code, Troubles, client, is_lost

BATCH = 500
POLL_S = 0.05
ASK_AGAIN_S = 0.05
MOVING = frozenset(
    {
        Code.NOT_LEADER_FOR_PARTITION,
        Code.LEADER_NOT_AVAILABLE,
        Code.REPLICA_NOT_AVAILABLE,
        Code.FENCED_LEADER_EPOCH,
        Code.UNKNOWN_LEADER_EPOCH,
        Code.OFFSET_NOT_AVAILABLE,
    }
)
"""What brokers answer while a partition's leader moves, or has just been made."""
T = TypeVar("T")

READING = {
    "group.id": "agentlog",  # librdkafka wants one; we assign partitions ourselves, so it is never joined
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",
    "enable.partition.eof": "true",
    "check.crcs": "true",
    "fetch.queue.backoff.ms": "5",
    "fetch.wait.max.ms": "50",  # a partition taken up later waits for the answer under way
    "queued.max.messages.kbytes": "4096",
    "max.partition.fetch.bytes": "1048576",
    "fetch.max.bytes": "4194304",
    "receive.message.max.bytes": "1000000000",  # one record of any size the broker holds must pass, to be named
}

_log = logging.getLogger("agentlog.kafka")


class Bounds(NamedTuple):
    """The first offset that a partition still holds, and the one that its next record will get."""

    low: int
    high: int


class KafkaReader:
    """Reads topics of one cluster; joins no group and commits nothing.

    Args:
        cluster: where, and how.
        timeout_s: how long the cluster may stay silent, in seconds, before it counts as unavailable.

    Raises:
        SettingsError: a property that librdkafka doesn't take.
    """

    def __init__(self, cluster: Cluster, timeout_s: float = 10.0) -> None:
        self.cluster, self.timeout_s = cluster, timeout_s
        self._troubles = Troubles(cluster)
        self._reading: list[TopicPartition] = []
        self._early: list[Message] = []
        self._consumer: Consumer = client(Consumer, cluster, READING, self._troubles)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._consumer.close()

    def partition_count(self, topic: str, within_s: float | None = None) -> int:
        """How many partitions ``topic`` has; the cluster may take ``within_s`` to say it, ``timeout_s`` when None.

        Raises:
            TopicNotFound, KafkaRefused, KafkaUnavailable: with what to do.
        """
        metadata = self._metadata(topic, within_s).topics[topic]
        if metadata.error is not None:
            raise self._topic_error(topic, metadata.error)
        return len(metadata.partitions)

    def _metadata(self, topic: str | None, within_s: float | None = None) -> Any:
        """Asked with ever more patience: librdkafka tells why it fails only between two questions."""
        deadline, patience = time.monotonic() + (within_s or self.timeout_s), 0.2
        while True:
            try:
                return self._consumer.list_topics(topic, timeout=patience)
            except KafkaException as error:
                self._let_speak()
                if self._troubles.final or time.monotonic() > deadline:
                    raise self._troubles.explained("connecting") from error
                patience = min(patience * 2, max(deadline - time.monotonic(), 0.1))

    def _let_speak(self) -> None:
        """Have librdkafka say what troubles it; a message may come along, which is kept for the next batch."""
        message = self._consumer.poll(0)
        if message is not None:
            self._early.append(message)

    def _topic_error(self, topic: str, error: Code) -> AgentlogError:
        name = self.cluster.name
        if error.code() == Code.TOPIC_AUTHORIZATION_FAILED:
            return KafkaRefused(
                f"cluster {name}: not authorised on topic {topic}; its rights READ and DESCRIBE are needed"
            )
        if error.code() in (Code.UNKNOWN_TOPIC_OR_PART, Code._UNKNOWN_TOPIC):
            there = sorted(known for known in self._metadata(None).topics if not known.startswith("__"))
            near = get_close_matches(topic, there, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(there[:10]) or 'none'}"
            return TopicNotFound(f"cluster {name} has no topic {topic}{hint}")
        return KafkaUnavailable(f"cluster {name}, topic {topic}: {error.str()}")

    def check_readable(self, topic: str) -> None:
        """Read one record, or the end, of partition 0: only that tells whether reading is allowed.

        Raises:
            KafkaError: it isn't, or the cluster stays silent.
        """
        self.start(topic, {0: self.bounds(topic, [0])[0].low})
        deadline = time.monotonic() + self.timeout_s
        while not any(message.error() is None or self.at_end(message) for message in self.next_batch()):
            if time.monotonic() > deadline:
                raise self.silent(topic)

    def bounds(self, topic: str, partitions: Iterable[int]) -> dict[int, Bounds]:
        """What each partition holds now."""
        return {p: Bounds(*self._asked(topic, p)) for p in partitions}

    def _asked(self, topic: str, partition: int) -> tuple[int, int]:
        asked = TopicPartition(topic, partition)
        return self._answered(topic, lambda: self._consumer.get_watermark_offsets(asked, timeout=self.timeout_s))

    def offsets_at(self, topic: str, partitions: Iterable[int], timestamp_ms: int) -> dict[int, int | None]:
        """The first offset whose record's timestamp isn't before ``timestamp_ms``; None where there is none."""
        asked = [TopicPartition(topic, partition, timestamp_ms) for partition in partitions]

        def answer() -> list[TopicPartition]:
            found = self._consumer.offsets_for_times(asked, timeout=self.timeout_s)
            for each in found:
                if each.error is not None:
                    raise KafkaException(each.error)
            return found

        return {at.partition: at.offset if at.offset >= 0 else None for at in self._answered(topic, answer)}

    def _answered(self, topic: str, ask: Callable[[], T]) -> T:
        """What ``ask`` returns; while the leader of a partition moves it is asked again."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return ask()
            except KafkaException as error:
                if error.args[0].code() not in MOVING or time.monotonic() > deadline:
                    raise self._failure(topic, error) from error
            time.sleep(ASK_AGAIN_S)
            self._metadata(topic)

    def _failure(self, topic: str, failed: KafkaException) -> AgentlogError:
        error = failed.args[0]
        self._let_speak()
        if error.code() in (Code._TIMED_OUT, Code._TIMED_OUT_QUEUE, Code._TRANSPORT, Code._ALL_BROKERS_DOWN):
            return self._troubles.explained(f"reading topic {topic}")
        return self._topic_error(topic, error)

    def start(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Begin reading each partition at its offset."""
        self._early.clear()
        self._reading = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self._consumer.assign(self._reading)

    def add(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Read these partitions too, each from its offset on."""
        more = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self._reading += more
        self._consumer.incremental_assign(more)

    def is_well(self) -> None:
        """Forget earlier troubles: the cluster answers."""
        self._troubles.seen.clear()

    def renew(self, topic: str, within_s: float) -> None:
        """Read on with a new consumer, where that gets an answer ``within_s`` and ours finds no broker to ask."""
        try:
            with KafkaReader(self.cluster, self.timeout_s) as other:
                other.partition_count(topic, within_s)
                if is_lost(self._consumer, topic):
                    self._take_over(other)
        except AgentlogError as error:  # a new one has none either, or can't be made: a certificate is gone
            _log.info("no new connection to cluster %s: %s", self.cluster.name, error)

    def _take_over(self, other: "KafkaReader") -> None:
        """Go on with the consumer of ``other``, which closes ours: what that fetched beyond is fetched again."""
        self._reading = self._standing()
        self._consumer, other._consumer = other._consumer, self._consumer
        self._troubles = other._troubles
        self._consumer.assign(self._reading)

    def behind(self) -> int:
        """How many offsets of what is being read are known to lie ahead; what was never fetched isn't known."""
        return sum(max(self._known_end(at) - at.offset, 0) for at in self._standing())

    def _standing(self) -> list[TopicPartition]:
        """Where the reading of each partition stands: at its beginning, where nothing was read yet."""
        found = zip(self._reading, self._consumer.position(self._reading), strict=True)
        return [TopicPartition(at.topic, at.partition, max(at.offset, began.offset)) for began, at in found]

    def _known_end(self, at: TopicPartition) -> int:
        _, high = self._consumer.get_watermark_offsets(TopicPartition(at.topic, at.partition), cached=True)
        return high

    def positions(self) -> dict[int, int]:
        """The offset to be read next of each partition that is being read; none where nothing was read yet."""
        found = self._consumer.position(self._reading)
        return {at.partition: at.offset for at in found if at.offset >= 0}

    def full_batch(self) -> list[Message]:
        """Messages as they come, once there are ``BATCH`` of them or 50 ms are over.

        A batch also holds librdkafka's own messages: without a key, with an ``error()``; pass those to ``at_end``.
        """
        return self._kept() + self._consumer.consume(BATCH, POLL_S)

    def next_batch(self) -> list[Message]:
        """What there is at once, else what comes within 50 ms: for who wants the first record without delay."""
        if self._early:
            return self._kept()
        message = self._consumer.poll(POLL_S)
        return [message, *self._consumer.consume(BATCH, 0)] if message is not None else []

    def _kept(self) -> list[Message]:
        kept, self._early = self._early, []
        return kept

    def at_end(self, message: Message) -> bool:
        """Whether a message of librdkafka's own says that its partition is read to the end.

        One without a topic says nothing of what is read: that we have no rights to the group which we never join.

        Raises:
            KafkaError: when it says that the partition can't be read.
        """
        error = message.error()
        if error is None or message.topic() is None:
            return False
        if error.code() == Code._PARTITION_EOF:
            return True
        if error.code() in (Code._AUTO_OFFSET_RESET, Code.OFFSET_OUT_OF_RANGE):
            self._skip_deleted(message)
            return False
        raise self._topic_error(message.topic() or "", error)

    def _skip_deleted(self, message: Message) -> None:
        topic, partition = message.topic() or "", message.partition() or 0
        low = self.bounds(topic, [partition])[partition].low
        _log.warning("%s[%d]: records before offset %d were deleted while they were read", topic, partition, low)
        self._consumer.incremental_unassign([TopicPartition(topic, partition)])  # its fetching has ended, so no seek
        self._consumer.incremental_assign([TopicPartition(topic, partition, low)])

    def silent(self, topic: str) -> AgentlogError:
        """Why nothing comes any more."""
        return self._troubles.explained(f"reading topic {topic}")


def place(message: Message) -> Place:
    """Where a message lies."""
    kind, timestamp = message.timestamp()
    headers = cast(Headers, tuple(message.headers() or ()))
    known = timestamp if kind != confluent_kafka.TIMESTAMP_NOT_AVAILABLE else None
    return Place(message.topic(), message.partition() or 0, message.offset() or 0, known, headers)
