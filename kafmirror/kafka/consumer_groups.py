"""Requests for consumer groups: list them, read and commit their offsets."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka.protocol.admin import DescribeGroupsRequest, ListGroupsRequest
from kafka.protocol.consumer import OffsetCommitRequest, OffsetFetchRequest
from kafka.protocol.metadata import FindCoordinatorRequest

from .connection import NOT_AUTHORISED, ClusterConnection, format_error_code, is_transient
from .metadata import Partition, parse_rights

COORDINATOR_TIMEOUT_S = 15.0
"""How long to wait for a coordinator: a cluster that never kept offsets must first create the topic for them."""


class CommittedOffset(NamedTuple):
    """A committed offset, and the text that was committed with it."""

    offset: int
    metadata: str


class Group(NamedTuple):
    """A group as its cluster lists it. A share group has no offsets that a consumer commits."""

    has_members: bool
    is_share: bool


_STATES_WITHOUT_MEMBERS = frozenset({"Empty", "Dead"})
_OTHER_PROTOCOLS = frozenset({"connect", "sr"})
"""The protocols of groups that hold no offsets: the workers of Kafka Connect, and schema registries."""

_IN_USE = "consumers use the group"
REFUSAL_TEXTS: Mapping[int, str] = {
    12: "its committed metadata is longer than offset.metadata.max.bytes",
    22: _IN_USE,
    24: "the cluster doesn't accept the group's name",
    25: _IN_USE,
    27: _IN_USE,
    28: "its committed metadata is too large for the log of offsets",
    29: "not authorised on the topic: the right READ is needed",
    30: "not authorised on the group: the right READ is needed",
    69: "the group isn't one of consumers",
    110: _IN_USE,
    113: _IN_USE,
}
"""What Kafka's errors mean for a group whose offsets are committed from outside."""


def describe_refusal(code: int) -> str:
    """Return why a cluster doesn't take an offset of a group, for Kafka's number of the error."""
    return REFUSAL_TEXTS.get(code) or format_error_code(code)


def start_deadline() -> float:
    """Return the time, of the monotonic clock, until which to wait for coordinators from now on."""
    return time.monotonic() + COORDINATOR_TIMEOUT_S


async def find_coordinator(connection: ClusterConnection, group: str, deadline: float | None = None) -> int:
    """Return the broker that keeps a group's offsets. Wait for it in a cluster that never kept offsets before.

    Args:
        connection: the cluster to ask.
        group: the group's name.
        deadline: until when to wait, if several groups share the time; see ``start_deadline``.

    Raises:
        KafkaUnavailable, KafkaRefused: there is none, or no broker answers.
    """
    deadline = start_deadline() if deadline is None else deadline
    while True:
        response = await connection.send(FindCoordinatorRequest(key=group, key_type=0, max_version=3))
        if not response.error_code:
            return int(response.node_id)
        if not is_transient(response.error_code) or time.monotonic() > deadline:
            action = f"group {group}"
            raise connection.make_broker_error(response.error_code, action, response.error_message, right="DESCRIBE")
        await connection.loop.sleep(0.1)


async def fetch_committed_offsets(
    connection: ClusterConnection,
    group: str,
    topics: Mapping[str, int] | None = None,
    deadline: float | None = None,
) -> dict[Partition, CommittedOffset]:
    """Return the committed offsets of a group, by partition.

    Args:
        connection: the cluster to ask.
        group: the group's name.
        topics: topic names with their partition counts; None for all topics.
        deadline: until when to wait for the coordinator; see ``find_coordinator``.

    Raises:
        KafkaUnavailable, KafkaRefused: no broker answers, or it answers with an error.
    """
    topic_type = OffsetFetchRequest.OffsetFetchRequestTopic
    requested = None
    if topics is not None:
        requested = [topic_type(name=name, partition_indexes=list(range(count))) for name, count in topics.items()]
    request = OffsetFetchRequest(group_id=group, topics=requested, require_stable=False, max_version=7)
    response = await _send_to_coordinator(connection, group, request, deadline)
    if response.error_code:
        raise connection.make_broker_error(response.error_code, f"group {group}", right="DESCRIBE")
    committed_offsets = {}
    for topic in response.topics:
        for each in topic.partitions:
            if each.error_code:
                raise connection.make_broker_error(
                    each.error_code, f"group {group}, {topic.name}[{each.partition_index}]"
                )
            if each.committed_offset >= 0:
                committed_offsets[Partition(topic.name, each.partition_index)] = CommittedOffset(
                    each.committed_offset, each.metadata or ""
                )
    return committed_offsets


