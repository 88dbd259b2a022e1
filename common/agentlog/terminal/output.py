"""What all tools share in writing: terminals, colours, the pager, progress, and text that can't be trusted."""

import os
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import IO

from ..errors import Stopped, UsageError
from ..event.escape import escape_controls

DEFAULT_WIDTH = 100
"""How wide text is where there is no terminal, unless COLUMNS says it."""

MIN_WIDTH = 40
PROGRESS_AFTER_S = 1.0
WORD_JOINTS = "._-/"
TAB_WIDTH = 4


class Style(StrEnum):
    """What a piece of text is, by the terminal's own colours."""

    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    BAD = "31"
    NOTICE = "33"
    NAME = "36"


Paint = Callable[[str, str], str]
"""Gives a text a style, or any other of a terminal's colours by its code."""


def paint_plain(text: str, _style: str) -> str:
    """A paint for where there is no colour."""
    return text


def paint_coloured(text: str, style: str) -> str:
    """A paint for a terminal."""
    return f"\x1b[{style}m{text}\x1b[0m" if text else text


def set_color(when: str) -> None:
    """Let colour be written ``always`` or ``never``; ``auto`` leaves that to the terminal and the environment.

    The choice is kept in the environment, so that libraries and the pager heed it too.
    """
    if when == "always":
        os.environ.pop("NO_COLOR", None)
        os.environ["FORCE_COLOR"] = "1"
    elif when == "never":
        os.environ["NO_COLOR"] = "1"


def choose_paint(stream: IO[str]) -> Paint:
    """Colour on a terminal that has it; https://no-color.org and FORCE_COLOR are kept."""
    if os.environ.get("NO_COLOR"):
        return paint_plain
    has_colour = os.environ.get("FORCE_COLOR") or (stream.isatty() and os.environ.get("TERM") != "dumb")
    return paint_coloured if has_colour else paint_plain


def get_width(stream: IO[str] | None = None) -> int:
    """How many columns a stream has, else standard output: COLUMNS, else its terminal's, else 100."""
    return max(_read_columns_variable() or _ask_terminal(stream or sys.stdout) or DEFAULT_WIDTH, MIN_WIDTH)


def _read_columns_variable() -> int:
    try:
        return max(int(os.environ.get("COLUMNS", "")), 0)
    except ValueError:
        return 0


def _ask_terminal(stream: IO[str]) -> int:
    """A terminal's columns; 0 where it doesn't know them, or where there is no terminal."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def is_pipe(stream: IO[str]) -> bool:
    """Whether another program reads what is written to a stream."""
    try:
        return stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError):
        return False


def cell_width(text: str) -> int:
    """How many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  loaded only for text that needs it

    return cell_len(text)


def clip_text(text: str, columns: int) -> str:
    """``text`` with its controls escaped, cut to ``columns`` with an ellipsis in its place."""
    shown = escape_controls(text[: columns * 2 + 8])  # nothing beyond can be seen, however long the text is
    if len(text) <= columns * 2 + 8 and cell_width(shown) <= columns:
        return shown
    return _take_first(shown, max(columns - 3, 0)).rstrip() + "..."


