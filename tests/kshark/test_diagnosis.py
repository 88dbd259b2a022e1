"""Where a session went wrong: found by rules in the story, in sessions made for it, and never where it didn't."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import given

from agentlog.analysis.causality import CauseGraph
from agentlog.event.event import Record
from agentlog.session.timeline import Timeline, build_timeline
from kshark.why.diagnosis.diagnosis import Diagnosis, DiagnosisKind
from kshark.why.diagnosis.rules import diagnose
from kshark.why.phrases import describe_diagnosis
from tests.common.test_timeline_properties import any_log, many
from tests.recording import Event, encode_events, make_event, make_tool_call

Load = Callable[..., Any]


class Judged(NamedTuple):
    """What is found of a session, with the numbers of the steps."""

    kind: DiagnosisKind
    step: int | None
    decision: int | None
    evidence: list[int]
    says: str


def judged(found: Timeline) -> Judged:
    causes = CauseGraph(found)
    answer: Diagnosis = diagnose(found, causes)
    number = {None: None, **causes.step_numbers}
    evidence = [causes.step_numbers[step] for step in answer.evidence]
    return Judged(
        answer.kind, number[answer.step], number[answer.decision], evidence, describe_diagnosis(answer, found)
    )


class Told:
    """A session told step by step; each follows from the one before."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._numbers = count(1)
        self.add("session_start", {"goal": "do it"})

    def add(self, kind: str, payload: dict[str, Any] | None = None, agent: str = "agent", **context: Any) -> "Told":
        number = next(self._numbers)
        parent = {"parent_event_id": f"evt_{number - 1}"} if number > 1 else {}
        self.events.append(
            make_event(number, kind, payload=payload or {}, agent_id=agent, context={**parent, **context})
        )
        return self

    def calls(self, tool: str, given: Any = 1, *, error: Any = None, output: Any = "ok") -> "Told":
        return self.add("tool_call", {"tool": tool, "input": given, "output": output, "error": error})

    def ends(self, status: str = "failed", **payload: Any) -> "Told":
        return self.add("session_end", {"status": status, **payload})


@pytest.fixture
def judge(load: Load) -> Callable[[Told], Judged]:
    return lambda told: judged(load("sess_1", content=encode_events(told.events)).timeline)


Judge = Callable[[Told], Judged]


@pytest.mark.parametrize(
    ("session", "kind", "step", "decision"),
    [
        ("sess_invoice_847", DiagnosisKind.LOOP, 12, 12),
        ("sess_billing_3320", DiagnosisKind.LOOP, 4, 3),
        ("sess_coding_1108", DiagnosisKind.LOOP, 15, 10),
        ("sess_crashed", DiagnosisKind.OPEN_CALL, 14, 13),
        ("sess_hostile", DiagnosisKind.ERROR, 21, 19),
        ("sess_support_4144", DiagnosisKind.UNKNOWN, 12, None),
        ("sess_invoice_ok", DiagnosisKind.NOTHING, None, None),
    ],
)
def test_the_storys_sessions_went_wrong_where_it_tells_so(
    sessions: dict[str, Any], session: str, kind: DiagnosisKind, step: int | None, decision: int | None
) -> None:
    found = judged(sessions[session].timeline)
    assert (found.kind, found.step, found.decision) == (kind, step, decision)


def test_no_other_session_of_the_story_went_wrong(sessions: dict[str, Any]) -> None:
    kinds = {name: judged(loaded.timeline).kind for name, loaded in sessions.items()}
    bad = {name for name, kind in kinds.items() if kind is not DiagnosisKind.NOTHING}
    assert bad == {
        *("sess_invoice_847", "sess_billing_3320", "sess_coding_1108"),
        *("sess_crashed", "sess_hostile", "sess_support_4144"),
    }


def test_the_runaway_invoice_is_told_with_its_evidence(sessions: dict[str, Any]) -> None:
    found = judged(sessions["sess_invoice_847"].timeline)
    assert found.evidence == [10, *range(13, 176)]
    says = "a loop: stripe.create_invoice failed 164 times: rate_limit; every 0.55 s for 1 m 33 s"
    assert found.says == f"{says}, and never succeeded after"


def test_a_limit_that_ends_a_session_is_no_cause_but_the_loop_before_it(judge: Judge) -> None:
    told = Told().calls("a.find")
    for _ in range(6):
        told.add("decision", {"action": "again"}).calls("a.build", error="E1: no")
    found = judge(told.calls("a.find").ends(error="step_limit: 20 steps"))
    assert (found.kind, found.step, found.evidence) == (DiagnosisKind.LOOP, 4, [4, 6, 8, 10, 12, 14])


def test_a_loop_of_several_calls_is_found_by_the_one_that_fails(judge: Judge) -> None:
    told = Told()
    for round_ in range(5):
        told.calls("edit", round_).calls("shell", "lint").calls("shell", "test", error="exit 1").calls("view", round_)
    found = judge(told.ends(error="budget exceeded"))
    assert (found.kind, found.step, len(found.evidence)) == (DiagnosisKind.LOOP, 4, 5)


def test_going_in_circles_without_an_error_is_a_loop_too(judge: Judge) -> None:
    told = Told().add("decision", {"action": "look around"})
    for _ in range(4):
        told.calls("a.list", 1).calls("a.get", 2)
    found = judge(told.ends(error="deadline_exceeded: 10 m"))
    assert (found.kind, found.step, found.decision, len(found.evidence)) == (DiagnosisKind.LOOP, 3, 2, 8)
    assert "a.list, a.get, 4 rounds" in found.says


