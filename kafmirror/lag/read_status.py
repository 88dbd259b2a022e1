"""Where a mirror stands, told from both clusters alone: no mirror need be running, and none is asked."""

import time

from agentlog.errors import AgentlogError

from ..batches.record import opened
from ..kafka.cluster_pair import Sides
from ..kafka.cluster_view import Side
from ..kafka.metadata import Bounds, Partition
from ..plan.gather import Gathering
from .lag import UNKNOWN, lag
from .partition_status import Standing


async def standings(sides: Sides) -> list[Standing]:
    """Where each partition of the topics stands.

    Raises:
        KafkaUnavailable, KafkaRefused: a side doesn't answer.
        TopicNotFound: the source has no such topic.
    """
    asked = sides.loop.spawn(sides.source.metadata, None)
    here = await sides.target.metadata(None)
    there = await asked
    names = Gathering(sides.source, sides.target, sides.wanted).names(there)

    async def of(name: str) -> list[Standing]:
        target_name = sides.wanted.target_name(sides.source, name)
        source, target = Side.of(sides.source, there, name), Side.of(sides.target, here, target_name)
        return await _of_topic(source, target, name, target_name)

    return [each for some in await sides.loop.each(of, names) for each in some]


async def _of_topic(source: Side, target: Side, name: str, target_name: str) -> list[Standing]:
    ours = await target.all_bounds(target_name) if target_name in target.ids else {}
    theirs = await source.all_bounds(name, stable=True)

    async def of(number: int) -> Standing:
        pair = (Partition(name, number), Partition(target_name, number))
        return await _standing(source, target, pair, theirs[number], ours.get(number))

    return await source.wire.loop.each(of, sorted(theirs))


async def _standing(
    source: Side, target: Side, pair: tuple[Partition, Partition], theirs: Bounds, ours: Bounds | None
) -> Standing:
    if ours is None:
        return Standing(*pair, None, theirs.end, None, UNKNOWN, problem=f"{target.wire.name} has no {pair[1]}")
    try:
        position = await target.position(pair[1], ours, source.producer(pair[0].topic))
        first = await _first_timestamp(source, pair[0], max(position, theirs.low)) if position < theirs.end else None
    except (AgentlogError, ValueError) as error:
        return Standing(*pair, None, theirs.end, ours.end, UNKNOWN, problem=str(error))
    lost = f"retention deleted offsets {position} to {theirs.low - 1} of the source before they were mirrored"
    behind = lag(position, theirs.end, first, time.time() * 1000)
    return Standing(*pair, position, theirs.end, ours.end, behind, problem=lost if 0 < position < theirs.low else None)


async def _first_timestamp(source: Side, partition: Partition, offset: int) -> int | None:
    """The timestamp of the first record from ``offset`` on."""
    batch = await source.batch_at(partition, offset)
    if batch is None or batch.is_control:
        return None
    if batch.base_offset >= offset:
        return batch.first_timestamp
    return next((record.timestamp for record in opened(batch) if record.offset >= offset), None)
