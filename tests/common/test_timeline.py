"""The order of a session, rule by rule, and its lanes, open calls and totals."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from agentlog.event import codec
from agentlog.event.event import EPOCH, Place, Record
from agentlog.session.order import LATE_AFTER_US
from agentlog.session.timeline import LiveTimeline, Step, Timeline, build_timeline

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECOND = 1_000_000


class Ev(NamedTuple):
    """Make an event; `at` is in seconds after noon."""

    id: str
    at: float
    agent: str = "main"
    kind: str = "tool_call"
    parent: str | None = None
    partition: int = 0
    process: str | None = None
    payload: dict[str, Any] = {}  # noqa: RUF012  never changed
    status: str | None = None


def written(events: Iterable[Ev]) -> list[Record]:
    """Make records of the events; each partition counts its own offsets, in this order."""
    ends: Counter[int] = Counter()
    found = []
    for event in events:
        fields = {
            "event_id": event.id,
            "session_id": "s",
            "agent_id": event.agent,
            "timestamp": (NOON + timedelta(seconds=event.at)).isoformat(),
            "event_type": event.kind,
            "payload": event.payload,
            "context": {"parent_event_id": event.parent} if event.parent is not None else {},
            "status": event.status,
        }
        headers = () if event.process is None else (("agentlog.process", event.process.encode()),)
        place = Place("t", event.partition, ends[event.partition], None, headers)
        record = codec.decode(json.dumps(fields).encode(), place, "t")
        assert isinstance(record, Record), record
        found.append(record)
        ends[event.partition] += 1
    return found


def told(*events: Ev) -> Timeline:
    return build_timeline("s", written(events))


def ids(*events: Ev) -> str:
    """Return the event ids in the timeline's order."""
    return " ".join(step.event.event_id for step in told(*events).steps)


def step(story: Timeline, event_id: str) -> Step:
    return next(step for step in story.steps if step.event.event_id == event_id)


def since_noon(microseconds: int) -> float:
    return (EPOCH + timedelta(microseconds=microseconds) - NOON).total_seconds()


def started(event_id: str, at: float, call_id: object, **fields: Any) -> Ev:
    """Make a `call_started`; `fields` are the event's, and `payload` adds to its payload."""
    payload = {"call_id": call_id, "call_type": "tool_call", "tool": "crm.find", **fields.pop("payload", {})}
    return Ev(event_id, at, kind="call_started", payload=payload, **fields)


def delegated(event_id: str, at: float, to: str, **fields: Any) -> Ev:
    return Ev(event_id, at, kind="delegation", payload={"to_agent_id": to, "task": "look"}, **fields)


def came_back(event_id: str, at: float, from_agent: str, **fields: Any) -> Ev:
    return Ev(event_id, at, kind="delegation_result", payload={"from_agent_id": from_agent, "result": "ok"}, **fields)


# Rule 1: the same event_id and content twice is one event.


def test_a_duplicate_event_is_counted_once() -> None:
    story = told(Ev("a", 0), Ev("b", 1), Ev("a", 0), Ev("a", 0, partition=2))
    assert [s.event.event_id for s in story.steps] == ["a", "b"]
    assert (story.duplicates, story.totals.events, story.totals.tool_calls) == (2, 2, 2)


def test_of_two_copies_the_first_by_partition_and_offset_counts() -> None:
    [only] = told(Ev("a", 0, partition=1), Ev("a", 0), Ev("a", 0)).steps
    assert (only.record.place.partition, only.record.place.offset) == (0, 0)


def test_a_copy_that_was_written_in_another_way_is_one_event() -> None:
    [record] = written([Ev("a", 0, payload={"n": 1, "of": "\u00e9"})])
    value = json.dumps(
        {**json.loads(record.value), "payload": {"of": "\u00e9", "n": 1.0}}, indent=1, ensure_ascii=False
    )
    copy = codec.decode(value.encode(), record.place._replace(offset=1), "t")
    assert isinstance(copy, Record)
    story = build_timeline("s", [record, copy])
    assert (len(story.steps), story.duplicates, story.clashes) == (1, 1, 0)


def test_one_id_with_two_contents_is_two_events_and_a_clash() -> None:
    story = told(
        Ev("a", 0, payload={"n": 1}), Ev("b", 1), Ev("a", 2, payload={"n": True}), Ev("a", 0, payload={"n": 1})
    )
    assert [s.event.payload for s in story.steps] == [{"n": 1}, {}, {"n": True}]
    assert (story.duplicates, story.clashes, story.totals.events, story.totals.tool_calls) == (1, 1, 3, 3)


def test_a_parent_with_an_id_of_two_events_is_the_one_of_the_childs_process() -> None:
    story = told(
        Ev("a", 0, process="p"),
        Ev("a", 1, process="q"),
        Ev("b", 2, parent="a", process="p"),
        Ev("c", 3, parent="a", process="q"),
    )
    assert [s.parent and s.parent.number for s in story.steps] == [None, None, 1, 2]


def test_a_sub_agents_parent_with_an_id_of_two_events_is_the_one_of_its_process() -> None:
    story = told(
        delegated("d", 0, "sub", process="p"),
        delegated("d", 1, "sub", process="q"),
        Ev("x", 2, agent="sub", parent="d", process="p"),
        Ev("x", 3, agent="sub", parent="d", process="q"),
    )
    assert [s.parent and s.parent.number for s in story.steps] == [None, None, 1, 2]
    assert story.steps[2].lane is not story.steps[3].lane


