"""The events of a capture file that a topic already has, so that an import writes none twice."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from agentlog.event import codec
from agentlog.event.event import EPOCH
from agentlog.event.position import Moment
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
    """The events that the topic already has.

    Attributes:
        copies: the number of copies of each ``event_id``.
        times: the timestamp of each event in milliseconds since the epoch; empty unless they were requested.
    """

    copies: Counter[str] = field(default_factory=Counter)
    times: dict[str, int] = field(default_factory=dict)

    def claim(self, event_id: str) -> bool:
        """Claim one stored copy of an event; return False when all stored copies are claimed."""
        remaining = self.copies[event_id]
        if remaining:
            self.copies[event_id] = remaining - 1
        return remaining > 0


def find_existing_events(reader: KafkaReader, topic: str, scan: CaptureScan, *, at_any_time: bool) -> ExistingEvents:
    """Find the events of the file's sessions in ``topic``, in all partitions.

    Args:
        at_any_time: read the whole topic, because its events may have other times than the file's; note the times.

    Raises:
        KafkaError: the topic can't be read.
    """
    existing, keys = ExistingEvents(), {session_id.encode() for session_id in scan.sessions}
    stream = TopicStream(reader, topic, write_stderr)
    stream.begin(None if at_any_time else Moment(EPOCH + timedelta(milliseconds=scan.oldest_ms)))
    with show_progress(
        lambda: f"looking for what {stream.what} holds: {stream.records:,} of {stream.expected:,} records"
    ):
        for batch in stream.read_existing():
            for message in batch:
                if (key := message.key()) is None or key in keys:
                    _note_event(message, scan.sessions, existing, at_any_time)
    return existing


def _note_event(message: Message, sessions: set[str], existing: ExistingEvents, at_any_time: bool) -> None:
    try:
        ids = codec.decode_tolerantly(_ids_decoder, message.value() or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return  # not an event, so none of the file's
    if ids.session_id in sessions:
        existing.copies[ids.event_id] += 1
        if at_any_time:
            existing.times.setdefault(ids.event_id, message.timestamp()[1])
