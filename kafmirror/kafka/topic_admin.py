"""Requests that create, change, delete and describe topics."""

import time
import uuid
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

from agentlog.errors import KafkaError, KafkaUnavailable

from .connection import UNKNOWN_TOPIC, ClusterConnection
from .metadata import NO_TOPIC_ID, Metadata, Partition, Setting, Topic, parse_rights

_TOPIC_RESOURCE, _BROKER_RESOURCE = 2, 4
_TOPIC_SOURCE = 1  # the config_source of a setting that the topic itself sets
_SET, _DELETE = 0, 1
TOPIC_EXISTS, INVALID_PARTITIONS, DELETION_DISABLED = 36, 37, 73
_TIMEOUT_MS = 30_000


async def fetch_settings(connection: ClusterConnection, topic: str) -> dict[str, Setting]:
    """Return all settings of a topic.

    Raises:
        KafkaUnavailable, KafkaRefused: no broker answers, or it answers with an error.
    """
    return await _describe_configs(connection, _TOPIC_RESOURCE, topic, None)


async def fetch_broker_settings(connection: ClusterConnection, node: int) -> dict[str, Setting]:
    """Return all settings of a broker; raises as ``fetch_settings`` does."""
    return await _describe_configs(connection, _BROKER_RESOURCE, str(node), node)


async def _describe_configs(
    connection: ClusterConnection, kind: int, name: str, node: int | None
) -> dict[str, Setting]:
    resource = DescribeConfigsRequest.DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=None
    )
    request = DescribeConfigsRequest(resources=[resource], include_synonyms=False, include_documentation=False)
    [result] = (await connection.send(request, node)).results
    if result.error_code:
        action = f"settings of {name}"
        raise connection.make_broker_error(result.error_code, action, result.error_message, right="DESCRIBE_CONFIGS")
    return {each.name: Setting(each.value, each.config_source == _TOPIC_SOURCE) for each in result.configs}


async def create_topic(
    connection: ClusterConnection, name: str, partitions: int, settings: Mapping[str, str], *, is_dry_run: bool = False
) -> bool:
    """Create a topic with the cluster's default replication. Return False if a topic of that name exists already.

    Raises:
        KafkaUnavailable, KafkaRefused: the topic can't be created.
    """
    topic_type = CreateTopicsRequest.CreatableTopic
    configs = [topic_type.CreatableTopicConfig(name=key, value=value) for key, value in settings.items()]
    topic = topic_type(name=name, num_partitions=partitions, replication_factor=-1, assignments=[], configs=configs)
    request = CreateTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS, validate_only=is_dry_run)
    [result] = (await connection.send(request, await _find_controller(connection))).topics
    if result.error_code not in (0, TOPIC_EXISTS):
        action = f"creating topic {name}"
        raise connection.make_broker_error(result.error_code, action, result.error_message, right="CREATE")
    return not result.error_code


async def wait_until_known(
    connection: ClusterConnection, name: str, partitions: int, deleted_id: uuid.UUID | None = None
) -> None:
    """Wait until each broker knows a topic that was just created, and the leaders of all its partitions.

    Args:
        connection: the cluster.
        name: the topic's name.
        partitions: the number of its partitions.
        deleted_id: the id of a topic that had the name before.

    Raises:
        KafkaUnavailable: that takes too long, or no broker answers.
    """
    deadline = time.monotonic() + _TIMEOUT_MS / 1000
    while not await _is_known_to_all(connection, name, partitions, deleted_id):
        if time.monotonic() > deadline:
            raise KafkaUnavailable(f"cluster {connection.name}: topic {name} has no leaders after 30 s")
        await connection.loop.sleep(0.05)


async def _is_known_to_all(
    connection: ClusterConnection, name: str, partitions: int, deleted_id: uuid.UUID | None
) -> bool:
    await connection.fetch_metadata([name])
    requested = [MetadataRequest.MetadataRequestTopic(name=name, topic_id=NO_TOPIC_ID)]
    for node in connection.list_brokers():
        request = MetadataRequest(topics=requested, allow_auto_topic_creation=False, max_version=12)
        try:
            [topic] = (await connection.send(request, node, timeout_ms=5000)).topics
        except KafkaUnavailable:  # a partition that it leads has no leader soon
            continue
        led = [each for each in topic.partitions if each.leader_id >= 0]
        if topic.error_code or len(led) < partitions or topic.topic_id == deleted_id:
            return False
    return True


async def add_partitions(connection: ClusterConnection, name: str, partitions: int) -> None:
    """Give a topic more partitions. A topic that has them already is no error.

    Raises:
        KafkaUnavailable, KafkaRefused: the partitions can't be added.
    """
    topic = CreatePartitionsRequest.CreatePartitionsTopic(name=name, count=partitions, assignments=None)
    request = CreatePartitionsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS, validate_only=False)
    [result] = (await connection.send(request, await _find_controller(connection))).results
    if result.error_code not in (0, INVALID_PARTITIONS):
        action = f"adding partitions to topic {name}"
        raise connection.make_broker_error(result.error_code, action, result.error_message, right="ALTER")


