"""Requests for consumer groups: list them, read and commit their offsets."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka.protocol.admin import DescribeGroupsRequest, ListGroupsRequest
from kafka.protocol.consumer import OffsetCommitRequest, OffsetFetchRequest
from kafka.protocol.metadata import FindCoordinatorRequest

from .connection import ClusterConnection, is_transient
from .metadata import Partition

COORDINATOR_TIMEOUT_S = 15.0
"""How long to wait for a coordinator: a cluster that never kept offsets must first create the topic for them."""


class CommittedOffset(NamedTuple):
    """A committed offset, and the text that was committed with it."""

    offset: int
    metadata: str


async def find_coordinator(connection: ClusterConnection, group: str) -> int:
    """Return the broker that keeps a group's offsets. Wait for it in a cluster that never kept offsets before.

    Raises:
        KafkaUnavailable, KafkaRefused: there is none, or no broker answers.
    """
    deadline = time.monotonic() + COORDINATOR_TIMEOUT_S
    while True:
        response = await connection.send(FindCoordinatorRequest(key=group, key_type=0, max_version=3))
        if not response.error_code:
            return int(response.node_id)
        if not is_transient(response.error_code) or time.monotonic() > deadline:
            raise connection.make_broker_error(response.error_code, f"group {group}", response.error_message)
        await connection.loop.sleep(0.1)


async def fetch_committed_offsets(
    connection: ClusterConnection, group: str, topics: Mapping[str, int] | None = None
) -> dict[Partition, CommittedOffset]:
    """Return the committed offsets of a group, by partition.

    Args:
        connection: the cluster to ask.
        group: the group's name.
        topics: topic names with their partition counts; None for all topics.

    Raises:
        KafkaUnavailable, KafkaRefused: no broker answers, or it answers with an error.
    """
    topic_type = OffsetFetchRequest.OffsetFetchRequestTopic
    requested = None
    if topics is not None:
        requested = [topic_type(name=name, partition_indexes=list(range(count))) for name, count in topics.items()]
    request = OffsetFetchRequest(group_id=group, topics=requested, require_stable=False, max_version=7)
    response = await _send_to_coordinator(connection, group, request)
    if response.error_code:
        raise connection.make_broker_error(response.error_code, f"group {group}")
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


async def _send_to_coordinator(connection: ClusterConnection, group: str, request: OffsetFetchRequest) -> Any:
    """Return the coordinator's answer, once it has loaded the group's offsets."""
    deadline = time.monotonic() + COORDINATOR_TIMEOUT_S
    while True:
        response = await connection.send(request, await find_coordinator(connection, group))
        if not is_transient(response.error_code) or time.monotonic() > deadline:
            return response
        await connection.loop.sleep(0.1)


async def commit_offsets(
    connection: ClusterConnection, group: str, offsets: Mapping[Partition, CommittedOffset]
) -> None:
    """Commit offsets for a group without members.

    Raises:
        KafkaUnavailable, KafkaRefused: no broker answers, or it refuses an offset.
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
    response = await connection.send(request, await find_coordinator(connection, group))
    for topic in response.topics:
        for each in topic.partitions:
            if each.error_code:
                raise connection.make_broker_error(
                    each.error_code, f"group {group}, {topic.name}[{each.partition_index}]"
                )


async def list_groups(connection: ClusterConnection) -> dict[str, str]:
    """Return the consumer groups of a cluster, with their states.

    Raises:
        KafkaUnavailable, KafkaRefused: a broker doesn't answer, or answers with an error.
    """
    states: dict[str, str] = {}
    for node in connection.list_brokers():
        response = await connection.send(ListGroupsRequest(states_filter=[], types_filter=[], max_version=4), node)
        if response.error_code:
            raise connection.make_broker_error(response.error_code, "listing its groups")
        states |= {
            group.group_id: group.group_state for group in response.groups if group.protocol_type in ("consumer", "")
        }
    return states


async def has_members(connection: ClusterConnection, group: str) -> bool:
    """Return whether consumers use the group at this moment.

    Raises:
        KafkaUnavailable, KafkaRefused: no broker answers, or it answers with an error.
    """
    request = DescribeGroupsRequest(groups=[group], include_authorized_operations=False, max_version=5)
    [description] = (await connection.send(request, await find_coordinator(connection, group))).groups
    if description.error_code and is_transient(description.error_code):
        raise connection.make_broker_error(description.error_code, f"group {group}")
    return bool(description.members)
