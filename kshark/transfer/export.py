"""The command `kshark export`: sessions, written to a capture file as stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from agentlog.atomic_file import open_output_file
from agentlog.capture_format import capture
from agentlog.errors import NothingToShow, UsageError
from agentlog.event.escape import escape_controls
from agentlog.event.event import Record, Unreadable
from agentlog.formatting import format_count
from agentlog.log.source import Source
from agentlog.terminal.output import write_bytes, write_stderr
from agentlog.terminal.progress import show_progress
from agentlog.terminal.unreadable_report import UnreadableReport
from agentlog.text.coverage_text import describe_key_search, describe_not_found

from ..source.indexed_source import open_session_source
from ..source.session_request import SessionRequest


@dataclass
class ExportRun:
    """A running export.

    Attributes:
        events: the number of events found so far.
        missing: a message for each session that wasn't found.
        unreadable: the records that couldn't be read.
    """

    events: int = 0
    missing: list[str] = field(default_factory=list)
    unreadable: UnreadableReport = field(default_factory=UnreadableReport)

    def read_lines(self, sessions: Sequence[SessionRequest]) -> Iterator[bytes]:
        """Yield the lines of all sessions, one session after another.

        Raises:
            NothingToShow: no session was found.
        """
        for request in sessions:
            events_before = self.events
            with open_session_source(request) as source:
                yield from self._read_session(request, source)
            if self.events == events_before:
                self.missing.append(describe_not_found(request.session_id, source.searched, request.span))
        if not self.events:
            self.unreadable.write()
            raise NothingToShow("\n".join(self.missing))

    def _read_session(self, request: SessionRequest, source: Source) -> Iterable[bytes]:
        """Return a session's lines in stored order: by partition and offset, or as in the file."""
        places: list[tuple[int, int]] = []
        lines: list[bytes] = []
        with show_progress(
            lambda: f"{request.session_id}: {len(lines):,} events of {source.searched.records:,} records read"
        ):
            for item in source.records(request.session_id, request.span):
                if isinstance(item, Unreadable):
                    self.unreadable.add(item)
                elif isinstance(item, Record):
                    places.append((item.place.partition, item.place.offset))
                    lines.append(capture.write_line(item.value, item.place))
        self.events += len(lines)
        if lines and (note := describe_key_search(request.session_id, source.searched)) is not None:
            write_stderr(note)
        if not source.searched.partition_count:
            return lines
        return [lines[n] for n in sorted(range(len(lines)), key=places.__getitem__)]


def export_sessions(sessions: Sequence[SessionRequest], path: str) -> None:
    """Write ``sessions`` to the file at ``path``; ``-`` is standard output.

    Raises:
        UsageError: several sessions are requested from a pipe.
        NothingToShow: a session wasn't found; the others are written.
        AgentlogError: the source can't be read, or the file can't be written.
    """
    if len(sessions) > 1 and sessions[0].source.is_pipe:
        raise UsageError("a pipe can be read only once: export one session, or give --file a file")
    export_run = ExportRun()
    if path == "-":
        write_bytes(export_run.read_lines(sessions))
        export_run.unreadable.write()
    else:
        with open_output_file(path) as file:
            for line in export_run.read_lines(sessions):
                file.write(line)
        export_run.unreadable.write()
        session_count = format_count(len(sessions) - len(export_run.missing), "session")
        write_stderr(f"wrote {escape_controls(path)}: {format_count(export_run.events, 'event')} of {session_count}")
    if export_run.missing:
        raise NothingToShow("\n".join(export_run.missing))
