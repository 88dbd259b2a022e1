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
from agentlog.session.failure import MEMBERS, MEMBERS_BESIDE, find_answer_error, has_failed
from agentlog.session.failure_rules import FailureRules, ToolRule, get_failure_rules, set_failure_rules
from agentlog.session.failure_scan import has_answer_failed
from agentlog.session.failure_text import (
    FIRST_LINE_RULES,
    LAST_LINE_RULES,
    RUN_RULES,
    SUBJECT_RULES,
    TRACE_RULES,
    WHOLE_RULES,
    TextRule,
)
from agentlog.session.timeline import build_timeline, make_single_step

TEXT_RULES = (*FIRST_LINE_RULES, *SUBJECT_RULES, *WHOLE_RULES, *LAST_LINE_RULES, *TRACE_RULES, *RUN_RULES)
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
    {"message": "Bad credentials", "documentation_url": "https://x"},
    {"message": "Internal server error"},
    {"detail": "Not Found"},
    {"detail": [{"loc": ["body", "a"], "msg": "field required", "type": "value_error.missing"}]},
    {"__type": "ResourceNotFoundException", "message": "x"},
    {"StatusCode": 200, "FunctionError": "Unhandled"},
    {"stdout": "", "stderr": "", "exit": 1},
    {"output": "x", "metadata": {"exit": 1}},
    {"interrupted": True, "stdout": "", "stderr": ""},
    {"signal": "SIGKILL", "code": None},
    {"errors": [{"message": "x"}], "request_id": "r", "took": 3},
    {"object": "run", "status": "failed", "last_error": {"code": "x"}},
    {"isError": 1},
    {"status": "timed out"},
    {"status": {"code": 5, "message": "x"}},
    {
        "result": None,
        "traceback": TRACEBACK,
    },
    {"type": "tool", "name": "a", "tool_call_id": "c", "content": "no such file", "status": "error"},
    {"order_id": "o", "status": "failed", "message": "card declined"},
    {"status": 404, "statusText": "Not Found", "url": "https://x"},
    {"name": "a", "tool_call_id": "c", "content": "Error: no such order"},
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
    {"order_id": "ord_1", "status": "failed"},
    {"payment_id": "p1", "state": "failed", "amount": 3},
    {"name": "payments-api", "status": "error", "since": "09:00"},
    {"service": "api", "state": "error", "errors": 5},
    {"status": "timeout", "ticket": "T-1", "title": "x"},
    {"status": 404, "room": "x"},
    {"id": 12, "name": "CI", "status": "failure", "url": "u"},
    {"from": "bob@x", "subject": "Help", "text": "Error: my card is refused"},
    {"author": "bob", "content": "Error: segfault on start"},
    {"issue": 12, "body": "TypeError: x is undefined"},
    {"key": "k", "value": "Error: x"},
    {"content": "Error: x", "filePath": "a.log"},
    {"text": "Error: x", "file_path": "a.log"},
    {"message_id": "m", "text": "Error: x"},
    {"error": "No errors found"},
    {"error": "No error."},
    {"error": "-"},
    {"error": "2%"},
    {"error": {"code": 0, "message": "OK"}},
    {"errorCode": "NO_ERROR"},
    {"error_code": "0000"},
    {"error": ["none"]},
    {"ok": "no"},
    {"success": "No", "voters": 3},
    {"message": "The order was sent"},
    {"message": "Not Found", "id": 3},
    {"detail": "a table for two"},
    {"exit": 12, "road": "A1"},
    {"exit": 0, "output": "x"},
    {"signal": "strong", "bars": 4},
    {"signal": "SIGNATURE", "name": "x"},
    {"interrupted": False, "stdout": ""},
    {"status": {"code": 0, "message": ""}},
    {"last_error": None, "status": "completed"},
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
    'Error from server (NotFound): pods "web-1" not found',
    "Error response from daemon: No such container: abc",
    "docker: Error response from daemon: No such container: abc.",
    "curl: (22) The requested URL returned error: 404",
    "curl: (28) Operation timed out after 5000 milliseconds",
    "wget: unable to resolve host address 'x'",
    "ssh: connect to host 10.0.0.1 port 22: Connection timed out",
    'Get "http://x": dial tcp: lookup x: no such host',
    "ORA-00942: table or view does not exist",
    "SQLSTATE[42S02]: Base table not found",
    "Parse error near line 1: no such table: users",
    "Code: 60. DB::Exception: Table default.x does not exist",
    "(error) ERR unknown command 'FOO'",
    "PHP Fatal error:  Uncaught Error: x in /a.php:1",
    "a.rb:1:in 'f': undefined method (NameError)",
    "** (RuntimeError) boom",
    "CONFLICT (content): Merge conflict in a\nAutomatic merge failed; fix conflicts and then commit the result.",
    "Tool 'foo' not found",
    "Unknown tool: foo",
    "File does not exist.",
    "File has not been read yet. Read it first before writing to it.",
    "String to replace not found in file.\nString: x",
    "The user doesn't want to proceed with this tool use. The tool use was rejected.",
    "Claude requested permissions to use Bash, but you haven't granted it yet.",
    "page.click: Timeout 30000ms exceeded.\nCall log:\n  - waiting",
    "page.goto: net::ERR_NAME_NOT_RESOLVED at http://x",
    "### Result\nError: browserType.launch: no browser",
    "Timed out after 30s",
    "context deadline exceeded",
    "Missing required parameter: path",
    "AxiosError: Network Error",
    "0 passed, 1 failed",
    "Tests:       1 failed, 3 passed, 4 total\nSnapshots:   0 total\nTime:        1.2 s\nRan all test suites.",
    " Tests  1 failed | 2 passed (3)\n   Duration 300ms",
    "F.\n\n3 examples, 1 failure\n\nFailed examples:\n\nrspec ./spec/a_spec.rb:3 # a",
    "test result: FAILED. 1 passed\n\nerror: test failed, to rerun pass '--lib'",
    "[INFO] Scanning\n[INFO] BUILD FAILURE\n[INFO] Total time: 1 s\n[ERROR] Failed to execute x",
    "> Task :test FAILED\n\nBUILD FAILED in 3s\n5 actionable tasks: 5 executed",
    "src/a.ts(3,5): error TS2304: Cannot find name 'x'.",
    "main.c:3:5: error: expected ;\n1 error generated.",
    '  File "a.py", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax',
    " ! [rejected]  main -> main (fetch first)\nerror: failed to push some refs\nhint: Updates were rejected",
    "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
    "sudo: a password is required",
    "Found 3 errors in 1 file (checked 1 source file)",
    "✖ 2 problems (2 errors, 0 warnings)",
    "\x1b[31m╷\x1b[0m\n\x1b[31m│\x1b[0m \x1b[1m\x1b[31mError: \x1b[0mInvalid provider\n\x1b[31m╵\x1b[0m",
    "10:00:12.000 E assert 1 == 2\n2 failed, 38 passed in 3.21s",
    "INFO start\nINFO go\nmake: *** [all] Error 2",
    "collected 3 items\nERROR: failed to open C:\\runs\\news\\a.txt",
    "x\nloading 10%\rmake: *** [all] Error 2",
    "panic: runtime error: index out of range",
    "<html><head><title>404 Not Found</title>",
    "Service denied access: wrong role",
    "[TOOL_ERROR] could not connect",
    "**Error**: no such file",
    "TOOL_FAILURE: no answer",
    "TOOL_EXECUTION_FAILED: no answer",
    "PERMISSION_DENIED: missing scope",
    "NOT_FOUND: no such document",
    "RATE_LIMIT_EXCEEDED: try again in 20 s",
    "tool_error: bad input",
    "git@example.com: Permission denied (publickey).",
    "Permission denied (publickey).",
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
    "<error>none</error>",
    "<error>0</error>",
    "Failed: 0, Passed: 12",
    "FAILED: 3 PASSED: 10",
    "Error: none found",
    "Failed to find any issues.",
    "Job failed at 10:00, retried at 10:05 and passed",
    "Error code 404 means that a page is missing",
    "HTTP 404: what it means for SEO",
    "panic: At the Disco concert, 12 May",
    "Failed to Launch (2006)",
    "<html><head><title>404 Gift ideas</title>",
    "<title>500 Days of Summer</title>",
    "Unable to connect? Try these steps",
    "Connection timeout: 30 s",
    "Order status: 404",
    "Service denied boarding: EU rules on compensation",
    "ConnectionError\nTimeoutError\nValueError",
    "Tests:       4 passed, 4 total\nTime: 1 s",
    "3 examples, 0 failures\n\nDone",
    "BUILD SUCCESSFUL in 3s\n5 actionable tasks: 5 executed",
    "Found 0 errors in 3 files",
    "Missing you a lot",
    "File has 3 lines",
    "String theory, explained",
    "Get well soon",
    "12 passed, 0 failed",
    "Tool list: a, b",
    "10:00:12 ERROR disk full\n10:00:13 INFO restarted",
    "saved to C:\\new\\failed: a.txt",
    "NO_ERROR: 0",
    "NO_ERROR: done",
    "FAIL_ON_ERROR: true",
    'DEFAULT_ERROR: "Something went wrong"',
    "BIT_ERROR: 1e-9",
    "PHP_ERROR: E_ALL",
    "IGNORE_ERRORS: true",
    "TOOL_ERROR: 0",
    "NOT_FOUND: 0",
    "MAX_ERROR: 0.2",
    "TOOL_ERROR is the prefix of failed calls",
    "Permission denied, and how to read such messages",
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