def test_a_parent_with_an_id_of_two_events_of_one_process_is_the_last_that_began_before() -> None:
    story = told(Ev("a", 0), Ev("b", 1, parent="a"), Ev("a", 2), Ev("c", 3, parent="a"))
    assert [s.parent and s.parent.number for s in story.steps] == [None, 1, None, 3]


def test_a_parent_that_began_before_goes_before_one_of_the_own_process() -> None:
    story = told(Ev("a", 0, process="p"), Ev("b", 1, parent="a", process="q"), Ev("a", 2, process="q"))
    assert [s.parent and s.parent.number for s in story.steps] == [None, 1, None]


@pytest.mark.parametrize("processes", [(None, None), ("p", "q")], ids=["one process", "two processes"])
def test_a_call_that_counts_from_1_again_keeps_its_own_announcement(processes: tuple[str | None, str | None]) -> None:
    first, second = processes
    story = told(
        started("s1", 0, "a", process=first),
        Ev("a", 4, process=first),
        started("s1", 10, "a", process=second),
        Ev("a", 12, process=second),
    )
    assert [(since_noon(s.began), len(s.announced), s.is_open) for s in story.steps] == [(0, 1, False), (10, 1, False)]


@pytest.mark.parametrize("announcement", ["s1", "s2"])
def test_a_second_process_that_died_in_a_call_with_a_known_id_leaves_it_open(announcement: str) -> None:
    story = told(
        started("s1", 0, "a", process="p"), Ev("a", 4, process="p"), started(announcement, 10, "a", process="q")
    )
    assert [(since_noon(s.began), s.is_open) for s in story.steps] == [(0, False), (10, True)]


def test_a_copy_raises_no_other_events_time() -> None:
    story = told(Ev("a", 9), Ev("b", 10), Ev("a", 9, partition=1), Ev("c", 2, partition=1))
    assert since_noon(step(story, "c").recorded) == 2


def test_a_copy_behind_later_events_of_another_partition_does_not_move_its_event() -> None:
    moved_on = [Ev("a", 1, partition=1), Ev("b", 2, partition=1), Ev("c", 3), Ev("a", 1), Ev("b", 2)]
    assert ids(*moved_on) == "a b c"


def test_a_copied_announcement_announces_once() -> None:
    story = told(started("s1", 0, "a"), started("s1", 0, "a"), Ev("a", 2))
    assert [r.event.event_id for r in story.records()] == ["s1", "a"]
    assert story.duplicates == 1


# Rule 2: what one agent recorded from one process never runs backwards.


def test_a_clock_that_was_set_back_does_not_reorder() -> None:
    story = told(Ev("a", 0), Ev("b", 100), Ev("c", 50), Ev("d", 60), Ev("e", 101))
    assert [s.event.event_id for s in story.steps] == ["a", "b", "c", "d", "e"]
    assert [since_noon(s.recorded) for s in story.steps] == [0, 100, 100, 100, 101]


def test_the_events_own_time_stays_as_it_was_recorded_when_its_clock_was_set_back() -> None:
    story = told(Ev("b", 100), Ev("c", 50))
    assert story.steps[1].event.timestamp == NOON + timedelta(seconds=50)


@pytest.mark.parametrize(
    "other",
    [{"partition": 1}, {"agent": "other"}, {"process": "p2"}],
    ids=["another partition", "another agent", "another process"],
)
def test_a_clock_set_back_concerns_only(other: dict[str, Any]) -> None:
    assert ids(Ev("b", 100, process="p1"), Ev("c", 50, **{"process": "p1", **other})) == "c b"


def test_a_process_that_names_itself_is_apart_from_one_that_does_not() -> None:
    assert ids(Ev("b", 100), Ev("c", 50, process="p1")) == "c b"


def test_a_process_may_be_named_by_any_bytes() -> None:
    [b, c] = written([Ev("b", 100), Ev("c", 50)])
    strange = (("other", b"x"), ("agentlog.process", b"\xff\x00"), ("agentlog.process", b"later"))
    b, c = (Record(r.event, r.place._replace(headers=strange), r.value) for r in (b, c))
    assert [s.event.event_id for s in build_timeline("s", [b, c]).steps] == ["b", "c"]


# Rule 3: ordered by beginning.


def test_events_stand_in_the_order_of_their_times_whatever_their_partitions() -> None:
    assert ids(Ev("c", 3), Ev("a", 1, partition=1), Ev("b", 2, agent="other")) == "a b c"


def test_a_call_stands_where_it_began_not_where_it_ended() -> None:
    story = told(Ev("quick", 5), Ev("slow", 10, payload={"latency_ms": 9000.5}))
    assert [s.event.event_id for s in story.steps] == ["slow", "quick"]
    assert [since_noon(s.began) for s in story.steps] == [0.9995, 5]
    assert [s.duration_us for s in story.steps] == [9_000_500, None]


def test_an_announced_call_began_when_its_announcement_says() -> None:
    story = told(started("s1", 1, "slow"), Ev("quick", 5), Ev("slow", 10, payload={"latency_ms": 2000}))
    assert [s.event.event_id for s in story.steps] == ["slow", "quick"]
    assert since_noon(story.steps[0].began) == 1
    assert story.steps[0].duration_us == 2_000_000, "what the event says goes before what can be guessed"


