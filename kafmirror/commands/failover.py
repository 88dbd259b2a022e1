"""`kafmirror failover`: the target takes over: the source checked to be quiet, groups set, what is lost told."""

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from agentlog.errors import KafkaUnavailable, NothingToShow
from agentlog.event.escape import escaped
from agentlog.formatting import counted
from agentlog.terminal.output import Paint, Style, paint_for, write, write_bytes

from ..batches.record import key_value, opened
from ..copy.group_offsets import Copied, Grouping, Moved
from ..copy.offset_translation import target_offset
from ..kafka.cluster_pair import Named, Sides
from ..kafka.cluster_pair import opened as sides_opened
from ..kafka.cluster_view import Side
from ..kafka.metadata import Bounds, Partition
from ..lag import read_status
from ..lag.partition_status import Standing
from ..plan.plan import matching
from ..verify.batch_reader import Reader
from ..verify.compare import Comparison, Pair, Span

QUIET_S = 3.0
TAIL = 1000
NAMED_SESSIONS = 20

_log = logging.getLogger("kafmirror")


class Failover(NamedTuple):
    """How `kafmirror failover` was called."""

    groups: tuple[str, ...]
    accept_loss: bool
    shape: str


@dataclass
class Outcome:
    """What the failover found and did.

    Attributes:
        source_answers: whether the source could be asked.
        refusals: why the target can't take over yet.
        lost: partitions with the source's offsets that aren't in the target.
        lost_records: how many records those are, by session; the rest of the sessions under an empty name.
        moved: what became of the groups' offsets.
        ends: the target's partitions with their ends.
    """

    source_answers: bool
    refusals: list[str] = field(default_factory=list)
    lost: dict[Partition, tuple[int, int]] = field(default_factory=dict)
    lost_records: Counter[str] = field(default_factory=Counter)
    moved: list[Moved] = field(default_factory=list)
    ends: dict[Partition, int] = field(default_factory=dict)


def failover(named: Named, how: Failover) -> int:
    """Let the target take over; the exit code: 1 when it must not.

    Raises:
        KafkaError: the target doesn't answer.
        NothingToShow: the target has no such topic.
    """
    with sides_opened(named) as sides:
        outcome = sides.loop.run(_outcome, sides, how)
    if how.shape == "json":
        write_bytes([orjson.dumps(_as_json(outcome, named)), b"\n"])
    else:
        write(_lines(outcome, named, paint_for(sys.stdout)))
    return 1 if outcome.refusals else 0


async def _outcome(sides: Sides, how: Failover) -> Outcome:
    try:
        await sides.source.connect()
    except KafkaUnavailable as error:
        _log.warning("the source doesn't answer: %s", error)
        return await _without_source(sides)
    return await _with_source(sides, how)


async def _without_source(sides: Sides) -> Outcome:
    """What the target holds is all that is left; the groups have been taken along as far as they were known."""
    outcome = Outcome(source_answers=False)
    metadata = await sides.target.metadata(None)
    names = [sides.wanted.target_name(sides.source, name) for name in sides.wanted.patterns]
    there = matching(names, metadata.topics)
    side = Side(sides.target, metadata, {name: topic.id for name, topic in metadata.topics.items()})
    for name in there:
        bounds = await side.all_bounds(name)
        outcome.ends |= {Partition(name, number): each.end for number, each in bounds.items()}
    if not outcome.ends:
        raise NothingToShow(f"cluster {sides.target.name} has no topic {', '.join(names)}")
    return outcome


async def _with_source(sides: Sides, how: Failover) -> Outcome:
    outcome = Outcome(source_answers=True)
    before = {each.source: each.end for each in await read_status.standings(sides)}
    await sides.loop.sleep(QUIET_S)
    standings = await read_status.standings(sides)
    for each in standings:
        if each.end != before.get(each.source):
            outcome.refusals.append(f"{each.source} is still being written: stop its writers first")
        await _look_at(sides, each, outcome)
    if outcome.lost and not how.accept_loss:
        outcome.refusals.append(
            "the source answers and holds records that aren't mirrored: let kafmirror replicate --once finish, or give "
            "them up with --accept-loss"
        )
    if not outcome.refusals and how.groups:
        outcome.moved = await _move_groups(sides, standings, how.groups)
    return outcome


