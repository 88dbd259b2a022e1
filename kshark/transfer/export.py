"""`kshark export`: sessions to a capture file, every record as stored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from agentlog.atomic_file import new_file
from agentlog.errors import NothingToShow, UsageError
from agentlog.event import capture
from agentlog.event.event import Record, Unreadable
from agentlog.formatting import counted
from agentlog.log.source import Source
from agentlog.terminal.output import complain, progress, write_bytes
from agentlog.terminal.unreadable_report import Naming
from agentlog.text.coverage_text import not_found

from ..source.indexed_source import opened
from ..wanted import Wanted


@dataclass
class Exporting:
    """An export on its way: how much was found, and which sessions weren't."""

    events: int = 0
    missing: list[str] = field(default_factory=list)
    unreadable: Naming = field(default_factory=Naming)

    def lines(self, sessions: Sequence[Wanted]) -> Iterator[bytes]:
        """The lines of all sessions, one session after another."""
        for wanted in sessions:
            before = self.events
            with opened(wanted) as source:
                yield from self._session(wanted, source)
            if self.events == before:
                self.missing.append(not_found(wanted.session_id, source.searched, wanted.span))
        if not self.events:
            raise NothingToShow("\n".join(self.missing))

    def _session(self, wanted: Wanted, source: Source) -> Iterable[bytes]:
        """A session's lines as its records lie: in a topic by partition and offset, in a file in its order."""
        places: list[tuple[int, int]] = []
        found: list[bytes] = []
        with progress(
            lambda: f"{wanted.session_id}: {len(found):,} events of {source.searched.records:,} records read"
        ):
            for item in source.records(wanted.session_id, wanted.span):
                if isinstance(item, Unreadable):
                    self.unreadable.add(item)
                elif isinstance(item, Record):
                    places.append((item.place.partition, item.place.offset))
                    found.append(capture.write_line(item.value, item.place))
        self.events += len(found)
        if not source.searched.partition_count:
            return found
        return [found[n] for n in sorted(range(len(found)), key=places.__getitem__)]


def export(sessions: Sequence[Wanted], path: str) -> None:
    """Write ``sessions`` to the file at ``path``; ``-`` is standard output.

    Raises:
        NothingToShow: a session wasn't found; the others are written.
        AgentlogError: the source can't be read, or the file not written.
    """
    if len(sessions) > 1 and sessions[0].where.flows:
        raise UsageError("a pipe can be read but once: export one session, or give --file a file")
    exporting = Exporting()
    if path == "-":
        write_bytes(exporting.lines(sessions))
    else:
        with new_file(path) as file:
            for line in exporting.lines(sessions):
                file.write(line)
        found = counted(len(sessions) - len(exporting.missing), "session")
        complain(f"wrote {path}: {counted(exporting.events, 'event')} of {found}")
    exporting.unreadable.total()
    if exporting.missing:
        raise NothingToShow("\n".join(exporting.missing))
