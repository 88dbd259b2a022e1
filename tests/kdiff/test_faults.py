"""Known faults: one is put into a session, and the decisive divergence names it."""

import copy

import pytest

NAMES = [
    "sess_invoice_ok",
    "sess_refund_5536",
    "sess_support_4135",
    "sess_coding_1079",
    "sess_coding_1083",
    "sess_research_2204",
]


@pytest.fixture(params=NAMES)
def session(request, story_sessions):
    """A session of the story in the order of time, without started calls."""
    own = [event for event in story_sessions[request.param] if event["event_type"] != "call_started"]
    return sorted(own, key=lambda event: event["timestamp"])


def _call(events, changing):
    """Return the index of a successful call in the middle that is made once; `changing` is preferred, not required."""
    verbs = ("create", "send", "refund", "move", "replace", "commit", "push", "hold", "finalize")
    calls = [n for n, e in enumerate(events) if e["event_type"] == "tool_call" and not e["payload"].get("error")]
    once = [n for n in calls if sum(_same(events[n], events[m]) for m in calls) == 1]
    fitting = [n for n in once if any(v in events[n]["payload"]["tool"] for v in verbs) is changing] or once
    return fitting[len(fitting) // 2]


def _same(a, b):
    return all(a["payload"].get(name) == b["payload"].get(name) for name in ("tool", "input"))


def _id(group):
    return group.step.event.event_id if group is not None else None


@pytest.mark.parametrize("changing", [True, False])
def test_a_changed_argument_is_named(session, compare_events, rename_session, changing):
    at, other = _call(session, changing), rename_session(session)
    other[at]["payload"]["input"] = {**(other[at]["payload"]["input"] or {}), "fault": "something else"}
    found = compare_events(session, other).decisive
    assert (found.kind, _id(found.a), _id(found.b)) == ("changed", session[at]["event_id"], other[at]["event_id"])
    assert [change.path for change in found.changes] == ["payload.input.fault"]


@pytest.mark.parametrize("changing", [True, False])
def test_a_dropped_call_is_named_as_missing(session, compare_events, rename_session, changing):
    at, other = _call(session, changing), rename_session(session)
    del other[at]
    found = compare_events(session, other).decisive
    assert (found.kind, _id(found.a), found.b) == ("missing", session[at]["event_id"], None)


def test_another_tool_in_a_calls_place_is_named(session, compare_events, rename_session):
    at, other = _call(session, True), rename_session(session)
    other[at]["payload"]["tool"] = "ledger.other"
    found = compare_events(session, other).decisive
    assert (found.kind, _id(found.a), _id(found.b)) == ("changed", session[at]["event_id"], other[at]["event_id"])


def _detour(other, at, tool):
    for number in range(3):
        step = copy.deepcopy(other[at])
        step |= {"event_id": f"evt_detour_{number}", "payload": {"tool": tool, "input": {"n": number}, "output": "ok"}}
        other.insert(at + number, step)


def test_a_detour_that_changes_state_is_named(session, compare_events, rename_session):
    at, other = _call(session, True), rename_session(session)
    _detour(other, at, "cards.charge")
    found = compare_events(session, other).decisive
    assert (found.kind, _id(found.b)) == ("extra", "evt_detour_0")


def test_a_detour_of_reads_explains_nothing_and_stands_among_the_divergences(session, compare_events, rename_session):
    at, other = _call(session, True), rename_session(session)
    _detour(other, at, "cards.list")
    found = compare_events(session, other)
    assert found.verdict.decisive is None
    assert "extra" in found.kinds


def test_an_error_without_a_successful_retry_is_named(session, compare_events, rename_session):
    at, other = _call(session, True), rename_session(session)
    other[at]["payload"].pop("output", None)
    other[at]["payload"]["error"] = "timeout: no answer"
    found = compare_events(session, other).decisive
    assert (found.kind, _id(found.b)) == ("error", other[at]["event_id"])


@pytest.mark.parametrize("output", ["Error: no answer", {"status_code": 503}, {"exit_code": 1, "stdout": ""}])
def test_an_answer_that_failed_is_named_as_an_error(session, compare_events, rename_session, output):
    at, other = _call(session, True), rename_session(session)
    other[at]["payload"]["output"] = output
    found = compare_events(session, other).decisive
    assert (found.kind, _id(found.b)) == ("error", other[at]["event_id"])


def test_an_error_with_a_successful_retry_explains_nothing(session, compare_events, rename_session):
    at, other = _call(session, False), rename_session(session)
    failed = copy.deepcopy(other[at])
    failed["event_id"] = "evt_failed_first"
    failed["payload"].pop("output", None)
    failed["payload"]["error"] = "timeout: no answer"
    other.insert(at, failed)
    found = compare_events(session, other)
    assert [int(each.weight) for each in found.comparison.divergences] in ([], [1])


@pytest.mark.parametrize("changing", [True, False])
def test_a_loop_is_named(session, compare_events, rename_session, changing):
    at, other = _call(session, changing), rename_session(session)
    for number in range(50):
        other.insert(at + 1, {**copy.deepcopy(other[at]), "event_id": f"evt_again_{number}"})
    found = compare_events(session, other).decisive
    assert (found.kind, found.label, found.count) == ("repeated", session[at]["payload"]["tool"], 51)


@pytest.mark.parametrize("status", [None, "failed"])
def test_an_early_end_is_named(session, compare_events, rename_session, status):
    cut, other = len(session) // 2, rename_session(session)
    end = [{**other[-1], "payload": {"status": status}}] if status else []
    found = compare_events(session, other[:cut] + end).decisive
    assert (found.kind, _id(found.a), _id(found.b)) == ("ended", session[cut]["event_id"], other[cut - 1]["event_id"])


def test_the_wrong_result_of_a_sub_agent_is_named(story_sessions, compare_events, rename_session):
    session = story_sessions["sess_trip_7731"] if "sess_trip_7731" in story_sessions else _with_result(story_sessions)
    other = rename_session(session)
    at = next(n for n, event in enumerate(other) if event["event_type"] == "delegation_result")
    other[at]["payload"]["result"] = "an answer to another question"
    found = compare_events(session, other).decisive
    assert (found.kind, _id(found.b)) == ("changed", other[at]["event_id"])


def _with_result(story_sessions):
    return next(own for own in story_sessions.values() if any(e["event_type"] == "delegation_result" for e in own))


def test_the_runaway_invoice_is_explained_by_its_loop_and_the_decision_before_it(story_sessions, compare_events):
    found = compare_events(story_sessions["sess_invoice_ok"], story_sessions["sess_invoice_847"])
    assert (found.decisive.kind, found.decisive.label, found.decisive.count) == (
        "repeated",
        "stripe.create_invoice",
        164,
    )
    root = found.verdict.root_cause
    assert root is not None
    assert root.a is not None
    assert root.b is not None
    assert root.b.label.startswith("retry stripe.create_invoice at once")
    assert root.a.label.startswith("wait 2 s")
    assert [group.kind for group in found.verdict.chain][-1] == "session_end"


def test_a_changed_call_that_was_made_up_for_later_is_not_decisive(new_script, compare_events):
    a = new_script("a").calls("orders.set_address", {"to": "Rome"}).says("done").ends().events
    b = (
        new_script("b")
        .calls("orders.get", {"n": 1})
        .says("wait")
        .calls("orders.set_address", {"to": "Rome"})
        .ends()
        .events
    )
    found = compare_events(a, b)
    assert found.verdict.decisive is None or int(found.decisive.weight) < 3


def test_when_nothing_that_was_done_differs_no_cause_is_named(new_script, compare_events):
    a = new_script("a").calls("orders.create", {"n": 1}).says("The total is 40.").ends("succeeded").events
    b = new_script("b").calls("orders.create", {"n": 1}).says("Good bye!").ends("failed").events
    found = compare_events(a, b)
    assert found.verdict.decisive is None
    assert "no cause can be named" in found.verdict.note


def test_a_call_that_never_returned_is_named(new_script, compare_events):
    a = new_script("a").calls("orders.create", {"n": 1}).ends().events
    b = new_script("b").add(
        "call_started", {"call_id": "x", "call_type": "tool_call", "tool": "orders.create", "input": {"n": 1}}
    )
    found = compare_events(a, b.ends("failed").events).decisive
    assert (found.kind, found.label) == ("error", "orders.create")


def test_the_root_is_the_message_that_first_offered_what_was_then_booked_not_the_one_that_confirmed_it(
    new_script, compare_events
):
    def run(name, offered, flights):
        own = new_script(name).calls("flights.search", {"to": "EWR"}, ["HAT110", "HAT172"]).says(offered)
        offer = own.events[-1]["event_id"]
        own.add("user_message", {"text": "Take it."}, agent="user")
        own.says(f"You want {' and '.join(flights)}. Shall I go ahead?").add("user_message", {"text": "Yes."})
        return own.calls("flights.book", {"flights": flights}).ends().events, offer

    a, _ = run("a", "The cheapest is HAT110 and HAT172.", ["HAT110", "HAT172"])
    b, offer = run("b", "I can offer you HAT004 and HAT142, which are the cheapest.", ["HAT004", "HAT142"])
    found = compare_events(a, b)
    assert found.decisive.label == "flights.book"
    assert _id(found.verdict.root_cause.b) == offer


@pytest.mark.parametrize(("rounds_a", "rounds_b"), [(2, 3), (2, 4), (3, 2), (1, 3)])
def test_more_waits_before_a_poll_explain_nothing(new_script, compare_events, rounds_a, rounds_b):
    def run(name, rounds):
        script = new_script(name)
        for answer in [*["running"] * rounds, "done"]:
            script.calls("sleep", {"seconds": 5}, "ok").calls("get_job", {"job": "j1"}, answer)
        return script.calls("notify", {"text": "x"}, "ok").ends().events

    found = compare_events(run("a", rounds_a), run("b", rounds_b))
    assert found.verdict.decisive is None
    assert found.kinds != []
