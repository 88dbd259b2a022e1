"""What a capture file holds: looked through before anything of it is written."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from agentlog.event.event import Record, Unreadable, microseconds
from agentlog.log.capture_file import every_record
from agentlog.log.source import Found
from agentlog.terminal.output import progress
from agentlog.terminal.unreadable_report import Naming

from .lock import Held

RECORD_BYTES = 128
"""What Kafka adds to a record and its batch, amply."""


@dataclass
class Survey:
    """What there is.

    Attributes:
        largest: the bytes that the largest record takes, and at ``largest_where`` its line.
        spooled: an AgentTracer put it aside while Kafka was away.
    """

    events: int = 0
    sessions: set[str] = field(default_factory=set)
    oldest_ms: int = 0
    newest_ms: int = 0
    largest: int = 0
    largest_where: str = ""
    spooled: bool = False
    unreadable: Naming = field(default_factory=Naming)

    def add(self, record: Record) -> None:
        """Take in a record."""
        at, place = at_ms(record), record.place
        self.oldest_ms = min(at, self.oldest_ms) if self.events else at
        self.newest_ms = max(at, self.newest_ms)
        self.events += 1
        self.sessions.add(record.event.session_id)
        size = len(record.value) + len(record.event.session_id) + RECORD_BYTES
        size += sum(len(name) + len(value or b"") for name, value in place.headers)
        if size > self.largest:
            self.largest, self.largest_where = size, f"event {record.event.event_id}"
        self.spooled = self.spooled or (place.topic is not None and place.partition < 0)


def survey(file: Held) -> Survey:
    """Look through a file; what can't be read is named.

    Raises:
        UsageError: it can't be opened.
    """
    found = Survey()
    with progress(lambda: f"{file.name}: looked through {found.events:,} events"):
        for item in _records(file):
            if isinstance(item, Unreadable):
                found.unreadable.add(item)
            else:
                found.add(item)
    found.unreadable.total()
    return found


def readable(file: Held) -> Iterator[Record]:
    """The records of a file that can be imported."""
    return (item for item in _records(file) if isinstance(item, Record))


def _records(file: Held) -> Iterator[Found]:
    for item in every_record(file.path, file.name, io.BufferedReader(io.BytesIO())):
        if isinstance(item, Record) and at_ms(item) <= 0:
            where = f"{file.name}: event {item.event.event_id}"
            yield Unreadable(where, item.place, "it is of before 1970, where Kafka's time begins")
        else:
            yield item


def at_ms(record: Record) -> int:
    """The Kafka timestamp that a record had, else its event's, in milliseconds since the epoch."""
    kept = record.place.timestamp
    return kept if kept is not None else microseconds(record.event.timestamp) // 1000