@pytest.mark.parametrize("ended", [True, False])
def test_a_call_that_was_announced_late_began_when_its_announcement_says_it_did(ended: bool) -> None:
    late = started("s1", 2, "slow", payload={"latency_ms": 1500})
    story = told(late, Ev("quick", 1), *([Ev("slow", 4)] if ended else []))
    assert [s.event.event_id for s in story.steps] == ["slow" if ended else "s1", "quick"]
    assert since_noon(story.steps[0].began) == 0.5
    assert story.steps[0].duration_us == (3.5 * SECOND if ended else None)


def test_an_announced_call_without_a_latency_took_from_its_announcement_to_its_record() -> None:
    assert told(started("s1", 1, "a"), Ev("a", 4)).steps[0].duration_us == 3 * SECOND


def test_a_call_never_begins_after_it_was_recorded() -> None:
    ahead = started("s1", 60, "a", process="ahead")
    story = told(ahead, Ev("a", 4, process="own"), Ev("b", 5, process="own"))
    assert [s.event.event_id for s in story.steps] == ["a", "b"]
    assert story.steps[0].duration_us >= 0


@pytest.mark.parametrize("process", ["p", None])
def test_a_call_alone_in_another_partition_stands_where_its_announcement_says(process: str | None) -> None:
    call = Ev("call", -500, partition=1, process=process)
    story = told(Ev("x", 0, process=process), started("s1", 10, "call", process=process), call)
    assert [(s.event.event_id, since_noon(s.began), since_noon(s.recorded)) for s in story.steps] == [
        ("x", 0, 0),
        ("call", 10, 10),
    ]
    assert (story.began, story.ended) == (story.steps[0].began, story.steps[1].recorded)


def test_a_parent_that_only_the_announcement_names_is_the_calls_parent() -> None:
    story = told(Ev("a", 0), started("s1", 1, "call", parent="a"), Ev("call", 4))
    assert step(story, "call").parent is step(story, "a")


def test_a_parent_that_the_call_names_goes_before_that_of_its_announcement() -> None:
    story = told(Ev("a", 0), Ev("b", 0.5), started("s1", 1, "call", parent="a"), Ev("call", 4, parent="b"))
    assert step(story, "call").parent is step(story, "b")


@pytest.mark.parametrize("latency", [None, -1, "9", True, [], float("1e16"), 1e308, 10**300])
def test_a_latency_that_says_nothing_usable_breaks_nothing(latency: object) -> None:
    story = told(Ev("a", 5, payload={"latency_ms": latency}), Ev("b", 6))
    assert [s.event.event_id for s in story.steps] == ["a", "b"]
    assert all(isinstance(EPOCH + timedelta(microseconds=s.began), datetime) for s in story.steps)
    assert [s.duration_us for s in story.steps] == [None, None]


def test_ties_stand_by_partition_and_offset() -> None:
    assert ids(Ev("c", 0, partition=1), Ev("a", 0), Ev("d", 0, partition=1), Ev("b", 0, agent="x")) == "a b c d"


def test_a_tie_of_a_folded_call_is_settled_by_its_own_place() -> None:
    assert ids(started("s1", 0, "call"), Ev("b", 0, agent="x"), Ev("call", 3)) == "b call"


def test_a_child_that_would_begin_before_its_parent_moves_right_behind_it() -> None:
    story = told(
        Ev("child", 1, process="behind", parent="parent"),
        Ev("other", 2, process="x"),
        Ev("parent", 3, process="own"),
        Ev("next", 4, process="own"),
    )
    assert [s.event.event_id for s in story.steps] == ["other", "parent", "child", "next"]
    assert [s.was_moved for s in story.steps] == [False, False, True, False]
    assert since_noon(step(story, "child").began) == 3
    assert since_noon(step(story, "child").recorded) == 1


def test_what_a_moved_childs_process_recorded_later_stays_behind_it() -> None:
    events = [
        Ev("before", 0, process="sub"),
        Ev("child", 1, process="sub", parent="parent"),
        Ev("later", 2, process="sub"),
        Ev("parent", 3, process="own"),
    ]
    story = told(*events)
    assert [s.event.event_id for s in story.steps] == ["before", "parent", "child", "later"]
    assert [s.was_moved for s in story.steps] == [False, False, True, True]
    assert ids(*[e._replace(process=None, agent=str(e.process)) for e in events]) == "before parent child later"


def test_what_other_processes_recorded_is_not_drawn_along_with_a_moved_child() -> None:
    child, parent = Ev("child", 1, process="sub", parent="parent"), Ev("parent", 3)
    assert ids(child, Ev("x", 2, process="y"), Ev("z", 2, agent="w", process="sub"), parent) == "x z parent child"


def test_a_call_that_began_earlier_but_was_recorded_later_stays_behind_the_moved_child() -> None:
    long = Ev("long", 9, process="sub", payload={"latency_ms": 9000})
    child, parent = Ev("child", 1, process="sub", parent="parent"), Ev("parent", 3)
    assert ids(child, long, parent) == "long parent child", "it stood there before anything was moved"
    shorter = long._replace(payload={"latency_ms": 7000})
    assert ids(child, shorter, parent) == "parent child long"


