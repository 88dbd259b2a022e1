"""Where a partition's copy goes on: asked of both sides, and the target brought to the source's beginning."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from agentlog.errors import AgentlogError

from . import groups, topics
from .batches import FILLER_COUNT, Batch, Stamp, as_in_source, filler, first, is_filler, opened, restamped
from .checkpoint import Fill, Go, Held, Lost, Refuse, Trim, decide, mirrored_up_to
from .copying import Copying
from .known import Bounds, Metadata, Partition
from .wire import EARLIEST, LATEST, Asked, Wire, WireError


class MirrorStopped(AgentlogError):
    """Going on would lose, double or reorder a record; the message says where."""

    exit_code = 1


@dataclass
class Side:
    """A cluster as a mirror uses it: its connections, and what was last heard of its topics."""

    wire: Wire
    metadata: Metadata
    ids: Mapping[str, UUID]

    def node(self, partition: Partition) -> int:
        """The broker that leads a partition; raises WireError when none does."""
        leader = self.metadata.leader(partition)
        if leader is None:
            raise WireError(f"cluster {self.wire.name}: {partition} has no leader", 5)
        return leader.node

    async def bounds(self, partition: Partition, *, stable: bool = False) -> Bounds:
        """The first offset that a partition holds, and the one behind its last."""
        low = await self.wire.offsets(self.metadata, [partition], EARLIEST)
        end = await self.wire.offsets(self.metadata, [partition], LATEST, stable=stable)
        return Bounds(low[partition], end[partition])

    async def all_bounds(self, topic: str, *, stable: bool = False) -> dict[int, Bounds]:
        """The bounds of each partition of a topic."""
        partitions = [Partition(topic, number) for number in sorted(self.metadata.topics[topic].leaders)]
        low = await self.wire.offsets(self.metadata, partitions, EARLIEST)
        end = await self.wire.offsets(self.metadata, partitions, LATEST, stable=stable)
        return {each.number: Bounds(low[each], end[each]) for each in partitions}

    async def noted(self, partition: Partition, producer: int) -> tuple[int, int] | None:
        """The target's and the source's offset as a mirror last noted them for a partition with gaps."""
        notes = await groups.committed(self.wire, mirror_group(producer), {partition.topic: partition.number + 1})
        note = notes.get(partition)
        return (note.offset, int(note.metadata)) if note else None

    async def position(self, partition: Partition, bounds: Bounds, producer: int) -> int:
        """The source's offset that follows what the target holds.

        Raises:
            ValueError: nobody knows.
        """
        last = await self.batch_at(partition, bounds.end - 1) if bounds.end > bounds.low else None
        is_whole = bounds.end == 0 or (last is not None and last.is_dense)
        committed = None if is_whole else await self.noted(partition, producer)
        found = mirrored_up_to(last, bounds.end, committed, producer)
        if found is None:
            raise ValueError(f"{partition}: the target's log and the mirror's note no longer tell where it stands")
        return found

    async def batch_at(self, partition: Partition, offset: int) -> Batch | None:
        """The batch that holds an offset, or the one behind it; None where there is none."""
        asked = {partition: Asked(offset, -1)}
        answer = (await self.wire.fetch(self.node(partition), asked, self.ids, 500))[partition]
        if answer.error:
            raise self.wire.problem(answer.error, str(partition))
        return first(answer.records)


def mirror_group(producer: int) -> str:
    """The group under which a mirror notes where partitions with gaps stand."""
    return f"kafmirror-{producer:016x}"


async def place(copying: Copying, source: Side, target: Side) -> Go | Lost:
    """Where the copy goes on; fillers are written and deleted on the way.

    Raises:
        MirrorStopped: nowhere, and why.
        KafkaUnavailable, KafkaRefused: a side doesn't answer.
    """
    asked_twice = False
    while True:
        held = await _held(copying, source, target)
        decision = decide(held, copying.flow.producer)
        if isinstance(decision, Lost) and copying.trimmed == decision.first == held.end and held.last is None:
            decision = Fill(held.source_low)  # the source lost more of its beginning while we filled
        match decision:
            case Fill(up_to):
                await _fill(copying, target, held.end, up_to)
            case Trim(below):
                await topics.delete_records(target.wire, target.metadata, copying.target, below)
                copying.trimmed = below
            case Refuse() if not asked_twice:
                asked_twice = True  # a broker that has just become a leader may not know the end yet
                await target.wire.loop.sleep(1.0)
            case Refuse(reason):
                raise MirrorStopped(f"{copying.source} to {target.wire.name}, {copying.target}: {reason}")
            case Go() | Lost():
                await _check_tail(copying, held, source)
                return decision


async def _held(copying: Copying, source: Side, target: Side) -> Held:
    """What both sides hold; the target is asked first, so that no other mirror makes it look ahead of the source."""
    low, end = await target.bounds(copying.target)
    last = await target.batch_at(copying.target, end - 1) if end > low else None
    is_whole = end == 0 or (last is not None and last.is_dense)
    committed = None if is_whole else await target.noted(copying.target, copying.flow.producer)
    if end > low and (last is None or last.next_offset < end):
        raise WireError(
            f"cluster {target.wire.name}: {copying.target} ends at {end} and doesn't show its last batch", 9
        )
    source_low, source_end = await source.bounds(copying.source, stable=True)
    return Held(
        source_low, source_end, low, end if last is None else last.next_offset, last, copying.adopted, committed
    )


async def _fill(copying: Copying, target: Side, end: int, up_to: int) -> None:
    """Write fillers from ``end`` to ``up_to``; another mirror's fillers or records there end it early."""
    producer = copying.flow.producer
    now = int(time.time() * 1000)
    prepared = filler(min(FILLER_COUNT, up_to - end), Stamp(producer, end), now)
    while end < up_to:
        count = min(FILLER_COUNT, up_to - end)
        stamp = Stamp(producer, end)
        data = restamped(prepared, stamp) if count == FILLER_COUNT else filler(count, stamp, now)
        if not await _filled(copying, target, data, end, producer):
            return
        end += count


