"""A poll that took longer, with waits between its reads, and ended alike explains nothing."""

import pytest

from kdiff.judge.verdict import VerdictKind
from tests.kdiff.conftest import SessionScript

WAITS = {
    "shell": ("bash", {"command": "sleep 30"}, ""),
    "tool": ("sleep", {"seconds": 5}, "ok"),
    "screen": ("computer", {"action": "wait", "duration": 2}, "ok"),
}


def write_polls(name, wait, *polls, job="j1"):
    """Write a session that reads a job until it is done, waits between the reads, and then says so."""
    script = SessionScript(name).add("session_start", {"goal": "say when it is done"})
    for answers in polls:
        for number, answer in enumerate(answers):
            if number:
                script.calls(*WAITS[wait])
            script.calls("get_job", {"job": job}, {"state": answer})
        script.calls("notify", {"text": "done"})
    return script.ends().events


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("rounds", [(0, 1), (0, 3), (1, 2), (1, 3), (2, 3), (1, 5), (3, 12)])
def test_more_rounds_of_polling_decide_nothing(compare_events, wait, rounds):
    a, b = (write_polls(name, wait, ["runs"] * n + ["done"]) for name, n in zip("ab", rounds, strict=True))
    for outcome in (compare_events(a, b), compare_events(b, a)):
        assert outcome.verdict.kind is VerdictKind.DIFFERENT
        assert outcome.verdict.decisive is None


@pytest.mark.parametrize("wait", WAITS)
def test_what_a_poll_answered_on_its_way_makes_no_difference(compare_events, wait):
    a = write_polls("a", wait, ["1 %", "50 %", "done"], ["3 %", "done"])
    b = write_polls("b", wait, ["7 %", "80 %", "done"], ["9 %", "done"])
    assert compare_events(a, b).verdict.kind is VerdictKind.SAME


@pytest.mark.parametrize("wait", WAITS)
def test_another_end_of_a_poll_or_another_thing_polled_is_a_difference(compare_events, wait):
    a = write_polls("a", wait, ["runs", "runs", "done"])
    assert compare_events(a, write_polls("b", wait, ["runs", "failed"])).decisive.label == "get_job"
    assert compare_events(a, write_polls("b", wait, ["runs", "runs", "done"], job="j2")).decisive.label == "get_job"


def test_a_longer_wait_decides_nothing(compare_events):
    a = write_polls("a", "tool", ["runs", "done"])
    b = write_polls("b", "shell", ["runs", "done"])
    assert compare_events(a, b).verdict.decisive is None


def test_changes_of_state_with_waits_between_them_are_counted(compare_events):
    def write(name, times):
        script = SessionScript(name).add("session_start", {"goal": "order"})
        for _ in range(times):
            script.calls("create_order", {"article": 1}).calls(*WAITS["shell"])
        return script.ends().events

    assert compare_events(write("a", 2), write("b", 3)).decisive.label == "create_order"
