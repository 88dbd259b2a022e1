"""A picture of a terminal: it runs a command there, and draws an excerpt of the output as SVG."""

import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

COLUMNS, ROWS = 90, 50
GAP = "\x1b[2m...\x1b[0m"
FONTS = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"
THEME = TerminalTheme(
    (24, 27, 33),
    (208, 212, 220),
    [
        (24, 27, 33),
        (240, 113, 120),
        (126, 198, 117),
        (229, 192, 97),
        (110, 160, 245),
        (200, 140, 230),
        (96, 196, 208),
        (208, 212, 220),
    ],
)


@dataclass(frozen=True)
class Part:
    """A part of the lines: from the first that matches `begin` to the last before the next that matches `end`."""

    begin: str
    end: str = r"\Z(?!)"


@dataclass(frozen=True)
class Excerpt:
    """A command, and the parts of its output that are in the picture."""

    command: str
    parts: tuple[Part, ...]


REPLAY = Excerpt(
    "kshark replay sess_invoice_847 --file story.ndjson",
    (
        Part("sess_invoice_847", "llm +claude"),
        Part("decision +create the invoice", "llm +claude"),
        Part("decision +retry stripe.create_invoice", "llm +claude"),
        Part("^slowest"),
    ),
)
COMPARE = Excerpt("kdiff compare sess_invoice_ok sess_invoice_847 --file story.ndjson", (Part("^A ", "^totals"),))


def draw(excerpt: Excerpt, folder: Path) -> str:
    """Return the SVG of an excerpt; its command runs in `folder`.

    Raise ValueError if no line of the output begins a part, and RuntimeError if the command fails.
    """
    lines = run_on_terminal(excerpt.command, folder).splitlines()
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    for line in cut(lines, excerpt.parts):
        console.print(Text.from_ansi(line), no_wrap=True, highlight=False)
    svg = console.export_svg(title=f"$ {excerpt.command}", theme=THEME, unique_id=excerpt.command.split()[0])
    return with_local_fonts(svg)


def run_on_terminal(command: str, folder: Path) -> str:
    """Return a command's standard output on a terminal, with its colours. Raise RuntimeError if it fails."""
    tool, *arguments = shlex.split(command)
    shown = f"{shlex.join([sys.executable, '-m', tool, *arguments])} 2>/dev/null"
    clean = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    environment = {**clean, "TERM": "xterm-256color", "PAGER": "cat", "TZ": "UTC"}
    output, code = pexpect.run(
        shlex.join(["sh", "-c", shown]),
        cwd=str(folder),
        env=environment,
        dimensions=(ROWS, COLUMNS),
        withexitstatus=True,
        timeout=120,
    )
    if code not in {0, 1}:  # kdiff ends with 1 if the sessions differ
        raise RuntimeError(f"{command} ended with {code}")
    return str(output.decode())


def cut(lines: list[str], parts: tuple[Part, ...]) -> Iterator[str]:
    """Yield the lines of each part, with "..." for the lines left out. Raise ValueError if a part isn't there."""
    texts = [Text.from_ansi(line).plain for line in lines]
    at = 0
    for part in parts:
        begin = _find(part.begin, texts, at)
        if begin is None:
            raise ValueError(f"no line matches {part.begin!r} from line {at + 1} on")
        end = _find(part.end, texts, begin + 1)
        if begin > at:
            yield GAP
        at = len(lines) if end is None else end
        while not texts[at - 1].strip():
            at -= 1
        yield from lines[begin:at]
    if at < len(lines):
        yield GAP


def _find(pattern: str, texts: list[str], start: int) -> int | None:
    return next((number for number in range(start, len(texts)) if re.search(pattern, texts[number])), None)


def with_local_fonts(svg: str) -> str:
    """Return rich's SVG without the fonts that it would load from the network."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r"font-family: .*?;", f"font-family: {FONTS};", svg)
