"""Connections to one cluster, and the requests that all others need: brokers, topics and offsets."""

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any, NamedTuple

import kafka.errors as kafka_errors
from kafka.future import Future
from kafka.protocol.consumer import ListOffsetsRequest
from kafka.protocol.metadata import MetadataRequest

from agentlog.errors import AgentlogError, KafkaRefused, KafkaUnavailable, TopicNotFound
from agentlog.log.connection.broker_addresses import BrokerFailure, describe_misleading, split_addresses
from agentlog.settings.clusters import BOOTSTRAP, Cluster
from agentlog.settings.tls_files import check_tls_files

from .metadata import NO_TOPIC_ID, Leader, Metadata, Partition, Topic
from .network.client_properties import Value, translate_properties
from .network.coalescer import Coalescer, Settle
from .network.connection_manager import ConnectionManager, describe_failure
from .network.event_loop import EventLoop
from .network.race import AllFailedError, race

OFFSET_OUT_OF_RANGE, CORRUPT, UNKNOWN_TOPIC, NO_LEADER, MESSAGE_TOO_LARGE = 1, 2, 3, 5, 10
GROUP_AUTHORIZATION_FAILED = 30
NOT_AUTHORISED = frozenset({29, GROUP_AUTHORIZATION_FAILED, 31})
OUT_OF_ORDER_SEQUENCE, DUPLICATE_SEQUENCE = 45, 46

CONSUMER, DEBUG_REPLICA = -1, -2  # who asks for offsets, as Kafka numbers them

METADATA_TIMEOUT_MS = 10_000
SILENCE_S = 5.0
"""A cluster that hasn't answered for so long is connected to anew before its metadata are asked for."""

PAUSE_CHECK_S = 0.05
"""The time between two looks whether a broker takes requests again."""

MIN_NOTED_THROTTLE_S = 0.1
"""A quota that makes us wait for less than this isn't worth a line."""

THROTTLE_LOG_INTERVAL_S = 30.0
"""The time between two lines on the log about a quota."""

