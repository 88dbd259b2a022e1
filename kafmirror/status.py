"""Where a mirror stands, told from both clusters alone: no mirror need be running, and none is asked."""

import time
from collections.abc import Mapping

from agentlog.errors import AgentlogError

from .batches import producer_id
from .facts import Gathering
from .known import Bounds, Partition
from .lag import UNKNOWN, lag
from .records import opened
from .side import Side
from .sides import Sides
from .standing import Standing


async def standings(sides: Sides) -> list[Standing]:
    """Where each partition of the topics stands.

    Raises:
        KafkaUnavailable, KafkaRefused: a side doesn't answer.
        TopicNotFound: the source has no such topic.
    """
    there, here = await sides.source.metadata(None), await sides.target.metadata(None)
    found = []
    for name in Gathering(sides.source, sides.target, sides.wanted).names(there):
        target_name = sides.wanted.target_name(sides.source, name)
        ids = {target_name: here.topics[target_name].id} if target_name in here.topics else {}
        source, target = Side(sides.source, there, {name: there.topics[name].id}), Side(sides.target, here, ids)
        found += await _topic(source, target, name, target_name)
    return found


async def _topic(source: Side, target: Side, name: str, target_name: str) -> list[Standing]:
    producer = producer_id(source.metadata.cluster_id, str(source.ids[name]))
    target_bounds = await target.all_bounds(target_name) if target_name in target.ids else {}
    source_bounds = await source.all_bounds(name, stable=True)
    found = []
    for number, bounds in sorted(source_bounds.items()):
        pair = (Partition(name, number), Partition(target_name, number))
        found.append(await _standing(source, target, pair, (bounds, target_bounds), producer))
    return found


async def _standing(
    source: Side,
    target: Side,
    pair: tuple[Partition, Partition],
    bounds: tuple[Bounds, Mapping[int, Bounds]],
    producer: int,
) -> Standing:
    theirs, held = bounds
    if pair[1].number not in held:
        problem = f"{target.wire.name} has no {pair[1]}"
        return Standing(*pair, None, theirs.end, None, UNKNOWN, problem=problem)
    ours = held[pair[1].number]
    try:
        position = await target.position(pair[1], ours, producer)
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