async def _send_to_coordinator(
    connection: ClusterConnection, group: str, request: OffsetFetchRequest, deadline: float | None
) -> Any:
    """Return the coordinator's answer, once it has loaded the group's offsets."""
    deadline = start_deadline() if deadline is None else deadline
    while True:
        response = await connection.send(request, await find_coordinator(connection, group, deadline))
        if not is_transient(response.error_code) or time.monotonic() > deadline:
            return response
        await connection.loop.sleep(0.1)


async def commit_offsets(
    connection: ClusterConnection,
    group: str,
    offsets: Mapping[Partition, CommittedOffset],
    deadline: float | None = None,
) -> dict[Partition, int]:
    """Commit offsets for a group without members.

    Returns:
        Kafka's number of the error for each partition whose offset was refused.

    Raises:
        KafkaUnavailable, KafkaRefused: no broker answers.
    """
    topic_type = OffsetCommitRequest.OffsetCommitRequestTopic
    topics: dict[str, list[Any]] = defaultdict(list)
    for partition, (offset, metadata) in offsets.items():
        requested = topic_type.OffsetCommitRequestPartition(
            partition_index=partition.number,
            committed_offset=offset,
            committed_leader_epoch=-1,
            committed_metadata=metadata,
        )
        topics[partition.topic].append(requested)
    request = OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=-1,
        member_id="",
        group_instance_id=None,
        retention_time_ms=-1,
        topics=[topic_type(name=name, partitions=partitions) for name, partitions in topics.items()],
        max_version=8,
    )
    response = await connection.send(request, await find_coordinator(connection, group, deadline))
    return {
        Partition(topic.name, each.partition_index): each.error_code
        for topic in response.topics
        for each in topic.partitions
        if each.error_code
    }


async def fetch_group_rights(
    connection: ClusterConnection, group: str, node: int | None = None
) -> frozenset[int] | None:
    """Return Kafka's numbers of the operations that we may do on a group, or None when the broker doesn't say.

    Args:
        connection: the cluster to ask.
        group: the group's name.
        node: the group's coordinator. None for any broker: it knows only whether we have any right, but a cluster that
            never kept offsets would create a topic for them before it names a coordinator.

    Raises:
        KafkaUnavailable, KafkaRefused: no broker answers.
    """
    request = DescribeGroupsRequest(groups=[group], include_authorized_operations=True, max_version=5)
    [description] = (await connection.send(request, node)).groups
    if description.error_code in NOT_AUTHORISED:
        return frozenset()
    return None if description.error_code else parse_rights(description.authorized_operations)


async def list_groups(connection: ClusterConnection, deadline: float | None = None) -> dict[str, Group]:
    """Return the groups of a cluster that we may see and that can hold offsets, by name.

    The list tells of members of each protocol. A description by the request of classic groups calls a group of the
    newer protocol (KIP-848) dead and empty while consumers use it.

    Raises:
        KafkaUnavailable, KafkaRefused: a broker doesn't answer, or answers with an error.
    """
    deadline = start_deadline() if deadline is None else deadline
    nodes = connection.list_brokers()
    answers = await connection.loop.map_concurrently(lambda node: _list_groups_of(connection, node, deadline), nodes)
    return {name: group for groups in answers for name, group in groups.items()}


async def _list_groups_of(connection: ClusterConnection, node: int, deadline: float) -> dict[str, Group]:
    while True:
        response = await connection.send(ListGroupsRequest(states_filter=[], types_filter=[], max_version=5), node)
        if not response.error_code:
            return {
                each.group_id: Group(each.group_state not in _STATES_WITHOUT_MEMBERS, each.protocol_type == "share")
                for each in response.groups
                if each.protocol_type not in _OTHER_PROTOCOLS
            }
        if not is_transient(response.error_code) or time.monotonic() > deadline:
            raise connection.make_broker_error(response.error_code, "listing its groups")
        await connection.loop.sleep(0.1)