def test_where_process_and_parent_contradict_the_parent_wins() -> None:
    assert ids(Ev("child", 1, parent="parent"), Ev("parent", 2)) == "parent child"
    chain = [Ev("c", 1, parent="b"), Ev("b", 2, parent="a"), Ev("a", 3)]
    assert ids(*chain) == "a b c"


def test_the_parent_wins_across_processes_too() -> None:
    """x1 waits for y2, and y1 for x2: both x2 and y2 would wait for what waits for them."""
    events = [
        Ev("x1", 1, process="x", parent="y2"),
        Ev("y1", 1.5, process="y", parent="x2"),
        Ev("x2", 2, process="x"),
        Ev("y2", 3, process="y"),
    ]
    order = ids(*events).split()
    assert sorted(order) == ["x1", "x2", "y1", "y2"]
    assert order.index("y2") < order.index("x1")
    assert order.index("x2") < order.index("y1")


def test_a_whole_sub_agent_with_a_clock_behind_keeps_its_own_order_behind_its_delegation() -> None:
    sub = [Ev(f"s{n}", n, agent="sub", parent=f"s{n - 1}" if n else "call") for n in range(5)]
    assert ids(*sub, delegated("call", 60, "sub"), Ev("next", 61)) == "call s0 s1 s2 s3 s4 next"


def test_children_of_one_parent_keep_their_order_behind_it() -> None:
    children = [Ev(f"c{n}", n, process=f"p{n}", parent="parent") for n in (3, 1, 2)]
    assert ids(*children, Ev("parent", 9)) == "parent c1 c2 c3"


def test_a_child_that_names_the_announcement_is_the_calls_child() -> None:
    story = told(started("s1", 1, "call"), Ev("child", 2, parent="s1"), Ev("call", 5))
    assert [s.event.event_id for s in story.steps] == ["call", "child"]
    assert story.steps[1].parent is story.steps[0]


def test_a_parent_that_is_not_there_is_none() -> None:
    assert step(told(Ev("a", 0, parent="elsewhere")), "a").parent is None


@pytest.mark.parametrize("parent", ["", 5, [], {}, None])
def test_a_parent_that_is_no_name_is_none(parent: object) -> None:
    [record] = written([Ev("a", 0)])
    value = json.dumps({**json.loads(record.value), "context": {"parent_event_id": parent}}).encode()
    other = codec.decode(value, record.place, "t")
    assert isinstance(other, Record)
    assert build_timeline("s", [other]).steps[0].parent is None


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_of_parents_in_a_circle_the_first_to_begin_has_none(size: int) -> None:
    circle = [Ev(f"e{n}", n, process=f"p{n}", parent=f"e{(n + 1) % size}") for n in range(size)]
    story = told(*circle, Ev("on it", 0.5, process="x", parent="e0"))
    assert step(story, "e0").parent is None
    assert [s.event.event_id for s in story.steps if s.parent is None] == ["e0"]
    assert len(story.steps) == size + 1


@pytest.mark.parametrize("processes", [1, 2, 5000])
def test_a_chain_of_parents_in_reverse_time_stands_the_right_way_round(processes: int) -> None:
    chain = [Ev(f"e{n}", n / 1000, process=f"p{n % processes}", parent=f"e{n + 1}") for n in range(5000)]
    assert ids(*chain).split() == [f"e{n}" for n in reversed(range(5000))]


# Rule 4: what arrived much later than its time says is marked, not moved.


def test_what_arrived_late_is_marked_and_stands_where_its_time_says() -> None:
    story = told(Ev("a", 0), Ev("c", 20), Ev("b", 5, process="spool"), Ev("d", 10.001, process="x"), Ev("e", 21))
    assert [s.event.event_id for s in story.steps] == ["a", "b", "d", "c", "e"]
    assert {s.event.event_id: s.late_us for s in story.steps if s.late_us} == {"b": 15 * SECOND}
    assert LATE_AFTER_US == 10 * SECOND


def test_ten_seconds_behind_is_late_and_less_is_not() -> None:
    story = told(Ev("a", 20), Ev("b", 10, process="x"), Ev("c", 10.000001, process="y"))
    assert {s.event.event_id: s.late_us for s in story.steps} == {"a": 0, "b": 10 * SECOND, "c": 0}


def test_nothing_is_late_in_a_partition_of_its_own() -> None:
    assert not any(s.late_us for s in told(Ev("a", 100), Ev("b", 0, partition=1)).steps)


# Calls: an announcement and the call's own event are one step.


def test_an_announcement_and_its_call_are_one_step_and_two_records() -> None:
    story = told(started("s1", 0, "a"), Ev("a", 2, payload={"tool": "crm.find", "output": 1}))
    [call] = story.steps
    assert (call.kind, call.is_open, call.event.event_id, len(call.announced)) == ("tool_call", False, "a", 1)
    assert [r.event.event_id for r in story.records()] == ["s1", "a"]
    assert story.totals.events == 2
    assert story.totals.calls == {"crm.find": 1}


def test_a_call_announced_and_never_ended_is_open() -> None:
    story = told(Ev("a", 0), started("s1", 1, "lost", payload={"tool": "erp.post"}))
    call = story.steps[-1]
    assert (call.kind, call.is_open, call.label, call.duration_us) == ("tool_call", True, "erp.post", None)
    assert [r.event.event_id for r in story.records()] == ["a", "s1"]
    assert story.totals.calls == {"tool_call": 1, "erp.post": 1}


