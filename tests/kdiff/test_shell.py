"""kdiff as a user runs it: exit codes, formats, settings, and events with hostile text."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from kshark.story import assign_places, build_story
from tests.recording import (
    encode_events,
    make_call_started,
    make_event,
    make_session_end,
    make_tool_call,
    write_capture_file,
)
from tests.running import CompletedRun, Terminal, run

FORMATS = ("text", "json", "markdown", "html")
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
EVIL = (
    "\x1b[2Jgone\x1b]0;title\x07\x9b31m\r\n[red]x[/] \u202eevil\u202c\u200b\ufeff\u2028\x00`` <script>alert(1)</script>"
    "<img src=x onerror=alert(1)> </td></table> | \" ' [x](javascript:alert(1)) end"
)


@pytest.fixture(scope="module")
def story_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The story as a capture file."""
    path = tmp_path_factory.mktemp("story") / "story.ndjson"
    path.write_bytes(b"\n".join(value for _, value in assign_places(build_story()) if value) + b"\n")
    return path


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """A capture file with a session `good`, a copy `same`, and `bad`, which differs."""
    good = [make_tool_call(1, "mail.send", input={"to": "ann"}, output="sent"), make_session_end(2)]
    bad = [make_tool_call(1, "mail.send", input={"to": "bob"}, output="sent"), make_session_end(2, "failed")]
    sessions = {"good": good, "same": good, "bad": bad}
    return write_capture_file(
        tmp_path / "pair.ndjson",
        *({**e, "session_id": s, "event_id": f"{s}{e['event_id']}"} for s, own in sessions.items() for e in own),
    )


def compare(a: str, b: str, *arguments: str | Path, **more: Any) -> CompletedRun:
    """Compare two sessions, as JSON unless another --format follows."""
    return run("kdiff", "compare", a, b, "--format", "json", *arguments, **more)


def test_0_is_the_same_and_1_is_different(pair: Path) -> None:
    assert [compare("good", b, "--file", pair).code for b in ("same", "good", "bad")] == [0, 0, 1]


@pytest.mark.parametrize(("a", "b"), [("good", "nobody"), ("nobody", "good")])
def test_4_is_no_such_session_and_says_which_ones_are_near(pair: Path, a: str, b: str) -> None:
    done = compare(a, b, "--file", pair)
    assert (done.code, done.out) == (4, b"")
    assert "no session nobody" in done.error_text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--file", "x", "--cluster", "y"),
        ("--other-file", "x", "--other-cluster", "y"),
        ("--file", "-"),
        ("--context", "-1"),
        ("--format", "pdf"),
        ("--ignore-pattern", "("),
        ("--file", "no such file"),
    ],
)
def test_2_is_what_cannot_be_meant(arguments: tuple[str, ...]) -> None:
    done = compare("a", "b", *arguments)
    assert (done.code, done.out) == (2, b"")
    assert "Traceback" not in done.error_text


def test_3_is_a_cluster_that_does_not_answer() -> None:
    done = compare("a", "b", "--cluster", "127.0.0.1:1", "-X", "socket.connection.setup.timeout.ms=1000")
    assert (done.code, done.out) == (3, b"")


def test_a_golden_file_is_held_against_another_file(pair: Path, tmp_path: Path) -> None:
    golden = write_capture_file(
        tmp_path / "golden.ndjson",
        *[
            {**e, "session_id": "gold"}
            for e in [make_tool_call(1, input={"to": "ann"}, output="sent"), make_session_end(2)]
        ],
    )
    assert compare("gold", "good", "--file", golden, "--other-file", pair).code == 0
    assert compare("gold", "bad", "--file", golden, "--other-file", pair).code == 1


def test_json_holds_what_the_contract_says(pair: Path) -> None:
    found = orjson.loads(compare("good", "bad", "--file", pair).out)
    assert found["verdict"] == "different"
    assert {"session_id", "outcome", "events", "totals"} <= set(found["a"])
    decisive = found["decisive"]
    assert decisive["kind"] == "changed"
    assert decisive["changes"] == [{"path": "payload.input.to", "a": "ann", "b": "bob"}]
    assert set(decisive["b"]) == {"event_id", "event_type", "agent_id", "label", "index", "timestamp", "record"}
    assert (decisive["b"]["event_id"], decisive["b"]["label"]) == ("badevt_1", "mail.send")
    assert [each["event_id"] for each in found["chain"]] == ["badevt_1", "badevt_2"]
    assert found["first"] == decisive == found["divergences"][0]


def test_a_missing_calls_label_is_its_tool(tmp_path: Path) -> None:
    events = [
        make_event(1, "session_start", session_id="a"),
        make_tool_call(2, "mail.send", session_id="a", output=1),
        {**make_session_end(3), "session_id": "a"},
    ]
    events += [{**e, "session_id": "b", "event_id": "b" + e["event_id"]} for e in (events[0], events[2])]
    path = write_capture_file(tmp_path / "x.ndjson", *events)
    found = orjson.loads(compare("a", "b", "--file", path).out)["decisive"]
    assert (found["kind"], found["label"], found["a"]["label"], found["b"]) == (
        "missing",
        "mail.send",
        "mail.send",
        None,
    )


