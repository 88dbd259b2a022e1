"""A current folder that was removed by the next release, and a process without a home folder."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentlog import AgentTracer, SettingsError
from agentlog.errors import UsageError
from agentlog.payloads import resolve
from tests.tracing import read_file_events


@pytest.fixture
def gone(tmp_path: Path) -> Iterator[Path]:
    """Stand in a folder that was removed, and give another one."""
    before = Path.cwd()
    release = tmp_path / "release"
    release.mkdir()
    os.chdir(release)
    release.rmdir()
    yield tmp_path
    os.chdir(before)


def test_a_capture_file_and_a_store_with_whole_paths_are_written(gone: Path) -> None:
    with AgentTracer(agent_id="agent", goal="g", file=gone / "run.ndjson", payloads=gone / "payloads") as tracer:
        tracer.track_tool_call("page.read", {}, lambda: "x" * 50_000)
    _, event, _ = read_file_events(gone / "run.ndjson")
    assert resolve(event["payload"]["output"]) == b"x" * 50_000


@pytest.mark.parametrize(
    "target", [{"cluster": "127.0.0.1:1"}, {"kafka": {"bootstrap.servers": "127.0.0.1:1"}}, {"cluster": "named"}]
)
def test_events_for_a_cluster_go_to_a_spool_with_a_whole_path(
    target: dict[str, Any], gone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gone / "agentlog.toml").write_text('[clusters.named]\n"bootstrap.servers" = "127.0.0.1:1"\n')
    monkeypatch.setenv("AGENTLOG_CONFIG", str(gone / "agentlog.toml"))
    tracer = AgentTracer(agent_id="agent", on_outage="spool", spool=gone / "spool", outage_s=0.1, **target)
    tracer.user_message("hello")
    assert tracer.flush(20)
    assert tracer.stats().spooled == 1


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ({"file": "run.ndjson"}, "run.ndjson"),
        ({"cluster": "127.0.0.1:1", "payloads": "payloads"}, "payloads"),
        ({"cluster": "127.0.0.1:1", "on_outage": "spool"}, "agentlog-spool"),
    ],
)
def test_a_relative_path_is_an_error_that_says_what_to_do(setting: dict[str, Any], path: str, gone: Path) -> None:
    with pytest.raises(UsageError, match=rf"^{path}: the current folder can't be told .*; name the whole path$"):
        AgentTracer(agent_id="agent", **setting)


def test_settings_that_name_no_cluster_are_told_as_usual(gone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(gone))
    with pytest.raises(SettingsError, match="no cluster is given"):
        AgentTracer(agent_id="agent")


def test_a_spool_that_isnt_used_needs_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.getuid", lambda: 123_456_789)  # a container's user without an entry in passwd
    with AgentTracer(agent_id="agent", file=tmp_path / "run.ndjson", spool="~/spool") as tracer:
        tracer.user_message("hello")
    with pytest.raises(UsageError, match="the user has no home"):
        AgentTracer(agent_id="agent", file=tmp_path / "run.ndjson", spool="~/spool", on_outage="spool")
