"""`kafmirror failover`: check that the source has stopped, set the groups, and name what is lost."""

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from agentlog.errors import KafkaUnavailable, NothingToShow
from agentlog.event.escape import escape_controls
from agentlog.formatting import format_count
from agentlog.terminal.output import write_bytes, write_lines
from agentlog.terminal.style import Paint, Style, choose_paint

from ..batches.record import decode_key_value, decode_records
from ..copy.group_offsets import sync_groups
from ..copy.group_result import GroupOffsetResult, describe_result, encode_group_result
from ..copy.offset_translation import MirroredRange, translate_within
from ..kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import Bounds, Partition
from ..kafka.network.event_loop import MAX_QUESTIONS
from ..lag import read_status
from ..lag.partition_status import PartitionStatus
from ..plan.plan import match_topics
from ..verify.batch_reader import MAX_READERS, BatchReader, divide_fetch_bytes
from ..verify.compare import ComparisonOptions, OffsetRanges, PartitionComparison, PartitionPair

QUIET_S = 3.0
"""The time between the two looks at the source's ends. If they differ, the source is still being written."""

TAIL_RECORDS = 1000
"""The number of records at the end of each partition that are compared."""

MAX_SESSIONS_SHOWN = 20
"""The most sessions with lost records in the text; JSON has all."""

_log = logging.getLogger("kafmirror")


class FailoverOptions(NamedTuple):
    """The options of `kafmirror failover`."""

    groups: tuple[str, ...]
    accept_loss: bool
    output_format: str


class UnknownTail(NamedTuple):
    """The end of a partition that the source doesn't tell: the first offset that isn't mirrored, and the reason."""

    start: int
    reason: str


@dataclass
class FailoverOutcome:
    """The outcome of a failover.

    Attributes:
        is_source_reachable: whether the source answers.
        refusals: the reasons why the target can't take over yet.
        lost: the first and the last offset of the source that isn't in the target, by partition.
        lost_records: the number of those records by session; records without a key count under an empty name.
        unknown: the partitions whose end the source doesn't tell, because they have no leader there.
        group_results: the results for the groups' offsets.
        ends: the ends of the target's partitions.
    """

    is_source_reachable: bool
    refusals: list[str] = field(default_factory=list)
    lost: dict[Partition, tuple[int, int]] = field(default_factory=dict)
    lost_records: Counter[str] = field(default_factory=Counter)
    unknown: dict[Partition, UnknownTail] = field(default_factory=dict)
    group_results: list[GroupOffsetResult] = field(default_factory=list)
    ends: dict[Partition, int] = field(default_factory=dict)


class PartitionTail(NamedTuple):
    """The end of a partition: whether its last mirrored records differ, and the records of each session behind them."""

    has_differences: bool
    lost_records: Counter[str]


def failover(request: MirrorRequest, options: FailoverOptions) -> int:
    """Let the target take over, and return the exit code: 1 when it must not, or a group's offsets weren't set.

    Raises:
        KafkaError: the target doesn't answer.
        NothingToShow: the source doesn't answer, and the target has no such topic.
    """
    with open_clusters(request) as clusters:
        outcome = clusters.loop.run(_run_failover, clusters, options)
    if options.output_format == "json":
        write_bytes([orjson.dumps(_encode_outcome(outcome, request)), b"\n"])
    else:
        write_lines(_outcome_lines(outcome, request, choose_paint(sys.stdout)))
    return 1 if outcome.refusals or any(each.is_left_behind for each in outcome.group_results) else 0


async def _run_failover(clusters: ClusterPair, options: FailoverOptions) -> FailoverOutcome:
    try:
        await clusters.source.connect()
    except KafkaUnavailable as error:
        _log.warning("the source doesn't answer: %s", error)
        return await _fail_over_without_source(clusters)
    return await _fail_over_with_source(clusters, options)


async def _fail_over_without_source(clusters: ClusterPair) -> FailoverOutcome:
    """Show what the target holds. The groups stay where the running mirror last set them."""
    outcome = FailoverOutcome(is_source_reachable=False)
    metadata = await clusters.target.fetch_metadata(None)
    names = [clusters.selection.make_target_name(clusters.source, name) for name in clusters.selection.patterns]
    existing = match_topics(names, metadata.topics)
    view = ClusterView(clusters.target, metadata, {name: topic.id for name, topic in metadata.topics.items()})
    for name in existing:
        bounds_by_number = await view.fetch_all_bounds(name)
        outcome.ends |= {Partition(name, number): bounds.end for number, bounds in bounds_by_number.items()}
    if not outcome.ends:
        raise NothingToShow(f"cluster {clusters.target.name} has no topic {', '.join(names)}")
    return outcome