async def _look_at(sides: Sides, standing: Standing, outcome: Outcome) -> None:
    """Verify a partition's tail, and tell what of it isn't in the target."""
    if standing.position is None or standing.end is None or standing.target_end is None:
        outcome.refusals.append(standing.problem or f"{standing.source}: it isn't known how far it is mirrored")
        return
    outcome.ends[standing.target] = standing.target_end
    source, target = await sides.of(standing.source.topic, standing.target.topic)
    producer = source.producer(standing.source.topic)
    bounds = await source.bounds(standing.source, stable=True)
    begin = max(bounds.low, standing.position - TAIL)
    if begin < standing.position:
        pair = Pair(standing.source, standing.target, producer)
        here = await target_offset(target, pair.target, producer, begin)
        found = await Comparison(pair, source, target, Span(begin, standing.position, here, standing.target_end)).run()
        if found.differing:
            outcome.refusals.append(f"{standing.source}: the last {TAIL} records differ; kafmirror verify tells where")
    if standing.position < standing.end:
        outcome.lost[standing.source] = (standing.position, standing.end - 1)
        outcome.lost_records += await _sessions(source, standing.source, Bounds(standing.position, standing.end))


async def _sessions(source: Side, partition: Partition, bounds: Bounds) -> Counter[str]:
    """How many records of each session lie within bounds."""
    found: Counter[str] = Counter()
    reader = Reader(source, partition, bounds.low, bounds.end)
    while batch := await reader.next():
        keys = (key_value(each.rest)[0] for each in opened(batch) if each.offset >= bounds.low)
        found.update((key or b"").decode(errors="replace") for key in keys)
    return found


async def _move_groups(sides: Sides, standings: list[Standing], patterns: tuple[str, ...]) -> list[Moved]:
    """Set the groups' offsets in the target, a last time."""
    moved: list[Moved] = []
    for topic in sorted({each.source.topic for each in standings}):
        mine = [each for each in standings if each.source.topic == topic]
        source, target = await sides.of(topic, mine[0].target.topic)
        producer = source.producer(topic)
        held = {each.source: Copied(each.target, producer, each.position or 0, each.target_end or 0) for each in mine}
        moved += await Grouping(source, target, patterns).take_along(held)
    return moved


def _as_json(outcome: Outcome, named: Named) -> dict[str, Any]:
    return {
        "source": named.source,
        "target": named.target,
        "possible": not outcome.refusals,
        "source_answers": outcome.source_answers,
        "refusals": outcome.refusals,
        "lost": [
            {"topic": each.topic, "partition": each.number, "from": a, "to": b} for each, (a, b) in outcome.lost.items()
        ],
        "lost_by_session": dict(outcome.lost_records.most_common()),
        "ends": [{"topic": each.topic, "partition": each.number, "end": end} for each, end in outcome.ends.items()],
        "groups": [
            {
                "group": each.group,
                "topic": each.partition.topic,
                "partition": each.partition.number,
                "source_offset": each.source_offset,
                "target_offset": each.target_offset,
                "skipped": each.skipped,
            }
            for each in outcome.moved
        ],
    }


def _lines(outcome: Outcome, named: Named, paint: Paint) -> Iterator[str]:
    source, target = escaped(named.source), escaped(named.target)
    yield f"{source} {'answers' if outcome.source_answers else 'does not answer'}"
    if not outcome.source_answers:
        yield "what it held beyond the ends below isn't known; groups stand where the mirror last took them"
    for partition, end in sorted(outcome.ends.items()):
        yield f"  {partition} in {target} ends at {end}"
    for partition, (first, last) in sorted(outcome.lost.items()):
        yield f"  {paint('not mirrored', Style.NOTICE)}  {partition} offsets {first} to {last}"
    for session, count in outcome.lost_records.most_common(NAMED_SESSIONS):
        yield f"    {escaped(session) or '(no key)'}  {counted(count, 'record')}"
    if len(outcome.lost_records) > NAMED_SESSIONS:
        yield f"    and {len(outcome.lost_records) - NAMED_SESSIONS} more sessions"
    for each in outcome.moved:
        text = f"skipped: {each.skipped}" if each.skipped else f"set to {each.target_offset}"
        yield f"  group {escaped(each.group)}  {each.partition}  {text}"
    yield ""
    for refusal in outcome.refusals:
        yield f"{paint('refused', Style.BAD)}  {escaped(refusal)}"
    if not outcome.refusals:
        yield f"{paint(f'{target} can take over.', Style.GOOD)} In agentlog.toml, at the top:"
        yield ""
        yield f'    cluster = "{target}"'
