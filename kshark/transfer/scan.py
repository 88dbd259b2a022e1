"""The scan of a capture file, before any of its events is written."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from agentlog.event.event import Record, Unreadable, to_microseconds
from agentlog.log.capture_file import read_all_records
from agentlog.log.source import RecordOrUnreadable
from agentlog.terminal.progress import show_progress
from agentlog.terminal.unreadable_report import UnreadableReport

from .lock import LockedCapture

RECORD_OVERHEAD_BYTES = 128
"""An upper bound for what Kafka adds to a record and its batch."""


@dataclass
class CaptureScan:
    """The result of a scan.

    Attributes:
        events: the number of events.
        sessions: the ids of their sessions.
        oldest_ms: the oldest timestamp, in milliseconds since the epoch.
        newest_ms: the newest timestamp, in milliseconds since the epoch.
        largest_bytes: the size of the largest record with its key, headers and Kafka's overhead.
        largest_place: the event of the largest record, for messages.
        is_spooled: whether an AgentTracer wrote the file while Kafka was away.
        unreadable: the lines that couldn't be read.
    """

    events: int = 0
    sessions: set[str] = field(default_factory=set)
    oldest_ms: int = 0
    newest_ms: int = 0
    largest_bytes: int = 0
    largest_place: str = ""
    is_spooled: bool = False
    unreadable: UnreadableReport = field(default_factory=UnreadableReport)

    def add(self, record: Record) -> None:
        """Count a record."""
        timestamp_ms, place = get_timestamp_ms(record), record.place
        self.oldest_ms = min(timestamp_ms, self.oldest_ms) if self.events else timestamp_ms
        self.newest_ms = max(timestamp_ms, self.newest_ms)
        self.events += 1
        self.sessions.add(record.event.session_id)
        size = len(place.frame) + len(record.value) + len(record.event.session_id) + RECORD_OVERHEAD_BYTES
        size += sum(len(name) + len(value or b"") for name, value in place.headers)
        if size > self.largest_bytes:
            self.largest_bytes, self.largest_place = size, f"event {record.event.event_id}"
        self.is_spooled = self.is_spooled or (place.topic is not None and place.partition < 0)


def scan_capture(file: LockedCapture) -> CaptureScan:
    """Scan a file and report its unreadable lines on standard error.

    Raises:
        UsageError: it can't be opened.
    """
    scan = CaptureScan()
    with show_progress(lambda: f"{file.name}: scanned {scan.events:,} events"):
        for item in _read_records(file):
            if isinstance(item, Unreadable):
                scan.unreadable.add(item)
            else:
                scan.add(item)
    scan.unreadable.write()
    return scan


def read_importable(file: LockedCapture) -> Iterator[Record]:
    """Yield the records of a file that can be imported."""
    return (item for item in _read_records(file) if isinstance(item, Record))


def _read_records(file: LockedCapture) -> Iterator[RecordOrUnreadable]:
    for item in read_all_records(file.path, file.name, io.BufferedReader(io.BytesIO())):
        if isinstance(item, Record) and get_timestamp_ms(item) <= 0:
            where = f"{file.name}: event {item.event.event_id}"
            yield Unreadable(where, item.place, "it is from before 1970, where Kafka's timestamps begin")
        else:
            yield item


def get_timestamp_ms(record: Record) -> int:
    """Return a record's Kafka timestamp, or else its event's time, in milliseconds since the epoch."""
    stored = record.place.timestamp
    return stored if stored is not None else to_microseconds(record.event.timestamp) // 1000