async def _fail_over_with_source(clusters: ClusterPair, options: FailoverOptions) -> FailoverOutcome:
    outcome = FailoverOutcome(is_source_reachable=True)
    statuses_before = await read_status.read_statuses(clusters)
    quiet = clusters.loop.spawn(clusters.loop.sleep, QUIET_S)
    tails = await _read_tails(clusters, statuses_before)
    await quiet
    statuses = await read_status.read_statuses(clusters)
    if list(map(_get_places, statuses)) != list(map(_get_places, statuses_before)):
        tails = await _read_tails(clusters, statuses)
    ends_before = {each.source: each.source_end for each in statuses_before}
    for status, tail in zip(statuses, tails, strict=True):
        if _has_grown(status.source_end, ends_before.get(status.source)):
            outcome.refusals.append(f"{status.source} is still being written: stop its writers first")
        _add_tail(outcome, status, tail)
    if outcome.lost and not options.accept_loss:
        outcome.refusals.append(
            "the source answers and holds records that aren't mirrored: copy them with kafmirror replicate --once, or "
            "give them up with --accept-loss"
        )
    if outcome.unknown and not options.accept_loss:
        outcome.refusals.append(
            f"what {clusters.source.name} holds in {', '.join(map(str, sorted(outcome.unknown)))} can't be known now: "
            "wait until its brokers are back, or give it up with --accept-loss"
        )
    if not outcome.refusals and options.groups:
        outcome.group_results = await sync_groups(clusters.source, clusters.target, statuses, options.groups)
    return outcome


def _has_grown(end: int | None, end_before: int | None) -> bool:
    return end is not None and end_before is not None and end != end_before


def _get_places(status: PartitionStatus) -> tuple[Partition, int | None, int | None, int | None]:
    return status.source, status.position, status.source_end, status.target_end


def _add_tail(outcome: FailoverOutcome, status: PartitionStatus, tail: PartitionTail | None) -> None:
    """Add what the end of a partition means for the failover; ``tail`` is None where it couldn't be compared."""
    if status.target_end is not None and status.position is not None and status.source_end is None:
        outcome.ends[status.target] = status.target_end
        outcome.unknown[status.source] = UnknownTail(status.position, status.problem or "it can't be read")
        return
    if tail is None or status.position is None or status.source_end is None or status.target_end is None:
        outcome.refusals.append(status.problem or f"{status.source}: how far it is mirrored is unknown")
        return
    outcome.ends[status.target] = status.target_end
    if tail.has_differences:
        outcome.refusals.append(
            f"{status.source}: the last {TAIL_RECORDS} records differ; kafmirror verify shows where"
        )
    if status.position < status.source_end:
        first = status.filled[1] if status.filled else status.position
        outcome.lost[status.source] = (first, status.source_end - 1)
        outcome.lost_records += tail.lost_records


async def _read_tails(clusters: ClusterPair, statuses: list[PartitionStatus]) -> list[PartitionTail | None]:
    """Compare the last records of each partition, and count those that aren't in the target.

    The result is None for a partition whose place isn't known.
    """
    loop, topics = clusters.loop, sorted({(each.source.topic, each.target.topic) for each in statuses})
    views = {names[0]: await clusters.fetch_views(*names) for names in topics}
    options = ComparisonOptions(fetch_bytes=divide_fetch_bytes(min(len(statuses), MAX_READERS)))

    async def fetch_lows(status: PartitionStatus) -> tuple[int, int] | None:
        if None in (status.position, status.source_end, status.target_end):
            return None
        source, target = views[status.source.topic]
        source_bounds = loop.spawn(source.fetch_bounds, status.source)
        target_bounds = await target.fetch_bounds(status.target)
        return (await source_bounds).low, target_bounds.low

    async def read_tail(status_with_lows: tuple[PartitionStatus, tuple[int, int] | None]) -> PartitionTail | None:
        status, lows = status_with_lows
        return await _read_tail(*views[status.source.topic], status, lows, options) if lows is not None else None

    lows = await loop.map_concurrently(fetch_lows, statuses, MAX_QUESTIONS)
    return await loop.map_concurrently(read_tail, zip(statuses, lows, strict=True), MAX_READERS)