_DEFAULTS: Mapping[str, Value] = {
    "client_id": "kafmirror",
    "receive_message_max_bytes": 1 << 30,
    "max_in_flight_requests_per_connection": 1000,  # the sender has its own limit
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


_NO_ANSWER = (kafka_errors.KafkaTimeoutError, kafka_errors.RequestTimedOutError)

_READ_REQUESTS = frozenset(
    {
        "DescribeConfigsRequest",
        "DescribeGroupsRequest",
        "DescribeLogDirsRequest",
        "FetchRequest",
        "FindCoordinatorRequest",
        "ListGroupsRequest",
        "ListOffsetsRequest",
        "MetadataRequest",
        "OffsetFetchRequest",
    }
)
"""The requests that change nothing, so that one without an answer can be sent again."""


class BrokerError(KafkaUnavailable):
    """An error that a broker answered with; ``code`` is Kafka's number for it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def format_error_code(code: int) -> str:
    """Return Kafka's name and number of an error."""
    kind = kafka_errors.for_code(code)
    return f"{getattr(kind, 'message', kind.__name__)} ({code})"


def is_transient(code: int) -> bool:
    """Return whether Kafka calls an error retriable, so that it can go away by itself."""
    return bool(getattr(kafka_errors.for_code(code), "retriable", False))


class OffsetKind(NamedTuple):
    """Which offset of a partition is meant.

    Attributes:
        timestamp: -2 for the beginning, -1 for the end, or milliseconds since 1970 for the first record from that time
            on. A partition without such a record has the offset -1.
        is_read_committed: whether the end is the first open transaction.
        is_unreplicated_included: whether the end is that of the leader's own log, with records that other replicas
            don't have yet.
    """

    timestamp: int
    is_read_committed: bool = False
    is_unreplicated_included: bool = False


EARLIEST, LATEST = OffsetKind(-2), OffsetKind(-1)
LATEST_COMMITTED = OffsetKind(-1, is_read_committed=True)
LATEST_UNREPLICATED = OffsetKind(-1, is_unreplicated_included=True)


class ClusterConnection:
    """Connections to all brokers of a cluster.

    Raises:
        SettingsError: kafka-python doesn't support a property of the cluster.
    """

    def __init__(self, loop: EventLoop, cluster: Cluster) -> None:
        self.loop, self.cluster = loop, cluster
        self._config: dict[str, Value] = {**_DEFAULTS, **translate_properties(cluster)}
        check_tls_files(cluster)
        self._manager: ConnectionManager | None = None
        self._unanswered_since: float | None = None
        self._connecting: Awaitable[None] | None = None
        self.record_coalescers: dict[int, Coalescer[Any, Any]] = {}
        self._offset_coalescers: dict[tuple[int, OffsetKind], Coalescer[Partition, int]] = {}
        self._throttled_until = self._throttle_logged_at = -inf

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.cluster.name

    async def connect(self) -> None:
        """Connect to any of the bootstrap addresses. Calls at the same time share one attempt.

        Raises:
            KafkaUnavailable, KafkaRefused: no address works. The message says why the last one failed.
        """
        if self._connecting is None:
            self._connecting = self.loop.spawn(self._connect)
        try:
            await self._connecting
        finally:
            self._connecting = None

    async def _connect(self) -> None:
        manager = ConnectionManager(self.loop.net, **self._config)
        manager.cluster.config["allow_auto_create_topics"] = False
        brokers = manager.cluster.bootstrap_brokers()
        ways = [partial(self._ask_bootstrap_broker, manager, broker.node_id) for broker in brokers]
        try:
            first = await race(self.loop.net, ways, manager.close)
        except AllFailedError as failed:
            manager.close()
            raise self._explain_no_bootstrap(manager, failed) from None
        for broker in brokers:
            if broker.node_id != first:
                manager.close(broker.node_id)
        self.close()
        self._manager, self._unanswered_since = manager, None

    async def _ask_bootstrap_broker(self, manager: ConnectionManager, node: int | str) -> int | str:
        """Let the broker at one of the bootstrap addresses tell the cluster's brokers. Its connection stays open."""
        connection = manager.get_connection(node, refresh_metadata_on_err=False)
        await connection
        response = await connection.send_request(manager.cluster.metadata_request())
        manager.cluster.update_metadata(response)
        return node

    def _explain_no_bootstrap(self, manager: ConnectionManager, failed: AllFailedError) -> AgentlogError:
        """Return the error for a cluster of which no bootstrap address works. A refusal tells more than silence."""
        errors = [self.translate_error(each, "connecting") for each in failed.errors]
        refusal = next((each for each in errors if isinstance(each, KafkaRefused)), None)
        if refusal is not None or len(errors) < 2:
            return refusal or (errors[0] if errors else KafkaUnavailable("no address"))
        reasons = [f"{manager.describe_address(node)}: {reason}" for node, reason in manager.failures.items()]
        return KafkaUnavailable(
            self.cluster.redact(f"{self._describe()} can't be reached while connecting: {'; '.join(reasons)}")
        )

    def _describe(self) -> str:
        address = self.cluster.get_redacted_properties()[BOOTSTRAP]
        return f"cluster {self.name}" + (f" ({address})" if address != self.name else "")

    def close(self) -> None:
        """Close all connections."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def list_brokers(self) -> list[int]:
        """Return the numbers of the cluster's brokers."""
        return [broker.node_id for broker in self._manager.cluster.brokers()] if self._manager is not None else []

    async def send(self, request: Any, node: int | None = None, timeout_ms: int | None = None) -> Any:
        """Send a request, and return the broker's answer. Wait first while a quota lets us send nothing.

        A broker may close a connection at any time, for example when a log-in expires. Then a request that changes
        nothing is sent once more, over a new connection.

        Args:
            request: a request of kafka-python.
            node: the broker's number; None for any broker.
            timeout_ms: how long to wait; None for the time in the cluster's settings.

        Raises:
            KafkaUnavailable, KafkaRefused: no answer came.
        """
        await self.wait_while_paused(node)
        other_brokers = len(self.list_brokers()) - 1 if node is None and self._manager is not None else 0
        may_repeat = type(request).__name__ in _READ_REQUESTS
        while True:
            was_connected = self._is_connected(node)
            asked = self._manager.choose_node() if node is None and self._manager is not None else node
            try:
                return await self.await_response(self.post(request, asked, timeout_ms), asked)
            except KafkaUnavailable as error:
                if may_repeat and was_connected and not isinstance(error.__cause__, _NO_ANSWER):
                    may_repeat = False
                    continue
                if other_brokers <= 0:
                    raise
                other_brokers -= 1  # kafka-python chooses another one, as it leaves out those that it can't reach

    def _is_connected(self, node: int | None) -> bool:
        """Return whether a broker is connected now; None for any broker."""
        if self._manager is None:
            return False
        open_connections = self._manager._conns
        chosen = open_connections.values() if node is None else [open_connections.get(node)]
        return any(each is not None and each.connected for each in chosen)

    async def wait_while_paused(self, node: int | None) -> None:
        """Wait while a broker takes no request, as ``is_paused`` says."""
        while self.is_paused(node):
            await self.loop.sleep(PAUSE_CHECK_S)

    def is_paused(self, node: int | None) -> bool:
        """Return whether a broker takes no request now, because of a quota or of all that it has to answer.

        Args:
            node: the broker's number; None for any broker.
        """
        if self._manager is None:
            return False
        nodes = self.list_brokers() if node is None else [node]
        open_connections = [self._manager._conns.get(each) for each in nodes]
        return bool(nodes) and all(each is not None and each.connected and each.paused for each in open_connections)

    def note_throttling(self, response: Any) -> None:
        """Note for how long an answer makes us wait because of a quota, and log it now and then."""
        throttle_s = (getattr(response, "throttle_time_ms", 0) or 0) / 1000
        if throttle_s >= MIN_NOTED_THROTTLE_S:
            now = time.monotonic()
            self._throttled_until = max(self._throttled_until, now + throttle_s)
            if now - self._throttle_logged_at > THROTTLE_LOG_INTERVAL_S:
                self._throttle_logged_at = now
                _log.warning("%s", self.describe_throttling())

    def describe_throttling(self) -> str | None:
        """Return a sentence about the quota that makes us wait now, or None."""
        wait_s = self._throttled_until - time.monotonic()
        if wait_s <= 0:
            return None
        return f"cluster {self.name} slows us down by a quota: the next request waits {wait_s:.1f} s"

    async def await_response(self, future: Any, node: int | str | None = None) -> Any:
        """Wait for the future of ``post`` or ``produce``, and return the answer; raises as ``send`` does."""
        if self._unanswered_since is None:
            self._unanswered_since = time.monotonic()
        try:
            response = await future
        except Exception as error:
            raise self.translate_error(error, "waiting for its answer", node) from error
        self._unanswered_since = None
        self.note_throttling(response)
        return response

    def post(self, request: Any, node: int | str | None = None, timeout_ms: int | None = None) -> Any:
        """Send a request at once, and return the future of its answer."""
        if self._manager is None:
            return Future().failure(kafka_errors.KafkaConnectionError("not connected"))
        try:
            return self._manager.send(request, self._manager.choose_node() if node is None else node, timeout_ms)
        except Exception as error:  # noqa: BLE001  an unknown broker, a refused password
            return Future().failure(error)

    def translate_error(self, error: BaseException, action: str, node: int | str | None = None) -> AgentlogError:
        """Return a failure of kafka-python as an error of agentlog. Raise any other exception unchanged.

        Args:
            error: the failure.
            action: what was being done, for the message.
            node: the number of the broker that was asked, if it is known.
        """
        text, cluster_text = self.cluster.redact(str(error)) or type(error).__name__, self._describe()
        if isinstance(error, AgentlogError):
            return error
        if isinstance(error, _REFUSED_LOGIN):
            return KafkaRefused(f"{cluster_text} refused the log-in: wrong user name, password or mechanism: {text}")
        if action == "connecting" and (closed_text := self._describe_closed_connection(text)):
            return KafkaUnavailable(f"{cluster_text} {closed_text}")  # a broker that stops closes connections, too
        if "Handshake failed" in text:
            return KafkaRefused(f"{cluster_text}: no TLS connection while {action}: {text}")
        if isinstance(error, kafka_errors.IncompatibleBrokerVersion):
            return KafkaRefused(f"{cluster_text} is too old for kafmirror: {text}")
        if isinstance(error, OSError | kafka_errors.KafkaError):
            return KafkaUnavailable(f"{cluster_text}{self._explain_unavailable(error, action, node)}")
        raise error

    def _explain_unavailable(
        self, error: OSError | kafka_errors.KafkaError, action: str, node: int | str | None
    ) -> str:
        """Return why a broker gave no answer: a wrong advertised address is told beside the one that was reached."""
        manager = self._manager
        if manager is not None and node in manager.failures:
            reason, address = manager.failures[node], manager.describe_address(node)
            failures = {address: BrokerFailure(address, True, reason)}
            if misled := describe_misleading(split_addresses(self.cluster.properties[BOOTSTRAP]), failures):
                return self.cluster.redact(f", while {action}: {misled}")
            return self.cluster.redact(f" can't be reached while {action}: {address}: {reason}")
        return self.cluster.redact(f" can't be reached while {action}: {describe_failure(error)}")

    def _describe_closed_connection(self, text: str) -> str | None:
        """Return why a cluster probably closed the connection as we began; None when it didn't."""
        protocol = str(self._config.get("security_protocol", "PLAINTEXT"))
        if "Handshake failed" in text and "EOF" in text:
            return "closed the connection before TLS began. Does it speak TLS there (security.protocol)?"
        if "EOF occurred" in text or ("ALERT" in text and "CERTIFICATE" in text) or "ALERT_UNKNOWN_CA" in text:
            return f"closed the connection. Does it want another certificate of ours (ssl.certificate.location)? {text}"
        if "socket disconnected" not in text:
            return None
        if "sasl_mechanism" not in self._config:
            return f"closed the connection. Does it want {_describe_missing_security(protocol)} (security.protocol)?"
        tls_text = "" if protocol == "SASL_SSL" else ", or it wants TLS (security.protocol)"
        reason = f"a wrong user name or password, or a mechanism that it lacks{tls_text}"
        return f"closed the connection as we logged in: {reason}"

    async def fetch_metadata(self, topics: Iterable[str] | None = ()) -> Metadata:
        """Return a broker's metadata of ``topics``, or of all topics when None.

        If a request has had no answer for five seconds, connect to the bootstrap addresses again first.

        Raises:
            KafkaUnavailable, KafkaRefused: no broker answers.
        """
        is_silent = self._unanswered_since is not None and time.monotonic() - self._unanswered_since > SILENCE_S
        if self._manager is None or is_silent:
            await self.connect()
        requested = None
        if topics is not None:
            requested = [MetadataRequest.MetadataRequestTopic(name=name, topic_id=NO_TOPIC_ID) for name in topics]
        request = MetadataRequest(topics=requested, allow_auto_topic_creation=False, max_version=12)
        try:
            response = await self.send(request, timeout_ms=METADATA_TIMEOUT_MS)
        except KafkaUnavailable as error:
            if isinstance(error.__cause__, _NO_ANSWER):
                raise
            await self.connect()  # the broker has gone; another one may answer
            response = await self.send(request, timeout_ms=METADATA_TIMEOUT_MS)
        if self._manager is not None:
            self._manager.cluster.update_metadata(response)
        known_topics = [_parse_topic(each) for each in response.topics]
        return Metadata(response.cluster_id, response.controller_id, {topic.name: topic for topic in known_topics})

    async def fetch_topic(self, name: str) -> Topic:
        """Return the metadata of an existing topic.

        Raises:
            TopicNotFound: there is no such topic.
            KafkaUnavailable, KafkaRefused: no broker answers, or it answers with an error.
        """
        topic = (await self.fetch_metadata([name])).topics[name]
        if topic.error == UNKNOWN_TOPIC:
            raise TopicNotFound(f"cluster {self.name} has no topic {name}")
        if topic.error:
            raise self.make_broker_error(topic.error, f"topic {name}", right="DESCRIBE")
        return topic

    def make_broker_error(
        self, code: int, action: str, broker_message: str | None = None, *, right: str = ""
    ) -> AgentlogError:
        """Return the error of agentlog for an error that a broker answered with.

        Args:
            code: Kafka's number of the error.
            action: what was asked for.
            broker_message: the broker's own words, if there are any.
            right: Kafka's name of the right that the request needs, for messages.
        """
        text = broker_message or format_error_code(code)
        if code in NOT_AUTHORISED and right:
            text = f"not authorised: the right {right} is needed"
        text = f"cluster {self.name}, {action}: {text}"
        return KafkaRefused(text) if code in NOT_AUTHORISED else BrokerError(text, code)

    def find_leader_node(self, metadata: Metadata, partition: Partition) -> int:
        """Return the broker that leads a partition; raises BrokerError when there is none."""
        node = metadata.find_leader_node(partition)
        if node is None:
            raise BrokerError(f"cluster {self.name}: {partition} has no leader", NO_LEADER)
        return node

    async def list_offsets(
        self, metadata: Metadata, partitions: Iterable[Partition], kind: OffsetKind
    ) -> dict[Partition, int]:
        """Return an offset of each partition.

        Args:
            metadata: metadata with the partitions' leaders.
            partitions: the partitions to ask about.
            kind: which offset is meant.

        Raises:
            KafkaUnavailable, KafkaRefused: a broker doesn't answer, or answers with an error for a partition.
        """
        offsets = {}
        for partition, answer in (await self.list_offsets_or_errors(metadata, partitions, kind)).items():
            if isinstance(answer, KafkaUnavailable):
                raise answer
            offsets[partition] = answer
        return offsets

    async def list_offsets_or_errors(
        self, metadata: Metadata, partitions: Iterable[Partition], kind: OffsetKind
    ) -> dict[Partition, int | KafkaUnavailable]:
        """Return what ``list_offsets`` returns, and for a partition that can't be had the error.

        Raises:
            KafkaRefused: a broker refuses us.
        """
        futures = {each: self.loop.spawn(self.list_offset, metadata, each, kind) for each in partitions}
        answers: dict[Partition, int | KafkaUnavailable] = {}
        for partition, future in futures.items():
            try:
                answers[partition] = await future
            except KafkaUnavailable as error:
                answers[partition] = error
        return answers

    async def list_offset(self, metadata: Metadata, partition: Partition, kind: OffsetKind) -> int:
        """Return an offset of a partition. What is asked at the same time goes in one request to each broker.

        Raises:
            KafkaUnavailable, KafkaRefused: a broker doesn't answer, or answers with an error.
        """
        node = self.find_leader_node(metadata, partition)
        coalescer = self._offset_coalescers.get((node, kind))
        if coalescer is None:
            coalescer = self._offset_coalescers[node, kind] = Coalescer(
                self.loop, partial(self._list_offsets_at, node, kind)
            )
        return await coalescer.ask(partition)

    async def _list_offsets_at(
        self, node: int, kind: OffsetKind, partitions: Sequence[Partition], settle: Settle[Partition, int]
    ) -> None:
        topic_type = ListOffsetsRequest.ListOffsetsTopic
        numbers: dict[str, list[int]] = defaultdict(list)
        for partition in partitions:
            numbers[partition.topic].append(partition.number)
        topics = [
            topic_type(
                name=name,
                partitions=[
                    topic_type.ListOffsetsPartition(
                        partition_index=n, current_leader_epoch=-1, timestamp=kind.timestamp
                    )
                    for n in partition_numbers
                ],
            )
            for name, partition_numbers in numbers.items()
        ]
        request = ListOffsetsRequest(
            replica_id=DEBUG_REPLICA if kind.is_unreplicated_included else CONSUMER,
            isolation_level=int(kind.is_read_committed),
            topics=topics,
            max_version=6,
        )
        for topic in (await self.send(request, node)).topics:
            for each in topic.partitions:
                partition = Partition(topic.name, each.partition_index)
                error = (
                    self.make_broker_error(each.error_code, str(partition), right="DESCRIBE")
                    if each.error_code
                    else None
                )
                settle(partition, error or each.offset)


def _describe_missing_security(protocol: str) -> str:
    return "a password or a client certificate" if protocol == "SSL" else "TLS or a password"


def _parse_topic(topic_metadata: Any) -> Topic:
    leaders = {each.partition_index: Leader(each.leader_id, each.leader_epoch) for each in topic_metadata.partitions}
    replication = min((len(each.replica_nodes) for each in topic_metadata.partitions), default=0)
    return Topic(
        topic_metadata.name,
        topic_metadata.topic_id or NO_TOPIC_ID,
        topic_metadata.is_internal,
        leaders,
        replication,
        topic_metadata.error_code,
    )