def call_tool(tool: str, output: Any, call_input: Any = None) -> dict[str, Any]:
    """Return the payload of a call."""
    return {"tool": tool, "input": call_input, "output": output}


def call_shell(command: Any, output: Any, **beside: Any) -> dict[str, Any]:
    """Return the payload of a call of a shell."""
    return {"tool": "bash", "input": {"command": command}, "output": output, **beside}


CONTENT_READS = [
    call_tool("read_file", TRACEBACK),
    call_tool("read_file", "Error: how we name them\n\nEvery error has a code.\n"),
    call_tool("read_file", "# App\n\n    make: *** [all] Error 2"),
    call_tool("read_file", '{"error":"boom","code":500}'),
    call_shell("cat last_run.txt", "$ make test\n...\nmake: *** [test] Error 2\n"),
    call_shell("tail -1 ci.log", "1 failed, 3 passed in 0.12s"),
    call_tool("web.fetch", "HTTP 404 - Wikipedia\n\nIn computer network communications..."),
    call_tool("web.fetch", "KeyError: 'a' when reading dict in Python - Stack Overflow\n\nI get ..."),
    call_shell("grep -rn FIXME src", {"stdout": "", "stderr": "", "exit_code": 1}),
    call_shell("diff a b", {"stdout": "1c1\n< a", "stderr": "", "exit_code": 1}),
    call_shell("test -f x", {"stdout": "", "exit_code": 1}),
    call_shell("cd /app && grep -rn 'a|b' src | head -5", "src/a.py:1: Error: x\nsrc/b.py: Traceback\n"),
    call_shell("git log --oneline", "Error: fix the message\nfatal: no"),
    call_shell("grep x a", "[Command finished with exit code 1]"),
    call_shell("grep x a", "", exit_code=1),
    call_shell("grep x a", "", exitCode=1),
    call_shell("git diff --exit-code", {"stdout": "d", "exit_code": 1}),
    call_shell("cat err.txt", "Error: old"),
    call_shell("tail -5 app.log", {"stdout": TRACEBACK, "exit_code": 0}),
    call_tool("Read", "Error: boom\nat once"),
    call_tool("str_replace_editor", TRACEBACK, {"command": "view", "path": "/a.log"}),
    call_tool("git_log", "fatal: no such thing\n\n more"),
    call_shell("git -C /app log -3", "KeyError: 'a'"),
    call_shell(["bash", "-lc", "cat a.log"], TRACEBACK),
    call_shell("sed -n 1,5p ci.log | grep fail", "tests: 3 failed"),
    call_shell("cat a.json", '{"error": "boom"}'),
    call_shell("cat err.txt; true", {"stdout": "Error: old", "exit_code": 0}),
    call_tool("read_file", {"content": TRACEBACK}),
    call_tool("fs.read", [{"type": "text", "text": "Error: how to\n\nx"}]),
    call_shell("rg -n foo", {"output": "", "metadata": {"exit": 1}}),
    call_shell("kubectl logs deploy/x --tail=3", "Error: cannot start\n" * 9),
]
FAILED_READS = [
    call_tool("read_file", "Error: ENOENT: no such file or directory, open 'a'"),
    call_tool("read_file", {"error": "boom"}),
    call_tool("read_file", {"isError": True, "content": [{"type": "text", "text": "x"}]}),
    call_tool("read_file", '{"error": "File not found: a"}'),
    call_shell("cat a", "cat: a: No such file or directory"),
    call_shell("cat a", {"stdout": "", "stderr": "cat: a: No such file or directory", "exit_code": 1}),
    call_shell("grep x a", {"stdout": "", "stderr": "grep: a: No such file", "exit_code": 2}),
    call_shell("grep x a", "grep: a: No such file or directory\n[Command finished with exit code 2]"),
    call_shell("cat a.txt", TRACEBACK, exit_code=1),
    call_shell("git log", "fatal: not a git repository (or any of the parent directories): .git"),
    call_tool("web.fetch", "Failed to fetch the page: timeout"),
    call_tool("web.fetch", "<html><head><title>502 Bad Gateway</title></head><body>x"),
    call_shell("cat run.py | python", TRACEBACK),
    call_shell("cat a && make", "make: *** [all] Error 2"),
    call_tool("web.fetch", {"status_code": 404, "body": "x"}),
    call_shell("make test", "make: *** [all] Error 2"),
    call_shell("pytest | tail -3", "1 failed, 3 passed in 0.1s"),
    call_tool("Read", "File does not exist."),
    call_tool(
        "str_replace_editor", "ERROR:\nInvalid `path` parameter: /x. The path does not exist.", {"command": "view"}
    ),
    call_shell("diff a b", {"stdout": "", "stderr": "diff: b: No such file or directory", "exit_code": 2}),
    call_shell("python -m grep x", {"stdout": "", "exit_code": 1}),
    call_shell("make && grep x log", {"stdout": "", "exit_code": 1}),
    call_tool("mcp.fetch", "HTTP 404 Not Found"),
    call_shell("ls /x", "ls: cannot access '/x': No such file or directory"),
    call_shell(
        "cd x && grep y z", "bash: line 1: cd: x: No such file or directory\n[Command finished with exit code 1]"
    ),
]


