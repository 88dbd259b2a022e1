"""The properties of every timeline, wherever Kafka put the session's records, copies included."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog.capture_format.capture import decode_session_line, write_line
from agentlog.event import codec
from agentlog.event.event import EPOCH, Place, Record, to_microseconds
from agentlog.session.timeline import Step, Timeline, build_timeline

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
IDS = "abcdefgh"
AGENTS = ("main", "sub")
many = settings(max_examples=80)


def recorded(fields: dict[str, Any], partition: int, offset: int, process: str | None) -> Record:
    headers = () if process is None else (("agentlog.process", process.encode()),)
    record = codec.decode(orjson.dumps(fields), Place("t", partition, offset, offset, headers), "t")
    assert isinstance(record, Record), record
    return record


def shape(story: Timeline) -> dict[str, Any]:
    """Return the visible content of a timeline, without places and without marks that depend on arrival."""
    lanes = {id(lane): number for number, lane in enumerate(story.lanes)}
    return {
        "steps": [
            (s.event, s.kind, s.began, s.recorded, s.was_moved, named(s.parent), lanes[id(s.lane)], opened(s))
            for s in story.steps
        ],
        "lanes": [(lane.agent_id, lane.depth, named(lane.delegation), named(lane.result)) for lane in story.lanes],
        "totals": story.totals,
        "outcome": story.outcome,
    }


def named(step: Step | None) -> str | None:
    return step.event.event_id if step else None


def opened(step: Step) -> list[str]:
    return [record.event.event_id for record in step.announced]


# Any log at all: clocks that jump, parents that are missing or in circles, ids that are used for several things.

PAYLOADS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "tool_call": st.fixed_dictionaries({"latency_ms": st.sampled_from([0, 500, 4000, 20000])}),
    "call_started": st.fixed_dictionaries({}, optional={"call_id": st.sampled_from([*IDS, "", "gone", None])}),
    "delegation": st.fixed_dictionaries({"to_agent_id": st.sampled_from(AGENTS)}),
    "delegation_result": st.fixed_dictionaries({"from_agent_id": st.sampled_from(AGENTS)}),
    "session_start": st.just({}),
    "session_end": st.just({"status": "failed"}),
}


@st.composite
def any_log(draw: Callable[..., Any]) -> list[Record]:
    ends: Counter[int] = Counter()
    found = []
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(list(PAYLOADS)))
        partition = draw(st.integers(0, 2))
        fields = {
            "event_id": draw(st.sampled_from(IDS)),
            "session_id": "s",
            "agent_id": draw(st.sampled_from(AGENTS)),
            "timestamp": (NOON + timedelta(seconds=draw(st.integers(0, 30)))).isoformat(),
            "event_type": kind,
            "payload": draw(PAYLOADS[kind]),
            "context": draw(st.fixed_dictionaries({}, optional={"parent_event_id": st.sampled_from(IDS)})),
        }
        found.append(recorded(fields, partition, ends[partition], draw(st.sampled_from([None, "p", "q"]))))
        ends[partition] += 1
    return found


@many
@given(any_log())
def test_every_event_comes_out_exactly_once(log: list[Record]) -> None:
    story = build_timeline("s", log)
    out = [record.value for record in story.records()]
    assert sorted(out) == sorted({record.value for record in log})
    assert story.clashes == sum(count > 1 for count in Counter(r.event.event_id for r in story.records()).values())
    assert story.duplicates == len(log) - len(out)
    assert story.totals.events == len(out)


@many
@given(any_log())
def test_a_child_never_stands_before_its_parent(log: list[Record]) -> None:
    steps = build_timeline("s", log).steps
    stands = {step: number for number, step in enumerate(steps)}
    assert all(stands[step.parent] < stands[step] for step in steps if step.parent)


@many
@given(any_log())
def test_a_parent_that_is_there_is_given_up_only_to_open_a_circle(log: list[Record]) -> None:
    steps = build_timeline("s", log).steps
    for orphan in (step for step in steps if step.parent is None and step.event.parent_event_id):
        named = [step for step in steps if step.event.event_id == orphan.event.parent_event_id and not step.is_open]
        assert not named or any(follows_from(step, orphan) for step in named)


def follows_from(step: Step | None, origin: Step) -> bool:
    while step is not None and step is not origin:
        step = step.parent
    return step is origin


@many
@given(any_log())
def test_the_steps_beginnings_never_run_backwards(log: list[Record]) -> None:
    steps = build_timeline("s", log).steps
    assert all(a.began <= b.began for a, b in pairwise(steps))
    assert all(EPOCH + timedelta(microseconds=step.began) >= NOON - timedelta(seconds=20) for step in steps)
    assert all(step.duration_us is None or step.duration_us >= 0 for step in steps)


@many
@given(any_log())
def test_a_step_that_was_not_moved_stands_where_its_own_clock_says(log: list[Record]) -> None:
    for step in build_timeline("s", log).steps:
        assert step.recorded >= to_microseconds(step.event.timestamp)
        if not step.announced and not step.was_moved:
            assert step.began == step.recorded - step.event.latency_us


@many
@given(any_log())
def test_what_a_process_recorded_later_stays_behind_its_moved_child(log: list[Record]) -> None:
    steps = build_timeline("s", log).steps
    stands = {step: number for number, step in enumerate(steps)}
    displaced = [s for s in steps if s.parent and s.was_moved and natural(s) < s.parent.began]
    behind = {step: [d for d in displaced if process(d) == process(step) and precedes(d, step)] for step in steps}
    for step in steps:
        if not any(depends(d, step, behind) for d in behind[step]):
            assert all(stands[d] < stands[step] for d in behind[step])


def process(step: Step) -> tuple[str, str | int]:
    place = step.record.place
    return step.event.agent_id, place.partition if place.process is None else place.process


def precedes(child: Step, step: Step) -> bool:
    """Whether `child` was recorded before `step`, and would stand before it if no step were moved."""
    places = [(s.record.place.partition, s.record.place.offset) for s in (child, step)]
    recorded = (child.recorded, places[0]) < (step.recorded, places[1])
    return recorded and (natural(child), places[0]) < (natural(step), places[1])


def natural(step: Step) -> int:
    """Return when a step would begin by its own clock alone."""
    if step.announced:
        return min(step.recorded, *(to_microseconds(record.event.timestamp) for record in step.announced))
    return step.recorded - step.event.latency_us


def depends(step: Step, on: Step, behind: dict[Step, list[Step]]) -> bool:
    """Whether `step` must stand behind `on`, because of its parents or of its process's earlier steps."""
    seen: set[Step] = set()
    left = [step]
    while left:
        at = left.pop()
        if at is on:
            return True
        if at not in seen:
            seen.add(at)
            left += behind[at] + ([at.parent] if at.parent else [])
    return False


