"""The rule for failed calls: each row of its tables, beside a healthy answer that looks alike."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentlog.event.event import Event, Place, Record, to_datetime
from agentlog.event.partial_decode import PartialPayload
from agentlog.session.failure import MEMBERS, find_answer_error, has_failed
from agentlog.session.failure_rules import FailureRules, ToolRule, get_failure_rules, set_failure_rules
from agentlog.session.failure_scan import has_answer_failed
from agentlog.session.failure_text import (
    FIRST_LINE_RULES,
    LAST_LINE_RULES,
    SUBJECT_RULES,
    TRACE_RULES,
    WHOLE_RULES,
    TextRule,
)
from agentlog.session.timeline import build_timeline, make_single_step

TEXT_RULES = (*FIRST_LINE_RULES, *SUBJECT_RULES, *WHOLE_RULES, *LAST_LINE_RULES, *TRACE_RULES)
TRACEBACK = "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nKeyError: 'a'"

FAILED_OBJECTS: list[Any] = [
    {"error": "not_found"},
    {"error": {"code": -32601, "message": "Method not found"}, "jsonrpc": "2.0", "id": 1},
    {"error": True},
    {"error": 1, "message": "no such table"},
    {"success": 0, "error": "Malformed JSON arguments"},
    {"data": None, "errors": [{"message": "no field x"}]},
    {"errors": [{"message": "no field x"}]},
    {"data": {"a": 1}, "errors": [{"message": "no field x"}]},
    {"message": "The data was invalid.", "errors": {"name": ["is required"]}},
    {"took": 30, "errors": True, "items": []},
    {"errorType": "TypeError", "errorMessage": "x is undefined", "trace": []},
    {"errcode": 40013, "errmsg": "invalid appid"},
    {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"},
    {"isError": True, "content": [{"type": "text", "text": "401"}]},
    {"type": "result", "subtype": "success", "is_error": True, "result": "You've hit your limit"},
    {"timed_out": True},
    {"ok": False},
    {"success": False},
    {"success": "false"},
    {"succeeded": False},
    {"exit_code": 1, "stdout": "a"},
    {"exitCode": "2"},
    {"returncode": -9},
    {"rc": 1},
    {"code": 1, "stdout": "", "stderr": "no such file"},
    {"metadata": {"exit_code": 1}, "content": "x"},
    {"observation": "run", "content": "x", "extras": {"metadata": {"exit_code": 127}}},
    {"status_code": 503, "body": "try later"},
    {"statusCode": 500},
    {"ResponseMetadata": {"HTTPStatusCode": 403}},
    {"status": 404},
    {"status": "404", "message": "Not Found"},
    {"status": "503 Service Unavailable"},
    {"code": 404, "message": "no such order"},
    {"status": "error", "message": "no such order"},
    {"status": "failed", "reason": "declined"},
    {"kind": "Status", "status": "Failure", "code": 404, "message": "no such pod"},
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    {"type": "tool", "content": "no such file", "status": "error"},
    {"lc": 1, "id": ["ToolMessage"], "kwargs": {"content": "no such file", "status": "error"}},
    {"stdout": "", "stderr": "bash: foo: command not found"},
    {"output": "Error: no such order"},
    {"content": "Error: no such order"},
    {"structuredContent": {"error": "no such order"}},
    {"content": [{"type": "text", "text": '{"success":false,"error_code":"SQL_ERROR"}'}]},
    {"isError": False, "content": [{"type": "text", "text": '[{"text":"Error executing Health: Refused(401)"}]'}]},
    [{"type": "text", "text": "Error: 401 Unauthorized"}],
    [{"type": "tool_result", "is_error": True, "content": "no"}],
    ["Error: no such order"],
    '{"error": "not_found"}',
    "{'success': False, 'error': 'no such order'}",
    {"$ref": None, "bytes": 20_000, "sha256": "00", "preview": '{"exit_code": 1, "stdout": "collected'},
    {"$ref": None, "bytes": 20_000, "sha256": "00", "preview": "Error: no such order"},
]
HEALTHY_OBJECTS: list[Any] = [
    {"error": None},
    {"error": ""},
    {"error": False},
    {"error": {}},
    {"error": "none"},
    {"error": 0.013, "estimate": 4.2},
    {"error": 5, "warning": 3, "info": 7},
    {"error_rate": 0.1},
    {"errors": []},
    {"errors": 0},
    {"errors": 3, "warnings": 4},
    {"errors": [{"message": "disk full"}], "total": 1},
    {"errcode": 0, "errmsg": "ok"},
    {"succeeded": 3, "failed": 0},
    {"timeout": 30},
    {"ok": True},
    {"found": False},
    {"valid": False},
    {"exit_code": 0, "output": TRACEBACK},
    {"output": "error count: 0", "exit_code": 0, "error": None},
    {"status_code": 204},
    {"status": "open"},
    {"status": 200, "body": "Error: how to read it"},
    {"id": 7, "status": 404},
    {"id": 7, "status": "failed"},
    {"code": 404, "name": "Gate 404"},
    {"code": 451, "title": "Fahrenheit 451"},
    {"count": 404},
    {"id": 3, "type": "error", "text": "a window that pops up"},
    {"success": True, "content": "Error: how to read it"},
    {"path": "app.log", "content": TRACEBACK},
    {"results": [{"url": "https://example.com", "content": "x", "error": None}]},
    {"structuredContent": {"response": {"error": None}}},
    {"rows": [{"error": "disk full"}]},
    {"type": "object", "properties": {"error": {"type": "string"}}},
    [{"id": 1, "status": "failed"}, {"id": 2, "status": "error"}],
    [{"type": "text", "text": "Errors and how to read them"}],
    ["Error: a", "Error: b"],
    '{"error": null}',
    "[]",
    {"$ref": "#/$defs/Error"},
    "",
    None,
    404,
]
MORE_FAILED_TEXTS = [
    "\u274c Error: not there",
    "\x1b[31mError: not there\x1b[0m",
    "Error: 404",
    "ERROR:\nNo replacement was performed",
    "ERROR 1045 (28000): Access denied for user 'a'",
    "error[E0308]: mismatched types",
    "MCP error -32602: Invalid params",
    "API error (500): boom",
    "HTTP/1.1 503 Service Unavailable\r\nDate: x",
    "<html>\r\n<head><title>502 Bad Gateway</title></head>",
    "Request failed with status code 404",
    "[Command failed with exit code 2]",
    "out\nExit code: 2\n",
    "out\n\n(exit status 1)",
    "Command 'ls' returned non-zero exit status 2.",
    "java.lang.NullPointerException: x\n\tat com.A.b(A.java:1)",
    "ls: cannot access 'x': No such file or directory",
    "zsh: command not found: foo",
    "fatal: not a git repository (or any of the parent directories): .git",
    "bash: line 1: 12 Segmentation fault      (core dumped) ./a.out",
    "npm ERR! code ENOENT",
    "F.\n1 failed, 3 passed in 0.12s",
    "a\nTypeError: x\n    at f (/a.js:1:2)\n\nNode.js v18.0.0",
    TRACEBACK + " is no order\nx\n  Field required [type=missing]",
]
MORE_HEALTHY_TEXTS = [
    "0 errors, 12 warnings",
    "no error found",
    "error: none",
    "Errors: 0",
    "Standard error: 0.02",
    "Validation error: 0.12",
    "Error codes: 1 means that nothing was found",
    "Exit code 1 means that nothing matched",
    "Take exit 12",
    "returned 5 rows",
    "HTTP/1.1 200 OK",
    "404",
    "flight HAT404 is delayed",
    "nothing there to click",
    "class KeyError(Exception):\n    pass",
    "src/b.py:9:Traceback (most recent call last)",
    "ERROR: disk full\nINFO: restarted",
    "Here's the result of running `cat -n` on a.log:\n  1\tTraceback (most recent call last):\n  2\tKeyError: 'a'",
    "# Troubleshooting\n\nIf you see `Error: x`, restart it.",
    "4 passed in 0.12s",
]


@pytest.fixture(autouse=True)
def _without_rules() -> Iterator[None]:
    yield
    set_failure_rules(FailureRules())


def find_error(output: Any, tool: str = "orders.get") -> str | None:
    """Return the error in a tool's answer; the look at its JSON must agree."""
    error = find_answer_error("tool_call", {"tool": tool, "output": output})
    payload = msgspec.json.decode(msgspec.json.encode({"tool": tool, "output": output}), type=PartialPayload)
    assert has_answer_failed("tool_call", payload) == (error is not None)
    return error


