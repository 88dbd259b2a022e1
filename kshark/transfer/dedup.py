"""Which events of some sessions a topic holds already."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from agentlog.event import codec
from agentlog.event.event import EPOCH
from agentlog.event.position import Moment
from agentlog.log.reader import KafkaReader, Message
from agentlog.log.topic_stream import TopicStream
from agentlog.terminal.output import complain, progress

from .scan import Survey


class _Ids(msgspec.Struct, gc=False):
    event_id: str
    session_id: str


_ids = msgspec.json.Decoder(_Ids)


@dataclass
class Present:
    """The events that are there.

    Attributes:
        copies: how often each ``event_id`` is there.
        times: where it was asked for, the timestamp of each, in milliseconds since the epoch.
    """

    copies: Counter[str] = field(default_factory=Counter)
    times: dict[str, int] = field(default_factory=dict)

    def takes_one(self, event_id: str) -> bool:
        """Whether an event is there, as often as it was asked for: of one that is there once, a second copy isn't."""
        left = self.copies[event_id]
        if left:
            self.copies[event_id] = left - 1
        return left > 0


def present(reader: KafkaReader, topic: str, found: Survey, *, anytime: bool) -> Present:
    """What ``topic`` holds of the sessions that were found, in whatever partition.

    Args:
        anytime: events may lie there at other times than in the file.

    Raises:
        KafkaError: the topic can't be read.
    """
    there, keys = Present(), {session_id.encode() for session_id in found.sessions}
    stream = TopicStream(reader, topic, complain)
    stream.begin(None if anytime else Moment(EPOCH + timedelta(milliseconds=found.oldest_ms)))
    with progress(lambda: f"looking for what {stream.what} holds: {stream.records:,} of {stream.expected:,} records"):
        for batch in stream.known():
            for message in batch:
                if (key := message.key()) is None or key in keys:
                    _note(message, found.sessions, there, anytime)
    return there


def _note(message: Message, sessions: set[str], there: Present, anytime: bool) -> None:
    try:
        ids = codec.tolerant(_ids, message.value() or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return  # it is no event, so not one of ours
    if ids.session_id in sessions:
        there.copies[ids.event_id] += 1
        if anytime:
            there.times.setdefault(ids.event_id, message.timestamp()[1])
