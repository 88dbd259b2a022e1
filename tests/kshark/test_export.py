"""`kshark export`: sessions out of a capture file into another, whole or not at all."""

import gzip
import os
import signal
import subprocess
from pathlib import Path

import orjson
import pytest
import zstandard

from kshark.cli import app
from tests.recording import encode_events, make_call_started, make_session_end, make_tool_call, write_capture_file
from tests.running import CompletedRun, feed, make_command, make_environment, run, run_in_process


def export(folder: Path, *arguments: str, stdin: bytes = b"") -> CompletedRun:
    return run_in_process(app, "export", *arguments, cwd=folder, stdin=stdin)


def events(content: bytes) -> list[str]:
    return [orjson.loads(line)["event_id"] for line in content.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with `run.ndjson`: two sessions in turn, a copy, an announcement, a line that is no event."""
    mine = [make_call_started(1, "evt_2"), make_tool_call(2), make_tool_call(2), make_session_end(3)]
    other = [make_tool_call(n, session_id="sess_2") for n in (7, 8)]
    path = write_capture_file(tmp_path / "run.ndjson", mine[0], other[0], *mine[1:], other[1])
    path.write_bytes(path.read_bytes() + b"not json\n")
    return tmp_path


def test_every_record_is_written_as_it_lies_copies_and_announcements_too(folder: Path) -> None:
    done = export(folder, "sess_1", "--file", "run.ndjson", "-o", "mine.ndjson")
    assert (done.code, done.out) == (0, b"")
    assert events((folder / "mine.ndjson").read_bytes()) == ["evt_1", "evt_2", "evt_2", "evt_3"]
    assert done.error_text.endswith("wrote mine.ndjson: 4 events of 1 session\n")


def test_several_sessions_stand_one_behind_the_other_each_once(folder: Path) -> None:
    done = export(folder, "sess_2", "sess_1", "sess_2", "--file", "run.ndjson", "-o", "-")
    assert events(done.out) == ["evt_7", "evt_8", "evt_1", "evt_2", "evt_2", "evt_3"]


def test_what_cannot_be_read_is_named_once_however_many_sessions(folder: Path) -> None:
    done = export(folder, "sess_1", "sess_2", "--file", "run.ndjson", "-o", "-")
    assert done.code == 0
    (told,) = done.error_text.splitlines()
    assert told.startswith("unreadable: run.ndjson:7: not JSON: ")


def test_of_many_lines_that_cannot_be_read_for_one_reason_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.ndjson").write_bytes(encode_events([make_tool_call(1)]) + b"no\n" * 130)
    told = export(tmp_path, "sess_1", "--file", "run.ndjson", "-o", "-").error_text.splitlines()
    assert told == ["unreadable: run.ndjson:2, the first of 130: not JSON: a line of other text"]


@pytest.mark.parametrize(("name", "unpacked"), [("a.gz", gzip.decompress), ("a.zst", None), ("a.ndjson", bytes)])
def test_the_name_says_how_it_is_packed_and_every_time_alike(folder: Path, name: str, unpacked: object) -> None:
    plain = export(folder, "sess_1", "--file", "run.ndjson", "-o", "-").out
    export(folder, "sess_1", "--file", "run.ndjson", "-o", name)
    packed = (folder / name).read_bytes()
    unpack = unpacked or (lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data))
    assert unpack(packed) == plain  # type: ignore[operator]
    export(folder, "sess_1", "--file", "run.ndjson", "-o", name)
    assert (folder / name).read_bytes() == packed
    assert export(folder, "sess_1", "--file", name, "-o", "-").out == plain


def test_a_missing_session_is_4_and_the_others_are_written(folder: Path) -> None:
    done = export(folder, "sess_1", "sess_3", "--file", "run.ndjson", "-o", "mine.ndjson")
    assert done.code == 4
    assert "wrote mine.ndjson: 4 events of 1 session" in done.error_text
    assert "no session sess_3. Searched run.ndjson: 7 lines, 1 of them unreadable.\nNearest: sess_" in done.error_text
    assert len(events((folder / "mine.ndjson").read_bytes())) == 4


def test_when_no_session_is_there_the_file_that_was_there_stays(folder: Path) -> None:
    (folder / "mine.ndjson").write_text("mine")
    assert export(folder, "sess_3", "--file", "run.ndjson", "-o", "mine.ndjson").code == 4
    assert (folder / "mine.ndjson").read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["mine.ndjson", "run.ndjson"]


def test_several_sessions_of_a_pipe_are_refused_because_it_can_be_read_but_once(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    for pipe in ("-", "fifo"):
        done = export(folder, "sess_1", "sess_2", "--file", pipe, "-o", "mine.ndjson")
        assert (done.code, "a pipe can be read only once" in done.error_text) == (2, True)
    assert not (folder / "mine.ndjson").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_half_file(folder: Path, number: signal.Signals) -> None:
    os.mkfifo(folder / "fifo")
    process = subprocess.Popen(
        make_command("kshark", "export", "sess_1", "--file", "fifo", "-o", "mine.ndjson"),
        cwd=folder,
        env=make_environment(),
    )
    with (folder / "fifo").open("wb", buffering=0) as writer:
        feed(writer, encode_events([make_tool_call(1)]), process.pid)
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number
    assert sorted(path.name for path in folder.iterdir()) == ["fifo", "run.ndjson"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(folder: Path) -> None:
    (folder / "real.ndjson").touch()
    (folder / "link.ndjson").symlink_to("real.ndjson")
    export(folder, "sess_2", "--file", "run.ndjson", "-o", "link.ndjson")
    assert (folder / "link.ndjson").is_symlink()
    assert events((folder / "real.ndjson").read_bytes()) == ["evt_7", "evt_8"]
    done = run("kshark", "export", "sess_2", "--file", "run.ndjson", "-o", "/dev/stdout", cwd=folder)
    assert events(done.out) == ["evt_7", "evt_8"]


@pytest.mark.parametrize("output", ["no/such/folder/a.ndjson", "/dev/full", "."])
def test_a_file_that_cannot_be_written_is_2(folder: Path, output: str) -> None:
    done = export(folder, "sess_1", "--file", "run.ndjson", "-o", output)
    assert done.code == 2
    assert f"kshark: {output}: " in done.error_text


def test_standard_input_is_read_once(folder: Path) -> None:
    content = (folder / "run.ndjson").read_bytes()
    assert len(events(export(folder, "sess_1", "--file", "-", "-o", "-", stdin=content).out)) == 4
    assert export(folder, "sess_1", "sess_2", "--file", "-", "-o", "-", stdin=content).code == 2


def test_a_part_is_exported_too(folder: Path) -> None:
    done = export(folder, "sess_1", "--file", "run.ndjson", "--to", "2026-01-15T14:00:02Z", "-o", "-")
    assert events(done.out) == ["evt_1", "evt_2", "evt_2"]
