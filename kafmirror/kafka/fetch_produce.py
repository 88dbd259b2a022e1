"""Record batches over a cluster's connections: fetched as they lie there, and produced."""

import uuid
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from kafka.protocol.consumer import FetchRequest
from kafka.protocol.producer import ProduceRequest

from .connection import Wire
from .metadata import NO_ID, Partition


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


async def fetch(
    wire: Wire, node: int, wanted: Mapping[Partition, Asked], ids: Mapping[str, uuid.UUID], wait_ms: int
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
    answer = await wire.send(request, node)
    if answer.error_code:
        raise wire.problem(answer.error_code, "fetching")
    names = {ids[name]: name for name in topics}
    return {
        Partition(topic.topic or names[topic.topic_id], each.partition_index): _fetched(each)
        for topic in answer.responses
        for each in topic.partitions
    }


def produce(wire: Wire, node: int, batches: Mapping[Partition, bytes], ids: Mapping[str, uuid.UUID]) -> Any:
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
    return wire.post(request, node)


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


def _fetched(told: Any) -> Fetched:
    aborted = [(each.producer_id, each.first_offset) for each in told.aborted_transactions or ()]
    diverging = told.diverging_epoch
    diverged = diverging.end_offset if diverging is not None and diverging.epoch >= 0 else None
    records = bytes(told.records or b"")
    return Fetched(told.error_code, records, told.last_stable_offset, told.log_start_offset, aborted, diverged)