async def alter_settings(
    connection: ClusterConnection, name: str, changes: Mapping[str, str | None], *, is_dry_run: bool = False
) -> None:
    """Change settings of a topic. The value None resets a setting to the broker's default.

    Raises:
        KafkaUnavailable, KafkaRefused: the settings can't be changed.
    """
    resource_type = IncrementalAlterConfigsRequest.AlterConfigsResource
    configs = [
        resource_type.AlterableConfig(name=key, config_operation=_DELETE if value is None else _SET, value=value)
        for key, value in changes.items()
    ]
    resource = resource_type(resource_type=_TOPIC_RESOURCE, resource_name=name, configs=configs)
    request = IncrementalAlterConfigsRequest(resources=[resource], validate_only=is_dry_run)
    [result] = (await connection.send(request, await _find_controller(connection))).responses
    if result.error_code:
        action = f"settings of topic {name}"
        raise connection.make_broker_error(result.error_code, action, result.error_message, right="ALTER_CONFIGS")


async def delete_topic(connection: ClusterConnection, topic: Topic) -> None:
    """Delete a topic: this one, and no other that was created under its name since.

    Raises:
        KafkaUnavailable, KafkaRefused: the topic can't be deleted.
    """
    topic_type = DeleteTopicsRequest.DeleteTopicState
    if topic.id == NO_TOPIC_ID:
        request = DeleteTopicsRequest(topic_names=[topic.name], timeout_ms=_TIMEOUT_MS, max_version=5)
    else:
        request = DeleteTopicsRequest(topics=[topic_type(name=None, topic_id=topic.id)], timeout_ms=_TIMEOUT_MS)
    [result] = (await connection.send(request, await _find_controller(connection))).responses
    if result.error_code:
        action = f"deleting topic {topic.name}"
        raise connection.make_broker_error(result.error_code, action, result.error_message, right="DELETE")


async def is_deletion_disabled(connection: ClusterConnection) -> bool:
    """Return whether the cluster lets nobody delete topics (``delete.topic.enable=false``).

    It is asked to delete a topic that doesn't exist. Only the controllers know the setting, and they look at it first.
    """
    name = f"kafmirror-no-such-topic-{uuid.uuid4()}"
    request = DeleteTopicsRequest(topic_names=[name], timeout_ms=_TIMEOUT_MS, max_version=5)
    [result] = (await connection.send(request, await _find_controller(connection))).responses
    return bool(result.error_code == DELETION_DISABLED)


async def delete_records(
    connection: ClusterConnection, metadata: Metadata, partition: Partition, before_offset: int
) -> None:
    """Delete all records of a partition below an offset.

    Raises:
        KafkaUnavailable, KafkaRefused: the records can't be deleted.
    """
    node = connection.find_leader_node(metadata, partition)
    topic_type = DeleteRecordsRequest.DeleteRecordsTopic
    requested = topic_type(
        name=partition.topic,
        partitions=[topic_type.DeleteRecordsPartition(partition_index=partition.number, offset=before_offset)],
    )
    response = await connection.send(DeleteRecordsRequest(topics=[requested], timeout_ms=_TIMEOUT_MS), node)
    code = response.topics[0].partitions[0].error_code
    if code:
        raise connection.make_broker_error(code, f"deleting the fillers of {partition}", right="DELETE")


async def fetch_rights(connection: ClusterConnection, topic: str) -> frozenset[int] | None:
    """Return Kafka's numbers of the operations that we may do on a topic, or None when the broker doesn't say."""
    requested = [MetadataRequest.MetadataRequestTopic(name=topic, topic_id=NO_TOPIC_ID)]
    request = MetadataRequest(
        topics=requested, allow_auto_topic_creation=False, include_topic_authorized_operations=True, max_version=12
    )
    [result] = (await connection.send(request)).topics
    return None if result.error_code == UNKNOWN_TOPIC else parse_rights(result.authorized_operations)


async def measure_stored_bytes(connection: ClusterConnection, topic: Topic) -> int | None:
    """Return a topic's bytes on disk, counting one replica of each partition; None when we may not ask."""
    largest: dict[int, int] = {}
    requested = DescribeLogDirsRequest.DescribableLogDirTopic(topic=topic.name, partitions=sorted(topic.leaders))
    for node in connection.list_brokers():
        try:
            response = await connection.send(DescribeLogDirsRequest(topics=[requested]), node)
        except KafkaError:
            return None
        if not response.results or any(result.error_code for result in response.results):
            return None
        for each in (part for result in response.results for sizes in result.topics for part in sizes.partitions):
            largest[each.partition_index] = max(largest.get(each.partition_index, 0), each.partition_size)
    return sum(largest.values())


async def _find_controller(connection: ClusterConnection) -> Any:
    return (await connection.fetch_metadata()).controller
