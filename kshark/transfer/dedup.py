"""The events of a capture file that a topic already has, so that an import writes none twice."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from agentlog.event import codec
from agentlog.event.content import digest_content
from agentlog.event.event import EPOCH, Record
from agentlog.event.position import Moment
from agentlog.event.registry_frame import drop_frame
from agentlog.log.reader import KafkaReader, Message
from agentlog.log.topic_stream import TopicStream
from agentlog.terminal.output import write_stderr
from agentlog.terminal.progress import show_progress

from .scan import CaptureScan


class _EventIds(msgspec.Struct, gc=False):
    event_id: str
    session_id: str


_ids_decoder = msgspec.json.Decoder(_EventIds)


@dataclass
class ExistingEvents:
    """The events that the topic already has. Two events with the same id and different contents are different.

    Attributes:
        at_any_time: the events may have been moved in time, so that their content is compared without their time.
        copies: the number of copies of each event, by the digest of its content.
        times: the timestamp of each event in milliseconds since the epoch; empty unless ``at_any_time``.
        event_ids: the ids of the events.
        clashes: the number of events of the file whose id another event in the topic has.
    """

    at_any_time: bool = False
    copies: Counter[bytes] = field(default_factory=Counter)
    times: dict[bytes, int] = field(default_factory=dict)
    event_ids: set[str] = field(default_factory=set)
    clashes: int = 0

    def digest(self, value: bytes) -> bytes:
        """Return the digest of a stored event's content."""
        return digest_content(value, without="timestamp" if self.at_any_time else "")

    def note(self, event_id: str, value: bytes, timestamp_ms: int) -> None:
        """Note an event of the topic."""
        digest = self.digest(value)
        self.copies[digest] += 1
        self.event_ids.add(event_id)
        if self.at_any_time:
            self.times.setdefault(digest, timestamp_ms)

    def claim(self, record: Record) -> bool:
        """Claim one stored copy of an event; return False when all stored copies are claimed."""
        digest = self.digest(record.value)
        remaining = self.copies.get(digest)
        if remaining:
            self.copies[digest] = remaining - 1
        self.clashes += remaining is None and record.event.event_id in self.event_ids
        return bool(remaining)

    def find_time(self, record: Record) -> int | None:
        """Return the timestamp of a stored copy in milliseconds since the epoch, or None."""
        return self.times.get(self.digest(record.value))


def find_existing_events(reader: KafkaReader, topic: str, scan: CaptureScan, *, at_any_time: bool) -> ExistingEvents:
    """Find the events of the file's sessions in ``topic``, in all partitions.

    Args:
        at_any_time: read the whole topic, because its events may have other times than the file's; note the times.

    Raises:
        KafkaError: the topic can't be read.
    """
    existing = ExistingEvents(at_any_time)
    stream = TopicStream(reader, topic, write_stderr)
    stream.begin(None if at_any_time else Moment(EPOCH + timedelta(milliseconds=scan.oldest_ms)))
    with show_progress(
        lambda: f"looking for what {stream.what} holds: {stream.records:,} of {stream.expected:,} records"
    ):
        for batch in stream.read_existing():
            for message in batch:  # whatever its key is, because another writer may use another one
                _note_event(message, scan.sessions, existing)
    return existing


def _note_event(message: Message, sessions: set[str], existing: ExistingEvents) -> None:
    value = drop_frame(message.value() or b"")
    try:
        ids = codec.decode_tolerantly(_ids_decoder, value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return  # not an event, so none of the file's
    if ids.session_id in sessions:
        existing.note(ids.event_id, value, message.timestamp()[1])