@many
@given(any_log(), st.randoms(use_true_random=False))
def test_the_order_in_which_records_are_read_changes_nothing(log: list[Record], random: Any) -> None:
    story = build_timeline("s", log)
    shuffled = random.sample(log, len(log))
    again = build_timeline("s", shuffled)
    assert shape(again) == shape(story)
    assert [s.late_us for s in again.steps] == [s.late_us for s in story.steps]
    assert again.duplicates == story.duplicates


@many
@given(any_log())
def test_a_capture_of_a_timeline_reads_back_to_the_same_timeline(log: list[Record]) -> None:
    story = build_timeline("s", log)
    lines = [write_line(record.value, record.place) for record in story.records()]
    read = [decode_session_line(line, "s", "run.ndjson", number) for number, line in enumerate(lines, start=1)]
    records = [record for record in read if isinstance(record, Record)]
    assert records == list(story.records())
    again = build_timeline("s", records)
    assert shape(again) == shape(story)
    assert [s.late_us for s in again.steps] == [s.late_us for s in story.steps]
    assert again.duplicates == 0


@many
@given(any_log())
def test_lanes_begin_with_their_delegation_and_end_with_one_result(log: list[Record]) -> None:
    story = build_timeline("s", log)
    assert all(step.lane in story.lanes for step in story.steps)
    assert [lane.depth for lane in story.lanes[:1]] in ([], [0])
    for lane in story.lanes[1:]:
        assert lane.delegation is not None
        assert lane.delegation.kind == "delegation"
        assert lane.parent is lane.delegation.lane
        assert lane.depth == lane.parent.depth + 1
    results = [lane.result for lane in story.lanes if lane.result]
    assert len(results) == len(set(results))
    assert all(result.kind == "delegation_result" for result in results)


# What Kafka could make of one session: each process's clock runs forwards, as do its records in each partition.


class Written(NamedTuple):
    """Make an event as its process recorded it."""

    process: str
    fields: dict[str, Any]


@st.composite
def a_session(draw: Callable[..., Any]) -> list[Written]:
    """Make a session in the order of its recording. The clocks of processes differ, and no two events tie."""
    count = draw(st.integers(1, 10))
    processes = draw(st.lists(st.sampled_from(["p", "q", "r"]), min_size=count, max_size=count))
    skew = {process: draw(st.sampled_from([0, 0, -25, 25])) for process in "pqr"}
    found = []
    for number, name in enumerate(processes):
        kind = draw(st.sampled_from(list(PAYLOADS)))
        payload = draw(PAYLOADS[kind])
        if latency := payload.get("latency_ms"):
            payload["latency_ms"] = latency + number / 100
        at = NOON + timedelta(seconds=number * 3 + skew[name], milliseconds=number)
        fields = {
            "event_id": f"{IDS}ij"[number],
            "session_id": "s",
            "agent_id": draw(st.sampled_from(AGENTS)),
            "timestamp": at.isoformat(),
            "event_type": kind,
            "payload": payload,
            "context": draw(st.fixed_dictionaries({}, optional={"parent_event_id": st.sampled_from(IDS)})),
        }
        found.append(Written(name, fields))
    return found


@st.composite
def a_log_of(draw: Callable[..., Any], session: list[Written]) -> list[Record]:
    """Spread a session as Kafka may: interleaved, over several partitions, with copies behind their events."""
    left = {name: [w for w in session if w.process == name] for name in "pqr"}
    homes = {name: draw(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 10))) for name in "pqr"}
    ends: Counter[int] = Counter()
    log: list[Record] = []

    def append(written: Written, partition: int) -> None:
        log.append(recorded(written.fields, partition, ends[partition], written.process))
        ends[partition] += 1

    sent: list[Written] = []
    while names := [name for name in "pqr" if left[name]]:
        name = draw(st.sampled_from(names))
        first, second, switch = homes[name]
        append(written := left[name].pop(0), first if len(left[name]) > switch else second)
        sent.append(written)
        if draw(st.integers(0, 3)) == 0:
            append(draw(st.sampled_from(sent)), draw(st.integers(0, 3)))
    return log


@settings(max_examples=150)
@given(st.data())
def test_interleaving_copies_and_partitions_do_not_change_the_timeline(data: st.DataObject) -> None:
    session = data.draw(a_session())
    plain = [recorded(w.fields, 0, offset, w.process) for offset, w in enumerate(session)]
    log = data.draw(a_log_of(session))
    story = build_timeline("s", log)
    assert shape(story) == shape(build_timeline("s", plain))
    assert story.duplicates == len(log) - len(session)
