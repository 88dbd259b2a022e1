"""Calls that run at once may end in any order; calls that follow each other may not."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdiff.judge.verdict import VerdictKind


def _run_at_once(script, calls, *, latency=900, parent="answer"):
    script.add("llm_call", {"model": "m", "output": "three at once"})
    answer = script.events[-1]["event_id"]
    for number, (tool, argument) in enumerate(calls):
        script.calls(tool, argument, {"ok": tool}, parent_event_id=answer if parent == "answer" else None)
        script.events[-1]["timestamp"] = f"2026-01-15T14:05:00.{number:03}Z"
        script.events[-1]["payload"]["latency_ms"] = latency
    return script.ends().events


CALLS = [("flights.book", 1), ("hotels.book", 1), ("hotels.book", 2), ("cars.book", 1), ("cars.book", 2)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(CALLS))
def test_the_order_of_parallel_calls_makes_no_difference(order, new_script, compare_events):
    a, b = _run_at_once(new_script("a"), CALLS), _run_at_once(new_script("b"), order)
    assert compare_events(a, b).verdict.kind is VerdictKind.SAME


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(CALLS), changed=st.sampled_from(CALLS))
def test_another_argument_among_parallel_calls_is_the_only_divergence(order, changed, new_script, compare_events):
    other = [(tool, given if (tool, given) != changed else 77) for tool, given in order]
    found = compare_events(_run_at_once(new_script("a"), CALLS), _run_at_once(new_script("b"), other))
    assert [(each.kind, each.label) for each in found.comparison.divergences] == [("changed", changed[0])]


def test_calls_that_ran_one_after_the_other_stand_in_an_order_that_counts(new_script, compare_events):
    a, b = (_run_at_once(new_script(n), calls, latency=0) for n, calls in (("a", CALLS), ("b", CALLS[::-1])))
    assert compare_events(a, b).verdict.kind is VerdictKind.DIFFERENT
