"""Where a partition's copy goes on: asked of both sides, and the target brought to the source's beginning."""

import time

from ..batches.checkpoint import Fill, Go, Held, Lost, Refuse, Trim, decide
from ..batches.filler import filler, is_filler
from ..batches.offset_header import FILLER_COUNT, as_in_source, restamped
from ..batches.record import opened
from ..batches.record_batch import Stamp
from ..errors import MirrorStopped
from ..kafka import topic_admin
from ..kafka.cluster_view import Side
from ..kafka.connection import WireError
from ..kafka.fetch_produce import produce, produced
from .partition_copy import Copying


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
                await topic_admin.delete_records(target.wire, target.metadata, copying.target, below)
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
    future = produce(target.wire, target.node(copying.target), {copying.target: data}, target.ids)
    answer = await target.wire.answered(future)
    told = produced(answer, target.ids)[copying.target]
    if told.error:
        return False
    if told.base_offset != base:
        raise MirrorStopped(foreign(copying, target.wire.name, base, told.base_offset))
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
