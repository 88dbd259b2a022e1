"""Formats of counts, durations, amounts of money, long names and long texts. Pure."""

MAX_NAME_CHARACTERS = 64
"""The most characters of a name in a line that says more than the name."""


def shorten_name(name: str, length: int = MAX_NAME_CHARACTERS) -> str:
    """Cut a long name in its middle, because names may differ at their beginnings and at their ends."""
    if len(name) <= length:
        return name
    end = length // 3
    return f"{name[: length - end - 3]}...{name[-end:]}"


def cut_text(text: str, length: int) -> str:
    """Cut a long text whose secrets aren't hidden yet behind its last whole word, and say so.

    The rules for secrets wouldn't know the beginning of one: of a password in a URL, a token or a card number.
    """
    if len(text) <= length:
        return text
    words = text[:length].rsplit(None, 1)
    kept = words[0] if len(words) > 1 else ""
    if words and words[-1][0].isdigit():  # a card number in groups
        kept = kept.rstrip("0123456789 -")
    return f"{kept} <{len(text) - len(kept):,} more characters, which are left out>".lstrip()


def format_duration(microseconds: int) -> str:
    """Format a duration: ``0.21 s``, ``4 m 12 s``, ``2 h 5 m``, ``3 d 4 h``."""
    seconds = microseconds / 1_000_000
    if seconds < 1:
        return f"{seconds:.2f} s" if seconds >= 0.01 or not microseconds else f"{microseconds / 1000:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days:,} d {hours} h"
    return f"{hours} h {minutes} m" if hours else f"{minutes} m {rest} s"


def format_count(number: int, singular: str, plural: str = "") -> str:
    """Format a count with its noun: ``1 error``, ``2 errors``. The plural is ``singular`` and an s unless given."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def format_dollars(amount: float) -> str:
    """Format dollars: ``$4.31``, and an amount below ten cents with four decimals."""
    return f"${amount:,.2f}" if amount >= 0.1 or not amount else f"${amount:.4f}"
