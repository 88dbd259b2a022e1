"""The lanes of two sessions, matched by who delegated what. Pure."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

from agentlog.session.step import Lane

from ..reading.normalize import IgnoreRules, normalize_text
from .step_groups import StepGroup, StepGroups, Stream

Similarity = Callable[[StepGroup, StepGroup], float]
MIN_SIMILARITY = 4.0
"""Lanes whose delegations weigh less are not matched by similarity."""
MAX_WEIGHED_LANES = 2_500
"""Up to this number of pairs of lanes, each pair is weighed. The time grows with the number."""


class MatchedStreams(NamedTuple):
    """Both sessions' streams side by side.

    Attributes:
        streams: the steps of each agent in each lane, of A and of B. A side without such a stream has an empty list.
        matched_delegations: the delegations of matched lanes, and their results: A's to B's.
    """

    streams: list[tuple[list[StepGroup], list[StepGroup]]]
    matched_delegations: dict[StepGroup, StepGroup]


def match_streams(a: StepGroups, b: StepGroups, similarity: Similarity) -> MatchedStreams:
    """Match lanes, and in them agents. The order of parallel lanes makes no difference."""
    lanes = _match_lanes(a, b, similarity)
    matched_delegations = dict(_match_delegations(a, b, lanes))
    matched_b = set(matched_delegations.values())
    remaining_b = {
        stream: [group for group in stream_groups if group not in matched_b]
        for stream, stream_groups in b.streams.items()
    }
    streams = []
    for stream, stream_groups in a.streams.items():
        other = _find_stream(stream, lanes.get(stream.lane), remaining_b)
        streams.append(
            (
                [group for group in stream_groups if group not in matched_delegations],
                remaining_b.pop(other) if other is not None else [],
            )
        )
    return MatchedStreams(
        [*streams, *(([], stream_groups) for stream_groups in remaining_b.values())], matched_delegations
    )


def _match_delegations(a: StepGroups, b: StepGroups, lanes: dict[Lane, Lane]) -> Iterator[tuple[StepGroup, StepGroup]]:
    for lane_a, lane_b in lanes.items():
        for step_a, step_b in ((lane_a.delegation, lane_b.delegation), (lane_a.result, lane_b.result)):
            if step_a is not None and step_b is not None:
                yield a.by_step[step_a], b.by_step[step_b]


def _find_stream(stream: Stream, lane: Lane | None, candidates: dict[Stream, list[StepGroup]]) -> Stream | None:
    if lane is None:
        return None
    if stream.agent == stream.lane.agent_id:
        return next((s for s in candidates if s.lane is lane and s.agent == lane.agent_id), None)
    agent_name = normalize_text(stream.agent, IgnoreRules()).literal
    return next(
        (s for s in candidates if s.lane is lane and normalize_text(s.agent, IgnoreRules()).literal == agent_name), None
    )


def _match_lanes(a: StepGroups, b: StepGroups, similarity: Similarity) -> dict[Lane, Lane]:
    if not a.timeline.lanes or not b.timeline.lanes:
        return {}
    lane_pairs = {a.timeline.lanes[0]: b.timeline.lanes[0]}
    children_a, children_b = _collect_child_lanes(a), _collect_child_lanes(b)
    to_visit = [(a.timeline.lanes[0], b.timeline.lanes[0])]
    while to_visit:
        lane_a, lane_b = to_visit.pop()
        for pair in _match_child_lanes(a, b, children_a[lane_a], children_b[lane_b], similarity):
            lane_pairs[pair[0]] = pair[1]
            to_visit.append(pair)
    return lane_pairs


def _collect_child_lanes(groups: StepGroups) -> dict[Lane, list[Lane]]:
    children: dict[Lane, list[Lane]] = defaultdict(list)
    for lane in groups.timeline.lanes:
        if lane.parent is not None:
            children[lane.parent].append(lane)
    return children


def _match_child_lanes(
    a: StepGroups, b: StepGroups, lanes_a: list[Lane], lanes_b: list[Lane], similarity: Similarity
) -> list[tuple[Lane, Lane]]:
    """Pair lanes whose delegations are equal, then the most similar ones, then those of the same agent."""
    pairs: list[tuple[Lane, Lane]] = []
    for key in (_get_call_hash, _get_call_form_hash):
        pairs += _match_by_key(a, b, lanes_a, lanes_b, key)
        lanes_a, lanes_b = _drop_matched(lanes_a, lanes_b, pairs)
    if len(lanes_a) * len(lanes_b) <= MAX_WEIGHED_LANES:
        weights = (
            (similarity(_get_delegation(a, lane_a), _get_delegation(b, lane_b)), -n, -m, lane_a, lane_b)
            for n, lane_a in enumerate(lanes_a)
            for m, lane_b in enumerate(lanes_b)
        )
        for weight, _, _, lane_a, lane_b in sorted(weights, key=lambda each: each[:3], reverse=True):
            if weight >= MIN_SIMILARITY and lane_a in lanes_a and lane_b in lanes_b:
                pairs.append((lane_a, lane_b))
                lanes_a, lanes_b = _drop_matched(lanes_a, lanes_b, pairs)
    return pairs + _match_by_key(a, b, lanes_a, lanes_b, lambda group: group.name)


def _match_by_key(
    a: StepGroups, b: StepGroups, lanes_a: list[Lane], lanes_b: list[Lane], key: Callable[[StepGroup], Hashable]
) -> list[tuple[Lane, Lane]]:
    unmatched_b: dict[Hashable, list[Lane]] = defaultdict(list)
    for lane in reversed(lanes_b):
        unmatched_b[key(_get_delegation(b, lane))].append(lane)
    candidates = ((lane, unmatched_b[key(_get_delegation(a, lane))]) for lane in lanes_a)
    return [(lane, lanes.pop()) for lane, lanes in candidates if lanes]


def _drop_matched(
    lanes_a: list[Lane], lanes_b: list[Lane], pairs: list[tuple[Lane, Lane]]
) -> tuple[list[Lane], list[Lane]]:
    matched_a, matched_b = {pair[0] for pair in pairs}, {pair[1] for pair in pairs}
    return [lane for lane in lanes_a if lane not in matched_a], [lane for lane in lanes_b if lane not in matched_b]


def _get_delegation(groups: StepGroups, lane: Lane) -> StepGroup:
    if lane.delegation is None:
        raise TypeError("a sub-agent's lane without a delegation")
    return groups.by_step[lane.delegation]


def _get_call_hash(group: StepGroup) -> int:
    return group.signature.call_hash


def _get_call_form_hash(group: StepGroup) -> int:
    return group.signature.call_form_hash
