"""`kshark replay --follow` of a capture file that is still being written, and of a pipe."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.recording import encode_events, make_event, make_session_end, make_tool_call
from tests.running import make_command, make_environment

START = make_event(0, "session_start", payload={"goal": "send mail"})
Follow = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Start `kshark replay sess_1 --follow` on a file; its output is one pipe."""
    processes = []

    def start(path: Path | str, *options: str, stdin: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            make_command("kshark", "replay", "sess_1", "--follow", "-f", str(path), *options),
            env=make_environment(),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def read_until(stream: IO[bytes] | None, word: bytes) -> bytes:
    """Read lines up to one that holds `word`."""
    assert stream is not None
    lines = []
    for line in stream:
        lines.append(line)
        if word in line:
            return b"".join(lines)
    raise AssertionError(b"".join(lines).decode())


def write(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_new_events_show_as_they_are_written_until_the_session_ends(follow: Follow, tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(encode_events([START, make_tool_call(1, "mail.find")]))
    running = follow(path, "--format", "text")
    read_until(running.stdout, b"mail.find")
    write(path, encode_events([make_tool_call(2, "mail.send")]))
    read_until(running.stdout, b"mail.send")
    write(path, encode_events([make_session_end(3)]))
    rest = b" ".join(running.communicate(timeout=30)[0].split())
    assert b"end succeeded" in rest
    assert b"run.ndjson: 4 lines;" in rest
    assert running.returncode == 0


def test_a_line_that_is_half_written_is_waited_for(follow: Follow, tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    line = encode_events([make_tool_call(1, "mail.send")])
    path.write_bytes(encode_events([START]) + line[:40])
    running = follow(path, "--format", "ndjson")
    read_until(running.stdout, b"evt_0")
    write(path, line[40:90])
    time.sleep(0.3)
    write(path, line[90:-1])
    assert b"unreadable" not in read_until(running.stdout, b"mail.send")
    write(path, b"\n" + encode_events([make_session_end(2)]))
    told = running.communicate(timeout=30)[0]
    assert b"unreadable" not in told
    assert b'"offset":3' in told


def test_an_empty_file_and_other_sessions_are_waited_in(follow: Follow, tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.touch()
    running = follow(path, "--format", "ndjson")
    read_until(running.stdout, b"waiting for session sess_1 in")
    write(
        path,
        encode_events([make_event(0, session_id="other"), START]) + b"log\n" + encode_events([make_session_end(9)]),
    )
    told = running.communicate(timeout=30)[0]
    assert b"evt_0" in told
    assert b"elsewhere" not in told
    assert b"run.ndjson:3: not JSON: a line of other text" in told


def test_a_file_that_was_cut_is_read_from_its_beginning(follow: Follow, tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    path.write_bytes(encode_events([START, make_tool_call(1), make_tool_call(2)]))
    running = follow(path, "--format", "ndjson")
    read_until(running.stdout, b"evt_2")
    path.write_bytes(b"")
    read_until(running.stdout, b"was cut: it is read from its beginning again")
    write(path, encode_events([make_session_end(3)]))
    assert b"session_end" in running.communicate(timeout=30)[0]


def test_a_pipe_is_followed_until_its_writer_ends(follow: Follow) -> None:
    running = follow("-", "--format", "ndjson", stdin=subprocess.PIPE)
    assert running.stdin is not None
    running.stdin.write(encode_events([START]))
    running.stdin.flush()
    read_until(running.stdout, b"evt_0")
    told = running.communicate(encode_events([make_tool_call(1)]), timeout=30)[0]
    assert b"evt_1" in told
    assert running.returncode == 0


def test_a_compressed_file_cannot_be_followed(follow: Follow, tmp_path: Path) -> None:
    (tmp_path / "run.ndjson").write_bytes(b"\x1f\x8b\x08\x00")
    running = follow(tmp_path / "run.ndjson")
    assert b"is compressed or not in UTF-8, so it can't be followed" in running.communicate(timeout=30)[0]
    assert running.returncode == 2