@pytest.mark.parametrize("rule", TEXT_RULES, ids=lambda rule: rule.name)
def test_a_text_rule_knows_its_example_and_leaves_the_healthy_one(rule: TextRule) -> None:
    assert find_error(rule.failed)
    assert find_error(rule.healthy) is None


@pytest.mark.parametrize("output", FAILED_OBJECTS, ids=str)
def test_an_answer_says_in_its_members_that_it_failed(output: Any) -> None:
    assert find_error(output)


@pytest.mark.parametrize("output", HEALTHY_OBJECTS, ids=str)
def test_a_healthy_answer_that_mentions_errors_is_none(output: Any) -> None:
    assert find_error(output) is None


@pytest.mark.parametrize("text", MORE_FAILED_TEXTS)
def test_a_text_says_that_it_failed(text: str) -> None:
    assert find_error(text)


@pytest.mark.parametrize("text", MORE_HEALTHY_TEXTS)
def test_a_healthy_text_that_mentions_errors_is_none(text: str) -> None:
    assert find_error(text) is None


@pytest.mark.parametrize("member", [{"exit_code": 1}, {"is_error": True}, {"status": "error"}, {"success": False}])
def test_a_member_beside_the_answer_says_that_it_failed(member: dict[str, Any]) -> None:
    assert has_failed("tool_call", {"tool": "bash", "output": "x", **member})
    assert not has_failed("tool_call", {"tool": "bash", "output": "x", "exit_code": 0, "status": "success"})


