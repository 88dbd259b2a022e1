"""Requests that fetch and produce record batches as bytes."""

import uuid
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka.protocol.consumer import FetchRequest
from kafka.protocol.producer import ProduceRequest

from .connection import ClusterConnection
from .metadata import NO_TOPIC_ID, Partition

ACKS_ALL, ACKS_LEADER = -1, 1


class FetchResult(NamedTuple):
    """A fetch's answer for one partition.

    Attributes:
        error: Kafka's number of an error, 0 for none.
        records: the batches.
        stable_end: the offset up to which no open transaction holds records back.
        log_start: the partition's first offset.
        aborted: producer id and first offset of each aborted transaction.
        diverged_at: the offset from which the log differs from the log that was fetched before; None when it doesn't.
    """

    error: int
    records: bytes
    stable_end: int
    log_start: int
    aborted: list[tuple[int, int]]
    diverged_at: int | None


class PartitionFetch(NamedTuple):
    """A fetch request for one partition. An unknown epoch is -1."""

    offset: int
    leader_epoch: int
    last_epoch: int = -1
    max_bytes: int = 1 << 20


class ProduceResult(NamedTuple):
    """A produce request's answer for one partition."""

    error: int
    base_offset: int
    message: str


async def fetch(
    connection: ClusterConnection,
    node: int,
    requests: Mapping[Partition, PartitionFetch],
    topic_ids: Mapping[str, uuid.UUID],
    wait_ms: int,
) -> dict[Partition, FetchResult]:
    """Fetch records of partitions that ``node`` leads. Wait up to ``wait_ms`` for the first one.

    Raises:
        KafkaUnavailable, KafkaRefused: no answer came.
    """
    topics: dict[str, list[Any]] = defaultdict(list)
    topic_type = FetchRequest.FetchTopic
    for partition, partition_fetch in requests.items():
        topics[partition.topic].append(
            topic_type.FetchPartition(
                partition=partition.number,
                current_leader_epoch=partition_fetch.leader_epoch,
                fetch_offset=partition_fetch.offset,
                last_fetched_epoch=partition_fetch.last_epoch,
                log_start_offset=-1,
                partition_max_bytes=partition_fetch.max_bytes,
            )
        )
    has_topic_ids = all(topic_ids[name] != NO_TOPIC_ID for name in topics)
    request = FetchRequest(
        replica_id=-1,
        max_wait_ms=wait_ms,
        min_bytes=1,
        max_bytes=8 << 20,
        isolation_level=1,
        session_id=0,
        session_epoch=-1,
        topics=[
            topic_type(topic=name, topic_id=topic_ids[name], partitions=partitions)
            for name, partitions in topics.items()
        ],
        forgotten_topics_data=[],
        rack_id="",
        max_version=13 if has_topic_ids else 12,
    )
    response = await connection.send(request, node)
    if response.error_code:
        raise connection.make_broker_error(response.error_code, "fetching")
    names = {topic_ids[name]: name for name in topics}
    return {
        Partition(topic.topic or names[topic.topic_id], each.partition_index): _parse_fetched(each)
        for topic in response.responses
        for each in topic.partitions
    }


def produce(
    connection: ClusterConnection,
    node: int,
    batches: Mapping[Partition, bytes],
    topic_ids: Mapping[str, uuid.UUID],
    acks: int = ACKS_ALL,
) -> Any:
    """Send one batch for each partition. Return the future of the answer, for ``parse_produce_response``."""
    topic_type = ProduceRequest.TopicProduceData
    topics: dict[str, list[Any]] = defaultdict(list)
    for partition, batch in batches.items():
        topics[partition.topic].append(topic_type.PartitionProduceData(index=partition.number, records=batch))
    has_topic_ids = all(topic_ids[name] != NO_TOPIC_ID for name in topics)
    request = ProduceRequest(
        transactional_id=None,
        acks=acks,
        timeout_ms=30_000,
        topic_data=[
            topic_type(name=name, topic_id=topic_ids[name], partition_data=partitions)
            for name, partitions in topics.items()
        ],
        max_version=13 if has_topic_ids else 12,
    )
    return connection.post(request, node)


def parse_produce_response(response: Any, topic_ids: Mapping[str, uuid.UUID]) -> dict[Partition, ProduceResult]:
    """Return the result of each partition from the answer to a produce request."""
    names = {topic_id: name for name, topic_id in topic_ids.items()}
    return {
        Partition(topic.name or names[topic.topic_id], each.index): ProduceResult(
            each.error_code, each.base_offset, each.error_message or ""
        )
        for topic in response.responses
        for each in topic.partition_responses
    }


def _parse_fetched(partition_response: Any) -> FetchResult:
    aborted = [(each.producer_id, each.first_offset) for each in partition_response.aborted_transactions or ()]
    diverging_epoch = partition_response.diverging_epoch
    diverged_at = diverging_epoch.end_offset if diverging_epoch is not None and diverging_epoch.epoch >= 0 else None
    records = bytes(partition_response.records or b"")
    return FetchResult(
        partition_response.error_code,
        records,
        partition_response.last_stable_offset,
        partition_response.log_start_offset,
        aborted,
        diverged_at,
    )
