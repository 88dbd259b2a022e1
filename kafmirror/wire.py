"""Connections to one cluster and the requests that go over them: the only module that imports kafka-python."""

import logging
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import kafka.errors as kafka_errors
from kafka.future import Future
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest
from kafka.protocol.metadata import MetadataRequest
from kafka.protocol.producer import ProduceRequest

from agentlog.clusters import BOOTSTRAP, Cluster
from agentlog.errors import AgentlogError, KafkaRefused, KafkaUnavailable, TopicNotFound

from .known import NO_ID, Leader, Metadata, Partition, Topic
from .properties import Value, translated

OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC, MESSAGE_TOO_LARGE, REQUEST_TIMED_OUT = 1, 3, 10, 7
NOT_AUTHORISED = frozenset({29, 30, 31})
OUT_OF_ORDER_SEQUENCE, DUPLICATE_SEQUENCE, UNKNOWN_TOPIC_ID = 45, 46, 100

EARLIEST, LATEST = -2, -1

_OURS: Mapping[str, Value] = {
    "client_id": "kafmirror",
    "receive_message_max_bytes": 1 << 30,
    "max_in_flight_requests_per_connection": 1000,  # the pump bounds its own
    "reconnect_backoff_max_ms": 1000,
    "socket_connection_setup_timeout_max_ms": 10_000,
    "connections_max_idle_ms": 5 * 60 * 1000,
}
_log = logging.getLogger("kafmirror")
T = TypeVar("T")

_REFUSED_LOGIN = (
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.AuthorizationError,
    kafka_errors.UnsupportedSaslMechanismError,
)


class Fetched(NamedTuple):
    """A fetch's answer for one partition. ``diverged`` is where its log parts from what was fetched before, or None."""

    error: int
    records: bytes
    stable_end: int
    log_start: int
    aborted: list[tuple[int, int]]
    diverged: int | None


class Asked(NamedTuple):
    """What to fetch of one partition; epochs are -1 where they aren't known."""

    offset: int
    leader_epoch: int
    last_epoch: int = -1
    max_bytes: int = 1 << 20


class Produced(NamedTuple):
    """A produce request's answer for one partition."""

    error: int
    base_offset: int
    message: str


class WireError(KafkaUnavailable):
    """A broker answered with an error; ``code`` is Kafka's number for it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def error_name(code: int) -> str:
    """Kafka's own name for an error."""
    kind = kafka_errors.for_code(code)
    return f"{getattr(kind, 'message', kind.__name__)} ({code})"


def is_transient(code: int) -> bool:
    """Whether an error goes away by itself."""
    return bool(getattr(kafka_errors.for_code(code), "retriable", False))