def test_an_open_call_is_of_the_kind_that_it_announced() -> None:
    def kind(payload: dict[str, object]) -> str:
        return told(Ev("s1", 0, kind="call_started", payload={"call_id": "c", **payload})).steps[0].kind

    assert kind({"call_type": "retrieval"}) == "retrieval"
    assert kind({"model": "m"}) == "llm_call"
    assert kind({"tool": "t", "call_type": None}) == "tool_call"


def test_two_announcements_of_one_call_are_one_step_that_began_with_the_earlier() -> None:
    for second in (0, 1):
        story = told(started("s2", 2, "a"), started("s1", 1, "a", partition=second, process="x"), Ev("a", 5))
        [call] = story.steps
        assert since_noon(call.began) == 1
        assert [r.event.event_id for r in story.records()] == ["s1", "s2", "a"]


def test_two_announcements_of_a_call_that_never_ended_are_one_open_call() -> None:
    story = told(started("s1", 1, "a"), started("s2", 2, "a"), Ev("child", 3, parent="s2"), Ev("kin", 4, parent="a"))
    assert [s.event.event_id for s in story.steps] == ["s1", "child", "kin"]
    assert [s.parent for s in story.steps[1:]] == [story.steps[0]] * 2
    assert [r.event.event_id for r in story.records()] == ["s1", "s2", "child", "kin"]
    assert story.totals.tool_calls == 3


def test_an_announcement_in_another_partition_is_folded_too() -> None:
    assert ids(Ev("a", 5), started("s1", 1, "a", partition=3)) == "a"


@pytest.mark.parametrize("call_id", ["", None, 7, []])
def test_an_announcement_that_names_no_call_is_an_open_call_and_nobodys_parent(call_id: object) -> None:
    story = told(started("s1", 0, call_id), started("s2", 0, call_id), Ev("a", 1))
    assert [s.event.event_id for s in story.steps] == ["s1", "s2", "a"]
    assert [s.parent for s in story.steps] == [None, None, None]


def test_announcements_that_name_each_other_are_all_kept() -> None:
    story = told(started("z", 1, "x"), started("w", 2, "z"), started("x", 3, "y"))
    assert sorted(r.event.event_id for r in story.records()) == ["w", "x", "z"]


# Lanes.


def lanes(story: Timeline) -> dict[str, int]:
    """Return the number of each step's lane."""
    return {s.event.event_id: story.lanes.index(s.lane) for s in story.steps}


def test_a_sub_agent_runs_in_a_lane_of_its_own_until_the_delegator_goes_on() -> None:
    story = told(
        Ev("start", 0, kind="session_start"),
        delegated("d", 1, "sub", parent="start"),
        Ev("s1", 2, agent="sub", parent="d"),
        Ev("s2", 3, agent="sub", parent="s1"),
        came_back("r", 4, "sub", parent="d"),
        Ev("next", 5, parent="r"),
    )
    assert lanes(story) == {"start": 0, "d": 0, "s1": 1, "s2": 1, "r": 0, "next": 0}
    main, sub = story.lanes
    assert (main.agent_id, main.depth, main.delegation, main.result) == ("main", 0, None, None)
    assert (sub.agent_id, sub.depth, sub.parent) == ("sub", 1, main)
    assert (sub.delegation, sub.result) == (step(story, "d"), step(story, "r"))


def test_delegations_nest_as_deep_as_they_go() -> None:
    events = [delegated("d0", 0, "a1", agent="a0")]
    events += [delegated(f"d{n}", n, f"a{n + 1}", agent=f"a{n}", parent=f"d{n - 1}") for n in range(1, 4)]
    events += [came_back(f"r{n}", 10 - n, f"a{n + 1}", agent=f"a{n}", parent=f"d{n}") for n in reversed(range(3))]
    story = told(*events)
    assert [(lane.agent_id, lane.depth) for lane in story.lanes] == [("a0", 0), ("a1", 1), ("a2", 2), ("a3", 3)]
    assert [lane.result and lane.result.event.event_id for lane in story.lanes] == [None, "r0", "r1", "r2"]


def test_two_runs_of_one_sub_agent_at_once_are_two_lanes() -> None:
    story = told(
        delegated("d1", 0, "sub"),
        delegated("d2", 1, "sub"),
        Ev("x1", 2, agent="sub", parent="d1", process="x"),
        Ev("y1", 3, agent="sub", parent="d2", process="y"),
        Ev("x2", 4, agent="sub", parent="x1", process="x"),
        Ev("y2", 5, agent="sub", parent="y1", process="y"),
        came_back("r2", 6, "sub", parent="d2"),
        came_back("r1", 7, "sub", parent="d1"),
    )
    assert lanes(story) == {"d1": 0, "d2": 0, "x1": 1, "x2": 1, "y1": 2, "y2": 2, "r1": 0, "r2": 0}
    assert [lane.result and lane.result.event.event_id for lane in story.lanes] == [None, "r1", "r2"]


