"""Differences without meaning: a session is the same as itself, and as a copy with other ids and times."""

import copy
import uuid

import pytest

from kdiff.judge.verdict import VerdictKind
from kdiff.reading.normalize import parse_ignore_rules
from kshark.story import ERASED, build_story

NAMES = sorted({record.key.decode() for record in build_story() if record.key} - {ERASED})


@pytest.mark.parametrize("name", NAMES)
def test_a_session_of_the_story_is_the_same_as_itself_and_as_its_renamed_copy(
    name, story_sessions, compare_events, rename_session
):
    for other in (story_sessions[name], rename_session(story_sessions[name])):
        found = compare_events(story_sessions[name], other)
        assert (found.verdict.kind, found.kinds) == (VerdictKind.SAME, [])


def _orders(new_script, name, orders):
    own = new_script(name).add("session_start", {"goal": "ship the orders"})
    for order in orders:
        own.calls(
            "orders.create", {"item": "book"}, {"order_id": order, "created_at": f"2026-01-15T14:00:0{len(order)}.123Z"}
        )
    for order in orders:
        own.calls("orders.ship", {"order_id": order})
    return own.ends().events


def test_an_id_stands_for_the_one_that_the_aligned_call_made(new_script, compare_events):
    found = compare_events(
        _orders(new_script, "a", ["ord_71a9", "ord_72b8"]), _orders(new_script, "b", ["ord_93c1", "ord_94d2"])
    )
    assert found.verdict.kind is VerdictKind.SAME


def test_ids_that_shift_by_one_are_still_the_same_roles(new_script, compare_events):
    found = compare_events(
        _orders(new_script, "a", ["ord_1001", "ord_1002"]), _orders(new_script, "b", ["ord_1002", "ord_1003"])
    )
    assert found.verdict.kind is VerdictKind.SAME


def test_an_id_in_the_role_of_another_is_a_difference(new_script, compare_events):
    a, b = _orders(new_script, "a", ["ord_71a9", "ord_72b8"]), _orders(new_script, "b", ["ord_93c1", "ord_94d2"])
    b[-2]["payload"]["input"]["order_id"] = "ord_93c1"
    found = compare_events(a, b)
    assert found.decisive.kind in ("changed", "repeated")
    assert found.decisive.label == "orders.ship"


def test_a_step_more_does_not_shift_the_ids_behind_it(new_script, compare_events):
    a, b = _orders(new_script, "a", ["ord_71a9", "ord_72b8"]), _orders(new_script, "b", ["ord_93c1", "ord_94d2"])
    b.insert(
        1,
        {
            **copy.deepcopy(b[1]),
            "event_id": "more",
            "payload": {"tool": "stock.get", "input": {"item": "book"}, "output": 3},
        },
    )
    found = compare_events(a, b)
    assert found.kinds == ["extra"]


def test_clocks_durations_and_random_ids_make_no_difference(new_script, compare_events):
    def run(name, second, temporary):
        given = {"idempotency_key": str(uuid.uuid4()), "amount": 10}
        answer = {
            "at": f"2026-01-15T14:00:{second}.5Z",
            "took": "1.2s",
            "file": f"/tmp/{temporary}/out.csv",
            "trace_id": name,
        }
        return new_script(name).calls("stripe.charge", given, answer).ends().events

    assert compare_events(run("a", "11", "tmpab12"), run("b", "59", "tmpzz99")).verdict.kind is VerdictKind.SAME


def test_a_duration_that_is_given_is_no_noise(new_script, compare_events):
    a, b = (
        new_script(n).calls("timer.set", {"timeout": wait}).ends().events for n, wait in (("a", "30s"), ("b", "60s"))
    )
    assert compare_events(a, b).decisive.kind == "changed"


def test_a_text_in_other_words_is_counted_and_no_divergence(new_script, compare_events):
    a = new_script("a").says("I have sent the invoice to Acme for you.").ends().events
    b = new_script("b").says("I sent the invoice to Acme for you.").ends().events
    found = compare_events(a, b)
    assert (found.kinds, found.comparison.reworded_count) == ([], 1)


@pytest.mark.parametrize(
    "other", ["I have not sent the invoice of 40 to Acme.", "I have sent the invoice of 50 to Acme."]
)
def test_another_figure_or_a_negation_is_no_other_wording(new_script, compare_events, other):
    a = new_script("a").says("I have sent the invoice of 40 to Acme.").ends().events
    assert compare_events(a, new_script("b").says(other).ends().events).kinds == ["changed"]


def test_what_a_user_ignores_makes_no_difference(new_script, compare_events):
    a = new_script("a").calls("db.insert", {"row": 1, "marker": {"x": 1}}, "version 7 of it").ends().events
    b = new_script("b").calls("db.insert", {"row": 1, "marker": {"x": 2}}, "version 8 of it").ends().events
    assert compare_events(a, b).kinds == ["changed"]
    assert (
        compare_events(a, b, parse_ignore_rules(["payload.input.marker"], [r"version \d+"])).verdict.kind
        is VerdictKind.SAME
    )