def test_what_a_model_or_a_document_says_is_no_failure() -> None:
    assert not has_failed("llm_call", {"output": "Error: I can't do that"})
    assert not has_failed("retrieval", {"query": "x", "documents": [{"type": "text", "text": "Error: how to mend it"}]})
    assert not has_failed("retrieval", {"query": "x", "documents": "Error: how to mend it"})
    assert has_failed("retrieval", {"query": "x", "documents": {"error": "the index is gone"}})
    assert has_failed("delegation_result", {"from_agent_id": "a", "result": {"status": "error", "message": "lost"}})


def test_an_error_of_an_answer_is_a_short_piece_of_it() -> None:
    assert find_error({"status_code": 503, "body": "try later"}) == "status_code 503: try later"
    assert find_error({"isError": True, "content": [{"type": "text", "text": "no such order"}]}) == (
        "isError true: no such order"
    )
    assert find_error(TRACEBACK) == "KeyError: 'a'"
    assert len(find_error("Error: " + "long " * 9_000) or "") <= 400
    assert len(find_error({"error": "long " * 9_000}) or "") <= 400


def test_an_answer_with_a_number_beyond_64_bits_is_judged_as_others_are() -> None:
    for output in ({"ok": False, "n": 10**30}, {"error_code": 10**30}, {"errors": [{"code": 10**30}]}):
        assert find_answer_error("tool_call", {"tool": "a", "output": output})
    rule = ToolRule("a", "1000", (("n", (1,)),))
    set_failure_rules(FailureRules(tools=(rule,)))
    assert find_answer_error("tool_call", {"tool": "a", "output": {"n": 10**30}})


def test_a_step_has_the_error_of_its_answer_unless_one_was_recorded() -> None:
    step = make_single_step(make_record({"tool": "a", "output": {"ok": False}}))
    assert step.error == "ok false"
    assert make_single_step(make_record({"tool": "a", "output": {"ok": False}, "error": "gone"})).error == "gone"


def test_totals_count_answers_that_failed() -> None:
    timeline = build_timeline(
        "s", [make_record({"tool": "a", "output": "Error: no order"}), make_record({"tool": "a"}, 1)]
    )
    assert (timeline.totals.errors, timeline.totals.failures) == (1, {"a": 1})


def make_record(payload: dict[str, Any], number: int = 0) -> Record:
    event = Event(
        event_id=f"e{number}",
        session_id="s",
        agent_id="a",
        timestamp=to_datetime(number),
        event_type="tool_call",
        payload=payload,
    )
    return Record(event, Place(None, -1, number), b"")


def test_tools_whose_answers_are_never_failures_fail_by_a_recorded_error_alone() -> None:
    set_failure_rules(FailureRules(never=("logs.*",)))
    assert find_error({"error": "disk full"}, "logs.search") is None
    assert find_error({"error": "disk full"}, "orders.get")
    assert has_failed("tool_call", {"tool": "logs.search", "output": "", "error": "gone"})


def test_a_tool_has_its_own_texts_and_members_that_mean_failed() -> None:
    rule = ToolRule("shop.*", "(?i)out of stock", (("order.state", ("declined", 7)), ("found", (False,))))
    set_failure_rules(FailureRules(tools=(rule,)))
    assert find_error("Sorry, out of stock.", "shop.buy") == "out of stock"
    assert find_error({"order": {"state": "declined"}}, "shop.buy") == "order.state declined"
    assert find_error('{"order": {"state": 7}}', "shop.buy") == "order.state 7"
    assert find_error({"found": False}, "shop.buy") == "found false"
    assert find_error({"found": 0}, "shop.buy") is None
    assert find_error("Sorry, out of stock.", "other.buy") is None
    assert get_failure_rules().fingerprint() != FailureRules(never=("a",)).fingerprint()


WORDS = """
    error Error: failed exit code 1 0 status 404 Not Found the a of Traceback (most recent call last): KeyError: in
    command not found bash: tool make: *** [ ] { } " ' \\ : , no none null \u274c \x1b[31m é 12 passed true false
    fatal: killed request timed out - = 2026-02-03T10:00 INFO File at (a.js:1:2) success output text type
"""
NAMES = "error errors exit_code status ok type text content result id message code data x"
SPACES = st.sampled_from([" ", " ", "\n", "\r\n", "\t", "\n    ", ""])
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS.split()), SPACES), max_size=12).map(
    lambda parts: "".join(map("".join, parts))
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 600) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES.split()),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(VALUES)
@example("the make: *** [ ] failed\n")
def test_the_look_at_json_never_misses_what_the_rule_finds(output: Any) -> None:
    find_error(output)


@given(VALUES)
def test_an_answer_as_json_text_fails_as_the_answer_does(output: Any) -> None:
    if isinstance(output, dict):
        assert (find_error(output) is None) == (find_error(msgspec.json.encode(output).decode()) is None)


def test_the_docs_have_each_member_of_the_rule() -> None:
    text = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    table = text.partition("## What means failed")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert [" ".join(re.findall(r"`(\w+)`", row)) for row in rows] == [names for names, _, _ in MEMBERS]