class Loop:
    """The thread in which all connections live."""

    def __init__(self) -> None:
        for name in ("kafka", "kafka.net", "kafka.cluster"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters of it is said in our own words
        self.net = NetworkSelector(slow_task_threshold_secs=0)
        self.net.start()

    def run(self, coroutine: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run a coroutine to its end, and return what it returns; a signal's exception passes."""
        result: T = self.net.run(coroutine, *args)
        return result

    def spawn(self, coroutine: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Start a coroutine; the answer is a future."""
        return self.net.call_soon_with_future(coroutine, *args)

    def soon(self, function: Callable[[], None]) -> None:
        """Call a function in the loop's thread; from a signal's handler too."""
        self.net.call_soon_threadsafe(function)

    async def sleep(self, seconds: float) -> None:
        """Let others run for so long."""
        await self.net.sleep(seconds)

    def end(self, *wires: "Wire") -> None:
        """Close the connections, and end the thread."""
        for wire in wires:
            self.net.call_soon_threadsafe(wire.close)
        self.net.stop(timeout_ms=2000)


class Signal:
    """Wakes who waits for it; a ring before the wait counts."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._future: Future | None = None
        self._rung = False

    def ring(self) -> None:
        """Wake the one that waits, or the next one that will; from the loop's own thread."""
        self._rung = True
        if self._future is not None and not self._future.is_done:
            self._future.success(None)

    async def wait(self, seconds: float) -> None:
        """Wait for a ring, at most so long. One waiter at a time."""
        if not self._rung:
            self._future = Future()
            timer = self._loop.net.call_later(seconds, self.ring)
            await self._future
            self._loop.net.cancel(timer)
        self._rung, self._future = False, None


class Wire:
    """Connections to all brokers of a cluster.

    Raises:
        SettingsError: a property that kafka-python has no word for.
    """

    def __init__(self, loop: Loop, cluster: Cluster) -> None:
        self.loop, self.cluster = loop, cluster
        self._config: dict[str, Value] = {**_OURS, **translated(cluster)}
        self._manager: Any = None
        self._last_contact = time.monotonic()

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.cluster.name

    async def connect(self) -> None:
        """Reach any of the bootstrap addresses.

        Raises:
            KafkaUnavailable, KafkaRefused: none of them; why the last one failed.
        """
        self.close()
        self._manager = KafkaConnectionManager(self.loop.net, **self._config)
        self._manager.cluster.config["allow_auto_create_topics"] = False
        failed: Exception = KafkaUnavailable("no address")
        for broker in self._manager.cluster.bootstrap_brokers():
            try:
                connection = self._manager.get_connection(broker.node_id, refresh_metadata_on_err=False)
                await connection
                await self._manager.cluster.refresh_metadata(broker.node_id)
            except Exception as error:  # noqa: BLE001  whatever it is, it's told below
                failed = error
            else:
                connection.close()
                self._last_contact = time.monotonic()
                return
        raise self.explained(failed, "connecting")

    def close(self) -> None:
        """Close all connections."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def brokers(self) -> list[int]:
        """The numbers of the cluster's brokers."""
        return [broker.node_id for broker in self._manager.cluster.brokers()]

    async def send(self, request: Any, node: int | None = None, timeout_ms: int | None = None) -> Any:
        """A broker's answer.

        Args:
            request: as kafka-python has it.
            node: the broker's number; None for any.
            timeout_ms: how long to wait; as the cluster's settings say without it.

        Raises:
            KafkaUnavailable, KafkaRefused: there is none.
        """
        return await self.answered(self.post(request, node, timeout_ms))

    async def answered(self, future: Any) -> Any:
        """What the future of ``post`` or ``produce`` brings; raises as ``send`` does."""
        try:
            answer = await future
        except Exception as error:
            raise self.explained(error, "asking it") from error
        self._last_contact = time.monotonic()
        return answer

    def post(self, request: Any, node: int | None = None, timeout_ms: int | None = None) -> Any:
        """Send a request at once, and return the future of its answer."""
        if self._manager is None:
            return Future().failure(kafka_errors.KafkaConnectionError("not connected"))
        try:
            return self._manager.send(request, node, timeout_ms)
        except Exception as error:  # noqa: BLE001  an unknown broker, a refused password
            return Future().failure(error)

    def explained(self, error: BaseException, doing: str) -> AgentlogError:
        """A failure of kafka-python as one of our errors; what isn't such a failure is raised as it is."""
        text = self.cluster.redact(str(error)) or type(error).__name__
        address = self.cluster.properties[BOOTSTRAP]
        who = f"cluster {self.name}" + (f" ({address})" if address != self.name else "")
        if isinstance(error, AgentlogError):
            return error
        if isinstance(error, _REFUSED_LOGIN):
            return KafkaRefused(f"{who} refused the log-in, by its user name, password or mechanism: {text}")
        if "socket disconnected" in text and doing == "connecting" and "sasl_mechanism" in self._config:
            return KafkaRefused(f"{who} closed the connection as we logged in: a wrong user name or password")
        if "Handshake failed" in text:
            return KafkaRefused(f"{who}: no TLS connection while {doing}: {text}")
        if isinstance(error, kafka_errors.IncompatibleBrokerVersion):
            return KafkaRefused(f"{who} is too old for kafmirror: {text}")
        if isinstance(error, OSError | kafka_errors.KafkaError):
            return KafkaUnavailable(f"{who} can't be reached while {doing}: {text}")
        raise error

    async def metadata(self, topics: Iterable[str] | None = ()) -> Metadata:
        """What a broker knows of ``topics``, of all topics when None.

        Raises:
            KafkaUnavailable, KafkaRefused: nobody answers. After five seconds of that the next question goes to the
                bootstrap addresses again.
        """
        if self._manager is None or time.monotonic() - self._last_contact > 5:
            await self.connect()
        asked = None
        if topics is not None:
            asked = [MetadataRequest.MetadataRequestTopic(name=name, topic_id=NO_ID) for name in topics]
        request = MetadataRequest(topics=asked, allow_auto_topic_creation=False, max_version=12)
        answer = await self.send(request, timeout_ms=10_000)
        self._manager.cluster.update_metadata(answer)
        found = [_topic(each) for each in answer.topics]
        return Metadata(answer.cluster_id, answer.controller_id, {topic.name: topic for topic in found})

    async def topic(self, name: str) -> Topic:
        """A topic that is there.

        Raises:
            TopicNotFound, KafkaRefused, KafkaUnavailable: it isn't, or nobody tells.
        """
        found = (await self.metadata([name])).topics[name]
        if found.error == UNKNOWN_TOPIC:
            raise TopicNotFound(f"cluster {self.name} has no topic {name}")
        if found.error:
            raise self.problem(found.error, f"topic {name}")
        return found

    def problem(self, code: int, what: str, told: str | None = None) -> AgentlogError:
        """An error that a broker answered with, as one of ours."""
        text = f"cluster {self.name}, {what}: {told or error_name(code)}"
        return KafkaRefused(text) if code in NOT_AUTHORISED else WireError(text, code)

    async def offsets(
        self, metadata: Metadata, partitions: Iterable[Partition], timestamp: int, *, stable: bool = False
    ) -> dict[Partition, int]:
        """An offset of each partition: ``EARLIEST``, ``LATEST``, or the first of a time in milliseconds (-1 for none).

        Args:
            metadata: that knows their leaders.
            partitions: to ask about.
            timestamp: which offset.
            stable: whether ``LATEST`` is the end of what no open transaction holds back.

        Raises:
            KafkaUnavailable, KafkaRefused: for the first that isn't told.
        """
        kind = ListOffsetsRequest.ListOffsetsTopic
        waiting = []
        for node, numbers in _by_leader(metadata, partitions, self).items():
            topics = [
                kind(
                    name=name,
                    partitions=[
                        kind.ListOffsetsPartition(partition_index=n, current_leader_epoch=-1, timestamp=timestamp)
                        for n in some
                    ],
                )
                for name, some in numbers.items()
            ]
            request = ListOffsetsRequest(replica_id=-1, isolation_level=int(stable), topics=topics, max_version=6)
            waiting.append(self.loop.spawn(self.send, request, node))
        found = {}
        for answer in waiting:
            for topic in (await answer).topics:
                for each in topic.partitions:
                    partition = Partition(topic.name, each.partition_index)
                    if each.error_code:
                        raise self.problem(each.error_code, str(partition))
                    found[partition] = each.offset
        return found

    async def fetch(
        self, node: int, wanted: Mapping[Partition, Asked], ids: Mapping[str, uuid.UUID], wait_ms: int
    ) -> dict[Partition, Fetched]:
        """Records from each partition that ``node`` leads, once there are any, at the latest after ``wait_ms``.

        Raises:
            KafkaUnavailable, KafkaRefused: no answer.
        """
        topics: dict[str, list[Any]] = defaultdict(list)
        kind = FetchRequest.FetchTopic
        for partition, asked in wanted.items():
            topics[partition.topic].append(
                kind.FetchPartition(
                    partition=partition.number,
                    current_leader_epoch=asked.leader_epoch,
                    fetch_offset=asked.offset,
                    last_fetched_epoch=asked.last_epoch,
                    log_start_offset=-1,
                    partition_max_bytes=asked.max_bytes,
                )
            )
        by_id = all(ids[name] != NO_ID for name in topics)
        request = FetchRequest(
            replica_id=-1,
            max_wait_ms=wait_ms,
            min_bytes=1,
            max_bytes=8 << 20,
            isolation_level=1,
            session_id=0,
            session_epoch=-1,
            topics=[kind(topic=name, topic_id=ids[name], partitions=some) for name, some in topics.items()],
            forgotten_topics_data=[],
            rack_id="",
            max_version=13 if by_id else 12,
        )
        answer = await self.send(request, node)
        if answer.error_code:
            raise self.problem(answer.error_code, "fetching")
        names = {ids[name]: name for name in topics}
        return {
            Partition(topic.topic or names[topic.topic_id], each.partition_index): _fetched(each)
            for topic in answer.responses
            for each in topic.partitions
        }

    def produce(self, node: int, batches: Mapping[Partition, bytes], ids: Mapping[str, uuid.UUID]) -> Any:
        """Send one batch for each partition that ``node`` leads; the answer is a future, for ``produced``."""
        kind = ProduceRequest.TopicProduceData
        topics: dict[str, list[Any]] = defaultdict(list)
        for partition, batch in batches.items():
            topics[partition.topic].append(kind.PartitionProduceData(index=partition.number, records=batch))
        by_id = all(ids[name] != NO_ID for name in topics)
        request = ProduceRequest(
            transactional_id=None,
            acks=-1,
            timeout_ms=30_000,
            topic_data=[kind(name=name, topic_id=ids[name], partition_data=some) for name, some in topics.items()],
            max_version=13 if by_id else 12,
        )
        return self.post(request, node)

    @staticmethod
    def produced(answer: Any, ids: Mapping[str, uuid.UUID]) -> dict[Partition, Produced]:
        """What a produce request's answer says of each partition."""
        names = {known: name for name, known in ids.items()}
        return {
            Partition(topic.name or names[topic.topic_id], each.index): Produced(
                each.error_code, each.base_offset, each.error_message or ""
            )
            for topic in answer.responses
            for each in topic.partition_responses
        }


def _topic(told: Any) -> Topic:
    leaders = {each.partition_index: Leader(each.leader_id, each.leader_epoch) for each in told.partitions}
    replication = min((len(each.replica_nodes) for each in told.partitions), default=0)
    return Topic(told.name, told.topic_id or NO_ID, told.is_internal, leaders, replication, told.error_code)


def _fetched(told: Any) -> Fetched:
    aborted = [(each.producer_id, each.first_offset) for each in told.aborted_transactions or ()]
    diverging = told.diverging_epoch
    diverged = diverging.end_offset if diverging is not None and diverging.epoch >= 0 else None
    records = bytes(told.records or b"")
    return Fetched(told.error_code, records, told.last_stable_offset, told.log_start_offset, aborted, diverged)


def _by_leader(metadata: Metadata, partitions: Iterable[Partition], wire: Wire) -> dict[int, dict[str, list[int]]]:
    found: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for partition in partitions:
        leader = metadata.leader(partition)
        if leader is None:
            raise WireError(f"cluster {wire.name}: {partition} has no leader", 5)
        found[leader.node][partition.topic].append(partition.number)
    return found
