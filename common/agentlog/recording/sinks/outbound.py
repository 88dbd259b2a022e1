"""The outbound event, on its way from the caller's thread to a sink."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import msgspec

from ...event.event import EPOCH, Event, Headers
from ...formatting import format_count
from ..prepare.snapshot import encode_event

HeaderList = list[tuple[str, str | bytes | None]]
"""Headers in the producer's form."""

MILLISECOND = timedelta(milliseconds=1)
LOSS_REPORT_TYPE = "events_lost"
"""The ``type`` in the payload of an event that reports a loss."""
OVERHEAD_BYTES = 400
"""About how many bytes an event takes in memory besides its JSON."""
MAX_LOSS_REASONS = 3
"""How many reasons a loss report names."""
MAX_NAME_LENGTH = 500
"""The longest id of a session or an agent, in characters."""


def is_valid_name(text: object) -> bool:
    """Return whether ``text`` can be the id of a session or an agent: 1 to 500 printable characters."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable()


class Author(NamedTuple):
    """The session and the agent of an event."""

    session_id: str
    agent_id: str


class Loss(NamedTuple):
    """The lost events of a session.

    Attributes:
        events: how many.
        since_ms: when the first was recorded, in milliseconds since the epoch.
        reasons: why, each once, at most ``MAX_LOSS_REASONS``.
    """

    events: int
    since_ms: int
    reasons: tuple[str, ...] = ()

    def join(self, other: "Loss") -> "Loss":
        """Return both as one loss."""
        reasons = tuple(dict.fromkeys(self.reasons + other.reasons))[:MAX_LOSS_REASONS]
        return Loss(self.events + other.events, min(self.since_ms, other.since_ms), reasons)


class OutboundEvent(msgspec.Struct, eq=False, gc=False):
    """An event on its way to a sink.

    Attributes:
        author: the session and the agent.
        value: the event as JSON: first as recorded, then redacted, then within the size limit.
        at: when it was recorded.
        headers: its headers.
        size: about how many bytes it takes in memory. It counts the event as recorded.
        tells: the loss that it reports, if it is a loss report.
        number: its number among the events that this sender took from the queue. 0 if it comes from a spool.
        since: when it was prepared, in running time, in seconds.
        handed_at: when it was last handed to the sink, in running time, in seconds.
        answers: the list to which ``on_delivery`` adds the result.
    """

    # gc=False: tens of thousands of events may wait, and tracking them would cost the agent garbage collections.

    author: Author
    value: bytes
    at: datetime
    headers: HeaderList
    size: int = 0
    tells: Loss | None = None
    number: int = 0
    since: float = 0.0
    handed_at: float = 0.0
    answers: Any = None

    @property
    def at_ms(self) -> int:
        """The Kafka timestamp, in milliseconds since the epoch."""
        return (self.at - EPOCH) // MILLISECOND

    @property
    def capture_headers(self) -> Headers:
        """The headers in the form of a capture file."""
        return cast(Headers, tuple(self.headers))

    @property
    def is_spooled(self) -> bool:
        """Whether it comes from a spool. It stays there until it is delivered."""
        return self.number == 0

    def on_delivery(self, error: Any, message: Any) -> None:
        """Note whether it was delivered; ``error`` is None if it was. ``message`` tells where, if it is in Kafka."""
        self.answers.append((self, error, message))


def make_event(  # noqa: PLR0913, PLR0917  an event's fields
    author: Author,
    event_id: str,
    event_type: str,
    payload: Mapping[str, Any],
    context: Mapping[str, Any],
    headers: HeaderList,
) -> OutboundEvent:
    """Make an event with the current time. The caller may change the values afterwards. Never raises."""
    now = datetime.now(UTC)
    event = {
        "event_id": event_id,
        "session_id": author.session_id,
        "agent_id": author.agent_id,
        "timestamp": now,
        "event_type": event_type,
        "payload": payload,
        "context": context,
    }
    value = encode_event(event)
    return OutboundEvent(author, value, now, headers, len(value) + OVERHEAD_BYTES)


def make_loss_event(author: Author, event_id: str, loss: Loss, headers: HeaderList) -> OutboundEvent:
    """Make the ``error`` event that reports lost events in their session."""
    since = (EPOCH + timedelta(milliseconds=loss.since_ms)).isoformat(timespec="milliseconds")
    message = (
        f"{format_count(loss.events, 'event')} of this session, from {since} on, were lost: {'; '.join(loss.reasons)}"
    )
    payload = {"type": LOSS_REPORT_TYPE, "message": message, "lost": loss.events}
    record = make_event(author, event_id, "error", payload, {}, headers)
    record.tells = loss
    return record


def read_loss(event: Event, at_ms: int) -> Loss | None:
    """Return the loss that ``event`` reports, if it is a loss report that was spooled. Its reasons aren't read.

    Args:
        event: the event.
        at_ms: when it was recorded, in milliseconds since the epoch.
    """
    if event.event_type != "error" or event.payload.get("type") != LOSS_REPORT_TYPE:
        return None
    lost = event.payload.get("lost")
    return Loss(lost if isinstance(lost, int) else 1, at_ms)
