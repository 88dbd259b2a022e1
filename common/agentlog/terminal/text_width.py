"""Text fitted to a number of columns: measured, cut, and wrapped."""

import re
from collections.abc import Iterable, Iterator

from ..event.escape import escape_controls

WORD_JOINTS = "._-/"
TAB_WIDTH = 4


def cell_width(text: str) -> int:
    """Return the number of columns of a terminal that ``text`` takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def clip_text(text: str, columns: int) -> str:
    """Return ``text`` with its controls escaped, cut to ``columns`` with an ellipsis at the end."""
    shown = escape_controls(text[: columns * 2 + 8])  # nothing beyond can be seen, however long the text is
    if len(text) <= columns * 2 + 8 and cell_width(shown) <= columns:
        return shown
    return _take_first(shown, max(columns - 3, 0)).rstrip() + "..."


def elide_middle(text: str, columns: int) -> str:
    """Return ``text`` with its controls escaped, cut to ``columns`` in its middle, because ids differ at their ends."""
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
    """Return ``text`` in lines of at most ``columns``, broken at spaces; a longer word at a joint, or anywhere."""
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
    """Return an escaped line in at most ``most`` lines of at most ``columns``; an ellipsis ends a line that is cut."""
    if most == 1:
        return [clip_text(line, columns)]
    lines = wrap_text(line[: columns * (most + 1) * 2], columns)
    return lines if len(lines) <= most else [*lines[: most - 1], clip_text(f"{lines[most - 1]} {lines[most]}", columns)]


def escape_line(line: str) -> str:
    """Return one line of untrusted text with its controls escaped, and tabs as spaces up to the next fourth column."""
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
    """Yield items with ``gap`` between them, in lines of at most ``columns``. An item that fits isn't broken."""
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
