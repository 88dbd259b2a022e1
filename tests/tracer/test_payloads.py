"""Large values: stored in a folder or in real S3, shortened without a store, and verified when they are resolved."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog import AgentTracer, SettingsError
from agentlog.event.event import MAX_EVENT_BYTES
from agentlog.payloads import open_store, resolve
from agentlog.recording.prepare.payload_offload import EventShrinker, shorten_event
from agentlog.recording.prepare.thread_pool import Future
from tests.running import run
from tests.s3_server import run_s3_server
from tests.tracing import read_file_events, run_program

LARGE = {"rows": [{"n": n, "text": "a row of a large table"} for n in range(800)]}
TEXT = "a long text, " * 2_000


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with run_s3_server(tmp_path_factory.mktemp("s3")) as variables:
        yield variables


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "payloads")
    for name, value in request.getfixturevalue("s3").items():
        monkeypatch.setenv(name, value)
    return f"s3://bucket/agents/{tmp_path.name}"


def recorded(path: Path, **options: Any) -> tuple[AgentTracer, list[dict[str, Any]]]:
    tracer = AgentTracer("sess_1", agent_id="agent", file=path, **options)
    tracer.user_message("before")
    tracer.track_tool_call("table", LARGE, lambda: TEXT, reasoning="it is asked for")
    tracer.track_tool_call("table", LARGE, lambda: "small")
    tracer.user_message("after")
    assert tracer.flush(30)
    return tracer, read_file_events(path)


def test_large_values_are_stored_once_under_their_hash_and_resolved_to_what_they_were(
    store: str, tmp_path: Path
) -> None:
    tracer, events = recorded(tmp_path / "run.ndjson", payloads=store)
    kinds = [event["event_type"] for event in events]
    assert kinds == ["user_message", "tool_call", "tool_call", "user_message"]
    first, second = (event["payload"] for event in events if event["event_type"] == "tool_call")
    assert first["input"] == second["input"]
    assert set(first["input"]) == {"$ref", "bytes", "sha256", "preview"}
    whole, text = resolve(first["input"]), resolve(first["output"])
    assert isinstance(whole, bytes)
    assert json.loads(whole) == LARGE
    assert text == TEXT.encode()
    assert first["output"]["preview"] == TEXT[:200]
    assert second["output"] == "small"
    assert all(len(json.dumps(event)) <= MAX_EVENT_BYTES for event in events)
    assert tracer.stats().shortened == 0


def test_what_was_changed_in_the_store_is_not_passed_off_as_what_was_recorded(tmp_path: Path) -> None:
    _, events = recorded(tmp_path / "run.ndjson", payloads=tmp_path / "payloads")
    reference = events[1]["payload"]["output"]
    (file,) = (tmp_path / "payloads").glob("*/*.txt")
    file.write_bytes(TEXT.replace("a", "b").encode())
    assert "not what was recorded" in str(resolve(reference))
    file.write_bytes(b"short")
    assert "has 5 bytes" in str(resolve(reference))
    file.unlink()
    assert "no such file" in str(resolve(reference))


def test_an_event_of_many_fields_is_stored_whole_and_keeps_its_parent(tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "x.ndjson", payloads=tmp_path / "payloads")
    fields = {f"field_{n}": "x" * 300 for n in range(60)}
    with tracer.tool_call("outer") as outer:
        tracer.record("report", fields, {f"why_{n}": "y" * 300 for n in range(60)})
    assert tracer.flush(10)
    event = next(event for event in read_file_events(tmp_path / "x.ndjson") if event["event_type"] == "report")
    assert event["context"]["parent_event_id"] == outer.event_id
    whole = resolve(event["payload"]["shortened"])
    assert isinstance(whole, bytes)
    assert json.loads(whole) == fields


PICTURE = b64encode(b"\x89PNG\r\n\x1a\n" + b"picture" * 30_000).decode()
PICTURE_ANSWERS = {
    "OpenAI": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}}],
    "Anthropic": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}],
    "MCP": [{"type": "image", "data": PICTURE, "mimeType": "image/png"}],
    "text": [{"type": "text", "text": f"before ![shot](data:image/png;base64,{PICTURE})"}],
    "JSON": [json.dumps({"shot": PICTURE})],
}


@pytest.mark.parametrize("kind", PICTURE_ANSWERS)
@pytest.mark.parametrize("has_store", [True, False])
def test_a_picture_is_shortened_to_its_kind_and_size_and_the_text_beside_it_stays(
    tmp_path: Path, kind: str, has_store: bool
) -> None:
    file, store = tmp_path / "x.ndjson", tmp_path / "payloads"
    answer = [*PICTURE_ANSWERS[kind], {"type": "text", "text": "clicked the button"}]
    with AgentTracer("sess_1", agent_id="a", file=file, payloads=store if has_store else None) as tracer:
        tracer.track_tool_call("browser.click", {"x": 1}, lambda: answer)
    event = next(event for event in read_file_events(file) if event["event_type"] == "tool_call")
    assert event["payload"]["output"][-1] == answer[-1]
    assert len(json.dumps(event)) < MAX_EVENT_BYTES
    assert "image/png" in json.dumps(event)
    assert tracer.stats().shortened == (not has_store)
    replay = ("kshark", "replay", "sess_1", "--file", file, "--format", "text")
    text = run(*replay, variables={"COLUMNS": "600"}).text
    assert re.search(r"image/png.*\d bytes.*clicked the button", text)
    assert PICTURE[-40:] not in "".join(run(*replay, "--full").text.split())
    if has_store:
        [stored] = store.rglob("*.txt")
        assert PICTURE in stored.read_text()


def test_what_lies_in_a_folder_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    recorded(tmp_path / "run.ndjson", payloads=tmp_path / "payloads")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "payloads").glob("*/*")}
    assert modes == {(tmp_path / "run.ndjson").stat().st_mode & 0o777}


def test_without_a_store_large_values_are_shortened_with_the_size_and_hash_of_the_whole(tmp_path: Path) -> None:
    tracer, events = recorded(tmp_path / "run.ndjson")
    reference = events[1]["payload"]["output"]
    assert reference["$ref"] is None
    assert reference["bytes"] == len(TEXT)
    assert "shortened when it was recorded" in str(resolve(reference))
    assert tracer.stats().shortened == 3


def test_a_store_that_cant_be_reached_costs_the_values_and_not_the_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in NO_STORE.items():
        monkeypatch.setenv(name, value)
    tracer, events = recorded(tmp_path / "run.ndjson", payloads="s3://bucket/x", outage_s=0.1)
    assert len(events) == 4
    assert tracer.stats().shortened == 3


NO_STORE = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ALLOW_HTTP": "true",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "y",
}
ENDS_WITHOUT_STORE = """
import sys, time
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="agent", file=sys.argv[1], payloads="s3://bucket/x", outage_s=600, exit_s=0.5)
for n in range(12):
    tracer.track_tool_call("count", {"n": n, "text": "x" * 20_000}, lambda: None)
