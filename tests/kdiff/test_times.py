"""A time that names one of several things is compared by what stood there; an agent's own clock is no difference."""

import json
from datetime import timedelta

import pytest

from kdiff.judge.verdict import VerdictKind
from tests.kdiff.conftest import START_TIME, SessionScript

BEFORE = timedelta(hours=1, seconds=11)
STEP = timedelta(minutes=7, seconds=23)
FORMS = {
    "iso": lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "iso with milliseconds": lambda time: time.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
    "iso with an offset": lambda time: time.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    "slack": lambda time: f"{time.timestamp():.6f}",
    "seconds": lambda time: int(time.timestamp()),
    "milliseconds": lambda time: int(time.timestamp() * 1000),
    "text of seconds": lambda time: str(int(time.timestamp())),
}


def make_times(form, *, run=0, count=3):
    """Make the times of things that were made before a session; another run's world has others."""
    return [FORMS[form](START_TIME - BEFORE + n * STEP + run * timedelta(seconds=41)) for n in range(count)]


def read_rows(script, times):
    rows = [{"ts": time, "text": f"note {'abc'[n]}"} for n, time in enumerate(times)]
    script.calls("list_messages", {}, rows)


def read_alike(script, times):
    script.calls("list_versions", {}, {"versions": [{"created_at": time} for time in times]})


def read_under_any_name(script, times):
    script.calls("list_versions", {}, [{"v": time, "by": "ann"} for time in times])


def read_bare_list(script, times):
    script.calls("list_snapshots", {}, {"snapshots": times})


def read_json_text(script, times):
    script.calls("history", {}, json.dumps({"messages": [{"ts": time, "text": "hi"} for time in times]}))


def read_text(script, times):
    script.calls("bash", {"command": "list-checkpoints"}, "\n".join(f"{time} good" for time in times))


def read_each(script, times):
    for n, time in enumerate(times):
        script.calls("get_message", {"n": n}, {"ts": time})


def make_each(script, times):
    for n, time in enumerate(times):
        script.calls("chat_post", {"text": f"hello {'abc'[n]}"}, {"ok": True, "ts": time})


def hear(script, times):
    script.add("user_message", {"text": f"The versions are {', '.join(map(str, times))}."}, agent="user")


READS = [
    read_rows, read_alike, read_under_any_name, read_bare_list, read_json_text, read_text, read_each, make_each, hear,
]  # fmt: skip
ACTS = {
    "member": lambda time: ("chat_delete", {"channel": "C1", "ts": time}),
    "deep": lambda time: ("restore", {"target": {"checkpoint": time}, "dry_run": False}),
    "list": lambda time: ("delete_versions", {"versions": [time]}),
    "url": lambda time: ("http.request", {"method": "DELETE", "url": f"https://x.example/versions/{time}?force=1"}),
    "text": lambda time: ("restore", f"checkpoint {time}"),
    "json text": lambda time: ("restore", json.dumps({"checkpoint": time})),
}


def write_session(name, form, read, act, targets, *, run=0):
    script = SessionScript(name).add("session_start", {"goal": "put it right"})
    times = make_times(form, run=run)
    read(script, times)
    for target in targets:
        script.calls(*ACTS[act](times[target]))
    return script.ends().events


