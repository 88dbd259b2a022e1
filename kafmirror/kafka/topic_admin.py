"""Topics of a cluster: their settings, made, widened, emptied, over the cluster's connections."""

from collections.abc import Mapping
from typing import Any

from kafka.protocol.admin import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteRecordsRequest,
    DeleteTopicsRequest,
    DescribeConfigsRequest,
    DescribeLogDirsRequest,
    IncrementalAlterConfigsRequest,
)
from kafka.protocol.metadata import MetadataRequest

from agentlog.errors import KafkaError

from .connection import UNKNOWN_TOPIC, Wire, WireError
from .metadata import NO_ID, Metadata, Partition, Setting, Topic

_TOPIC, _BROKER = 2, 4
_OF_TOPIC = 1  # DescribeConfigs' source of a setting that is the topic's own
_SET, _DELETE = 0, 1
TOPIC_EXISTS, INVALID_PARTITIONS = 36, 37
_TIMEOUT_MS = 30_000


async def settings(wire: Wire, topic: str) -> dict[str, Setting]:
    """All settings of a topic.

    Raises:
        KafkaUnavailable, KafkaRefused: they aren't told.
    """
    return await _described(wire, _TOPIC, topic, None)


async def broker_settings(wire: Wire, node: int) -> dict[str, Setting]:
    """All settings of a broker; raises as ``settings`` does."""
    return await _described(wire, _BROKER, str(node), node)


async def _described(wire: Wire, kind: int, name: str, node: int | None) -> dict[str, Setting]:
    resource = DescribeConfigsRequest.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=None
    )
    request = DescribeConfigsRequest(resources=[resource], include_synonyms=False, include_documentation=False)
    [told] = (await wire.send(request, node)).results
    if told.error_code:
        raise wire.problem(told.error_code, f"settings of {name}", told.error_message)
    return {each.name: Setting(each.value, each.config_source == _OF_TOPIC) for each in told.configs}


async def create(wire: Wire, name: str, partitions: int, own: Mapping[str, str], *, only_try: bool = False) -> None:
    """Make a topic with the cluster's default replication; it's no error when it is there already.

    Raises:
        KafkaUnavailable, KafkaRefused: it isn't made.
    """
    kind = CreateTopicsRequest.CreatableTopic
    configs = [kind.CreatableTopicConfig(name=key, value=value) for key, value in own.items()]
    topic = kind(name=name, num_partitions=partitions, replication_factor=-1, assignments=[], configs=configs)
    request = CreateTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS, validate_only=only_try)
    [told] = (await wire.send(request, await _controller(wire))).topics
    if told.error_code not in (0, TOPIC_EXISTS):
        raise wire.problem(told.error_code, f"creating topic {name}", told.error_message)


async def widen(wire: Wire, name: str, partitions: int) -> None:
    """Give a topic more partitions; it's no error when it has them already.

    Raises:
        KafkaUnavailable, KafkaRefused: it doesn't get them.
    """
    topic = CreatePartitionsRequest.CreatePartitionsTopic(name=name, count=partitions, assignments=None)
    request = CreatePartitionsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS, validate_only=False)
    [told] = (await wire.send(request, await _controller(wire))).results
    if told.error_code not in (0, INVALID_PARTITIONS):
        raise wire.problem(told.error_code, f"widening topic {name}", told.error_message)


async def change(wire: Wire, name: str, changes: Mapping[str, str | None]) -> None:
    """Set settings of a topic, or take back those whose value is None.

    Raises:
        KafkaUnavailable, KafkaRefused: it isn't done.
    """
    kind = IncrementalAlterConfigsRequest.AlterConfigsResource
    configs = [
        kind.AlterableConfig(name=key, config_operation=_DELETE if value is None else _SET, value=value)
        for key, value in changes.items()
    ]
    resource = kind(resource_type=_TOPIC, resource_name=name, configs=configs)
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=False)
    [told] = (await wire.send(request, await _controller(wire))).responses
    if told.error_code:
        raise wire.problem(told.error_code, f"settings of topic {name}", told.error_message)


async def delete(wire: Wire, name: str) -> None:
    """Delete a topic.

    Raises:
        KafkaUnavailable, KafkaRefused: it isn't done.
    """
    request = DeleteTopicsRequest(topic_names=[name], timeout_ms=_TIMEOUT_MS, max_version=5)
    [told] = (await wire.send(request, await _controller(wire))).responses
    if told.error_code:
        raise wire.problem(told.error_code, f"deleting topic {name}", told.error_message)


async def delete_records(wire: Wire, metadata: Metadata, partition: Partition, below: int) -> None:
    """Delete all records of a partition below an offset.

    Raises:
        KafkaUnavailable, KafkaRefused: it isn't done.
    """
    leader = metadata.leader(partition)
    if leader is None:
        raise WireError(f"cluster {wire.name}: {partition} has no leader", 5)
    kind = DeleteRecordsRequest.DeleteRecordsTopic
    asked = kind(
        name=partition.topic, partitions=[kind.DeleteRecordsPartition(partition_index=partition.number, offset=below)]
    )
    answer = await wire.send(DeleteRecordsRequest(topics=[asked], timeout_ms=_TIMEOUT_MS), leader.node)
    code = answer.topics[0].partitions[0].error_code
    if code:
        raise wire.problem(code, f"deleting the fillers of {partition}")


async def rights(wire: Wire, topic: str) -> frozenset[int] | None:
    """What we may do with a topic, None where the broker doesn't tell."""
    asked = [MetadataRequest.MetadataRequestTopic(name=topic, topic_id=NO_ID)]
    request = MetadataRequest(
        topics=asked, allow_auto_topic_creation=False, include_topic_authorized_operations=True, max_version=12
    )
    [told] = (await wire.send(request)).topics
    if told.error_code == UNKNOWN_TOPIC or told.authorized_operations is None:
        return None
    rights = frozenset(int(each) for each in told.authorized_operations)
    return rights if rights and max(rights) < 31 else None


async def stored_bytes(wire: Wire, topic: Topic) -> int | None:
    """What a topic takes on its brokers' disks, its replicas counted once; None where we may not know."""
    largest: dict[int, int] = {}
    asked = DescribeLogDirsRequest.DescribableLogDirTopic(topic=topic.name, partitions=sorted(topic.leaders))
    for node in wire.brokers():
        try:
            answer = await wire.send(DescribeLogDirsRequest(topics=[asked]), node)
        except KafkaError:
            return None
        if not answer.results or any(result.error_code for result in answer.results):
            return None
        for each in (part for result in answer.results for told in result.topics for part in told.partitions):
            largest[each.partition_index] = max(largest.get(each.partition_index, 0), each.partition_size)
    return sum(largest.values())


async def _controller(wire: Wire) -> Any:
    return (await wire.metadata()).controller
