"""Requests that fetch and produce record batches as bytes."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from kafka.protocol.consumer import FetchRequest
from kafka.protocol.producer import ProduceRequest

from agentlog.errors import KafkaUnavailable

from ..batches.record_batch import OldFormat, read_first_batch
from .connection import ClusterConnection
from .metadata import NO_TOPIC_ID, Partition

ACKS_ALL, ACKS_LEADER = -1, 1

FIRST_RECORDS_WAIT_MS = 200
"""How long a broker waits for records where none of the partitions has any."""

MAX_ROOM_FACTOR = 64
"""How much more room than asked for a partition gets at most, where its first batch needs it."""


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

    A broker whose quota is used up answers without any partition. Then the request is repeated when it may be.

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
    names = {topic_ids[name]: name for name in topics}
    while True:
        response = await connection.send(request, node)
        if response.error_code:
            raise connection.make_broker_error(response.error_code, "fetching")
        results = {
            Partition(topic.topic or names[topic.topic_id], each.partition_index): _parse_fetched(each)
            for topic in response.responses
            for each in topic.partitions
        }
        if results or not response.throttle_time_ms:
            break
    if missing := requests.keys() - results.keys():
        raise KafkaUnavailable(f"cluster {connection.name} left {min(missing)} out of its answer to a fetch")
    return results


class RecordsQuestion(NamedTuple):
    """A question for the records of a partition from an offset on."""

    partition: Partition
    topic_id: uuid.UUID
    offset: int
    max_bytes: int


async def fetch_first(
    connection: ClusterConnection,
    node: int,
    questions: Sequence[RecordsQuestion],
    settle: Callable[[RecordsQuestion, FetchResult], None],
) -> None:
    """Fetch the first records of many partitions that ``node`` leads, and settle each as soon as they are there.

    A broker leaves a partition empty when the answer has no room for its first batch. Only the first partition of a
    request always gets its batch. So a partition without records is asked for again, with more room, until it was
    the first one.

    Raises:
        KafkaUnavailable, KafkaRefused: no answer came.
    """
    open_questions, factor = list(questions), 1
    while open_questions:
        asked = {each.partition: each for each in reversed(open_questions)}
        first = open_questions[0]
        requests = {
            each.partition: PartitionFetch(each.offset, -1, max_bytes=each.max_bytes * factor)
            for each in (first, *(each for each in asked.values() if each is not first))
        }
        topic_ids = {each.partition.topic: each.topic_id for each in asked.values()}
        results = await fetch(connection, node, requests, topic_ids, FIRST_RECORDS_WAIT_MS)
        settled = {
            asked[partition]: result
            for partition, result in results.items()
            if result.error or _has_whole_batch(result.records) or asked[partition] is first
        }
        for question, result in settled.items():
            settle(question, result)
        open_questions = [each for each in open_questions if each not in settled]
        if len(settled) == 1:
            factor = min(factor * 4, MAX_ROOM_FACTOR)


def _has_whole_batch(records: bytes) -> bool:
    try:
        return read_first_batch(records) is not None
    except OldFormat:
        return True  # whoever reads it will say so


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