def find_error_of_call(payload: dict[str, Any]) -> str | None:
    """Return the error of a call; the look at its JSON must agree."""
    error = find_answer_error("tool_call", payload)
    partial = msgspec.json.decode(msgspec.json.encode(payload), type=PartialPayload)
    assert has_answer_failed("tool_call", partial) == (error is not None)
    return error


@pytest.mark.parametrize("payload", CONTENT_READS, ids=str)
def test_what_a_call_has_read_is_no_failure_of_the_call(payload: dict[str, Any]) -> None:
    assert find_error_of_call(payload) is None


@pytest.mark.parametrize("payload", FAILED_READS, ids=str)
def test_a_call_that_could_not_read_failed(payload: dict[str, Any]) -> None:
    assert find_error_of_call(payload)


@pytest.mark.parametrize("name", ["exitCode", "exit_code", "returncode", "return_code", "statusCode", "status_code"])
def test_a_code_beside_the_answer_counts_in_each_usual_spelling(name: str) -> None:
    value = 503 if "tatus" in name else 2
    assert find_error_of_call({"tool": "a", "input": {}, "output": "cc a.c", name: value}) == f"{name} {value}"
    assert find_error_of_call({"tool": "a", "input": {}, "output": "cc a.c", name: 0}) is None


@pytest.mark.parametrize("name", MEMBERS_BESIDE)
def test_each_member_beside_the_answer_is_seen_by_the_look_at_its_json(name: str) -> None:
    value = {"success": False, "is_error": True, "isError": True}.get(name, 503)
    assert find_error_of_call({"tool": "a", "input": {}, "output": "cc a.c", name: value})


