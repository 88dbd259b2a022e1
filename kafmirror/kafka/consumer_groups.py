"""Consumer groups' committed offsets, read and set over a cluster's connections."""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka.protocol.admin import DescribeGroupsRequest, ListGroupsRequest
from kafka.protocol.consumer import OffsetCommitRequest, OffsetFetchRequest
from kafka.protocol.metadata import FindCoordinatorRequest

from .connection import Wire, is_transient
from .metadata import Partition

PATIENCE_S = 15.0


class Committed(NamedTuple):
    """A committed offset, and the text that was kept with it."""

    offset: int
    metadata: str


async def coordinator(wire: Wire, group: str) -> int:
    """The broker that keeps a group's offsets; a cluster that has just begun to keep any takes a moment to tell.

    Raises:
        KafkaUnavailable, KafkaRefused: nobody does, or tells.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = await wire.send(FindCoordinatorRequest(key=group, key_type=0, max_version=3))
        if not answer.error_code:
            return int(answer.node_id)
        if not is_transient(answer.error_code) or time.monotonic() > deadline:
            raise wire.problem(answer.error_code, f"group {group}", answer.error_message)
        await wire.loop.sleep(0.1)


async def committed(wire: Wire, group: str, topics: Mapping[str, int] | None = None) -> dict[Partition, Committed]:
    """What a group has committed: of ``topics`` with their partition counts, or of all.

    Raises:
        KafkaUnavailable, KafkaRefused: it isn't told.
    """
    kind = OffsetFetchRequest.OffsetFetchRequestTopic
    asked = None
    if topics is not None:
        asked = [kind(name=name, partition_indexes=list(range(count))) for name, count in topics.items()]
    request = OffsetFetchRequest(group_id=group, topics=asked, require_stable=False, max_version=7)
    answer = await _of_coordinator(wire, group, request)
    if answer.error_code:
        raise wire.problem(answer.error_code, f"group {group}")
    found = {}
    for topic in answer.topics:
        for each in topic.partitions:
            if each.error_code:
                raise wire.problem(each.error_code, f"group {group}, {topic.name}[{each.partition_index}]")
            if each.committed_offset >= 0:
                found[Partition(topic.name, each.partition_index)] = Committed(
                    each.committed_offset, each.metadata or ""
                )
    return found


async def _of_coordinator(wire: Wire, group: str, request: OffsetFetchRequest) -> Any:
    """An answer of the coordinator, once it has loaded what it keeps."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        answer = await wire.send(request, await coordinator(wire, group))
        if not is_transient(answer.error_code) or time.monotonic() > deadline:
            return answer
        await wire.loop.sleep(0.1)


async def commit(wire: Wire, group: str, offsets: Mapping[Partition, Committed]) -> None:
    """Set offsets of a group without members.

    Raises:
        KafkaUnavailable, KafkaRefused: for the first that isn't taken.
    """
    kind = OffsetCommitRequest.OffsetCommitRequestTopic
    topics: dict[str, list[Any]] = defaultdict(list)
    for partition, (offset, metadata) in offsets.items():
        one = kind.OffsetCommitRequestPartition(
            partition_index=partition.number,
            committed_offset=offset,
            committed_leader_epoch=-1,
            committed_metadata=metadata,
        )
        topics[partition.topic].append(one)
    request = OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=-1,
        member_id="",
        group_instance_id=None,
        retention_time_ms=-1,
        topics=[kind(name=name, partitions=some) for name, some in topics.items()],
        max_version=8,
    )
    answer = await wire.send(request, await coordinator(wire, group))
    for topic in answer.topics:
        for each in topic.partitions:
            if each.error_code:
                raise wire.problem(each.error_code, f"group {group}, {topic.name}[{each.partition_index}]")


async def all_groups(wire: Wire) -> dict[str, str]:
    """All groups of a cluster that consumers commit under, with their states.

    Raises:
        KafkaUnavailable, KafkaRefused: a broker doesn't tell.
    """
    found: dict[str, str] = {}
    for node in wire.brokers():
        answer = await wire.send(ListGroupsRequest(states_filter=[], types_filter=[], max_version=4), node)
        if answer.error_code:
            raise wire.problem(answer.error_code, "listing its groups")
        found |= {
            group.group_id: group.group_state for group in answer.groups if group.protocol_type in ("consumer", "")
        }
    return found


async def has_members(wire: Wire, group: str) -> bool:
    """Whether consumers are in the group at this moment.

    Raises:
        KafkaUnavailable, KafkaRefused: it isn't told.
    """
    request = DescribeGroupsRequest(groups=[group], include_authorized_operations=False, max_version=5)
    [told] = (await wire.send(request, await coordinator(wire, group))).groups
    if told.error_code and is_transient(told.error_code):
        raise wire.problem(told.error_code, f"group {group}")
    return bool(told.members)