"""


def test_a_process_ends_in_bounded_time_without_its_store_and_its_events_arrive(tmp_path: Path) -> None:
    code, _, err = run_program(ENDS_WITHOUT_STORE, str(tmp_path / "x.ndjson"), **NO_STORE)
    assert code == 0, err
    inputs = [event["payload"]["input"] for event in read_file_events(tmp_path / "x.ndjson")]
    assert len(inputs) == 12
    assert {each["$ref"] for each in inputs} == {None}


def test_a_store_that_is_away_for_long_is_waited_for_once_and_not_for_each_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Away:
        def put(self, name: str, content: bytes) -> str:
            asked.append(name)
            raise OSError("no route")

    monkeypatch.setattr("agentlog.recording.prepare.payload_offload.RETRY_DELAY_S", 0.01)
    shrinker = EventShrinker(Away, outage_timeout_s=0.2)
    event = {"event_id": "evt_1", "payload": {"a": "x" * 20_000}, "context": {}}
    values = [json.dumps(event | {"payload": {"a": str(n) * 20_000}}).encode() for n in range(40)]
    shrunk = [shrinker.shrink(value) for value in values]
    assert [one.result(20).shortened_count for one in shrunk if isinstance(one, Future)] == [1] * 40
    assert len(asked) < 40 * 10


FORKS = """
import os, sys
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="agent", file=sys.argv[1], payloads="s3://bucket/forked")
tracer.track_tool_call("parent", "a" * 20_000, lambda: None)
tracer.flush()
if os.fork() == 0:
    tracer.track_tool_call("child", "b" * 20_000, lambda: None)
    sys.exit(0 if tracer.flush() and tracer.stats().shortened == 1 else 1)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_forked_child_of_a_process_that_used_the_store_shortens_and_does_not_hang(
    s3: dict[str, str], tmp_path: Path
) -> None:
    code, _, err = run_program(FORKS, str(tmp_path / "x.ndjson"), **s3)
    assert code == 0, err
    references = {
        event["payload"]["tool"]: event["payload"]["input"]["$ref"] for event in read_file_events(tmp_path / "x.ndjson")
    }
    assert references["parent"].startswith("s3://bucket/forked/")
    assert references["child"] is None


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ({}, "lacks"),
        ({"$ref": "s3://b/k", "bytes": 3}, "lacks"),
        ({"$ref": "https://example.com/x", "bytes": 3, "sha256": "0"}, "neither a folder nor a known object store"),
        ({"$ref": "file://elsewhere/etc/passwd", "bytes": 3, "sha256": "0"}, "neither a folder nor a known"),
        ({"$ref": "file:///etc/passwd", "bytes": Path("/etc/passwd").stat().st_size, "sha256": "0"}, "differs"),
        ({"$ref": "file:///dev/zero", "bytes": 3, "sha256": "0"}, "no such file"),
        ({"$ref": "file:///x", "bytes": 10**12, "sha256": "0"}, "more than"),
    ],
)
def test_a_reference_that_cant_be_trusted_is_refused_with_a_reason(reference: dict[str, Any], why: str) -> None:
    assert why in str(resolve(reference))


def test_an_unknown_kind_of_store_is_a_clear_error() -> None:
    with pytest.raises(SettingsError, match="ftp:// is an unknown kind of store"):
        open_store("ftp://host/folder")


@given(
    st.dictionaries(st.text(max_size=30), st.text(max_size=4_000) | st.lists(st.integers(), max_size=500), max_size=60)
)
def test_any_payload_is_brought_below_the_limit(payload: dict[str, Any]) -> None:
    event = {"event_id": "evt_1", "event_type": "tool_call", "payload": payload, "context": {"reasoning": "x" * 3_000}}
    assert len(shorten_event(json.dumps(event).encode()).value) <= MAX_EVENT_BYTES