@pytest.mark.parametrize("run", [0, 1], ids=["same times", "other times"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("read", READS)
def test_a_call_about_another_time_that_was_read_is_decisive(compare_events, read, form, run):
    for act in ACTS if run else ["member"]:
        a = write_session("a", form, read, act, [0, 2])
        assert compare_events(a, write_session("b", form, read, act, [0, 2], run=run)).verdict.kind is VerdictKind.SAME
        outcome = compare_events(a, write_session("b", form, read, act, [0, 1], run=run))
        assert outcome.decisive.label == ACTS[act](0)[0], act


@pytest.mark.parametrize("form", FORMS)
def test_the_clock_of_a_call_makes_no_difference_though_answers_repeat_it(compare_events, form):
    def write(name, delay):
        script = SessionScript(name).add("session_start", {"goal": "log it"})
        for n in range(4):
            second = n // 2 if delay else n  # in one of the runs, two calls fall into one second
            time = FORMS[form](START_TIME + delay + timedelta(seconds=1 + second))
            script.calls("write_log", {"at": time, "line": f"did {'abcd'[n]}"}, {"logged_at": time})
        return script.ends().events

    late = write("b", timedelta(seconds=20))
    assert compare_events(write("a", timedelta()), late).verdict.kind is VerdictKind.SAME
    assert compare_events(late, write("a", timedelta())).verdict.kind is VerdictKind.SAME


@pytest.mark.parametrize("form", FORMS)
def test_a_time_that_nobody_had_read_is_another_thing_than_one_that_was(compare_events, form):
    def write(name, target):
        script = SessionScript(name).add("session_start", {"goal": "restore it"})
        read_rows(script, make_times(form))
        return script.calls("restore", {"checkpoint": target}).ends().events

    known, made_up = make_times(form)[0], make_times(form, run=3)[0]
    assert compare_events(write("a", known), write("b", made_up)).decisive.label == "restore"
    assert compare_events(write("a", made_up), write("b", known)).decisive.label == "restore"


@pytest.mark.parametrize("read", [read_rows, make_each, read_each])
@pytest.mark.parametrize("form", FORMS)
def test_an_equal_time_is_another_thing_if_it_stood_for_another(compare_events, form, read):
    def write(name, times, target):
        script = SessionScript(name).add("session_start", {"goal": "delete a"})
        read(script, times)
        return script.calls("chat_delete", {"ts": target}).ends().events

    times = make_times(form)
    a, swapped = write("a", times, times[0]), [times[1], times[0], times[2]]
    assert compare_events(a, write("b", swapped, times[1])).verdict.kind is VerdictKind.SAME
    assert compare_events(a, write("b", swapped, times[0])).decisive.label == "chat_delete"


@pytest.mark.parametrize("form", FORMS)
def test_a_call_left_out_among_its_like_is_the_missing_one_though_times_tell_them_apart(compare_events, form):
    a = write_session("a", form, read_rows, "member", [0, 1, 2])
    outcome = compare_events(a, write_session("b", form, read_rows, "member", [0, 2], run=1))
    assert outcome.kinds == ["missing"]
    payload = outcome.payloads.read_event(outcome.decisive.a).payload
    assert payload["input"]["ts"] == make_times(form)[1]


@pytest.mark.parametrize("form", FORMS)
def test_a_time_from_another_answer_is_another_thing(compare_events, form):
    def write(name, channels, target):
        script = SessionScript(name).add("session_start", {"goal": "delete it"})
        for each in channels:
            script.calls("get_history", {"channel": each}, [{"ts": t} for t in make_times(form, run=len(each))])
        return script.calls("chat_delete", {"ts": target}).ends().events

    mine, other = make_times(form, run=2)[0], make_times(form, run=3)[0]
    a = write("a", ["C1"], mine)
    assert compare_events(a, write("b", ["C1", "D11"], other)).decisive.label == "chat_delete"
    assert compare_events(a, write("b", ["D11"], other)).decisive.label == "chat_delete"
    assert compare_events(a, write("b", ["C1", "D11"], mine)).verdict.decisive is None


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("trace_id", ("4bf92f3577b34da6a3ce929d0e0e4736", "aaf92f3577b34da6a3ce929d0e0e4799")),
        ("token", ("tok-a1B2c3D4e5F6g7", "tok-z9Y8x7W6v5U4t3")),
        ("api_key", ("sk-a1B2c3D4e5F6g7H8", "sk-q1B2c3D4e5F6g7H9")),
    ],
)
def test_another_of_several_credentials_or_traces_that_were_read_is_a_difference(compare_events, member, values):
    def write(name, known, target):
        script = SessionScript(name).add("session_start", {"goal": "revoke it"})
        script.calls("list_them", {}, [{member: each, "owner": who} for each, who in zip(known, "ab", strict=True)])
        return script.calls("revoke", {member: target}).ends().events

    a = write("a", values, values[0])
    fresh = [each.translate(str.maketrans("1234abcd", "4321dcba")) for each in values]
    assert compare_events(a, write("b", fresh, fresh[0])).verdict.kind is VerdictKind.SAME
    assert compare_events(a, write("b", fresh, fresh[1])).decisive.label == "revoke"
    assert compare_events(a, write("b", values, values[1])).decisive.label == "revoke"
    assert compare_events(a, write("b", values, values[0])).verdict.kind is VerdictKind.SAME
