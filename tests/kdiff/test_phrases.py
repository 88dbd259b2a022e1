"""What is shown of a comparison: values that tell their difference, counts of the right side, places, and limits."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from kdiff.align.payload_diff import ABSENT, Change
from kdiff.show.phrases import format_change
from tests.kdiff.conftest import SessionScript
from tests.recording import encode_events
from tests.running import CompletedRun, run

FORMATS = ("text", "json", "markdown", "html")


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        ("ann", "bob", ("ann", "bob")),
        (1, 2, ("1", "2")),
        (1, "1", ("1", '"1"')),
        (1, "2", ("1", '"2"')),
        (True, "true", ("true", '"true"')),
        (None, "null", ("null", '"null"')),
        (None, ABSENT, ("null", "(absent)")),
        ("(absent)", ABSENT, ('"(absent)"', "(absent)")),
        ({}, [], ("{}", "[]")),
        ("", [], ('""', "[]")),
        ("", ABSENT, ('""', "(absent)")),
        ("", "x", ('""', '"x"')),
        ({"x": 1}, "x 1", ('{"x":1}', '"x 1"')),
        ("[1]", [1], ('"[1]"', "[1]")),
        ("a\nb", "a b", ('"a\\nb"', '"a b"')),
        ("a  b", "a b", ('"a \\u0020b"', '"a b"')),
        (2**70, str(2**70), (str(2**70), f'"{2**70}"')),
    ],
)
def test_two_values_that_differ_never_look_alike(a: Any, b: Any, shown: tuple[str, str]) -> None:
    assert format_change(Change("payload.input.x", a, b)) == shown


@pytest.fixture
def compare(tmp_path: Path):
    """Return a function that compares two scripts as a user does, in one format."""

    def run_compare(
        a: SessionScript, b: SessionScript, output_format: str = "text", extra: bytes = b""
    ) -> CompletedRun:
        path = tmp_path / "pair.ndjson"
        path.write_bytes(encode_events([*a.events, *b.events]) + extra)
        return run("kdiff", "compare", a.name, b.name, "--file", path, "--format", output_format)

    return run_compare


@pytest.mark.parametrize("output_format", FORMATS)
@pytest.mark.parametrize("length", [300, 5_000, 200_000])
def test_a_difference_behind_a_long_common_start_is_shown(compare, output_format: str, length: int) -> None:
    a, b = (
        SessionScript(name).calls("mail.send", {"body": "x" * length + end}).ends()
        for name, end in (("a", "EINS"), ("b", "ZWEI"))
    )
    shown = compare(a, b, output_format).text
    assert "EINS" in shown
    assert "ZWEI" in shown


def test_a_loops_count_is_that_of_the_steps_from_the_shown_one_on(compare) -> None:
    a, b = SessionScript("a").calls("shop.order", {"n": 1}), SessionScript("b")
    for _ in range(9):
        b.calls("shop.order", {"n": 1})
    lines = compare(a.ends(), b.ends("failed")).lines
    assert any("9 times in a row in B, 1 in A" in line for line in lines)
    assert [line for line in lines if line.startswith("chain")] == ["chain     B 2 shop.order x8 -> 10 failed"]
    assert any(line.split()[:2] == ["B", "2"] and " x8" in line for line in lines)


def test_the_count_of_an_early_end_is_that_of_what_only_a_has(compare) -> None:
    a, b = SessionScript("a"), SessionScript("b")
    for own in (a, b):
        own.calls("shop.poll", {"n": 1}).calls("shop.poll", {"n": 1})
    for n in range(3):
        a.calls("shop.order", {"n": n})
    decisive = orjson.loads(compare(a.ends(), b.ends("failed"), "json").out)["decisive"]
    assert (decisive["kind"], decisive["count"], decisive["times"]) == ("ended", 3, {"a": 1, "b": 2})


def _refund(name: str) -> SessionScript:
    return SessionScript(name).calls("orders.get", {"id": 7}, {"state": "paid"})


@pytest.mark.parametrize(
    ("act", "said", "shown"),
    [
        (
            lambda b: b.calls("transfer_to_human", {"why": "refund"}),
            "it handed over to a person there",
            "transfer_to_human",
        ),
        (lambda b: b.calls("orders.note", {"text": "later"}), "it called orders.note there", "orders.note"),
        (lambda b: b.says("Which card shall I use?"), "it asked there", "Which card shall I use?"),
        (lambda b: b.says("I can't do that."), "it only spoke there", "I can't do that."),
        (lambda b: b.calls("mail.send", {"to": "ann"}), "it went on with mail.send", "mail.send"),
    ],
)
def test_a_missing_call_names_the_place_in_b_and_what_b_did_there(compare, act, said, shown) -> None:
    a, b = _refund("a").calls("refunds.create", {"order": 7}, "done"), act(_refund("b"))
    if said == "it went on with mail.send":
        a.calls("mail.send", {"to": "ann"})
    else:
        a.says("The refund is on its way to your card.")
    done = compare(a.ends(), b.ends("failed"))
    assert said in " ".join(done.text.split())
    assert shown in next(line for line in done.lines if line.split()[:2] == ["B", "2"])


@pytest.mark.parametrize("output_format", FORMATS)
def test_each_format_names_the_place_of_a_missing_call(compare, output_format) -> None:
    a, b = _refund("a").calls("refunds.create", {"order": 7}, "done"), _refund("b").calls("transfer_to_human", {})
    done = compare(a.ends(), b.ends("failed"), output_format)
    assert "it handed over to a person there (transfer_to_human)" in " ".join(done.text.split())
    if output_format == "json":
        instead = orjson.loads(done.out)["decisive"]["instead"]
        assert (instead["index"], instead["label"]) == (2, "transfer_to_human")
    if output_format == "markdown":
        assert "A 2, B after 1" in done.text


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_failed_a_and_a_succeeded_b_may_be_swapped(compare, output_format: str) -> None:
    a, b = (
        SessionScript(name).calls("shop.order", {"n": name}).ends(how)
        for name, how in (("a", "failed"), ("b", "succeeded"))
    )
    assert "swapped" in compare(a, b, output_format).text
    assert "swapped" not in compare(b, a, output_format).text


@pytest.mark.parametrize("output_format", ["text", "json", "markdown"])
def test_a_bad_session_that_succeeded_where_good_ones_failed_may_be_swapped(tmp_path: Path, output_format: str) -> None:
    scripts = [SessionScript(name).calls("shop.order", {"n": name}) for name in ("good1", "good2", "bad")]
    for bad_end, is_swapped in (("succeeded", True), ("failed", False)):
        events = [each for script in scripts for each in script.events]
        ends = [SessionScript(s.name).ends(bad_end if s.name == "bad" else "failed").events[0] for s in scripts]
        ends = [{**end, "event_id": f"{end['session_id']}_end"} for end in ends]
        path = tmp_path / f"{bad_end}.ndjson"
        path.write_bytes(encode_events([*events, *ends]))
        done = run("kdiff", "cohort", "good1", "good2", "--against", "bad", "--file", path, "--format", output_format)
        assert ("swapped" in done.text) is is_swapped


@pytest.mark.parametrize("output_format", FORMATS)
def test_sameness_in_what_could_be_read_says_what_could_not(compare, output_format: str) -> None:
    a, b = (SessionScript(name).calls("shop.order", {"n": 1}).ends() for name in "ab")
    whole = compare(a, b, output_format)
    assert (whole.code, "could not be read" in whole.text) == (0, False)
    done = compare(a, b, output_format, b'{"session_id": "b", "event_id": 5}\n')
    shown = " ".join(done.text.split())
    assert done.code == 0
    assert "pair.ndjson:5" in shown
    assert "1 record could not be read" in shown
    assert "the same in what could be read" in shown


def test_a_member_that_is_null_is_no_other_than_one_that_is_not_there(compare) -> None:
    a, b = (
        SessionScript(name).calls("shop.order", {"n": 1, **more}).ends()
        for name, more in (("a", {"note": None}), ("b", {}))
    )
    assert compare(a, b).code == 0


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_the_lines_of_both_sides_show_where_they_differ_at_any_width(tmp_path: Path, columns: int) -> None:
    arguments = {"destination": "the customer's address", "note": "please ring " * 3}
    a, b = (
        SessionScript(name).calls("shop.order", {**arguments, "product": product}).ends()
        for name, product in (("a", "EINS"), ("b", "ZWEI"))
    )
    path = tmp_path / "pair.ndjson"
    path.write_bytes(encode_events([*a.events, *b.events]))
    lines = run("kdiff", "compare", "a", "b", "--file", path, variables={"COLUMNS": str(columns)}).lines
    sides = [line for line in lines if line.split()[:2] in (["A", "1"], ["B", "1"])]
    assert ["EINS" in sides[0], "ZWEI" in sides[1]] == [True, True]
    assert all("shop.order" in line and len(line) <= columns for line in sides)


def test_a_doubt_says_that_the_tasks_differ(compare) -> None:
    a, b = (
        SessionScript(name).add("session_start", {"goal": goal}).calls("mail.send", {"to": goal}).ends()
        for name, goal in (("a", "write to Ann"), ("b", "write to Bob"))
    )
    told = "A and B were given different tasks. What differs may follow from that."
    assert told in orjson.loads(compare(a, b, "json").out)["doubts"]
    assert (
        told
        not in orjson.loads(
            compare(
                a,
                SessionScript("c")
                .add("session_start", {"goal": "write to Ann"})
                .calls("mail.send", {"to": "Bob"})
                .ends(),
                "json",
            ).out
        )["doubts"]
    )


def poll(name: str, answers: list[Any], wait: dict[str, Any] | None = None, tool: str = "job.status") -> SessionScript:
    script = SessionScript(name)
    for answer in answers:
        if wait is not None:
            script.calls("bash", wait, "")
        script.calls(tool, {"job": 1}, answer)
    return script.calls("report.send", {"n": 1}).ends()


WAITING, DONE, FAILED = ({"state": state} for state in ("running", "done", "failed"))


@pytest.mark.parametrize(
    ("wait", "count_a", "count_b"),
    [
        *[(None, *counts) for counts in ((0, 1), (1, 0), (0, 20), (3, 4), (20, 3), (2, 30))],
        *[({"command": "sleep 5"}, *counts) for counts in ((2, 3), (20, 3), (2, 30))],
    ],
)
def test_a_longer_poll_with_the_same_end_decides_nothing(compare_events, wait: Any, count_a: int, count_b: int) -> None:
    a, b = (poll(name, [WAITING] * count + [DONE], wait) for name, count in (("a", count_a), ("b", count_b)))
    found = compare_events(a.events, b.events)
    assert found.verdict.decisive is None
    assert {each.weight.name for each in found.comparison.divergences} == {"TEXT"}


def test_a_poll_that_got_nowhere_or_ended_in_another_answer_is_found(compare_events) -> None:
    a = poll("a", [WAITING, WAITING, DONE])
    assert compare_events(a.events, poll("b", [WAITING] * 30).events).decisive.why.startswith("a loop")
    assert compare_events(a.events, poll("b", [*[WAITING] * 5, FAILED]).events).decisive.label == "job.status"


def test_orders_that_were_made_more_often_are_no_poll(compare_events) -> None:
    a, b = (poll(name, [{"left": n} for n in range(count)], tool="shop.order") for name, count in (("a", 2), ("b", 9)))
    assert compare_events(a.events, b.events).decisive.weight.name == "EXPLAINS"