def elide_middle(text: str, columns: int) -> str:
    """``text`` with its controls escaped, cut to ``columns`` in its middle: ids differ at their ends."""
    most = columns * 2 + 8  # nothing beyond can be seen, however long the text is
    if len(text) <= most and cell_width(shown := escape_controls(text)) <= columns:
        return shown
    room = max(columns - 3, 0)
    head = _take_first(escape_controls(text[:most]), room // 3)
    return f"{head}...{_take_last(escape_controls(text[-most:]), room - cell_width(head))}"[: max(columns, 0)]


def _take_first(text: str, columns: int) -> str:
    text = text[:columns]
    while cell_width(text) > columns:
        text = text[:-1]
    return text


def _take_last(text: str, columns: int) -> str:
    text = text[max(len(text) - columns, 0) :]
    while cell_width(text) > columns:
        text = text[1:]
    return text


def wrap_text(text: str, columns: int) -> list[str]:
    """``text`` in lines of at most ``columns``, broken at spaces; a longer word at one of its joints, or anywhere."""
    lines, line = [], ""
    for piece in re.findall(" +|[^ ]+", text):
        if cell_width(line + piece) <= columns:
            line += piece
            continue
        lines.append(line)
        if piece[0] == " ":
            line = ""
        else:
            *full, line = _split_word(piece, columns)
            lines += full
    return [kept for each in [*lines, line] if (kept := each.rstrip())] or [""]


def _split_word(word: str, columns: int) -> list[str]:
    pieces, start = [], 0
    while start < len(word):
        piece = word[start : start + columns]
        while (excess := cell_width(piece) - columns) > 0 and len(piece) > 1:
            piece = piece[: -max(excess // 2, 1)]
        if start + len(piece) < len(word) and (joint := max(map(piece.rfind, WORD_JOINTS)) + 1) > len(piece) // 2:
            piece = piece[:joint]
        pieces.append(piece)
        start += len(piece)
    return pieces


def wrap_line(line: str, columns: int, most: int) -> list[str]:
    """A line that is escaped, in at most ``most`` lines of at most ``columns``, the last with an ellipsis when cut."""
    if most == 1:
        return [clip_text(line, columns)]
    lines = wrap_text(line[: columns * (most + 1) * 2], columns)
    return lines if len(lines) <= most else [*lines[: most - 1], clip_text(f"{lines[most - 1]} {lines[most]}", columns)]


def escape_line(line: str) -> str:
    """One line of somebody else's text: controls escaped, tabs as spaces up to the next fourth column."""
    if "\t" not in line:
        return escape_controls(line)
    first, *others = line.split("\t")
    pieces = [escape_controls(first)]
    column = cell_width(pieces[0])
    for piece in map(escape_controls, others):
        gap = TAB_WIDTH - column % TAB_WIDTH
        pieces.append(" " * gap + piece)
        column += gap + cell_width(piece)
    return "".join(pieces)


def flow_items(items: Iterable[str], gap: str, columns: int) -> Iterator[str]:
    """Items with ``gap`` between them in lines of at most ``columns``; one that fits on a line isn't broken."""
    line = ""
    for item in items:
        longer = f"{line}{gap}{item}" if line else item
        if cell_width(longer) + len(gap.rstrip()) <= columns:
            line = longer
            continue
        if line:
            yield line + gap.rstrip()
        *full, line = wrap_text(item, columns - len(gap.rstrip()))
        yield from full
    if line:
        yield line


def write_lines(lines: Iterable[str]) -> None:
    """Write lines to standard output, each with a newline.

    Raises:
        Stopped: whoever read them has gone; that's no failure.
        UsageError: they can't be written: the disk is full.
    """
    with _handle_write_errors():
        sys.stdout.writelines(f"{line}\n" for line in lines)


def write_bytes(chunks: Iterable[bytes]) -> None:
    """Write chunks to standard output as they are; see ``write_lines``."""
    with _handle_write_errors():
        sys.stdout.buffer.writelines(chunks)


@contextmanager
def _handle_write_errors() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(sys.stdout)
        raise Stopped(0) from None
    except OSError as error:
        _discard(sys.stdout)
        raise UsageError(f"standard output can't be written: {error.strerror}") from error


def _discard(stream: IO[str]) -> None:
    """What is still buffered goes nowhere, so that the interpreter's last flush doesn't fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def page_lines(lines: Iterable[str], *, use_pager: bool = True) -> None:
    """Write lines through the pager as git does: PAGER, else less, which ends by itself when all fits on the screen."""
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
    """The pager's command; empty where there is none, or nothing to page for."""
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


@contextmanager
def show_progress(describe: Callable[[], str]) -> Iterator[None]:
    """Show ``describe()`` on standard error while the block runs, once it takes longer than a second."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_draw_progress, args=(describe, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _draw_progress(describe: Callable[[], str], done: threading.Event) -> None:
    if done.wait(PROGRESS_AFTER_S):
        return
    while not done.wait(0.1):
        _draw_status(clip_text(describe(), get_width(sys.stderr) - 1))
    _draw_status("")


def _draw_status(text: str) -> None:
    sys.stderr.write(f"\r{text}\x1b[K")
    sys.stderr.flush()


def write_stderr(text: str) -> None:
    """A line, or several, for standard error; controls in it are escaped, but for line ends."""
    try:
        sys.stderr.write("\n".join(escape_controls(line) for line in text.split("\n")) + "\n")
    except OSError:  # nobody can be told
        _discard(sys.stderr)
