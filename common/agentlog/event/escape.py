"""Escapes for untrusted text: characters that could control a terminal are shown, not obeyed. Pure."""

import re
from collections.abc import Iterator, Sequence

# Characters that control a terminal or reorder text: controls, bidirectional and invisible format characters, line
# separators. The two joiners stay, because scripts and emoji need them.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)

_COLOURS = re.compile("\x1b\\[[0-9;:]*m")
_LINE_STARTS = re.compile("(?:\x1b\\[[012]?K)*(?:\r|\x1b\\[1?G)(?:\x1b\\[[012]?K)*")
"""The ways to return to the beginning of a line, with what deletes the line."""


def escape_controls(text: str) -> str:
    """Return ``text`` with JSON escapes for the characters that could control a terminal."""
    return _CONTROLS.sub(lambda match: _escape_character(match[0]), text)


def _escape_character(character: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    units = character.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return short.get(character) or "".join(f"\\u{unit}" for unit in units)


def settle_text(text: str) -> str:
    """Return what a terminal shows in the end: ``text`` without its colours, each progress bar in its last state.

    What returns to the beginning of a line overwrites the state before it only if the words of that state stand in
    the next one too, so that nothing can hide behind it.
    """
    text = _LINE_STARTS.sub("\r", _COLOURS.sub("", text)) if "\x1b[" in text else text
    return "\n".join(map(_settle_line, text.split("\n"))) if "\r" in text else text


def _settle_line(line: str) -> str:
    states = line.rstrip("\r").split("\r")
    if len(states) == 1:
        return line
    shown = [states.pop()]
    following = _list_letters(shown[0])
    for state in reversed(states):
        own = _list_letters(state)
        if not following.startswith(own):
            shown.append(state)
            following = own
    return "\r".join(reversed(shown)) + line[len(line.rstrip("\r")) :]


def _list_letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def split_lines(text: str) -> list[str]:
    """Split ``text`` into lines, without empty lines at both ends. The lines aren't escaped yet.

    Only ``\\n`` and ``\\r\\n`` end a line. A lone ``\\r``, NEL, VT, FF and Unicode's separators stay in their line and
    are shown as escapes.
    """
    return text.replace("\r\n", "\n").strip("\n").split("\n")


def join_lines(text: str) -> str:
    """Join the lines of ``text``: each line end becomes one space, together with the space around it."""
    return " ".join(filter(None, map(str.strip, text.split("\n")))) if "\n" in text else text


def format_code_span(text: str, limit: int) -> str:
    """Format text as a Markdown code span, cut to ``limit`` characters; 0 is no limit. Markup in it has no effect."""
    shown = escape_controls(text if not limit or len(text) <= limit else text[:limit] + "...")
    if not shown.strip():
        return ""
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{space}{shown}{space}{fence}"


def format_code_block(lines: Sequence[str], indent: str) -> Iterator[str]:
    """Yield escaped lines as a Markdown code block. Markup in them has no effect."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(longest + 1, 3)
    yield indent + fence
    yield from (f"{indent}{line}".rstrip() for line in lines)
    yield indent + fence


def format_name(text: str) -> str:
    """Format a short name: one word as text, anything else as a code span."""
    return text if re.fullmatch("[A-Za-z][A-Za-z0-9]*", text) else format_code_span(text, 40) or "(blank)"