def test_a_delegation_to_ones_own_agent_id_is_a_lane_too() -> None:
    story = told(
        delegated("d", 0, "main"),
        Ev("inner", 1, parent="d", process="inner"),
        Ev("deeper", 2, parent="inner", process="inner"),
        came_back("r", 3, "main", parent="d"),
        Ev("next", 4, parent="r"),
    )
    assert lanes(story) == {"d": 0, "inner": 1, "deeper": 1, "r": 0, "next": 0}


def test_the_delegators_own_next_event_stays_in_its_lane() -> None:
    story = told(delegated("d", 0, "sub"), Ev("meanwhile", 1, parent="d"), Ev("s1", 2, agent="sub", parent="d"))
    assert lanes(story) == {"d": 0, "meanwhile": 0, "s1": 1}


def test_a_result_without_a_parent_ends_the_run_of_the_agent_that_it_names() -> None:
    story = told(
        delegated("d", 0, "sub"), Ev("s1", 1, agent="sub", parent="d"), came_back("r", 2, "sub"), Ev("next", 3)
    )
    assert lanes(story) == {"d": 0, "s1": 1, "r": 0, "next": 0}
    assert story.lanes[1].result is step(story, "r")


def test_results_without_a_parent_end_one_run_each() -> None:
    runs = [Ev(f"s{n}", n, agent="sub", parent=f"d{n}", process=f"p{n}") for n in (1, 2)]
    both = [delegated("d1", 0, "sub"), delegated("d2", 0.5, "sub"), *runs]
    story = told(*both, came_back("r1", 3, "sub"), came_back("r2", 4, "sub"))
    assert {lane.result.event.event_id for lane in story.lanes if lane.result} == {"r1", "r2"}


def test_a_result_that_follows_from_the_runs_last_step_ends_that_run() -> None:
    runs = [Ev(f"s{n}", n, agent="sub", parent=f"d{n}", process=f"p{n}") for n in (1, 2)]
    both = [delegated("d1", 0, "sub"), delegated("d2", 0.5, "sub"), *runs]
    story = told(*both, came_back("r1", 3, "sub", parent="s1"), came_back("r2", 4, "sub", parent="s2"))
    assert [lane.result and lane.result.event.event_id for lane in story.lanes] == [None, "r1", "r2"]
    assert lanes(story)["r1"] == 0


def test_a_result_without_a_parent_ends_a_run_that_its_own_agent_called() -> None:
    story = told(
        delegated("d1", 0, "sub"),
        Ev("s1", 1, agent="sub", parent="d1"),
        delegated("d2", 2, "sub", agent="other"),
        Ev("s2", 3, agent="sub", parent="d2"),
        came_back("r", 4, "sub"),
    )
    assert [lane.result and lane.result.event.event_id for lane in story.lanes] == [None, "r", None]


def test_a_second_result_does_not_replace_the_first() -> None:
    run = [delegated("d", 0, "sub"), Ev("s1", 1, agent="sub", parent="d")]
    story = told(*run, came_back("r1", 2, "sub", parent="d"), came_back("r2", 3, "sub", parent="d"))
    assert story.lanes[1].result is step(story, "r1")


def test_an_event_without_a_parent_is_in_its_agents_newest_lane() -> None:
    story = told(delegated("d", 0, "sub"), Ev("s1", 1, agent="sub", parent="d"), Ev("s2", 2, agent="sub"), Ev("m", 3))
    assert lanes(story) == {"d": 0, "s1": 1, "s2": 1, "m": 0}


def test_an_event_of_an_agent_that_nobody_called_is_in_the_sessions_own_lane() -> None:
    assert lanes(told(Ev("a", 0, kind="session_start"), Ev("b", 1, agent="user"))) == {"a": 0, "b": 0}


def test_the_sessions_own_lane_is_the_agents_that_started_it() -> None:
    early = Ev("x", 0, agent="user", kind="user_message")
    assert told(early, Ev("a", 1, kind="session_start")).lanes[0].agent_id == "main"
    assert told(early, Ev("a", 1)).lanes[0].agent_id == "user"


def test_children_of_an_open_delegation_run_in_the_sub_agents_lane() -> None:
    announced = started("s1", 0, "d", payload={"call_type": "delegation", "to_agent_id": "sub"})
    assert lanes(told(announced, Ev("x", 1, agent="sub", parent="d"))) == {"s1": 0, "x": 1}


# A timeline that goes on.


def test_what_comes_later_is_a_step_at_the_end_and_a_copy_is_none() -> None:
    live = LiveTimeline(told(delegated("d", 0, "sub"), Ev("s1", 1, agent="sub", parent="d")))
    [copy, late, own] = written([Ev("s1", 1, agent="sub", parent="d"), Ev("s2", 0.5, agent="sub"), Ev("next", 3)])
    assert live.add(copy) is None
    step = live.add(late)
    assert step is not None
    assert (step.event.event_id, step.lane.agent_id, step.lane.depth) == ("s2", "sub", 1)
    assert live.add(late) is None
    assert (step := live.add(own)) is not None
    assert step.lane.depth == 0


