"""An event on its way from the caller's thread to Kafka."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

import msgspec

from ...event.event import EPOCH, Headers
from ...formatting import format_count
from ..prepare.snapshot import encode_event

HeaderList = list[tuple[str, str | bytes | None]]
"""As the producer takes them."""

MILLISECOND = timedelta(milliseconds=1)
OVERHEAD_BYTES = 400
"""About how many bytes an event takes in memory beside its JSON."""


MAX_NAME_LENGTH = 500


def is_valid_name(text: object) -> bool:
    """Whether ``text`` can name a session or an agent: 1 to 500 printable characters."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME_LENGTH and text.isprintable()


class Author(NamedTuple):
    """Who recorded: a session, and the agent in it."""

    session_id: str
    agent_id: str


class Loss(NamedTuple):
    """Events of a session that are lost: how many, and when the first was recorded, in milliseconds since the epoch."""

    events: int
    since_ms: int


class OutboundEvent(msgspec.Struct, eq=False, gc=False):
    """An event on its way, as JSON: as it was recorded, then redacted, then small enough.

    Attributes:
        at: when it was recorded.
        size: about how many bytes it keeps in memory; as it was recorded.
        tells: the loss that it tells of, if it does.
        number: its place among all that this process queued for the same outlet; 0 of one that comes from a spool.
        since: when it was made ready, on the monotonic clock, in seconds; ``handed_at`` when it was last handed over.
        answers: where ``on_delivery`` leaves what it is told.
    """

    # Tens of thousands wait at a time: kept from the garbage collector, they cost the agent no collections.

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
        """The headers as a capture file keeps them."""
        return cast(Headers, tuple(self.headers))

    @property
    def is_spooled(self) -> bool:
        """Whether it comes from a spool, and is safe there until it is delivered."""
        return self.number == 0

    def on_delivery(self, error: Any, message: Any) -> None:  # noqa: ARG002  librdkafka's callback
        """Note what became of it."""
        self.answers.append((self, error))


def make_event(  # noqa: PLR0913, PLR0917  an event's fields
    author: Author,
    event_id: str,
    event_type: str,
    payload: Mapping[str, Any],
    context: Mapping[str, Any],
    headers: HeaderList,
) -> OutboundEvent:
    """An event that happens now; its values can be changed afterwards. Never raises."""
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


def make_loss_event(author: Author, event_id: str, loss: Loss, reason: str, headers: HeaderList) -> OutboundEvent:
    """The event by which a session says that events of it were lost."""
    since = (EPOCH + timedelta(milliseconds=loss.since_ms)).isoformat(timespec="milliseconds")
    message = f"{format_count(loss.events, 'event')} of this session, from {since} on, were lost: {reason}"
    payload = {"type": "events_lost", "message": message, "lost": loss.events}
    record = make_event(author, event_id, "error", payload, {}, headers)
    record.tells = loss
    return record
