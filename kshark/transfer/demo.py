"""`kshark demo`: write the story, forty-odd sessions of one afternoon, to a file or into a topic."""

from collections.abc import Iterator
from pathlib import Path

from agentlog.cli import chosen_moment
from agentlog.errors import UsageError
from agentlog.event import capture, codec
from agentlog.event.event import Record
from agentlog.terminal.output import complain, write_bytes

from ..story import INVOICE_847, StoryRecord, placed, story

PARTITIONS = 12


def write_file(path: str, began: str | None) -> None:
    """Write the story as a capture file; ``-`` is standard output.

    Raises:
        UsageError: the file can't be written.
    """
    lines = _lines(story(chosen_moment("--began", began).time) if began else story())
    if path == "-":
        return write_bytes(lines)
    try:
        with Path(path).open("wb") as file:
            file.writelines(lines)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    complain(f"wrote {path}; try: kshark replay {INVOICE_847} --file {path}")
    return None


def _lines(records: list[StoryRecord]) -> Iterator[bytes]:
    """What is no event stays what it is; a record without a value leaves no line."""
    for place, value in placed(records, partitions=PARTITIONS):
        if value is None:
            continue
        readable = isinstance(codec.decode(value, place, ""), Record)
        yield capture.write_line(value, place) if readable else codec.one_line(value) + b"\n"
