"""Connections to one cluster, and what every request needs: its brokers, topics and offsets."""

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any

import kafka.errors as kafka_errors
from kafka.future import Future
from kafka.net.manager import KafkaConnectionManager
from kafka.protocol.consumer import ListOffsetsRequest
from kafka.protocol.metadata import MetadataRequest

from agentlog.errors import AgentlogError, KafkaRefused, KafkaUnavailable, TopicNotFound
from agentlog.settings.clusters import BOOTSTRAP, Cluster

from .client_properties import Value, translated
from .event_loop import Loop
from .metadata import NO_ID, Leader, Metadata, Partition, Topic

OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC, MESSAGE_TOO_LARGE = 1, 3, 10
NOT_AUTHORISED = frozenset({29, 30, 31})
OUT_OF_ORDER_SEQUENCE, DUPLICATE_SEQUENCE = 45, 46

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

_REFUSED_LOGIN = (
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.AuthorizationError,
    kafka_errors.UnsupportedSaslMechanismError,
)


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
        self._connecting: Awaitable[None] | None = None

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.cluster.name

    async def connect(self) -> None:
        """Reach any of the bootstrap addresses; who asks while that is under way waits for it.

        Raises:
            KafkaUnavailable, KafkaRefused: none of them; why the last one failed.
        """
        if self._connecting is None:
            self._connecting = self.loop.spawn(self._connect)
        try:
            await self._connecting
        finally:
            self._connecting = None

    async def _connect(self) -> None:
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


def _topic(told: Any) -> Topic:
    leaders = {each.partition_index: Leader(each.leader_id, each.leader_epoch) for each in told.partitions}
    replication = min((len(each.replica_nodes) for each in told.partitions), default=0)
    return Topic(told.name, told.topic_id or NO_ID, told.is_internal, leaders, replication, told.error_code)


def _by_leader(metadata: Metadata, partitions: Iterable[Partition], wire: Wire) -> dict[int, dict[str, list[int]]]:
    found: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for partition in partitions:
        leader = metadata.leader(partition)
        if leader is None:
            raise WireError(f"cluster {wire.name}: {partition} has no leader", 5)
        found[leader.node][partition.topic].append(partition.number)
    return found