@pytest.mark.parametrize("word", ["command", "commit", "Error:", "KeyError", "no", "a", "is", "Zoë", ""])
def test_the_first_word_tells_the_look_which_answers_are_worth_more(word: str) -> None:
    for text in (word, f"{word} failed: no answer", f"{word} abc1234 by Ann: 3 files"):
        find_error(text)


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("npm ERR! code ENOENT\nnpm ERR! path /app/package.json\n", "npm ERR! code ENOENT"),
        ("some output\n[exit code: 127]", "exit code: 127"),
        ([{"type": "tool_result", "is_error": True, "content": "denied by user"}], "denied by user"),
        ("<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>", "502 Bad Gateway"),
        ({"detail": [{"loc": ["body"], "msg": "field required"}]}, "field required"),
        ({"result": None, "traceback": TRACEBACK}, "KeyError: 'a'"),
        ("> Task :test FAILED\n\nBUILD FAILED in 3s\n5 actionable tasks: 5 executed", "BUILD FAILED in 3s"),
    ],
)
def test_the_error_is_the_line_that_tells_what_failed(output: Any, error: str) -> None:
    assert find_error(output) == error


def test_a_call_that_failed_at_the_service_failed_and_a_cancelled_one_did_not() -> None:
    assert has_failed("llm_call", {"output": "x", "finish_reason": "failed"})
    assert has_failed("tool_call", {"tool": "a", "finish_reason": "failed"})
    assert not has_failed("tool_call", {"tool": "a", "output": "Error: x", "finish_reason": "cancelled"})
    assert not has_failed("llm_call", {"output": "x", "finish_reason": "stop"})


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