async def _filled(copying: Copying, target: Side, data: bytes, base: int, producer: int) -> bool:
    """Whether a filler stands at ``base``, this or another mirror's."""
    future = target.wire.produce(target.node(copying.target), {copying.target: data}, target.ids)
    answer = await target.wire.answered(future)
    produced = target.wire.produced(answer, target.ids)[copying.target]
    if produced.error:
        return False
    if produced.base_offset != base:
        raise MirrorStopped(foreign(copying, target.wire.name, base, produced.base_offset))
    there = await target.batch_at(copying.target, base)
    return there is not None and there.base_offset == base and is_filler(there, producer)


def foreign(copying: Copying, cluster: str, meant: int, got: int) -> str:
    """What to say when a batch was acknowledged at another offset."""
    return (
        f"{copying.source} to {cluster}, {copying.target}: somebody else writes into the target: "
        f"what belongs at offset {meant} was put at {got}. Offsets {meant} to {got - 1} hold their records, and from "
        f"{got} on the copy isn't exact: find the writer, then make the target topic anew"
    )


async def _check_tail(copying: Copying, held: Held, source: Side) -> None:
    """The last record that the target holds is the source's record at that place.

    A source that lost records in an unclean election and took others in their place is found so, while leader epochs
    tell of it only where the mirror went on fetching.
    """
    if held.last is None or copying.flow.compacted or copying.adopted == held.end:
        return
    mirrored = as_in_source(held.last, copying.flow.producer)
    ours = mirrored[-1] if mirrored else None
    if ours is not None and ours.offset >= held.source_low:
        theirs = await source.batch_at(copying.source, ours.offset)
        if theirs is None or ours not in opened(theirs):
            raise MirrorStopped(
                f"{copying.source}: the source's record at offset {ours.offset} isn't the one that was mirrored: its "
                "log was replaced (an unclean leader election). The target holds what it had before"
            )
