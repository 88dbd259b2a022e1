"""A cluster as a mirror uses it: its connections, what was last heard of its topics, and what they hold."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ..batches.checkpoint import mirrored_up_to
from ..batches.record_batch import Batch, first, producer_id
from . import consumer_groups
from .connection import EARLIEST, LATEST, Wire, WireError, is_transient
from .fetch_produce import Asked, fetch
from .metadata import Bounds, Metadata, Partition

PATIENCE_S = 10.0


@dataclass
class Side:
    """A cluster as a mirror uses it: its connections, and what was last heard of its topics."""

    wire: Wire
    metadata: Metadata
    ids: Mapping[str, UUID]

    @classmethod
    def of(cls, wire: Wire, metadata: Metadata, topic: str) -> "Side":
        """A cluster as it is used for one topic, which needn't be there yet."""
        return cls(wire, metadata, {topic: metadata.topics[topic].id} if topic in metadata.topics else {})

    def producer(self, topic: str) -> int:
        """The producer id of every mirror of one of its topics."""
        return producer_id(self.metadata.cluster_id, str(self.ids[topic]))

    def node(self, partition: Partition) -> int:
        """The broker that leads a partition; raises WireError when none does."""
        leader = self.metadata.leader(partition)
        if leader is None:
            raise WireError(f"cluster {self.wire.name}: {partition} has no leader", 5)
        return leader.node

    async def bounds(self, partition: Partition, *, stable: bool = False) -> Bounds:
        """The first offset that a partition holds, and the one behind its last."""
        return (await self._bounds([partition], stable=stable))[partition]

    async def all_bounds(self, topic: str, *, stable: bool = False) -> dict[int, Bounds]:
        """The bounds of each partition of a topic; a broker that has just come back is given a moment."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            partitions = [Partition(topic, number) for number in sorted(self.metadata.topics[topic].leaders)]
            try:
                found = await self._bounds(partitions, stable=stable)
            except WireError as error:
                if not is_transient(error.code) or time.monotonic() > deadline:
                    raise
                await self.wire.loop.sleep(0.2)
                self.metadata = await self.wire.metadata(self.ids)
            else:
                return {each.number: bounds for each, bounds in found.items()}

    async def _bounds(self, partitions: Sequence[Partition], *, stable: bool) -> dict[Partition, Bounds]:
        begins = self.wire.loop.spawn(self.wire.offsets, self.metadata, partitions, EARLIEST)
        ends = await self.wire.offsets(self.metadata, partitions, LATEST, stable=stable)
        lows = await begins
        return {each: Bounds(lows[each], ends[each]) for each in partitions}

    async def noted(self, partition: Partition, producer: int) -> tuple[int, int] | None:
        """The target's and the source's offset as a mirror last noted them for a partition with gaps."""
        notes = await consumer_groups.committed(
            self.wire, mirror_group(producer), {partition.topic: partition.number + 1}
        )
        note = notes.get(partition)
        return (note.offset, int(note.metadata)) if note else None

    async def position(self, partition: Partition, bounds: Bounds, producer: int) -> int:
        """The source's offset that follows what the target holds.

        Raises:
            ValueError: nobody knows.
        """
        last = await self.last_batch(partition, bounds)
        is_whole = bounds.end == 0 or (last is not None and last.is_dense)
        committed = None if is_whole else await self.noted(partition, producer)
        found = mirrored_up_to(last, bounds.end, committed, producer)
        if found is None:
            raise ValueError(f"{partition}: the target's log and the mirror's note no longer tell where it stands")
        return found

    async def last_batch(self, partition: Partition, bounds: Bounds) -> Batch | None:
        """The batch that holds the last offset within bounds; None where there is none."""
        return await self.batch_at(partition, bounds.end - 1) if bounds.end > bounds.low else None

    async def batch_at(self, partition: Partition, offset: int) -> Batch | None:
        """The batch that holds an offset, or the one behind it; None where there is none."""
        asked = {partition: Asked(offset, -1)}
        answer = (await fetch(self.wire, self.node(partition), asked, self.ids, 500))[partition]
        if answer.error:
            raise self.wire.problem(answer.error, str(partition))
        return first(answer.records)


def mirror_group(producer: int) -> str:
    """The group under which a mirror notes where partitions with gaps stand."""
    return f"kafmirror-{producer:016x}"
