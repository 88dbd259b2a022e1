"""Output through the user's pager, as git does it."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

from .output import write_lines


def page_lines(lines: Iterable[str], *, use_pager: bool = True) -> None:
    """Write lines through the pager as git does: PAGER, else less, which ends by itself if all fits on the screen."""
    command = _find_pager() if use_pager else []
    if not command:
        return write_lines(lines)
    # Ctrl-C is the pager's as long as it runs. A handler, because a child would inherit that it is ignored.
    previous_handler = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        _write_to_pager(command, lines)
    finally:
        signal.signal(signal.SIGINT, previous_handler)
    return None


def _find_pager() -> list[str]:
    """Return the command of the pager; empty without a pager, or without a terminal."""
    try:
        pager = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:  # a quote that isn't closed
        return []
    is_usable = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and pager not in ([], ["cat"])
    return pager if is_usable and shutil.which(pager[0]) else []


def _write_to_pager(command: list[str], lines: Iterable[str]) -> None:
    environment = {"LESS": "FRX", "LV": "-c", **os.environ}
    pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, text=True, errors="backslashreplace")
    assert pager.stdin is not None  # noqa: S101  it was asked for
    try:
        with suppress(BrokenPipeError), pager.stdin:  # the reader may have seen enough
            pager.stdin.writelines(f"{line}\n" for line in lines)
        pager.wait()
    except BaseException:  # else it would go on and share the terminal with the shell
        pager.terminate()
        pager.wait()
        raise
