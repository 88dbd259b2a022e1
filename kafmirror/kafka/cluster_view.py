"""A cluster as a mirror uses it: connections, the newest metadata, and questions about its partitions."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from agentlog.errors import KafkaUnavailable

from ..batches.checkpoint import find_mirrored_position
from ..batches.loss import OffsetNote, parse_note
from ..batches.record_batch import Batch, derive_producer_id, read_first_batch
from . import consumer_groups
from .connection import EARLIEST, LATEST, LATEST_COMMITTED, BrokerError, ClusterConnection, is_transient
from .fetch_produce import FetchResult, RecordsQuestion, fetch_first
from .metadata import Bounds, Metadata, Partition
from .network.coalescer import Coalescer
from .network.event_loop import MAX_QUESTIONS

LEADER_TIMEOUT_S = 10.0
"""How long to wait for leaders, because a broker that has just started may not know them."""

PARTIAL_TIMEOUT_S = 3.0
"""How long to wait for the leaders of some partitions while others have theirs."""


FIRST_BATCH_BYTES = 64 << 10
"""The room for one batch in an answer. A larger batch costs one more request."""


@dataclass
class ClusterView:
    """A cluster's connections, its newest metadata, and the ids of the topics that are used."""

    connection: ClusterConnection
    metadata: Metadata
    topic_ids: Mapping[str, UUID]

    @classmethod
    def for_topic(cls, connection: ClusterConnection, metadata: Metadata, topic: str) -> "ClusterView":
        """Return a view for one topic, which may not exist yet."""
        return cls(connection, metadata, {topic: metadata.topics[topic].id} if topic in metadata.topics else {})

    @classmethod
    async def for_topics(cls, connection: ClusterConnection, topics: Iterable[str]) -> "ClusterView":
        """Return a view for several topics.

        Raises:
            KafkaUnavailable, KafkaRefused: no broker answers.
        """
        metadata = await connection.fetch_metadata(topics)
        return cls(connection, metadata, {name: topic.id for name, topic in metadata.topics.items()})

    def derive_mirror_producer_id(self, topic: str) -> int:
        """Return the producer id of all mirrors that copy a topic from this cluster."""
        return derive_producer_id(self.metadata.cluster_id, str(self.topic_ids[topic]))

    def find_leader_node(self, partition: Partition) -> int:
        """Return the broker that leads a partition; raises BrokerError when there is none."""
        return self.connection.find_leader_node(self.metadata, partition)

    async def fetch_bounds(self, partition: Partition, *, is_read_committed: bool = False) -> Bounds:
        """Return a partition's first offset and its end."""
        return (await self._fetch_bounds([partition], is_read_committed=is_read_committed))[partition]

    async def fetch_all_bounds(self, topic: str, *, is_read_committed: bool = False) -> dict[int, Bounds]:
        """Return the bounds of each partition of a topic. Wait for a broker that has just started."""
        deadline = time.monotonic() + LEADER_TIMEOUT_S
        while True:
            partitions = [Partition(topic, number) for number in sorted(self.metadata.topics[topic].leaders)]
            try:
                bounds_by_partition = await self._fetch_bounds(partitions, is_read_committed=is_read_committed)
            except BrokerError as error:
                if not is_transient(error.code) or time.monotonic() > deadline:
                    raise
                await self.connection.loop.sleep(0.2)
                self.metadata = await self.connection.fetch_metadata(self.topic_ids)
            else:
                return {each.number: bounds for each, bounds in bounds_by_partition.items()}

    async def fetch_bounds_or_errors(
        self, topic: str, *, is_read_committed: bool = False
    ) -> dict[int, Bounds | KafkaUnavailable]:
        """Return the bounds of each partition of a topic, or why that partition can't be had.

        Wait for a broker that has just started, but only for a moment where others answer.

        Raises:
            KafkaUnavailable: none of their brokers can be reached.
        """
        started_at, loop = time.monotonic(), self.connection.loop

        async def fetch_one(number: int) -> Bounds | KafkaUnavailable:
            try:
                return await self.fetch_bounds(Partition(topic, number), is_read_committed=is_read_committed)
            except KafkaUnavailable as error:
                return error

        while True:
            numbers = sorted(self.metadata.topics[topic].leaders)
            answers = await loop.map_concurrently(fetch_one, numbers, MAX_QUESTIONS)
            is_partial = any(isinstance(each, Bounds) for each in answers)
            limit_s = PARTIAL_TIMEOUT_S if is_partial else LEADER_TIMEOUT_S
            if not any(map(_is_passing, answers)) or time.monotonic() - started_at > limit_s:
                _check_any_reached(answers)
                return dict(zip(numbers, answers, strict=True))
            await loop.sleep(0.2)
            self.metadata = await self.connection.fetch_metadata(self.topic_ids)

    async def _fetch_bounds(
        self, partitions: Sequence[Partition], *, is_read_committed: bool
    ) -> dict[Partition, Bounds]:
        lows_future = self.connection.loop.spawn(self.connection.list_offsets, self.metadata, partitions, EARLIEST)
        end = LATEST_COMMITTED if is_read_committed else LATEST
        ends = await self.connection.list_offsets(self.metadata, partitions, end)
        lows = await lows_future
        return {each: Bounds(lows[each], ends[each]) for each in partitions}

    async def fetch_note(self, partition: Partition, producer_id: int) -> OffsetNote | None:
        """Return what a mirror last noted of a partition with gaps."""
        notes = await consumer_groups.fetch_committed_offsets(
            self.connection, name_mirror_group(producer_id), {partition.topic: partition.number + 1}
        )
        note = notes.get(partition)
        return parse_note(note.offset, note.metadata) if note else None

    async def fetch_noted_offsets(self, partition: Partition, producer_id: int) -> tuple[int, int] | None:
        """Return the target's offset and the source's, as a mirror last noted them for a partition with gaps."""
        note = await self.fetch_note(partition, producer_id)
        return (note.target, note.source) if note else None

    async def fetch_mirrored_position(self, partition: Partition, bounds: Bounds, producer_id: int) -> int:
        """Return the source's offset behind the target's last record.

        Raises:
            ValueError: neither the target's log nor the mirror's note says it.
        """
        last_batch = await self.fetch_last_batch(partition, bounds)
        return await self.find_mirrored_position(partition, bounds, producer_id, last_batch)

    async def find_mirrored_position(
        self, partition: Partition, bounds: Bounds, producer_id: int, last_batch: Batch | None
    ) -> int:
        """Return the same as ``fetch_mirrored_position``, with the last batch known; raises as that does."""
        is_position_in_batch = bounds.end == 0 or (last_batch is not None and last_batch.is_dense)
        noted_offsets = None if is_position_in_batch else await self.fetch_noted_offsets(partition, producer_id)
        position = find_mirrored_position(last_batch, bounds.end, noted_offsets, producer_id)
        if position is None:
            raise ValueError(f"{partition}: neither the target's log nor the mirror's note says how far it is mirrored")
        return position

    async def fetch_last_batch(self, partition: Partition, bounds: Bounds) -> Batch | None:
        """Return the batch that holds the last offset within bounds, or None when there is none."""
        return await self.fetch_batch_at(partition, bounds.end - 1) if bounds.end > bounds.low else None

    async def fetch_batch_at(self, partition: Partition, offset: int) -> Batch | None:
        """Return the batch that holds an offset, or the next one; None when there is none."""
        result = await self.fetch_records(partition, offset, FIRST_BATCH_BYTES)
        if result.error:
            raise self.connection.make_broker_error(result.error, str(partition), right="READ")
        return read_first_batch(result.records)

    async def fetch_records(self, partition: Partition, offset: int, max_bytes: int) -> FetchResult:
        """Return the records from an offset on, at least one whole batch if there is one.

        What is asked at the same time goes in one request to each broker.
        """
        node = self.find_leader_node(partition)
        coalescers = self.connection.record_coalescers
        if node not in coalescers:
            coalescers[node] = Coalescer(self.connection.loop, partial(fetch_first, self.connection, node))
        question = RecordsQuestion(partition, self.topic_ids[partition.topic], offset, max_bytes)
        result: FetchResult = await coalescers[node].ask(question)
        return result


def _check_any_reached(answers: Sequence[Bounds | KafkaUnavailable]) -> None:
    """Raise the first error if no broker was reached. A partition without a leader is told by a broker."""
    unreached = [each for each in answers if isinstance(each, KafkaUnavailable) and not isinstance(each, BrokerError)]
    if unreached and len(unreached) == len(answers):
        raise unreached[0]


def _is_passing(answer: Bounds | KafkaUnavailable) -> bool:
    """Return whether an error may pass by itself."""
    return isinstance(answer, KafkaUnavailable) and (not isinstance(answer, BrokerError) or is_transient(answer.code))


def name_mirror_group(producer_id: int) -> str:
    """Return the group under which a mirror notes the offsets of partitions with gaps."""
    return f"kafmirror-{producer_id:016x}"
