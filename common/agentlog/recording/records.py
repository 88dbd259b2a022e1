"""An event on its way: as the caller's thread left it, and as it is handed over."""

import time
from datetime import timedelta
from typing import Any, NamedTuple, cast

from ..events import EPOCH, Headers
from ..wording import counted
from .redaction import Redact, redacted
from .snapshot import dumps

HeaderList = list[tuple[str, str | bytes | None]]
"""As the producer takes them."""


MAX_NAME = 500


def is_name(text: object) -> bool:
    """Whether ``text`` can name a session or an agent: 1 to 500 printable characters."""
    return isinstance(text, str) and 0 < len(text) <= MAX_NAME and text.isprintable()


class Author(NamedTuple):
    """Who recorded: a session, and the agent in it."""

    session_id: str
    agent_id: str


class Loss(NamedTuple):
    """Events of a session that are lost: how many, and when the first was recorded, in milliseconds since the epoch."""

    events: int
    since_ms: int


class Entry(NamedTuple):
    """An event as recorded: its values can't be changed any more, and are no JSON text yet.

    Attributes:
        at_ns: when it was recorded, in nanoseconds since the epoch.
        size: about how many bytes it keeps in memory.
        tells: the loss that it tells of, if it does.
    """

    author: Author
    event_id: str
    at_ns: int
    event_type: str
    payload: dict[str, Any]
    context: dict[str, Any]
    size: int
    tells: Loss | None = None


class Outbound:
    """An event as it leaves: its bytes, redacted and small enough.

    Attributes:
        key: the session's id: Kafka keeps a session in order by it.
        number: its place among all that this process queued for the same outlet; 0 of one that comes from a spool.
        at_ms: the Kafka timestamp, in milliseconds since the epoch.
        size: what it counted in memory while it was queued, in bytes.
        since: when it was made ready, on the monotonic clock, in seconds; ``handed_at`` when it was last handed over.
        tells: the loss that it tells of, if it does.
        answers: where ``answered`` leaves what it is told.
    """

    __slots__ = (
        "answers",
        "at_ms",
        "author",
        "handed_at",
        "headers",
        "key",
        "number",
        "since",
        "size",
        "tells",
        "value",
    )

    def __init__(self, author: Author, value: bytes, at_ms: int, headers: HeaderList) -> None:
        self.author, self.value, self.at_ms, self.headers = author, value, at_ms, headers
        self.key = author.session_id.encode(errors="replace")
        self.number = self.size = 0
        self.tells: Loss | None = None
        self.since = self.handed_at = time.monotonic()
        self.answers: list[tuple[Outbound, Any]] = []

    @property
    def place_headers(self) -> Headers:
        """The headers as a capture file keeps them."""
        return cast(Headers, tuple(self.headers))

    @property
    def spooled(self) -> bool:
        """Whether it comes from a spool, and is safe there until it is delivered."""
        return self.number == 0

    def answered(self, error: Any, message: Any) -> None:  # noqa: ARG002  librdkafka's callback
        """Note what became of it."""
        self.answers.append((self, error))


def encoded(entry: Entry, own: Redact | None, *, ready: bool) -> bytes:
    """The event as stored, redacted by the ready rules and by the user's ``own`` function."""
    event = {
        "event_id": entry.event_id,
        "session_id": entry.author.session_id,
        "agent_id": entry.author.agent_id,
        "timestamp": EPOCH + timedelta(microseconds=entry.at_ns // 1_000),
        "event_type": entry.event_type,
        "payload": entry.payload,
        "context": entry.context,
    }
    return redacted(dumps(event), own, ready)


def lost_events(author: Author, event_id: str, loss: Loss, why: str) -> Entry:
    """The event by which a session says that events of it were lost."""
    since = (EPOCH + timedelta(milliseconds=loss.since_ms)).isoformat(timespec="milliseconds")
    message = f"{counted(loss.events, 'event')} of this session, from {since} on, were lost: {why}"
    payload = {"type": "events_lost", "message": message, "lost": loss.events}
    return Entry(author, event_id, time.time_ns(), "error", payload, {}, 0, loss)
