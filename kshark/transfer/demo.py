"""The command `kshark demo`: the story of forty-odd sessions, written to a capture file."""

from collections.abc import Iterator
from pathlib import Path

from agentlog.capture_format import capture
from agentlog.errors import UsageError
from agentlog.event import codec
from agentlog.event.escape import escape_controls
from agentlog.event.event import Record
from agentlog.log.open_source import parse_moment
from agentlog.terminal.output import write_bytes, write_stderr

from ..story import INVOICE_847, StoryRecord, assign_places, build_story

PARTITIONS = 12


def write_file(path: str, start_time: str | None) -> None:
    """Write the story as a capture file; ``-`` is standard output.

    Raises:
        UsageError: the file can't be written.
    """
    lines = _encode_lines(build_story(parse_moment("--began", start_time).time) if start_time else build_story())
    if path == "-":
        return write_bytes(lines)
    try:
        with Path(path).open("wb") as file:
            file.writelines(lines)
    except OSError as error:
        raise UsageError(f"{escape_controls(path)}: {error.strerror}") from error
    write_stderr(f"wrote {escape_controls(path)}; try: kshark replay {INVOICE_847} --file {escape_controls(path)}")
    return None


def _encode_lines(records: list[StoryRecord]) -> Iterator[bytes]:
    """Yield a line for each record; the unreadable one stays as it is, a record without a value has no line."""
    for place, value in assign_places(records, partitions=PARTITIONS):
        if value is None:
            continue
        is_readable = isinstance(codec.decode(value, place, ""), Record)
        yield capture.write_line(value, place) if is_readable else codec.flatten_json(value) + b"\n"