def test_sub_agents_that_ran_side_by_side_may_stand_in_any_order(new_script, compare_events):
    def run(name, order):
        own = new_script(name).add("session_start", {"goal": "ask around"})
        starts = {}
        for city in order:
            own.add("delegation", {"to_agent_id": "asker", "task": f"ask in {city}"})
            starts[city] = own.events[-1]["event_id"]
        for step in range(20):
            for city in order:
                own.calls("web.search", {"q": f"{city} {step}"}, agent="asker", parent_event_id=starts[city])
        for city in reversed(order):
            own.add("delegation_result", {"from_agent_id": "asker", "result": city}, parent_event_id=starts[city])
        return own.ends().events

    cities = ["Rome", "Oslo", "Bern", "Riga", "Cork", "Lyon", "Graz", "Pisa", "York", "Nice"]
    assert compare_events(run("a", cities), run("b", cities[::-1])).verdict.kind is VerdictKind.SAME


CHOSEN_ARGUMENTS = [
    ("duration", 30, 480), ("duration_ms", 1000, 9001), ("token", "BTC", "ETH"), ("signature", "valid", "invalid"),
    ("expires_at", "2026-03-01T10:00:00Z", "2027-03-01T10:00:00Z"), ("updated", "yes", "no"), ("updated", True, False),
    ("expires_at", 1_772_323_200, 1_803_859_200),
    ("ts", 5, 6), ("request_id", 17, 42),
]  # fmt: skip
FACTS_OF_ANSWERS = [
    ("updated", True, False), ("updated", 3, 0), ("updated", "3 rows", "0 rows"), ("modified", 1, 0),
    ("rows_updated", 3, 0), ("created", True, False), ("signature", "valid", "invalid"), ("signature", "Ann", "Bob"),
    ("token", None, "abc"), ("expires", "12/27", "12/29"), ("now", "Song A", "Song B"), ("duration", 3600, 5400),
    ("duration_ms", 215_000, 180_000), ("completed_at", None, "2026-01-15T14:00:07Z"),
]  # fmt: skip
NOISE_OF_ANSWERS = [
    ("updated", "2026-01-15T14:00:07Z", "2026-01-18T09:10:11Z"), ("created_at", 1_768_485_600, 1_768_744_800),
    ("created_at", "Thu, 15 Jan 2026 14:00:07 GMT", "Sun, 18 Jan 2026 09:10:11 GMT"), ("duration", 0.31, 1.74),
    ("duration_ms", 312, 1743), ("duration", "0.31s", "1.74s"), ("took_ms", 3, 4), ("elapsed", "3 s", "1 min 2 s"),
    ("access_token", "eyJhbGciOiJIUzI1NiJ9.e30.x1", "eyJhbGciOiJIUzI1NiJ9.e31.y2"), ("trace_id", "t1", "t2"),
    ("expires_at", 1_768_485_607, 1_768_744_811), ("updated_at", "3 minutes ago", "just now"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "a", "b"), CHOSEN_ARGUMENTS)
def test_what_a_call_is_given_under_a_volatile_name_is_compared(new_script, compare_events, name, a, b):
    sessions = [new_script(each).calls("set_up", {name: value}).ends().events for each, value in (("a", a), ("b", b))]
    assert compare_events(*sessions).verdict.kind is not VerdictKind.SAME


@pytest.mark.parametrize(("name", "a", "b"), FACTS_OF_ANSWERS)
def test_a_fact_under_a_volatile_name_is_compared(new_script, compare_events, name, a, b):
    sessions = [
        new_script(each).calls("set_up", {}, {name: value}).ends().events for each, value in (("a", a), ("b", b))
    ]
    assert compare_events(*sessions).verdict.kind is not VerdictKind.SAME


@pytest.mark.parametrize(("name", "a", "b"), NOISE_OF_ANSWERS)
def test_a_value_with_the_shape_of_a_time_or_a_credential_is_volatile(new_script, compare_events, name, a, b):
    sessions = [
        new_script(each).calls("set_up", {}, {name: value}).ends().events for each, value in (("a", a), ("b", b))
    ]
    assert compare_events(*sessions).verdict.kind is VerdictKind.SAME


@pytest.mark.parametrize("name", ["account", "amount", "isbn", "at"])
def test_a_number_in_an_argument_is_no_time(new_script, compare_events, name):
    sessions = [
        new_script("s").calls("transfer", {name: number}).ends().events for number in (1_723_456_789, 1_823_456_789)
    ]
    assert compare_events(*sessions).verdict.kind is not VerdictKind.SAME
