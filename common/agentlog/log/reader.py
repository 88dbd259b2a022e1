"""The reader of topics, by partition and offset."""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from itertools import chain
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar, cast

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka import Message as Message  # noqa: PLC0414  other modules import it from here

from ..errors import AgentlogError, KafkaRefused, KafkaUnavailable, TopicNotFound
from ..event.event import Headers, Place
from ..settings.clusters import Cluster
from ..text.coverage_text import describe_unavailable
from .connection.client import ClientErrors, LibrdkafkaError, create_client, is_disconnected

BATCH_SIZE = 500
"""A batch of this size stays in the processor's cache."""
POLL_TIMEOUT_S = 0.05
RETRY_DELAY_S = 0.05
FIRST_TIMEOUT_S = 1.0
"""How long the first attempt of a request for offsets waits for its answer."""
PARTIAL_WAIT_S = 3.0
"""How long to wait for the leaders of some partitions while others have theirs."""
LEADER_CHANGE_CODES = frozenset(
    {
        LibrdkafkaError.NOT_LEADER_FOR_PARTITION,
        LibrdkafkaError.LEADER_NOT_AVAILABLE,
        LibrdkafkaError.REPLICA_NOT_AVAILABLE,
        LibrdkafkaError.FENCED_LEADER_EPOCH,
        LibrdkafkaError.UNKNOWN_LEADER_EPOCH,
        LibrdkafkaError.OFFSET_NOT_AVAILABLE,
        LibrdkafkaError._DESTROY_BROKER,
        LibrdkafkaError._UNKNOWN_PARTITION,
    }
)
"""Errors while the leader of a partition changes, or was just elected, or while librdkafka learns the brokers anew."""
TIMEOUT_CODES = frozenset({LibrdkafkaError._TIMED_OUT, LibrdkafkaError._TIMED_OUT_QUEUE})
CONNECTION_CODES = TIMEOUT_CODES | frozenset(
    {
        LibrdkafkaError._TRANSPORT,
        LibrdkafkaError._RESOLVE,
        LibrdkafkaError._DESTROY_BROKER,
        LibrdkafkaError._ALL_BROKERS_DOWN,
    }
)
"""Librdkafka's own errors that say that a broker isn't reached."""
T = TypeVar("T")

CONSUMER_SETTINGS = {
    "group.id": "agentlog",  # librdkafka requires one; we assign partitions ourselves and never join it
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",
    "enable.partition.eof": "true",
    "check.crcs": "true",
    "fetch.queue.backoff.ms": "5",
    "fetch.wait.max.ms": "50",  # a partition that is added later waits for the running fetch
    "queued.max.messages.kbytes": "4096",
    "max.partition.fetch.bytes": "1048576",
    "fetch.max.bytes": "4194304",
    "receive.message.max.bytes": "1000000000",  # a record of any size must pass, so that we can report it
}

_log = logging.getLogger("agentlog.kafka")


class Bounds(NamedTuple):
    """The bounds of a partition: its first offset left, and the offset of its next record."""

    low: int
    high: int


class CutPartition(NamedTuple):
    """A partition whose log ended before our place: the topic is another one, or has lost records.

    Attributes:
        position: the offset that was to be read next.
        end: the end of the log; ``position`` if the log has grown past that meanwhile.
        noticed_at: when that was noticed, by the monotonic clock.
    """

    position: int
    end: int
    noticed_at: float