@pytest.mark.parametrize("known_when_opened", [True, False])
def test_a_call_that_ends_later_is_one_with_its_announcement(known_when_opened: bool) -> None:
    opened, ended = started("s1", 1, "call"), Ev("call", 4)
    live = LiveTimeline(told(opened) if known_when_opened else told())
    if not known_when_opened:
        step = live.add(written([opened])[0])
        assert step is not None
        assert (step.is_open, step.kind, step.duration_us) == (True, "tool_call", None)
    step = live.add(written([ended])[0])
    assert step is not None
    assert [record.event.event_id for record in step.announced] == ["s1"]
    assert (step.is_open, since_noon(step.began), step.duration_us) == (False, 1, 3 * SECOND)


def test_what_comes_later_has_the_number_that_it_has_in_the_timeline_so_far() -> None:
    events = [
        Ev("a", 0),
        started("s1", 1, "call"),
        Ev("b", 2),
        Ev("call", 4),
        started("s2", 5, "other"),
        Ev("other", 6),
    ]
    live = LiveTimeline(told(*events[:2]))
    steps = [live.add(record) for record in written(events[2:])]
    assert [step.number for step in steps if step is not None] == [3, 2, 4, 4]
    assert {step.event.event_id: step.number for step in told(*events).steps} == {"a": 1, "call": 2, "b": 3, "other": 4}


def test_what_comes_later_and_began_before_another_step_has_no_number() -> None:
    live = LiveTimeline(told(Ev("a", 0), Ev("c", 9)))
    steps = [live.add(record) for record in written([Ev("b", 5), Ev("d", 10)])]
    assert [step.number for step in steps if step is not None] == [0, 4]


def test_what_comes_later_with_a_known_id_and_another_content_is_a_step_of_its_own() -> None:
    live = LiveTimeline(told(Ev("a", 0), started("s1", 1, "call"), Ev("call", 2)))
    later = [Ev("a", 0), Ev("a", 5, payload={"n": 2}), started("s1", 6, "call"), Ev("call", 7), Ev("b", 8, parent="a")]
    steps = [live.add(record) for record in written(later)]
    assert [each and each.number for each in steps] == [None, 3, 4, 4, 5]
    assert steps[4] is not None
    assert steps[4].parent is steps[1]


def test_a_call_that_ends_later_with_its_clock_set_back_stands_where_its_announcement_says() -> None:
    live = LiveTimeline(told(Ev("x", 0), started("s1", 10, "call")))
    ended = live.add(written([Ev("call", -500)])[0])
    assert ended is not None
    assert (since_noon(ended.began), since_noon(ended.recorded)) == (10, 10)


# Outcome and totals.


def ended(event_id: str, at: float, outcome: object = "succeeded", **fields: Any) -> Ev:
    return Ev(event_id, at, kind="session_end", payload={"status": outcome}, **fields)


def test_a_session_is_over_as_its_end_says() -> None:
    assert told(Ev("a", 0, kind="session_start"), ended("z", 1, "cancelled"), Ev("late", 2)).outcome == "cancelled"
    assert told(ended("z", 1, None)).outcome == "ended"
    assert told(ended("z", 1, None, status="failed")).outcome == "failed"


def test_a_session_without_an_end_is_over_only_when_a_status_says_so() -> None:
    assert told(Ev("a", 0)).outcome is None
    assert told(Ev("a", 0, status="running")).outcome is None
    assert told(Ev("a", 0, status="running"), Ev("b", 1, status="failed"), Ev("c", 2)).outcome == "failed"


def test_a_sub_agents_end_is_not_the_sessions() -> None:
    run = [delegated("d", 0, "sub"), Ev("s1", 1, agent="sub", parent="d", kind="session_start")]
    assert told(*run, ended("s2", 2, agent="sub", parent="s1")).outcome is None


def test_a_session_that_started_again_is_not_over() -> None:
    first = [Ev("a", 0, kind="session_start"), ended("z", 1, status="succeeded")]
    assert told(*first, Ev("b", 2, kind="session_start"), Ev("c", 3)).outcome is None


def test_no_records_make_an_empty_timeline() -> None:
    story = told()
    assert (story.steps, story.lanes, story.outcome, story.began, story.ended) == ([], [], None, 0, 0)
    assert (story.totals.events, story.goal) == (0, "")


def test_totals_count_calls_failures_tokens_and_cost() -> None:
    story = told(
        Ev("a", 0, kind="session_start", payload={"goal": "Invoice Acme"}),
        Ev("b", 1, kind="llm_call", payload={"model": "m", "input_tokens": 100, "cached_tokens": 40, "cost_usd": 0.1}),
        Ev("c", 2, kind="llm_call", payload={"model": "m", "input_tokens": 50, "output_tokens": 7, "cost_usd": 0.2}),
        Ev("d", 3, kind="llm_call", payload={"model": "n", "error": {"type": "overloaded"}}),
        Ev("e", 4, payload={"tool": "stripe", "error": "rate_limit", "cost_usd": 0.5}),
        Ev("f", 5, payload={"tool": "stripe", "error": None}),
        Ev("g", 6, kind="retrieval", payload={"query": "q"}),
        Ev("h", 7, kind="error", payload={"type": "Timeout"}),
        started("i", 8, "open", payload={"call_type": "llm_call", "model": "m"}),
        Ev("z", 9, kind="session_end", payload={"status": "failed", "error": "gave up"}),
    )
    totals = story.totals
    assert (totals.events, totals.tool_calls, totals.llm_calls, totals.retrievals) == (10, 2, 4, 1)
    assert (totals.errors, totals.failures) == (3, {"n": 1, "stripe": 1})
    assert (totals.input_tokens, totals.cached_tokens, totals.output_tokens) == (150, 40, 7)
    assert (totals.cost_usd, totals.unpriced) == (pytest.approx(0.8), 1)
    assert totals.cost_by_model == {"m": pytest.approx(0.3), "stripe": 0.5}
    assert totals.calls == {"m": 2, "n": 1, "stripe": 2, "retrieval": 1, "crm.find": 1}
    assert story.goal == "Invoice Acme"
    assert (since_noon(story.began), since_noon(story.ended)) == (0, 9)


