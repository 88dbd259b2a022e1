"""The chain that led to a step: from the session's first step down, never in a circle."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from agentlog.analysis.causality import CauseGraph, Link, Tie
from agentlog.event.event import Record
from agentlog.session.timeline import Timeline, build_timeline
from tests.common.test_timeline_properties import any_log, many
from tests.recording import Event, encode_events, make_event, make_tool_call

Load = Callable[..., Timeline]


def child(number: int, parent: str, kind: str = "tool_call", **fields: object) -> Event:
    return make_event(number, kind, context={"parent_event_id": parent}, **fields)


def chain(found: Timeline, event_id: str) -> list[Link]:
    step = next(step for step in found.steps if step.event.event_id == event_id)
    return CauseGraph(found).build_chain(step)


def ids(links: list[Link]) -> str:
    return " ".join(link.step.event.event_id for link in links)


def told(load: Load, *events: Event) -> Timeline:
    return load("sess_1", content=encode_events(events)).timeline  # type: ignore[attr-defined]


@many
@given(any_log())
def test_a_chain_ends_at_the_sessions_first_step_and_names_no_step_twice(log: list[Record]) -> None:
    found = build_timeline("s", log)
    causes = CauseGraph(found)
    for step in found.steps:
        links = causes.build_chain(step)
        steps = [link.step for link in links]
        assert (steps[0], steps[-1]) == (found.steps[0], step)
        assert len(set(steps)) == len(steps)
        assert [link.tie is Tie.BEGINNING for link in links] == [True, *[False] * (len(links) - 1)]


@many
@given(any_log())
def test_a_parent_that_is_named_and_there_is_what_a_step_follows_from(log: list[Record]) -> None:
    found = build_timeline("s", log)
    causes = CauseGraph(found)
    for step in found.steps:
        for link, before in zip(causes.build_chain(step)[1:], causes.build_chain(step), strict=False):
            if link.tie is Tie.PARENT:
                assert before.step is link.step.parent
            if link.tie is Tie.SEQUENCE:
                assert before.step.lane is link.step.lane


@many
@given(any_log(), st.randoms(use_true_random=False))
def test_a_chain_is_the_same_in_whatever_order_records_come(log: list[Record], order: "st.randoms") -> None:  # type: ignore[valid-type]
    shuffled = list(log)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = build_timeline("s", log), build_timeline("s", shuffled)
    for step, same in zip(one.steps, other.steps, strict=True):
        assert ids(CauseGraph(one).build_chain(step)) == ids(CauseGraph(other).build_chain(same))


def test_a_step_without_a_parent_follows_from_the_one_before_it_in_its_lane(load: Load) -> None:
    found = told(load, make_event(1, "session_start"), make_tool_call(2), make_tool_call(3), child(4, "evt_9"))
    links = chain(found, "evt_4")
    assert ids(links) == "evt_1 evt_2 evt_3 evt_4"
    assert [(link.tie, link.lost) for link in links[2:]] == [(Tie.SEQUENCE, None), (Tie.SEQUENCE, "evt_9")]


def test_a_chain_goes_through_a_sub_agent_and_back(load: Load) -> None:
    handed = {"to_agent_id": "sub", "task": "look"}
    back = {"from_agent_id": "sub", "result": "found"}
    found = told(
        load,
        make_event(1, "session_start"),
        child(2, "evt_1", "delegation", payload=handed),
        child(3, "evt_2", agent_id="sub"),
        child(4, "evt_3", agent_id="sub"),
        child(5, "evt_2", "delegation_result", payload=back),
        child(6, "evt_5"),
    )
    links = chain(found, "evt_6")
    assert ids(links) == "evt_1 evt_2 evt_3 evt_4 evt_5 evt_6"
    assert links[4].tie is Tie.SUB_AGENT


def test_the_reason_is_the_nearest_decision_or_model_call(load: Load) -> None:
    found = told(
        load,
        make_event(1, "session_start"),
        child(2, "evt_1", "llm_call"),
        child(3, "evt_2", "decision"),
        child(4, "evt_3"),
        child(5, "evt_4"),
    )
    causes = CauseGraph(found)
    assert [causes.get_reason(step) and causes.step_numbers[causes.get_reason(step)] for step in found.steps] == [
        None,
        None,
        2,
        3,
        3,
    ]  # type: ignore[index]