class KafkaReader:
    """A reader of the topics of one cluster. It joins no group and commits nothing.

    Args:
        cluster: the cluster and its properties.
        timeout_s: the time in seconds after which a silent cluster counts as unavailable.

    Attributes:
        cut_partitions: partitions that aren't read any more, because their log ends before our place.
        leaderless: the partitions without a leader, as the last answer about a topic told.
        unavailable: the partitions that the last ``fetch_bounds`` couldn't have, and why.

    Raises:
        SettingsError: librdkafka refuses a property.
    """

    def __init__(self, cluster: Cluster, timeout_s: float = 10.0) -> None:
        self.cluster, self.timeout_s = cluster, timeout_s
        self._client_errors = ClientErrors(cluster)
        self._assignment: list[TopicPartition] = []
        self._early_messages: list[Message] = []
        self.cut_partitions: dict[int, CutPartition] = {}
        self.leaderless: frozenset[int] = frozenset()
        self.unavailable: dict[int, str] = {}
        self._given_up: set[int | str] = set()
        self._consumer: Consumer = create_client(Consumer, cluster, CONSUMER_SETTINGS, self._client_errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._consumer.close()

    def partition_count(self, topic: str, timeout_s: float | None = None) -> int:
        """Return the number of partitions of ``topic``, within ``timeout_s``; None stands for the reader's time-out.

        Raises:
            TopicNotFound, KafkaRefused, KafkaUnavailable: the message says what to do.
        """
        return len(self._fetch_leaders(topic, timeout_s))

    def _fetch_leaders(self, topic: str, timeout_s: float | None = None) -> dict[int, str]:
        """Return the broker that leads each partition, as ``broker 2 (host:port)``; an empty text stands for none."""
        metadata = self._fetch_metadata(topic, timeout_s)
        description = metadata.topics[topic]
        if description.error is not None:
            raise self._make_topic_error(topic, description.error)
        addresses = {each.id: f"broker {each.id} ({each.host}:{each.port})" for each in metadata.brokers.values()}
        leaders = {number: addresses.get(each.leader, "") for number, each in description.partitions.items()}
        self.leaderless = frozenset(number for number, leader in leaders.items() if not leader)
        return leaders

    def _fetch_metadata(self, topic: str | None, timeout_s: float | None = None) -> Any:
        """Fetch metadata in calls with growing time-outs: librdkafka reports its errors only between two calls."""
        deadline, call_timeout_s = time.monotonic() + (timeout_s or self.timeout_s), 0.2
        while True:
            try:
                return self._consumer.list_topics(topic, timeout=call_timeout_s)
            except KafkaException as error:
                self._poll_errors()
                if self._client_errors.is_final or time.monotonic() > deadline:
                    raise self._client_errors.explain("connecting") from error
                call_timeout_s = min(call_timeout_s * 2, max(deadline - time.monotonic(), 0.1))

    def _poll_errors(self) -> None:
        """Let librdkafka report its errors. If the poll returns a message, keep it for the next batch."""
        message = self._consumer.poll(0)
        if message is not None:
            self._early_messages.append(message)

    def _make_topic_error(self, topic: str, error: LibrdkafkaError) -> AgentlogError:
        name = self.cluster.name
        if error.code() == LibrdkafkaError.TOPIC_AUTHORIZATION_FAILED:
            return KafkaRefused(
                f"cluster {name}: not authorised on topic {topic}; the rights READ and DESCRIBE are needed"
            )
        if error.code() in (LibrdkafkaError.UNKNOWN_TOPIC_OR_PART, LibrdkafkaError._UNKNOWN_TOPIC):
            topic_names = sorted(known for known in self._fetch_metadata(None).topics if not known.startswith("__"))
            nearest_names = get_close_matches(topic, topic_names, n=1)
            hint = (
                f"; did you mean {nearest_names[0]}?"
                if nearest_names
                else f"; it has {', '.join(topic_names[:10]) or 'none'}"
            )
            return TopicNotFound(f"cluster {name} has no topic {topic}{hint}")
        return KafkaUnavailable(f"cluster {name}, topic {topic}: {error.str()}")

    def check_readable(self, topic: str) -> None:
        """Read one record of a partition, or its end. Only that shows whether we may read the topic.

        Raises:
            KafkaError: we may not, or the cluster stays silent.
        """
        bounds = self.fetch_bounds(topic, range(self.partition_count(topic)))
        if not bounds:
            raise self.explain_unavailable(topic)
        partition = min(bounds)
        self.start_reading(topic, {partition: bounds[partition].low})
        deadline = time.monotonic() + self.timeout_s
        while not any(message.error() is None or self.is_at_end(message) for message in self.read_next_batch()):
            if time.monotonic() > deadline:
                raise self.explain_silence(topic)

    def fetch_bounds(self, topic: str, partitions: Iterable[int]) -> dict[int, Bounds]:
        """Return the current bounds of each partition that can be had. ``unavailable`` has the others.

        Raises:
            KafkaError: no broker answers, or the cluster refuses us.
        """
        asked = list(partitions)
        leaders = self._wait_for_leaders(topic, asked)
        self.unavailable = {p: "no leader" for p in asked if not leaders.get(p)}
        partitions_by_leader: dict[str, list[int]] = defaultdict(list)
        for partition in asked:
            if leaders.get(partition):
                partitions_by_leader[leaders[partition]].append(partition)
        for leader in self._given_up & partitions_by_leader.keys():
            partitions_of_it = partitions_by_leader.pop(str(leader))
            self.unavailable |= dict.fromkeys(partitions_of_it, f"{leader} can't be reached")
        led = [*chain(*partitions_by_leader.values())]
        if len(partitions_by_leader) < 2:
            return self._fetch_led_bounds(topic, led, self.timeout_s)
        try:
            return self._fetch_led_bounds(topic, led, min(self.timeout_s, PARTIAL_WAIT_S))
        except KafkaUnavailable:
            return self._fetch_bounds_by_leader(topic, partitions_by_leader)

    def _wait_for_leaders(self, topic: str, partitions: Sequence[int]) -> dict[int, str]:
        """Return the leaders. Wait for missing ones, because a broker that has just started may not know them."""
        started_at = time.monotonic()
        while True:
            leaders = self._fetch_leaders(topic)
            led_count = sum(bool(leaders.get(p)) for p in partitions)
            limit_s = PARTIAL_WAIT_S if led_count else self.timeout_s
            missing = {p for p in partitions if not leaders.get(p)}
            if missing <= self._given_up or time.monotonic() - started_at > limit_s:
                self._given_up |= missing
                return leaders
            time.sleep(RETRY_DELAY_S)

    def _fetch_led_bounds(self, topic: str, partitions: Sequence[int], timeout_s: float) -> dict[int, Bounds]:
        lows = self._list_offsets(topic, partitions, confluent_kafka.OFFSET_BEGINNING, timeout_s)
        highs = self._list_offsets(topic, partitions, confluent_kafka.OFFSET_END, timeout_s)
        return {p: Bounds(lows[p], highs[p]) for p in partitions}

    def _fetch_bounds_by_leader(
        self, topic: str, partitions_by_leader: Mapping[str, Sequence[int]]
    ) -> dict[int, Bounds]:
        """Ask each broker by itself, so that one that can't be reached doesn't keep the others' answers."""

        def ask(partitions: Sequence[int]) -> dict[int, Bounds] | KafkaUnavailable:
            try:
                return self._fetch_led_bounds(topic, partitions, self.timeout_s)
            except KafkaUnavailable as error:
                return error

        with ThreadPoolExecutor(len(partitions_by_leader)) as pool:
            answers = dict(zip(partitions_by_leader, pool.map(ask, partitions_by_leader.values()), strict=True))
        bounds: dict[int, Bounds] = {}
        for leader, answer in answers.items():
            if isinstance(answer, KafkaUnavailable):
                self.unavailable |= dict.fromkeys(partitions_by_leader[leader], f"{leader} can't be reached")
                self._given_up.add(leader)
            else:
                bounds |= answer
        if not bounds:
            raise next(each for each in answers.values() if isinstance(each, KafkaUnavailable))
        return bounds

    def explain_unavailable(self, topic: str) -> KafkaUnavailable:
        """Return the error that says that none of the partitions can be read, and why."""
        return KafkaUnavailable(f"cluster {self.cluster.name}, topic {topic}: {describe_unavailable(self.unavailable)}")

    def find_offsets_at(self, topic: str, partitions: Iterable[int], timestamp_ms: int) -> dict[int, int | None]:
        """Return the first offset of each partition whose timestamp isn't before ``timestamp_ms``; None without one."""
        offsets = self._list_offsets(topic, partitions, timestamp_ms)
        return {partition: offset if offset >= 0 else None for partition, offset in offsets.items()}

    def _list_offsets(
        self, topic: str, partitions: Iterable[int], timestamp_ms: int, timeout_s: float | None = None
    ) -> dict[int, int]:
        """Return an offset of each partition by its timestamp. Each broker is asked once, for all its partitions.

        Kafka's request takes two special timestamps: -2 stands for a partition's beginning, and -1 for its end.
        """
        asked = [TopicPartition(topic, partition, timestamp_ms) for partition in partitions]

        def fetch_offsets(call_timeout_s: float) -> list[TopicPartition]:
            answers = self._consumer.offsets_for_times(asked, timeout=call_timeout_s)
            for each in answers:
                if each.error is not None:
                    raise KafkaException(each.error)
            return answers

        answers = self._retry_while_leader_moves(topic, fetch_offsets, timeout_s or self.timeout_s)
        return {each.partition: each.offset for each in answers}

    def _retry_while_leader_moves(self, topic: str, fetch: Callable[[float], T], timeout_s: float) -> T:
        """Return the result of ``fetch``. Repeat it for up to ``timeout_s`` while the leader of a partition changes.

        ``fetch`` gets a time-out in seconds, which grows: librdkafka reports its errors only between two calls.
        """
        deadline, call_timeout_s = time.monotonic() + timeout_s, FIRST_TIMEOUT_S
        while True:
            try:
                return fetch(call_timeout_s)
            except KafkaException as error:
                self._poll_errors()
                if not self._is_worth_repeating(error) or time.monotonic() > deadline:
                    raise self._explain_failure(topic, error) from error
            time.sleep(RETRY_DELAY_S)
            self._fetch_metadata(topic)
            call_timeout_s = min(call_timeout_s * 2, max(deadline - time.monotonic(), 0.1))

    def _is_worth_repeating(self, error: KafkaException) -> bool:
        """Whether the same request may succeed soon, because a leader moves or an answer is late."""
        code = error.args[0].code()
        return code in LEADER_CHANGE_CODES | TIMEOUT_CODES and not self._client_errors.is_final

    def _explain_failure(self, topic: str, exception: KafkaException) -> AgentlogError:
        error = exception.args[0]
        if error.code() in CONNECTION_CODES or (error.code() < 0 and self._client_errors.is_final):
            return self._client_errors.explain(f"reading topic {topic}")
        return self._make_topic_error(topic, error)

    def start_reading(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Start reading each partition at its offset."""
        self._early_messages.clear()
        self.cut_partitions.clear()
        self._assignment = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self._consumer.assign(self._assignment)

    def add_partitions(self, topic: str, offsets: Mapping[int, int]) -> None:
        """Also read these partitions, each from its offset on."""
        more = [TopicPartition(topic, partition, offset) for partition, offset in offsets.items()]
        self._assignment += more
        self._consumer.incremental_assign(more)

    def reset_failures(self) -> None:
        """Forget earlier errors, because the cluster answers again."""
        self._client_errors.clear()
        self._given_up.clear()

    def renew(self, topic: str, timeout_s: float) -> None:
        """Replace the consumer if it can't connect and a new one gets an answer within ``timeout_s``."""
        try:
            with KafkaReader(self.cluster, self.timeout_s) as other:
                other.partition_count(topic, timeout_s)
                if is_disconnected(self._consumer, topic):
                    self._take_over(other)
        except AgentlogError as error:  # no answer either, or a new one can't be created: a certificate is missing
            _log.info("no new connection to cluster %s: %s", self.cluster.name, error)

    def _take_over(self, other: "KafkaReader") -> None:
        """Exchange consumers with ``other``, which closes ours. The new one fetches again what ours had fetched."""
        self._assignment = self._get_positions()
        self._consumer, other._consumer = other._consumer, self._consumer
        self._client_errors = other._client_errors
        self._consumer.assign(self._assignment)

    def measure_lag(self) -> int:
        """Return the number of offsets known to lie ahead. A partition's end is known only after a fetch."""
        return sum(max(self._get_known_end(each) - each.offset, 0) for each in self._get_positions())

    def _get_positions(self) -> list[TopicPartition]:
        """Return the next offset of each partition; its first one if nothing was read yet."""
        assigned_and_current = zip(self._assignment, self._consumer.position(self._assignment), strict=True)
        return [
            TopicPartition(current.topic, current.partition, max(current.offset, assigned.offset))
            for assigned, current in assigned_and_current
        ]

    def _get_known_end(self, topic_partition: TopicPartition) -> int:
        _, high = self._consumer.get_watermark_offsets(
            TopicPartition(topic_partition.topic, topic_partition.partition), cached=True
        )
        return high

    def get_next_offsets(self) -> dict[int, int]:
        """Return the next offset of each partition from which something was read."""
        positions = self._consumer.position(self._assignment)
        return {each.partition: each.offset for each in positions if each.offset >= 0}

    def read_full_batch(self) -> list[Message]:
        """Return up to ``BATCH_SIZE`` messages, as soon as there are that many or 50 ms are over.

        A batch also holds librdkafka's own messages. These have no key and an ``error()``; pass them to ``is_at_end``.
        """
        return self._take_early_messages() + self._consumer.consume(BATCH_SIZE, POLL_TIMEOUT_S)

    def read_next_batch(self) -> list[Message]:
        """Return the messages that are there. If there are none, wait for the first one, up to 50 ms."""
        if self._early_messages:
            return self._take_early_messages()
        message = self._consumer.poll(POLL_TIMEOUT_S)
        return [message, *self._consumer.consume(BATCH_SIZE, 0)] if message is not None else []

    def _take_early_messages(self) -> list[Message]:
        kept, self._early_messages = self._early_messages, []
        return kept

    def is_at_end(self, message: Message) -> bool:
        """Whether a message of librdkafka's own says that its partition was read to the end.

        A message without a topic doesn't concern a partition. It may say that we have no rights to the group, which
        we never join.

        Raises:
            KafkaError: the message says that the partition can't be read.
        """
        error = message.error()
        if error is None or message.topic() is None:
            return False
        if error.code() == LibrdkafkaError._PARTITION_EOF:
            return True
        if error.code() in (LibrdkafkaError._AUTO_OFFSET_RESET, LibrdkafkaError.OFFSET_OUT_OF_RANGE):
            self._skip_deleted(message)
            return False
        raise self._make_topic_error(message.topic() or "", error)

    def _skip_deleted(self, message: Message) -> None:
        topic, partition = message.topic() or "", message.partition() or 0
        low, high = self._fetch_led_bounds(topic, [partition], self.timeout_s)[partition]
        position = next((each.offset for each in self._get_positions() if each.partition == partition), 0)
        if low <= position:  # so it isn't retention: the log ended before our place, and may have grown since
            self.cut_partitions[partition] = CutPartition(position, min(high, position), time.monotonic())
            return
        _log.warning("%s[%d]: records before offset %d were deleted while they were read", topic, partition, low)
        self._restart_partition(topic, partition, low)

    def _restart_partition(self, topic: str, partition: int, offset: int) -> None:
        """Read a partition from ``offset`` on. It is no seek, because the fetching of this partition has ended."""
        self._consumer.incremental_unassign([TopicPartition(topic, partition)])
        self._consumer.incremental_assign([TopicPartition(topic, partition, offset)])
        self._assignment = [each for each in self._assignment if each.partition != partition]
        self._assignment.append(TopicPartition(topic, partition, offset))

    def continue_cut_partition(self, topic: str, partition: int, offset: int) -> None:
        """Read a partition whose log ends before our place from ``offset`` on."""
        del self.cut_partitions[partition]
        self._restart_partition(topic, partition, offset)

    def reconnect(self) -> None:
        """Replace the consumer by a new one. It reads nothing yet, and knows nothing of the topic's earlier leaders."""
        with KafkaReader(self.cluster, self.timeout_s) as other:
            self._consumer, other._consumer = other._consumer, self._consumer
            self._client_errors = other._client_errors

    def explain_silence(self, topic: str) -> AgentlogError:
        """Return the error that explains why no messages arrive."""
        return self._client_errors.explain(f"reading topic {topic}")


def message_place(message: Message) -> Place:
    """Return the place of a message."""
    kind, timestamp = message.timestamp()
    headers = cast(Headers, tuple(message.headers() or ()))
    known_timestamp = timestamp if kind != confluent_kafka.TIMESTAMP_NOT_AVAILABLE else None
    return Place(message.topic(), message.partition() or 0, message.offset() or 0, known_timestamp, headers)
