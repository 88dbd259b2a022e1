"""The paths of the user's files: the home folder in place of ``~``, wherever a path is given."""

from pathlib import Path

import pytest

from agentlog import AgentTracer
from agentlog.home import expand_home
from tests.recording import encode_events, make_event
from tests.running import run


def test_a_tilde_stands_for_the_home_folder_and_nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home("~/run.ndjson") == tmp_path / "run.ndjson"
    assert expand_home("run~.ndjson") == Path("run~.ndjson")
    assert expand_home("~nobody-has-this-name/run") == Path("~nobody-has-this-name/run")


def test_a_tracers_file_may_lie_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with AgentTracer("sess_1", agent_id="a", file="~/run.ndjson") as tracer:
        tracer.flush()
    assert b"sess_1" in (tmp_path / "run.ndjson").read_bytes()


@pytest.mark.parametrize("arguments", [("replay", "sess_1", "--file=~/in"), ("export", "sess_1", "-f", "~/in", "-o-")])
def test_an_options_file_may_lie_in_the_home_folder(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "in").write_bytes(encode_events([make_event(1)]))
    done = run("kshark", *arguments, variables={"HOME": str(tmp_path)})
    assert (done.code, "evt_1" in done.text) == (0, True)


@pytest.mark.parametrize("name", [b"a\xffb", b"new\nline", b"\x1b[31m"])
def test_a_file_whose_name_is_no_plain_text_is_read_and_named_on_one_line(tmp_path: Path, name: bytes) -> None:
    path = str(tmp_path).encode() + b"/" + name
    with open(path, "wb") as file:  # noqa: PTH123  a path of bytes
        file.write(encode_events([make_event(1)]) + b"oops\n")
    for arguments in (("replay", "sess_1"), ("sessions",), ("why", "sess_1"), ("memory", "sess_1")):
        done = run("kshark", *arguments, "--format", "json", "--file", path.decode(errors="surrogateescape"))
        assert done.code == 0, done.error_text
        assert len(done.error_text.splitlines()) == 1
        assert done.error_text.rstrip("\n").isprintable()
    assert (
        run(
            "kdiff", "compare", "sess_1", "sess_1", "--format", "json", "-f", path.decode(errors="surrogateescape")
        ).code
        == 0
    )