async def _read_tail(
    source: ClusterView,
    target: ClusterView,
    status: PartitionStatus,
    lows: tuple[int, int],
    options: ComparisonOptions,
) -> PartitionTail:
    """Compare a partition's last records, and count those that aren't mirrored; ``lows`` are where both sides begin."""
    position, target_end = status.position or 0, status.target_end or 0
    pair = PartitionPair(status.source, status.target, source.derive_mirror_producer_id(status.source.topic))
    start, has_differences = max(lows[0], position - TAIL_RECORDS), False
    if start < position:
        mirrored = MirroredRange(Bounds(lows[1], target_end), position)
        target_start = await translate_within(target, pair.target, pair.producer_id, start, mirrored)
        ranges = OffsetRanges(start, position, target_start, target_end)
        has_differences = bool((await PartitionComparison(pair, source, target, ranges, options).run()).differing)
    not_mirrored = Bounds(position, max(status.source_end or 0, position))
    return PartitionTail(has_differences, await _count_by_session(source, status.source, not_mirrored))


async def _count_by_session(source: ClusterView, partition: Partition, bounds: Bounds) -> Counter[str]:
    """Return the number of records of each session within bounds."""
    counts: Counter[str] = Counter()
    reader = BatchReader(source, partition, bounds.low, bounds.end)
    while batch := await reader.read_next():
        keys = (decode_key_value(each.body)[0] for each in decode_records(batch) if each.offset >= bounds.low)
        counts.update((key or b"").decode(errors="replace") for key in keys)
    return counts


def _encode_outcome(outcome: FailoverOutcome, request: MirrorRequest) -> dict[str, Any]:
    return {
        "source": request.source,
        "target": request.target,
        "possible": not outcome.refusals,
        "source_answers": outcome.is_source_reachable,
        "refusals": outcome.refusals,
        "lost": [
            {"topic": each.topic, "partition": each.number, "from": a, "to": b} for each, (a, b) in outcome.lost.items()
        ],
        "unknown": [
            {"topic": each.topic, "partition": each.number, "from": tail.start, "reason": tail.reason}
            for each, tail in outcome.unknown.items()
        ],
        "lost_by_session": dict(outcome.lost_records.most_common()),
        "ends": [{"topic": each.topic, "partition": each.number, "end": end} for each, end in outcome.ends.items()],
        "groups": [encode_group_result(each) for each in outcome.group_results],
    }


def _outcome_lines(outcome: FailoverOutcome, request: MirrorRequest, paint: Paint) -> Iterator[str]:
    source, target = escape_controls(request.source), escape_controls(request.target)
    yield f"{source} {'answers' if outcome.is_source_reachable else 'does not answer'}"
    if not outcome.is_source_reachable:
        yield "its records beyond the ends below are unknown; groups stay where the mirror last set them"
    for partition, end in sorted(outcome.ends.items()):
        yield f"  {partition} in {target} ends at {end}"
    for partition, (first, last) in sorted(outcome.lost.items()):
        yield f"  {paint('not mirrored', Style.NOTICE)}  {partition} offsets {first} to {last}"
    for session, count in outcome.lost_records.most_common(MAX_SESSIONS_SHOWN):
        yield f"    {escape_controls(session) or '(no key)'}  {format_count(count, 'record')}"
    if len(outcome.lost_records) > MAX_SESSIONS_SHOWN:
        yield f"    and {len(outcome.lost_records) - MAX_SESSIONS_SHOWN} more sessions"
    for partition, tail in sorted(outcome.unknown.items()):
        reason = escape_controls(tail.reason)
        yield f"  {paint('unknown', Style.NOTICE)}  {partition} from offset {tail.start} on: {reason}"
    yield from (f"  {escape_controls(describe_result(each))}" for each in outcome.group_results)
    if left_behind := sorted({each.group for each in outcome.group_results if each.is_left_behind}):
        names = escape_controls(", ".join(left_behind))
        yield f"  {paint('left behind', Style.BAD)}  {format_count(len(left_behind), 'group')}: {names}"
    yield ""
    for refusal in outcome.refusals:
        yield f"{paint('refused', Style.BAD)}  {escape_controls(refusal)}"
    if not outcome.refusals:
        yield f"{paint(f'{target} can take over.', Style.GOOD)} In agentlog.toml, at the top:"
        yield ""
        yield f'    cluster = "{target}"'