@pytest.mark.parametrize("name", ["cost_usd", "input_tokens", "latency_ms"])
@pytest.mark.parametrize("amount", [1e308, 10**308, -1, "3", True, None, [1], {}])
def test_numbers_that_cannot_be_meant_break_no_total(name: str, amount: object) -> None:
    story = told(*(Ev(f"e{n}", n, kind="llm_call", payload={name: amount}) for n in range(3)))
    assert story.totals.events == 3
    assert (story.totals.cost_usd, story.totals.input_tokens, story.totals.output_tokens) == (None, None, None)
    assert [step.duration_us for step in story.steps] == [None] * 3


def test_a_recorded_0_is_known_and_stays_0() -> None:
    amounts = {"input_tokens": 0, "cached_tokens": 0, "cost_usd": 0, "latency_ms": 0}
    story = told(Ev("a", 0, kind="llm_call", payload=amounts), Ev("b", 1, kind="llm_call"))
    totals = story.totals
    assert (totals.input_tokens, totals.cached_tokens, totals.output_tokens, totals.cost_usd) == (0, 0, None, 0)
    assert [step.duration_us for step in story.steps] == [0, None]


# Odd clocks.

YEARS = 365 * 86_400
ODD_CLOCKS = {"year 9999": 7973 * YEARS, "1970": -56 * YEARS, "year 1": -2024 * YEARS, "2038": 13 * YEARS}


@pytest.mark.parametrize("at", ODD_CLOCKS.values(), ids=ODD_CLOCKS)
@pytest.mark.parametrize("place", [0, 1, 3])
@pytest.mark.parametrize("agent", ["main", "helper"])
def test_a_clock_that_is_years_off_stands_where_its_record_does_and_moves_nothing(
    at: float, place: int, agent: str
) -> None:
    events = [Ev("a", 1), Ev("b", 2), Ev("c", 4)]
    events.insert(place, Ev("odd", at, agent=agent, payload={"latency_ms": 500}))
    found = told(*events)
    assert (since_noon(found.began), since_noon(found.ended)) == (1, 4)
    assert [s.event.event_id for s in found.steps if s.event.event_id != "odd"] == ["a", "b", "c"]
    assert [s.event.event_id for s in found.steps if s.has_odd_clock] == ["odd"]
    assert [since_noon(s.recorded) for s in found.steps if s.event.event_id != "odd"] == [1, 2, 4]
    assert not [s for s in found.steps if s.late_us or s.was_moved]
    assert ids(*events) == " ".join(event.id for event in events) or place == 0


def test_most_times_decide_which_clock_is_odd_but_no_clock_at_its_zero() -> None:
    zero = [Ev(f"z{n}", -56 * YEARS + n) for n in range(3)]
    found = told(Ev("a", 1), Ev("b", 2), *zero)
    assert {s.event.event_id for s in found.steps if s.has_odd_clock} == {"z0", "z1", "z2"}
    found = told(Ev("a", 1), *(Ev(f"z{n}", -10 * YEARS + n) for n in range(3)))
    assert {s.event.event_id for s in found.steps if s.has_odd_clock} == {"a"}


def test_a_session_of_one_odd_time_has_that_time() -> None:
    found = told(Ev("a", 7973 * YEARS), Ev("b", 7973 * YEARS + 5))
    assert found.ended - found.began == 5 * SECOND
    assert not any(s.has_odd_clock for s in found.steps)


def test_a_session_of_many_years_without_a_long_pause_has_no_odd_time() -> None:
    found = told(*(Ev(f"e{n}", n * YEARS) for n in range(6)))
    assert not any(s.has_odd_clock for s in found.steps)
    assert found.ended - found.began == 5 * YEARS * SECOND


def test_an_announced_call_whose_end_has_an_odd_clock_begins_when_it_was_announced() -> None:
    found = told(Ev("a", 1), started("said", 2, "call"), Ev("b", 3), Ev("call", 7973 * YEARS), Ev("c", 4))
    assert [s.event.event_id for s in found.steps] == ["a", "call", "b", "c"]
    assert (since_noon(step(found, "call").began), since_noon(step(found, "call").recorded)) == (2, 3)


def test_a_live_session_passes_over_an_odd_clock() -> None:
    live = LiveTimeline(told(Ev("a", 1), Ev("b", 2)))
    odd, then = written([Ev("odd", 7973 * YEARS), Ev("c", 3)])
    assert [s and (s.number, s.has_odd_clock) for s in map(live.add, (odd, then))] == [(3, True), (4, False)]


def test_a_latency_of_years_is_none() -> None:
    found = told(Ev("a", 1), Ev("b", 2, payload={"latency_ms": 900_000_000_000}))
    assert (since_noon(found.began), step(found, "b").duration_us) == (1, 0)