@pytest.mark.parametrize("columns", ["60", "80", "160"])
def test_text_tells_the_story_within_the_terminals_width(story_file: Path, columns: str) -> None:
    done = compare(
        "sess_invoice_ok",
        "sess_invoice_847",
        "--file",
        story_file,
        "--format",
        "text",
        "--show-divergence",
        variables={"COLUMNS": columns},
    )
    assert done.code == 1
    assert max(map(len, done.lines)) <= int(columns)
    flat = " ".join(done.text.split())
    assert "a loop: stripe.create_invoice 164 times in a row in B, 1 in A" in flat
    assert "retry stripe.create_invoice at once until it goes through" in flat
    assert "wait 2 s, then repeat the request with an idempotency key" in flat


def test_the_chain_is_broken_between_its_steps_and_never_within_one(story_file: Path) -> None:
    for columns in (60, 66, 73, 90):
        done = compare(
            "sess_invoice_ok",
            "sess_invoice_847",
            "--file",
            story_file,
            "--format",
            "text",
            variables={"COLUMNS": str(columns)},
        )
        lines = done.lines
        first = next(n for n, line in enumerate(lines) if line.startswith("chain"))
        last = next(n for n, line in enumerate(lines) if line.startswith(("first", "also")))
        assert [line for line in lines[first : last - 1] if not line.endswith("->")] == []


def test_only_decisive_shows_no_other_divergence(story_file: Path) -> None:
    def shown(*more: str) -> str:
        return compare(
            "sess_invoice_ok", "sess_invoice_847", "--file", story_file, "--format", "text", "--context", "0", *more
        ).text

    assert "timesheets.list" in shown("--show-divergence")
    assert "projects.get_milestone" not in shown("--only-decisive")


