"""How sure `kshark why` is: sure of what the end shows, and otherwise a list of candidates, each with its reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given

from agentlog.analysis.causality import CauseGraph
from agentlog.event.event import Record
from agentlog.event.position import Moment, PositionRange
from agentlog.session.timeline import build_timeline
from kshark.why.diagnosis.diagnosis import Diagnosis, DiagnosisKind, Doubt
from kshark.why.diagnosis.rules import diagnose
from kshark.why.diagnosis.window import Window, find_window
from kshark.why.explanation import build_explanation
from kshark.why.phrases import describe_candidate, describe_diagnosis, describe_retries
from tests.common.test_timeline_properties import any_log, many
from tests.kshark.test_diagnosis import Told
from tests.recording import START_TIME, encode_events, make_call_started, make_event, make_session_end, make_tool_call

Load = Callable[..., Any]
RUNNING = {"state": "running"}


class Said(NamedTuple):
    """What is said of a session."""

    kind: DiagnosisKind
    is_sure: bool
    step: int | None
    doubt: Doubt | None
    candidates: dict[int, str]
    text: str


Judge = Callable[..., Said]


@pytest.fixture
def judge(load: Load) -> Judge:
    def judge(events: Told | list[Any], span: PositionRange | None = None) -> Said:
        told = events.events if isinstance(events, Told) else events
        loaded = load("sess_1", content=encode_events(told), span=span)
        timeline = loaded.timeline
        found: Diagnosis = diagnose(timeline, CauseGraph(timeline), find_window(timeline, loaded.covered))
        step = found.step.number if found.step is not None else None
        candidates = {each.step.number: f"{each.kind}: {describe_candidate(each)}" for each in found.candidates}
        return Said(found.kind, found.is_sure, step, found.doubt, candidates, describe_diagnosis(found, timeline))

    return judge


def poll(told: Told, times: int, *, waits: bool = False) -> Told:
    for _ in range(times):
        told.calls("job.status", {"id": 5}, output=RUNNING)
        if waits:
            told.calls("sleep", {"s": 30}, output="slept")
    return told


@pytest.mark.parametrize("waits", [False, True])
def test_a_poll_that_got_another_answer_in_the_end_is_no_loop(judge: Judge, waits: bool) -> None:
    told = poll(Told(), 6, waits=waits).calls("job.status", {"id": 5}, output={"state": "done"})
    assert judge(told.ends(error="max_steps: 14")).kind is DiagnosisKind.END


@pytest.mark.parametrize("end", ["max_steps: 8", None])
def test_a_poll_that_ended_in_a_failure_is_no_loop(judge: Judge, end: str | None) -> None:
    told = poll(Told(), 6).calls("job.status", {"id": 5}, error="the job has crashed")
    assert (judge(told.ends(error=end)).kind, judge(told).step) == (DiagnosisKind.ERROR, 8)


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("error", ["gave up", "max_steps: 14", None])
def test_a_poll_that_never_got_another_answer_is_a_loop(judge: Judge, waits: bool, error: str | None) -> None:
    found = judge(poll(Told(), 6, waits=waits).ends(error=error))
    assert (found.kind, found.is_sure, found.step) == (DiagnosisKind.LOOP, True, 2)


def test_a_poll_that_is_still_going_on_is_not_sure_to_be_stuck(judge: Judge) -> None:
    found = judge(poll(Told(), 6))
    assert (found.kind, found.doubt) == (DiagnosisKind.LOOP, Doubt.NO_END)


@pytest.mark.parametrize(
    ("tool", "inputs", "output"),
    [
        ("list", [{"page": n} for n in range(8)], []),
        ("list", [{"cursor": f"c{n}"} for n in range(8)], "ten rows"),
        ("next_page", [{}] * 8, "ok"),
        ("computer", [{"action": "scroll"}] * 8, "ok"),
        ("mail.attach", [{"mail": 1, "file": f"{n}.txt"} for n in range(8)], True),
        ("sleep", [{"s": 30}] * 8, "slept"),
        ("bash", [{"command": "sleep 30"}] * 8, ""),
        ("bash", [{"command": "sleep 30; tail -1 build.log"}] * 8, "building"),
        ("bash", [{"command": "sleep 5m && tail -1 build.log"}] * 8, "building"),
        ("wait_for", [{"selector": "#done"}] * 8, "not yet"),
    ],
)
def test_pages_and_waits_are_no_loop(judge: Judge, tool: str, inputs: list[Any], output: Any) -> None:
    told = Told()
    for each in inputs:
        told.calls(tool, each, output=output)
    found = judge(told.ends(error="wrong answer"))
    assert (found.kind, found.is_sure) == (DiagnosisKind.END, False)


@pytest.mark.parametrize("end", ["gave the wrong answer", "max_steps: 7"])
def test_retries_that_succeeded_in_the_end_are_no_loop(judge: Judge, end: str) -> None:
    told = Told()
    for _ in range(5):
        told.calls("api.post", {"id": 1}, error="503: busy")
    assert judge(told.calls("api.post", {"id": 1}).ends(error=end)).kind is DiagnosisKind.END


def test_another_command_of_the_shell_does_not_end_a_loop(judge: Judge) -> None:
    told = Told()
    for _ in range(5):
        told.calls("bash", {"command": "make test"}, error="exit 2").calls("bash", {"command": "ls"})
    found = judge(told.ends())
    assert (found.kind, found.is_sure, found.step) == (DiagnosisKind.LOOP, True, 2)


def test_failures_that_differ_in_call_and_error_are_no_loop_for_sure(judge: Judge) -> None:
    told = Told()
    for n, command in enumerate(("make", "cmake -B build", "apt-get install llvm", "ninja", "pip install lit")):
        told.calls("bash", {"command": command}, error=f"exit {n}: {command} can't do this")
    found = judge(told.ends(error="max iterations (5) reached"))
    assert (found.kind, found.doubt) == (DiagnosisKind.LOOP, Doubt.VARIED)


def test_a_failure_after_which_it_answered_otherwise_proves_nothing(judge: Judge) -> None:
    told = Told().calls("search", "capital", error="timeout").add("agent_message", {"text": "The capital is Berlin."})
    found = judge(told.ends())
    assert (found.kind, found.doubt, list(found.candidates)) == (DiagnosisKind.ERROR, Doubt.ANSWERED, [2])
    assert found.text.endswith("but the session ended with an answer of its own")


@pytest.mark.parametrize(
    ("answer", "is_sure"),
    [
        ("Sorry, I couldn't send the invoice: the server rejected it.", True),
        ("smtp: 550 rejected, so nothing was sent; I can't do more.", True),
        ("I have sent the invoice.", False),
        ("Sorry, I couldn't find your address.", False),
        ("The invoice failed to send. Let me write it anew.", False),
    ],
)
def test_an_answer_that_admits_the_failure_makes_sure(judge: Judge, answer: str, is_sure: bool) -> None:
    told = Told().calls("invoice.send", {"id": 1}, error="smtp: 550 rejected").add("agent_message", {"text": answer})
    found = judge(told.ends())
    assert (found.kind, found.step, found.is_sure) == (DiagnosisKind.ERROR, 2, is_sure)


@pytest.mark.parametrize(
    "end",
    [
        "pay.charge: card declined",
        "the card was declined",
        "could not do pay.charge",
        "nothing was charged: card declined",
    ],
)
def test_what_the_end_speaks_of_is_the_failure_though_other_calls_came_after_it(judge: Judge, end: str) -> None:
    told = Told().calls("pay.charge", {"id": 1}, error="card declined").calls("note.add").calls("lint", error="E501")
    found = judge(told.ends(error=end))
    assert (found.kind, found.step, found.is_sure) == (DiagnosisKind.ERROR, 2, True)
    assert found.text == "pay.charge failed: card declined; the end speaks of it"


@pytest.mark.parametrize("last", [None, "Thanks anyway, bye"])
def test_an_answer_that_admits_a_failure_in_the_middle_makes_sure(judge: Judge, last: str | None) -> None:
    told = Told().calls("seats.book", {"id": 1}, error="E1: full").calls("seats.list", {"id": 1})
    told.add("agent_message", {"text": "Sorry, I couldn't book your seats: full (E1)."})
    if last is not None:
        told.add("user_message", {"text": last}, "user")
    found = judge(told.ends())
    assert (found.kind, found.step, found.is_sure) == (DiagnosisKind.ERROR, 2, True)


def test_the_end_does_not_speak_of_a_failure_that_was_made_good(judge: Judge) -> None:
    told = Told().calls("pay.charge", {"id": 1}, error="card declined").calls("pay.charge", {"id": 1})
    found = judge(told.ends(error="pay.charge: card declined"))
    assert (found.kind, found.is_sure) == (DiagnosisKind.END, False)
    assert found.candidates[3].startswith("named_by_end")


@pytest.mark.parametrize(
    ("error", "end"),
    [
        ("no", "the customer isn't interested now"),
        ("failed", "the order failed to please"),
        ("429", "order 84290 was never confirmed"),
        ("not found", "the budget was not found acceptable by Bob"),
        ("timeout", "The plan has a timeout of two weeks, customer refused"),
        ("Error: timeout", "gate closed: timeout"),
        ("503", "room 503 was taken"),
    ],
)
def test_a_word_of_the_end_that_an_error_has_too_proves_nothing_if_calls_succeeded_later(
    judge: Judge, error: str, end: str
) -> None:
    found = judge(Told().calls("a.read", {"id": 1}, error=error).calls("b.read", {"id": 2}).ends(error=end))
    assert (found.kind, found.is_sure, found.step) == (DiagnosisKind.NEVER_MADE_GOOD, False, 2)


@pytest.mark.parametrize(
    ("error", "end"),
    [
        ("timeout", "timeout"),
        ("503", "the answer was 503"),
        ("Error: out of stock", "it is out of stock."),
        ("not found", "user not found"),
    ],
)
def test_one_word_of_the_end_is_enough_if_nothing_succeeded_after_the_failure(
    judge: Judge, error: Any, end: str
) -> None:
    found = judge(Told().calls("b.read").calls("a.read", {"id": 1}, error=error).ends(error=end))
    assert (found.kind, found.is_sure, found.step) == (DiagnosisKind.ERROR, True, 3)


@pytest.mark.parametrize(
    ("error", "end"),
    [("rate_limit", "rate_limit"), ("E7", "the import ended in E7"), ("overdrawn account", "x: overdrawn account")],
)
def test_a_code_or_a_phrase_of_the_end_is_enough_though_other_calls_came_after_the_failure(
    judge: Judge, error: str, end: str
) -> None:
    found = judge(Told().calls("a.read", {"id": 1}, error=error).calls("b.read").ends(error=end))
    assert (found.is_sure, found.step) == (True, 2)


@pytest.mark.parametrize(
    "end", ["s3.get was denied access to a", "access denied: could not get key-a", "s3.get: access denied"]
)
def test_of_two_calls_with_one_error_the_end_speaks_of_the_one_that_it_names(judge: Judge, end: str) -> None:
    told = Told().calls("s3.get", {"key": "key-a"}, error="access denied")
    told.calls("gcs.get", {"key": "key-b"}, error="access denied").calls("log.write")
    found = judge(told.ends(error=end))
    assert (found.kind, found.is_sure, found.step) == (DiagnosisKind.ERROR, True, 2)


def test_an_answer_that_repeats_an_error_without_the_word_error_admits_it(judge: Judge) -> None:
    told = Told().calls("shop.buy", {"sku": 1}, output="Error: out of stock")
    found = judge(told.add("agent_message", {"text": "Sorry, it is out of stock."}).ends())
    assert (found.kind, found.is_sure, found.step) == (DiagnosisKind.ERROR, True, 2)


def test_a_loop_that_the_session_left_is_not_sure_though_the_end_has_its_error_in_passing(judge: Judge) -> None:
    told = Told()
    for _ in range(5):
        told.calls("poll.status", {"id": 1}, error="timeout")
    told.calls("b.read", {"p": "q"}).calls("pay.card", {"v": 1}, output={"declined": True})
    found = judge(told.ends(error="card declined; a timeout of 3 days applies"))
    assert (found.kind, found.doubt) == (DiagnosisKind.LOOP, Doubt.WENT_ON)
    assert not {3, 4, 5, 6} & set(found.candidates)


def test_what_is_said_of_a_loop_and_of_its_first_call_is_not_said_twice(load: Load) -> None:
    told = Told().calls("edit", {"path": "a.c"}, error="E1: no match").calls("edit", {"path": "a.c"})
    for _ in range(5):
        told.calls("edit", {"path": "a.c"}, error="E1: no match")
    timeline = load("sess_1", content=encode_events(told.ends().events)).timeline
    of_step, of_loop = build_explanation(timeline, timeline.steps[1]), build_explanation(timeline, None)
    assert of_step.consequences is not None
    assert describe_retries(of_step.consequences, of_step.diagnosis) == "tried again 1 time, the last succeeded"
    assert of_loop.diagnosis is not None
    assert of_loop.diagnosis.kind is DiagnosisKind.LOOP
    assert of_loop.consequences is not None
    assert of_loop.consequences.retries
    assert describe_retries(of_loop.consequences, of_loop.diagnosis) == ""


def test_a_circle_in_a_session_that_was_cancelled_may_have_been_wanted(judge: Judge) -> None:
    told = Told()
    for _ in range(12):
        told.calls("print.label", {}, output="printed")
    found = judge(told.ends("cancelled"))
    assert (found.kind, found.doubt) == (DiagnosisKind.LOOP, Doubt.CANCELLED)


@pytest.mark.parametrize(
    ("seconds", "pace"),
    [([1, 2, 3, 4, 6], "every 1.0 s for 5."), ([1, 2, 4, 8, 16], "api.post failed 5 times: 429; in 15.")],
)
def test_a_loop_has_a_pace_only_if_its_calls_came_evenly(judge: Judge, seconds: list[int], pace: str) -> None:
    calls = [make_tool_call(each + 1, "api.post", input={"id": 1}, error="429") for each in seconds]
    end = make_event(30, "session_end", payload={"status": "failed"})
    assert pace in judge([make_event(1, "session_start"), *calls, end]).text


def test_an_end_that_speaks_of_something_else_leaves_doubt(judge: Judge) -> None:
    found = judge(Told().calls("lint.run", error="E501").ends(error="operator: wrong customer"))
    assert (found.kind, found.doubt) == (DiagnosisKind.ERROR, Doubt.OTHER_END)


def test_a_limit_that_cut_it_off_after_a_failure_leaves_doubt(judge: Judge) -> None:
    found = judge(Told().calls("a.get").calls("b.get", error="E4: no").ends(error="max iterations (3) reached"))
    assert (found.kind, found.doubt) == (DiagnosisKind.ERROR, Doubt.LIMIT)


def test_a_limit_with_progress_all_the_way_blames_no_step_for_sure(judge: Judge) -> None:
    told = Told()
    for n in range(9):
        told.calls("bash", {"command": f"build {n}"}, output=f"built {n}")
    found = judge(told.add("error", {"type": "step_limit", "message": "9 steps"}).ends(error="step_limit"))
    assert not found.is_sure


def test_a_check_that_says_no_is_an_answer(judge: Judge) -> None:
    told = Told().calls("bash", {"command": "test -f notes.txt"}, error="exit code 1").calls("write", {"path": "notes"})
    assert judge(told.ends()).kind is DiagnosisKind.UNKNOWN
    last = Told().calls("fs.exists", {"path": "notes"}, error="not found").ends()
    assert judge(last).doubt is Doubt.CHECK
    done = Told().calls("bash", {"command": "ls /nope"}, error="ls: cannot access '/nope'").ends("succeeded")
    assert judge(done).text == "nothing: it succeeded; 1 call failed on the way"


@pytest.mark.parametrize(
    "error", ["CancelledError", "asyncio.CancelledError: stop", "context canceled", {"type": "AbortError"}, "cancelled"]
)
@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_cancelled_call_is_no_failure(judge: Judge, error: Any, status: str) -> None:
    found = judge(Told().calls("a.get").calls("b.slow", error=error).ends(status))
    assert (found.kind, found.is_sure) == (DiagnosisKind.UNKNOWN, False)
    assert found.candidates[3].startswith("cancelled")


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_cancelled_call_is_no_success_either(judge: Judge, status: str) -> None:
    cancelled = {"tool": "a.get", "input": 1, "finish_reason": "cancelled"}
    found = judge(Told().calls("a.get", error="E1: busy").add("tool_call", cancelled).ends(status))
    assert (found.kind, found.step) == (DiagnosisKind.ERROR, 2)
    assert judge(Told().calls("b.get").add("tool_call", cancelled).ends(status)).candidates[3].startswith("cancelled")


def test_an_order_that_was_cancelled_is_a_failure_of_the_call(judge: Judge) -> None:
    assert judge(Told().calls("order.pay", error="the order is cancelled: no payment").ends()).is_sure


def test_a_success_that_swallowed_a_failure_says_so(judge: Judge) -> None:
    told = Told().calls("chat.post", {"channel": "x"}, output={"ok": False, "error": "channel_not_found"})
    found = judge(told.calls("note.add", error="busy").calls("note.add").ends("succeeded"))
    assert (found.kind, found.doubt, list(found.candidates)) == (DiagnosisKind.NOTHING, Doubt.SWALLOWED, [2])
    assert found.text.startswith("it succeeded by its own word, but chat.post never went through: ")


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ({"error": "could not save the file"}, "its end says: could not save the file"),
        ({"result": "Error: nothing was saved"}, "its end says: Error: nothing was saved"),
        ({"result": {"success": False, "message": "disk full"}}, "its end says: success false: disk full"),
    ],
)
def test_a_success_whose_end_says_what_went_wrong_is_not_sure(judge: Judge, end: dict[str, Any], says: str) -> None:
    told = Told().calls("b.read").add("session_end", {"status": "succeeded", **end})
    found = judge(told)
    assert (found.kind, found.doubt) == (DiagnosisKind.NOTHING, Doubt.SWALLOWED)
    assert found.text == f"it succeeded by its own word, but {says}"
    assert found.candidates[3].startswith("contradiction: ")


@pytest.mark.parametrize("result", ["all 3 saved", {"saved": 3, "errors": []}, None, "no errors were found"])
def test_a_success_whose_end_says_so_is_sure(judge: Judge, result: Any) -> None:
    found = judge(Told().calls("b.read").add("session_end", {"status": "succeeded", "result": result}))
    assert (found.kind, found.is_sure, found.text) == (DiagnosisKind.NOTHING, True, "nothing: it succeeded")


def test_an_error_after_which_nothing_succeeded_leaves_a_success_in_doubt(judge: Judge) -> None:
    told = Told().calls("b.read").add("error", {"type": "X", "message": "disk full"})
    found = judge(told.ends("succeeded"))
    assert (found.doubt, list(found.candidates)) == (Doubt.SWALLOWED, [3])
    assert "disk full" in found.text
    told = Told().add("error", {"type": "X", "message": "busy"}).calls("b.read").ends("succeeded")
    assert judge(told).is_sure


def test_a_call_that_never_ended_leaves_a_success_in_doubt(judge: Judge) -> None:
    events = [make_event(1, "session_start"), make_call_started(2, "evt_9", "b.slow"), make_tool_call(4, "c.get")]
    found = judge([*events, make_session_end(5)])
    assert (found.kind, found.doubt, list(found.candidates)) == (DiagnosisKind.NOTHING, Doubt.SWALLOWED, [2])
    assert found.text == "it succeeded by its own word, but b.slow never came back"


def test_a_slow_call_that_failed_beside_others_is_the_failure(judge: Judge) -> None:
    calls = [
        make_tool_call(3, "rooms.book", input={"room": "B"}, output="ok", latency_ms=900),
        make_tool_call(4, "rooms.book", input={"room": "A"}, output="ok", latency_ms=500),
        make_tool_call(9, "rooms.book", input={"room": "A"}, error="timeout: 7 s", latency_ms=7_000),
    ]
    found = judge([make_event(1, "session_start"), *calls, make_event(10, "session_end", payload={"status": "failed"})])
    assert (found.kind, found.step, found.is_sure) == (DiagnosisKind.ERROR, 2, True)


def test_a_sub_agent_that_failed_while_the_others_went_on_is_a_candidate(judge: Judge) -> None:
    def follows(number: int) -> dict[str, str]:
        return {"parent_event_id": f"evt_{number}"}

    found = judge(
        [
            make_event(1, "session_start"),
            make_event(2, "delegation", payload={"to_agent_id": "one", "task": "find A"}, context=follows(1)),
            make_event(3, "delegation", payload={"to_agent_id": "two", "task": "find B"}, context=follows(1)),
            make_tool_call(4, "web.find", agent_id="one", input="A", error="quota: gone", context=follows(2)),
            make_tool_call(5, "web.find", agent_id="two", input="B", output="B!", context=follows(3)),
            make_event(6, "delegation_result", payload={"from_agent_id": "one", "error": "no"}, context=follows(2)),
            make_event(7, "delegation_result", payload={"from_agent_id": "two", "result": "B"}, context=follows(3)),
            make_event(8, "agent_message", payload={"text": "A is 1, B is 2"}),
            make_event(9, "session_end", payload={"status": "failed"}),
        ]
    )
    assert (found.kind, found.step, found.is_sure) == (DiagnosisKind.NEVER_MADE_GOOD, 4, False)
    assert set(found.candidates) >= {4, 6}


def test_a_model_that_was_refused_at_the_end_is_the_cause_and_one_that_recovered_is_none(judge: Judge) -> None:
    refused = {"model": "gpt", "error": "rate_limit: 429"}
    told = Told().calls("a.get").add("llm_call", refused).add("llm_call", refused)
    assert judge(told.ends(error="RateLimitError: 429 too many requests")).is_sure
    told = Told().calls("a.get").add("llm_call", refused).add("llm_call", {"model": "gpt", "output": "It is 4."})
    assert judge(told.ends()).kind is DiagnosisKind.UNKNOWN


def test_a_user_who_gives_up_is_a_candidate_with_what_was_answered_before(judge: Judge) -> None:
    told = Told().calls("a.get").add("agent_message", {"text": "Which one?"})
    found = judge(told.add("user_message", {"text": "never mind, forget it"}, "user").ends())
    assert (found.is_sure, list(found.candidates)) == (False, [4, 3])


def test_a_call_that_never_ended_is_named_though_the_session_went_on(judge: Judge) -> None:
    events = [make_event(1, "session_start"), make_call_started(2, "evt_9", "b.slow"), make_tool_call(4, "c.get")]
    found = judge([*events, make_event(5, "session_end", payload={"status": "failed"})])
    assert (found.kind, found.doubt, found.step) == (DiagnosisKind.OPEN_CALL, Doubt.WENT_ON, 2)


@pytest.mark.parametrize(
    ("status", "says", "doubt"),
    [
        ("failed", "b.slow never came back: the session ended in it", None),
        ("cancelled", "it was cancelled while b.slow ran", Doubt.CANCELLED),
        (None, "b.slow hasn't come back: still running, or the process died meanwhile", Doubt.NO_END),
    ],
)
def test_an_open_call_is_told_by_how_the_session_ended(
    judge: Judge, status: str | None, says: str, doubt: Doubt | None
) -> None:
    events = [make_event(1, "session_start"), make_tool_call(2, "a.get"), make_call_started(3, "evt_9", "b.slow")]
    found = judge([*events, *([make_session_end(5, status)] if status else [])])
    assert (found.kind, found.text, found.doubt) == (DiagnosisKind.OPEN_CALL, says, doubt)


def end_at(second: int) -> PositionRange:
    return PositionRange(end=Moment(START_TIME + timedelta(seconds=second)))


@pytest.mark.parametrize("error", [None, "E1: busy"], ids=["circle", "failing"])
def test_nothing_is_sure_of_a_session_that_is_not_ended_by_to(judge: Judge, error: str | None) -> None:
    told = Told()
    for _ in range(6):
        told.calls("job.status", {"id": 5}, output=RUNNING, error=error)
    told.calls("job.status", {"id": 5}, output={"state": "done"}).ends("succeeded")
    found = judge(told, end_at(6))
    assert (found.kind, found.doubt) == (DiagnosisKind.LOOP, Doubt.BOUNDED)
    assert "isn't ended by --to" in found.text


def test_what_to_cuts_off_did_not_die(judge: Judge) -> None:
    events = [make_event(1, "session_start"), make_call_started(2, "evt_9", "b.slow"), make_session_end(9)]
    found = judge(events, end_at(4))
    assert (found.kind, found.doubt) == (DiagnosisKind.OPEN_CALL, Doubt.BOUNDED)
    assert found.text == "nothing is sure yet: b.slow isn't ended by --to"
    assert judge([*events[:1], make_tool_call(2), *events[2:]], end_at(4)).text.startswith("it isn't ended by --to")


def test_a_session_that_ended_before_to_is_as_sure_as_without(judge: Judge) -> None:
    told = Told().calls("a.book", error="E1: full").ends()
    assert judge(told, end_at(60)).is_sure


def test_what_was_done_before_from_may_have_been_more_than_talk(judge: Judge) -> None:
    told = Told().calls("a.get").add("agent_message", {"text": "What is your id?"}).ends()
    found = judge(told, PositionRange(start=Moment(START_TIME + timedelta(seconds=3))))
    assert found.kind is DiagnosisKind.UNKNOWN
    assert found.text.endswith("no open call; its beginning wasn't read")
    assert judge(Told().add("agent_message", {"text": "What is your id?"}).ends()).kind is DiagnosisKind.NO_ACTION


def test_a_sure_diagnosis_has_no_candidates_and_a_doubtful_one_has_some(judge: Judge) -> None:
    assert judge(Told().calls("a.book", error="E1: full").ends()).candidates == {}
    many = Told()
    for n in range(20):
        many.calls(f"tool.{n}", error=f"E{n}")
    found = judge(many.calls("a.get").ends())
    assert 1 < len(found.candidates) <= 5
    assert {2, 21} <= set(found.candidates)


@many
@given(any_log())
def test_whatever_was_recorded_only_a_sure_diagnosis_is_without_candidates_or_hints(log: list[Record]) -> None:
    timeline = build_timeline("s", log)
    if timeline.steps:
        for is_end_cut in (False, timeline.outcome is None):
            found = diagnose(timeline, CauseGraph(timeline), Window(is_end_cut=is_end_cut))
            assert found.is_sure == (found.doubt is None)
            assert not (found.is_sure and timeline.outcome is None)
            assert len({each.step for each in found.candidates}) == len(found.candidates) <= 5
            assert all(describe_candidate(each) for each in found.candidates)


LONG_ANSWER = "The plan has four parts. First we look at each invoice of the last month, and then"


def answer(told: Told, finish: str, **payload: Any) -> Told:
    return told.add("llm_call", {"model": "gpt-5", "output": LONG_ANSWER, "finish_reason": finish, **payload})


@pytest.mark.parametrize(
    ("finish", "says"),
    [
        ("length", "was cut off at the limit of its tokens"),
        ("refusal", "is a refusal of the model"),
        ("content_filter", "was stopped by a filter of the service"),
        ("incomplete", "ended before it was whole"),
    ],
)
def test_a_failed_session_whose_last_answer_is_not_whole_says_so(judge: Judge, finish: str, says: str) -> None:
    said = judge(answer(Told().calls("search"), finish).add("agent_message", {"text": "The plan is"}).ends())
    assert (said.kind, said.is_sure, said.step) == (DiagnosisKind.CUT_OFF, True, 3)
    assert said.text == f"the last answer of gpt-5 {says}; nothing was done after it"


def test_a_success_whose_last_answer_was_cut_off_says_so(judge: Judge) -> None:
    said = judge(answer(Told().calls("search"), "length").ends("succeeded"))
    assert (said.kind, said.doubt) == (DiagnosisKind.NOTHING, Doubt.SWALLOWED)
    assert "but the last answer of gpt-5 was cut off at the limit of its tokens" in said.text


@pytest.mark.parametrize(
    ("told", "finish"),
    [
        (answer(Told(), "length").calls("search"), DiagnosisKind.UNKNOWN),
        (answer(Told(), "length", output_tokens=1), DiagnosisKind.NO_ACTION),
        (answer(answer(Told(), "length"), "stop"), DiagnosisKind.NO_ACTION),
        (answer(Told(), "tool_calls"), DiagnosisKind.NO_ACTION),
        (answer(Told(), "end_of_the_world"), DiagnosisKind.NO_ACTION),
    ],
)
def test_an_answer_that_was_gone_on_from_or_is_whole_is_no_cause(
    judge: Judge, told: Told, finish: DiagnosisKind
) -> None:
    assert judge(told.ends()).kind == finish


@pytest.mark.parametrize("end", ["password length is wrong", "the refund policy was violated", "connection refused"])
def test_an_end_that_has_a_word_of_a_finish_in_it_does_not_speak_of_it(judge: Judge, end: str) -> None:
    for finish in ("length", "refusal", "content_filter"):
        said = judge(answer(Told().calls("search"), finish).ends(error=end))
        assert said.doubt == Doubt.OTHER_END


def test_a_title_that_was_cut_off_after_the_answer_was_given_is_no_sure_cause(judge: Judge) -> None:
    def told() -> Told:
        return answer(answer(Told().calls("search"), "stop").add("agent_message", {"text": "Done."}), "length")

    assert judge(told().ends()).doubt == Doubt.HINT
    assert judge(told().ends("succeeded")).doubt is None


def test_a_check_whose_tokens_nobody_recorded_is_whole_if_it_is_short(judge: Judge) -> None:
    assert judge(answer(Told(), "length", output="yes").ends()).kind == DiagnosisKind.NO_ACTION


def test_what_came_of_a_cut_answer_does_not_hide_it(judge: Judge) -> None:
    error = {"type": "JSONDecodeError", "message": "Unterminated string starting at: line 1 column 9"}
    said = judge(answer(Told(), "length").add("error", error).ends())
    assert (said.kind, said.is_sure) == (DiagnosisKind.CUT_OFF, True)
    failed = judge(answer(Told(), "length").calls("book", error="Unterminated string in arguments").ends())
    assert (failed.kind, failed.is_sure) == (DiagnosisKind.CUT_OFF, True)
    other = judge(answer(Told(), "length").calls("book", error="card declined").ends(error="card declined"))
    assert (other.kind, other.is_sure) == (DiagnosisKind.ERROR, True)


def test_a_call_that_waits_is_seen_beside_other_calls_behind_a_message_and_in_a_sub_agent(judge: Judge) -> None:
    waiting = {"tool": "pay", "input": {"x": 1}, "finish_reason": "waiting_for_approval"}
    beside = Told().add("tool_call", waiting).calls("lookup")
    behind = Told().add("tool_call", waiting).add("agent_message", {"text": "Please approve the payment."})
    inside = Told().add("delegation", {"to_agent_id": "payer", "task": "pay"}).add("tool_call", waiting, agent="payer")
    for told in (beside, behind, inside):
        assert judge(told).kind == DiagnosisKind.WAITING
    answered = Told().add("tool_call", waiting).add("user_message", {"text": "no"})
    assert judge(answered).kind == DiagnosisKind.NO_END


def test_a_cut_answer_is_not_sure_if_the_end_or_a_failed_call_speaks_against_it(judge: Judge) -> None:
    other = judge(answer(Told().calls("search"), "length").ends(error="the disk is full"))
    assert (other.kind, other.doubt) == (DiagnosisKind.CUT_OFF, Doubt.OTHER_END)
    told = judge(answer(Told().calls("search"), "length").ends(error="max_tokens reached"))
    assert told.is_sure
    assert told.text.endswith("the end speaks of it")
    failed = judge(answer(Told().calls("pay", error="declined").calls("search"), "length").ends())
    assert not failed.is_sure
    assert 4 in failed.candidates


@pytest.mark.parametrize(
    ("finish", "says"),
    [
        ("waiting_for_approval", "waits for a person's approval"),
        ("interrupted", "was paused, and wasn't called again"),
        ("queued", "is queued at the service, and wasn't fetched"),
    ],
)
def test_a_session_whose_last_call_waits_says_for_what(judge: Judge, finish: str, says: str) -> None:
    told = Told().calls("search").add("tool_call", {"tool": "mail.send", "input": 1, "finish_reason": finish})
    said = judge(told)
    assert (said.kind, said.doubt, said.step) == (DiagnosisKind.WAITING, Doubt.NO_END, 3)
    assert said.text == f"it has no end: mail.send {says}"
    assert judge(told.calls("mail.send")).kind == DiagnosisKind.NO_END
