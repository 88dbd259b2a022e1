"""Colours: the style of a text, and whether a stream shows it."""

import os
from collections.abc import Callable
from enum import StrEnum
from typing import IO


class Style(StrEnum):
    """The style of a text, as one of the terminal's own colours."""

    STRONG = "1"
    FAINT = "2"
    GOOD = "32"
    BAD = "31"
    NOTICE = "33"
    NAME = "36"


Paint = Callable[[str, str], str]
"""Gives a text a style, or any other of a terminal's colours by its code."""


def paint_plain(text: str, _style: str) -> str:
    """Return ``text`` without colour."""
    return text


def paint_coloured(text: str, style: str) -> str:
    """Return ``text`` in colour, for a terminal."""
    return f"\x1b[{style}m{text}\x1b[0m" if text else text


def set_color(when: str) -> None:
    """Set whether output is coloured: ``always``, ``never``, or ``auto``, by the terminal and the environment.

    The choice is kept in the environment, so that libraries and the pager follow it too.
    """
    if when == "always":
        os.environ.pop("NO_COLOR", None)
        os.environ["FORCE_COLOR"] = "1"
    elif when == "never":
        os.environ["NO_COLOR"] = "1"


def choose_paint(stream: IO[str]) -> Paint:
    """Return how to paint on ``stream``: in colour on a terminal that has it. NO_COLOR and FORCE_COLOR are obeyed."""
    if os.environ.get("NO_COLOR"):
        return paint_plain
    has_colour = os.environ.get("FORCE_COLOR") or (stream.isatty() and os.environ.get("TERM") != "dumb")
    return paint_coloured if has_colour else paint_plain
