"""Runs of the tools as a user starts them: from a shell, in a terminal, or in this process."""

import fcntl
import io
import os
import queue
import shlex
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import chdir, suppress
from pathlib import Path
from typing import IO, NamedTuple
from unittest.mock import patch

import pexpect
import pyte
from typer.core import TyperGroup

from agentlog.terminal.run import _run_for_exit_code as exit_code
from devkafka import eventually

CLEARED_VARIABLES = ("AGENTLOG_", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PAGER", "LESS", "LV", "TERM", "TZ")


def feed(pipe: IO[bytes], data: bytes, pid: int) -> None:
    """Write ``data``, and wait until the process has read it and waits for more.

    So that a signal comes during the read: Python notices one that comes just before a read only after the read.
    """
    pipe.write(data)
    eventually(lambda: not _count_unread(pipe) and _is_sleeping(pid), timeout=30)


def _count_unread(pipe: IO[bytes]) -> int:
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))
    return int(count)


def _is_sleeping(pid: int) -> bool:
    result = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], check=False, capture_output=True)
    return result.stdout.startswith(b"S")


class CompletedRun(NamedTuple):
    """The exit code and the output of a run."""

    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.out.decode()

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.text.splitlines()

    @property
    def error_text(self) -> str:
        """Standard error as text."""
        return self.err.decode()


def make_environment(**variables: str) -> dict[str, str]:
    """Return the environment without variables that change a tool's output, and with ``variables``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(CLEARED_VARIABLES)}
    return {**clean, "TZ": "UTC", **variables}


def make_command(tool: str, *arguments: str | Path) -> list[str]:
    """Return the command that runs a tool with this Python."""
    return [sys.executable, "-m", tool, *map(str, arguments)]


def run(
    tool: str,
    *arguments: str | Path,
    stdin: bytes = b"",
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> CompletedRun:
    """Run a tool to its end, with pipes instead of a terminal."""
    result = subprocess.run(
        make_command(tool, *arguments),
        input=stdin,
        capture_output=True,
        check=False,
        cwd=cwd,
        env=make_environment(**(variables or {})),
        timeout=60,
    )
    return CompletedRun(result.returncode, result.stdout, result.stderr)


def run_in_process(
    app: TyperGroup,
    *arguments: str | Path,
    stdin: bytes = b"",
    cwd: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> CompletedRun:
    """Run a tool as `run` does, but in this process. It is faster, for tables of cases."""
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    stdin_stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin)))  # type: ignore[type-var]
    env = {"COLUMNS": "80", **make_environment(**(variables or {}))}
    with (
        patch.multiple(sys, argv=["kshark", *map(str, arguments)], stdin=stdin_stream, stdout=out, stderr=err),
        patch.dict(os.environ, env, clear=True),
        chdir(cwd or Path.cwd()),
    ):
        code = exit_code(app, "kshark")
    return CompletedRun(code, *(stream.buffer.getvalue() for stream in (out, err)))  # type: ignore[attr-defined]


class RunningTool:
    """A tool that runs until it is stopped, and the lines that it writes."""

    def __init__(self, tool: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            make_command(tool, *arguments),
            env=make_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.kill = self._process.kill
        self.send_signal = self._process.send_signal
        self._streams = [self._process.stdout, self._process.stderr]
        self._lines, self._error_lines = queue.Queue[str](), queue.Queue[str]()
        self._readers = [
            self._start_reader(self._process.stdout, self._lines),
            self._start_reader(self._process.stderr, self._error_lines),
        ]

    @staticmethod
    def _start_reader(stream: IO[str] | None, lines: queue.Queue[str]) -> threading.Thread:
        assert stream is not None
        reader = threading.Thread(target=lambda: [lines.put(line.rstrip("\n")) for line in stream], daemon=True)
        reader.start()
        return reader

    def read_line(self) -> str:
        """Return the next line of standard output."""
        return self._lines.get(timeout=60)

    def read_lines_until(self, part: str) -> list[str]:
        """Return the next lines, up to the first one that contains ``part``."""
        lines = [self.read_line()]
        while part not in lines[-1]:
            lines.append(self.read_line())
        return lines

    def read_error_line(self) -> str:
        """Return the next line of standard error."""
        return self._error_lines.get(timeout=60)

    def wait_for_end(self) -> tuple[int, list[str], list[str]]:
        """Wait for the end. Return the exit code, and the unread lines of standard output and of standard error."""
        code = self._process.wait(timeout=60)
        for reader in self._readers:
            reader.join()
        for stream in self._streams:
            assert stream is not None
            stream.close()
        return code, list(self._lines.queue), list(self._error_lines.queue)


class Terminal:
    """A tool in a terminal, as a person sees it. ``then`` is the rest of the shell's line, behind the arguments."""

    def __init__(
        self,
        tool: str,
        *arguments: str | Path,
        columns: int = 80,
        rows: int = 24,
        cwd: Path | None = None,
        variables: Mapping[str, str] | None = None,
        then: str = "",
    ) -> None:
        program, *rest = make_command(tool, *arguments)
        if then:
            program, rest = "bash", ["-c", f"{shlex.join([program, *rest])} {then}"]
        env = make_environment(**{"TERM": "xterm-256color", "LESSHISTFILE": "-", **(variables or {})})
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000)
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self.process = pexpect.spawn(
            program,
            rest,
            dimensions=(rows, columns),
            cwd=cwd,
            env=env,
            timeout=30,
            echo=False,  # type: ignore[arg-type]
        )

    def wait_for_text(self, text: str) -> None:
        """Read until ``text`` is on the screen or above it. Raise TimeoutError, with the screen's text, if it isn't."""
        self.wait_until(lambda: text in "\n".join(self.lines), text)

    def press(self, key: str, text: str) -> None:
        """Press ``key`` until ``text`` is shown, because less discards keys while it handles Ctrl-C."""
        for _ in range(30):
            self.process.send(key)
            with suppress(TimeoutError):
                self.wait_until(lambda: text in "\n".join(self.lines), text, timeout=1)
                return
        raise TimeoutError(f"{key} didn't show {text!r} but:\n" + "\n".join(self.lines))

    def wait_until(self, condition: Callable[[], bool], expected: str, timeout: float = 30) -> None:
        """Read until ``condition`` holds. Raise TimeoutError after ``timeout`` seconds without output."""
        while not condition():
            try:
                self._feed(self.process.read_nonblocking(65536, timeout=timeout))
            except (pexpect.TIMEOUT, pexpect.EOF) as ended:
                if not condition():
                    raise TimeoutError(f"no {expected!r} but:\n" + "\n".join(self.lines)) from ended

    def _feed(self, data: bytes) -> None:
        self.raw += data
        self._stream.feed(data)

    def wait_for_end(self) -> int:
        """Read to the end, and return the exit code as a shell does."""
        began = time.monotonic()
        while True:
            if time.monotonic() - began > 90:
                raise TimeoutError("the tool doesn't end:\n" + "\n".join(self.lines))
            try:
                self._feed(self.process.read_nonblocking(65536, timeout=30))
            except pexpect.EOF:
                break
        self.process.wait()
        status: int | None = self.process.exitstatus
        return status if status is not None else 128 + int(self.process.signalstatus or 0)

    @property
    def lines(self) -> list[str]:
        """The lines that scrolled off the screen and those on it, without trailing blanks."""
        above = ["".join(row[x].data for x in range(self.screen.columns)) for row in self.screen.history.top]
        shown = [line.rstrip() for line in [*above, *self.screen.display]]
        while shown and not shown[-1]:
            shown.pop()
        return shown