def test_a_settings_file_says_what_makes_no_difference_and_what_reads(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "agentlog.toml").write_text('[kdiff]\nignore = ["payload.input.to", "payload.status"]\n')
    found = orjson.loads(compare("good", "bad", "--file", pair, cwd=tmp_path).out)
    assert found["decisive"] is None
    (tmp_path / "agentlog.toml").write_text('[kdiff]\nreads = ["mail.*"]\n')
    found = orjson.loads(compare("good", "bad", "--file", pair, cwd=tmp_path).out)
    assert found["decisive"]["effect"] == "reads"
    assert "your settings" in found["decisive"]["effect_rule"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ignored = []", "agentlog.toml:2: unknown setting 'ignored' of kdiff"),
        ("reads = 7", "agentlog.toml:2: reads is a list"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(pair: Path, tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "agentlog.toml").write_text(f"[kdiff]\n{line}\n")
    done = compare("good", "bad", "--file", pair, cwd=tmp_path)
    assert done.code == 2
    assert said in done.error_text


def test_a_session_that_still_runs_is_compared_as_far_as_it_goes_and_that_is_said(tmp_path: Path) -> None:
    whole = [make_tool_call(1, output=1), make_tool_call(2, "mail.move", output=2), make_session_end(3)]
    events = [*whole, *({**e, "session_id": "b", "event_id": "b" + e["event_id"]} for e in whole[:1])]
    path = write_capture_file(tmp_path / "x.ndjson", *events)
    found = orjson.loads(compare("sess_1", "b", "--file", path).out)
    assert found["decisive"]["kind"] == "ended"
    assert any("B has no end" in said for said in found["doubts"])


def test_what_cannot_be_read_is_named_and_the_rest_compared(pair: Path) -> None:
    pair.write_bytes(pair.read_bytes() + b"no json\n")
    done = compare("good", "same", "--file", pair)
    assert done.code == 0
    assert done.error_text.count("pair.ndjson:7") == 1
    found = orjson.loads(done.out)
    assert any("could not be read" in said for said in found["doubts"])
    searched = found["a"]["searched"]
    assert (searched["partitions"], searched["missing_offsets"], searched["log_begins"]) == ([], 0, None)
    assert [list(each) for each in searched["unreadable"]] == [["where", "topic", "partition", "offset", "reason"]]
    assert (searched["unreadable"][0]["where"], searched["unreadable"][0]["offset"]) == (f"{pair}:7", 7)


def _hostile(name: str, mark: str) -> list[dict[str, Any]]:
    everywhere = {
        "session_id": name,
        "agent_id": EVIL,
        "context": {"reasoning": EVIL + mark, "model": EVIL},
        EVIL: EVIL,
    }
    payload = {EVIL: EVIL, "input": {EVIL: [EVIL + mark], "x": mark}, "output": EVIL, "error": {"type": EVIL}}
    own = [
        make_event(1, "session_start", payload={"goal": EVIL}, **everywhere),
        make_event(2, EVIL, payload={**payload, "text": EVIL + mark}, **everywhere),
        make_event(3, "decision", payload={"action": EVIL + mark}, **everywhere),
        make_event(4, "tool_call", payload={"tool": EVIL, "input": payload["input"], "output": EVIL}, **everywhere),
        make_event(5, "delegation", payload={"to_agent_id": EVIL, "task": EVIL + mark}, **everywhere),
        make_event(6, "memory_write", payload={"key": EVIL, "value": EVIL + mark}, **everywhere),
        {**make_call_started(7, EVIL, EVIL + mark), **everywhere},
        make_event(8, "session_end", payload={"status": EVIL + mark, "result": EVIL}, **everywhere),
    ]
    return [{**each, "event_id": f"{name}{each['event_id']}"} for each in own]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "evil.ndjson"
    path.write_bytes(encode_events([*_hostile("a", "one thing"), *_hostile("b", "quite another matter")]))
    return path


@pytest.mark.parametrize("shape", FORMATS)
def test_nothing_that_steers_reaches_the_reader(hostile: Path, shape: str) -> None:
    done = compare("a", "b", "--file", hostile, "--format", shape, "--show-divergence")
    assert done.code == 1, done.error_text
    assert STEERING.search(done.text) is None
    assert done.error_text == ""


@pytest.mark.parametrize("shape", ["text", "json", "markdown"])
def test_nothing_that_steers_reaches_the_reader_of_a_cohort(hostile: Path, shape: str) -> None:
    done = run("kdiff", "cohort", "a", "--against", "b", "--file", hostile, "--format", shape)
    assert done.code == 1, done.error_text
    assert STEERING.search(done.text) is None


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names.update(name for name, _ in attrs)


def test_a_page_holds_no_tag_and_no_attribute_but_ours(hostile: Path) -> None:
    page = _Page()
    page.feed(compare("a", "b", "--file", hostile, "--format", "html").text)
    assert not page.tags & {"script", "img", "a", "link", "iframe", "object"}
    assert page.names <= {"lang", "charset", "http-equiv", "content", "name", "class", "colspan"}


def test_a_markdown_table_is_not_broken_by_what_an_event_says(hostile: Path) -> None:
    lines = compare("a", "b", "--file", hostile, "--format", "markdown").lines
    rows = [line for line in lines if line.startswith("| ") and "---" not in line]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {4, 5}


def test_a_cohort_ranks_what_no_good_session_does_first_and_claims_nothing(tmp_path: Path) -> None:
    good = [make_tool_call(1, "mail.find", input={"n": 1}, output=1), make_session_end(3)]
    sessions = {f"good{n}": good for n in range(3)}
    sessions["bad"] = [
        good[0],
        make_tool_call(2, "mail.send", input={"to": "all"}, output=1),
        make_session_end(3, "failed"),
    ]
    path = write_capture_file(
        tmp_path / "x.ndjson",
        *({**e, "session_id": s, "event_id": f"{s}{e['event_id']}"} for s, own in sessions.items() for e in own),
    )
    done = run("kdiff", "cohort", "good0", "good1", "good2", "--against", "bad", "--file", path, "--format", "json")
    found = orjson.loads(done.out)
    assert done.code == 1
    assert next((d["label"], d["good_that_show_it"]) for d in found["divergences"]) == ("mail.send", 0)
    assert "too few to claim" in found["claim"]


@pytest.mark.parametrize("arguments", [("compare", "good", "bad"), ("cohort", "good", "same", "--against", "bad")])
def test_a_pipe_gets_the_text_that_a_terminal_of_100_columns_shows(pair: Path, arguments: tuple[str, ...]) -> None:
    piped = run("kdiff", *arguments, "--file", pair)
    terminal = Terminal("kdiff", *arguments, "--file", pair, "--no-pager", columns=100)
    assert terminal.wait_for_end() == piped.code == 1
    assert piped.lines == terminal.lines
    assert b"\x1b" not in piped.out


def test_a_cohort_fits_its_columns_and_names_its_good_sessions_whole(tmp_path: Path) -> None:
    good = [f"sess_a_good_session_with_a_long_name_{n:04}" for n in range(25)]
    events = [make_tool_call(n, session_id=name, output=1) for n, name in enumerate(good)]
    bad = make_tool_call(99, "x" * 300, session_id="bad", output=1)
    path = write_capture_file(tmp_path / "x.ndjson", *events, bad)
    lines = run("kdiff", "cohort", *good, "--against", "bad", "--file", path).lines
    assert max(map(len, lines)) <= 100
    assert re.findall(r"sess_\w+", " ".join(lines)) == good[:20]
    assert "and 5 more" in " ".join(" ".join(lines).split())


def test_a_cohort_that_differs_in_nothing_is_0(pair: Path) -> None:
    assert run("kdiff", "cohort", "good", "--against", "same", "--file", pair).code == 0