def test_pages_that_are_read_one_by_one_are_no_loop(judge: Judge) -> None:
    told = Told()
    for page in range(20):
        told.calls("a.list", page, output=f"page {page}")
    found = judge(told.calls("a.write", error="E7: disk full").ends(error="E7: disk full"))
    assert (found.kind, found.step) == (DiagnosisKind.ERROR, 22)


def test_a_deadline_without_a_failure_points_at_what_took_the_calls(judge: Judge) -> None:
    told = Told()
    for page in range(20):
        told.calls("a.list", page, output=f"page {page}")
    found = judge(told.ends(error="deadline_exceeded"))
    assert (found.kind, found.step, len(found.evidence)) == (DiagnosisKind.LONG_RUN, 2, 20)


def test_failures_that_were_made_good_are_no_cause(judge: Judge) -> None:
    told = Told()
    for _ in range(6):
        told.calls("a.build", error="E1: no")
    found = judge(told.calls("a.build").calls("b.send", error="E2: refused").ends())
    assert (found.kind, found.step) == (DiagnosisKind.ERROR, 9)
    assert found.says == "b.send failed: E2: refused; nothing succeeded after it"


def test_what_is_answered_instead_of_an_error_counts_as_one(judge: Judge) -> None:
    found = judge(Told().calls("a").calls("b", output="Error: no seats left").ends())
    assert (found.kind, found.step) == (DiagnosisKind.ERROR, 3)
    assert "b failed: no seats left" in found.says


def test_a_delegation_that_failed_leads_to_what_failed_in_the_sub_agent(load: Load) -> None:
    events = [
        make_event(1, "session_start"),
        make_event(2, "delegation", payload={"to_agent_id": "sub"}, context={"parent_event_id": "evt_1"}),
        make_tool_call(3, "web.find", agent_id="sub", error="quota: gone", context={"parent_event_id": "evt_2"}),
        make_event(
            4,
            "delegation_result",
            payload={"from_agent_id": "sub", "error": "gave up"},
            context={"parent_event_id": "evt_2"},
        ),
        make_event(5, "session_end", payload={"status": "failed"}),
    ]
    found = judged(load("sess_1", content=encode_events(events)).timeline)
    assert (found.kind, found.step, found.evidence) == (DiagnosisKind.ERROR, 3, [3, 4])


def test_a_session_that_only_talked_is_told_so(judge: Judge) -> None:
    told = Told().add("user_message", {"text": "hi"}, "user").add("agent_message", {"text": "what is your id"})
    found = judge(told.add("user_message", {"text": "never mind"}, "user").ends())
    assert (found.kind, found.step) == (DiagnosisKind.NO_ACTION, 3)


def test_handing_over_to_a_person_is_an_early_end(judge: Judge) -> None:
    found = judge(Told().calls("a.find").calls("transfer_to_human_agents").ends())
    assert (found.kind, found.step) == (DiagnosisKind.HANDED_OVER, 3)


def test_a_failure_before_it_handed_over_is_why_it_did(judge: Judge) -> None:
    found = judge(Told().calls("a.find").calls("a.book", error="E1: full").calls("transfer_to_human_agents").ends())
    assert (found.kind, found.step) == (DiagnosisKind.ERROR, 3)


def test_a_failure_that_was_never_made_good_is_named_with_doubt(judge: Judge) -> None:
    found = judge(Told().calls("a.book", error="E1: full").calls("b.note").ends())
    assert (found.kind, found.step) == (DiagnosisKind.NEVER_MADE_GOOD, 2)


def test_a_session_that_failed_without_a_cause_is_told_so(judge: Judge) -> None:
    found = judge(Told().calls("a.find").calls("a.book").ends())
    assert found.kind is DiagnosisKind.UNKNOWN
    assert found.says.startswith("unknown: it failed, and no step shows why")


def test_what_the_end_itself_says_is_told(judge: Judge) -> None:
    found = judge(Told().calls("a.find").ends(error="operator: wrong customer"))
    assert (found.kind, found.step) == (DiagnosisKind.END, 3)
    assert "operator: wrong customer" in found.says


def test_a_session_without_an_end_is_not_said_to_have_failed(judge: Judge) -> None:
    found = judge(Told().calls("a.find"))
    assert (found.kind, found.step) == (DiagnosisKind.NO_END, 2)


def test_a_loop_that_still_goes_on_is_found(judge: Judge) -> None:
    told = Told().calls("a.find").add("decision", {"action": "do it"})
    for _ in range(9):
        told.calls("a.send", error="E1: busy")
    found = judge(told)
    assert (found.kind, found.step, found.decision) == (DiagnosisKind.LOOP, 4, 3)


@many
@given(any_log())
def test_whatever_was_recorded_an_answer_is_given_and_its_steps_are_the_sessions(log: list[Record]) -> None:
    found = build_timeline("s", log)
    if found.steps:
        answer = judged(found)
        assert answer.says
        assert set(answer.evidence) <= set(range(1, len(found.steps) + 1))
        assert answer.kind is not DiagnosisKind.NOTHING


def test_an_empty_answer_is_never_given(judge: Judge) -> None:
    for status in ("failed", "cancelled", "timeout", "", "succeeded"):
        assert judge(Told().ends(status)).says
    assert judge(Told()).kind is DiagnosisKind.NO_END
