"""A tool's run: its streams, its log, its signals, its errors, and its exit code."""

import errno
import gc
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from ..errors import AgentlogError, Stopped, UsageError

if TYPE_CHECKING:
    from typer.core import TyperGroup

BUG_EXIT_CODE = 70
UNWRITABLE = (errno.ENOSPC, errno.EPIPE)
_received_signals: list[int] = []  # the one that ends this process, once it has come


def run(app: "TyperGroup") -> None:
    """Run a tool and end the process with its exit code. An error is a message, never a traceback."""
    gc.disable()  # a command lives for seconds, and walking its records again and again would double them
    _prepare_streams()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle_stop_signal)
    sys.exit(_run_for_exit_code(app, _get_tool_name()))


def _get_tool_name() -> str:
    """Return the name by which the user called the tool; for ``python -m kshark`` the package's name."""
    program = Path(sys.argv[0])
    return program.parent.name if program.stem == "__main__" else program.stem


def _prepare_streams() -> None:
    """Make the streams safe: escape characters that the encoding lacks, and open closed streams on the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  for as long as we run
        elif mode == "w":
            stream.reconfigure(errors="backslashreplace")


def _run_for_exit_code(app: "TyperGroup", tool_name: str) -> int:
    _translate_completion_request(tool_name)
    try:
        app(prog_name=tool_name)
    except AgentlogError as error:
        _write_stderr(f"{tool_name}: {error}")
        return error.exit_code
    except Stopped as stopped:
        return stopped.exit_code
    except SystemExit as ended:
        return _get_exit_code(ended)
    except Exception as error:  # noqa: BLE001  reported as a bug
        return _report_unexpected(tool_name, error)
    return 0


def _get_exit_code(ended: SystemExit) -> int:
    if isinstance(ended.__context__, BrokenPipeError):  # the reader of the help has gone, which is no failure
        return 0
    return ended.code if isinstance(ended.code, int) else 0


def _report_unexpected(tool_name: str, error: Exception) -> int:
    """Report an error that no command reported, and return the exit code; with AGENTLOG_DEBUG raise it."""
    if _received_signals:  # it came while C code called Python, which raised this in place of Stopped
        return 128 + _received_signals[0]
    if isinstance(error, OSError) and error.errno in UNWRITABLE and error.filename is None:  # help, or a usage error
        from .output import discard_buffer

        discard_buffer(sys.stdout)
        _write_stderr(f"{tool_name}: the output can't be written: {error.strerror}")
        return UsageError.exit_code
    if isinstance(error, OSError | RuntimeError) and "--install-completion" in sys.argv:
        _write_stderr(
            f"{tool_name}: the home folder can't be used: {error}; --show-completion writes what belongs there"
        )
        return UsageError.exit_code
    if os.environ.get("AGENTLOG_DEBUG"):
        raise error
    _write_stderr(
        f"{tool_name}: a bug, {type(error).__name__}: {error}\nPlease report it, with what AGENTLOG_DEBUG=1 shows."
    )
    return BUG_EXIT_CODE


def _translate_completion_request(tool_name: str) -> None:
    """Translate ``bash_source``, which startup files of shells contain, into typer's ``source_bash``."""
    variable = f"_{tool_name}_COMPLETE".replace("-", "_").upper()
    shell, _, request = os.environ.get(variable, "").partition("_")
    if request in {"source", "complete"}:
        os.environ[variable] = f"{request}_{shell}"


def _handle_stop_signal(signal_number: int, frame: FrameType | None) -> None:
    """Finish cleanly at the first signal. A second one meets no handler of ours."""
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, signal.SIG_DFL)
    if _is_importing(frame):  # C code that is being imported may not survive an error: wait until it is there
        signal.signal(signal.SIGALRM, lambda _, later: _handle_stop_signal(signal_number, later))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        return
    _received_signals.append(signal_number)
    raise Stopped(128 + signal_number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _write_stderr(text: str) -> None:
    from .output import write_stderr

    write_stderr(text)


def log_to_stderr(is_verbose: bool) -> None:
    """Log warnings to standard error; if ``is_verbose``, log all that we do too, and librdkafka's own lines."""
    import logging

    logging.basicConfig(stream=sys.stderr, format=f"{_get_tool_name()}: %(message)s")
    logging.getLogger().setLevel(logging.INFO if is_verbose else logging.WARNING)
    logging.getLogger("agentlog.librdkafka").setLevel(logging.DEBUG if is_verbose else logging.CRITICAL)
