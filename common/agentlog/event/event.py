"""The event, and the record: an event with its place."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec

SCHEMA_VERSION = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MAX_AMOUNT = 1e12
"""The largest amount of tokens, dollars or milliseconds. Nobody means more, and sums would be too large for JSON."""
PLAUSIBLE_MS = tuple(int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1000 for year in (2000, 2100))
"""No event is from before the first of these times, or from after the second."""
MAX_LATENCY_MS = timedelta(days=366) // timedelta(milliseconds=1)
"""The longest call, in milliseconds. What is longer is no duration."""

NonEmptyText = Annotated[str, msgspec.Meta(min_length=1)]
Headers = tuple[tuple[str, bytes | None], ...]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that an agent did or saw.

    Unknown fields are kept. Those of ``payload`` and ``context`` stay in their dicts, those of the top level in the
    record's ``value``, which is the bytes as stored.

    Attributes:
        timestamp: the time of recording; without a zone in the stored text it counts as UTC.
        payload: the fields of the event type; empty when absent.
        context: the parent, the reasoning, the model and its confidence; empty when absent.
        status: the session's status at this event, or None.
    """

    event_id: NonEmptyText
    session_id: NonEmptyText
    agent_id: NonEmptyText
    timestamp: datetime
    event_type: NonEmptyText
    payload: dict[str, Any] = {}
    context: dict[str, Any] = {}
    status: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def parent_event_id(self) -> str | None:
        """The ``event_id`` of the event that this one follows from, or None."""
        parent = self.context.get("parent_event_id")
        return parent if isinstance(parent, str) else None

    @property
    def latency_us(self) -> int:
        """The call's duration in microseconds; 0 when the event has no usable one."""
        return parse_latency_us(self.payload.get("latency_ms"))


class Place(NamedTuple):
    """The place of a record. On a line of a file, the topic is None, the partition -1, the offset the line's number.

    Attributes:
        timestamp: the record's timestamp in milliseconds since the epoch, or None outside Kafka.
        headers: names and values in their order; a name may repeat, a value may be null.
        key: the record's key where it isn't the session's id, else None.
        frame: the bytes that a schema registry's client wrote before the event.
    """

    topic: str | None
    partition: int
    offset: int
    timestamp: int | None = None
    headers: Headers = ()
    key: bytes | None = None
    frame: bytes = b""

    @property
    def where(self) -> str:
        """A place in Kafka as messages name it: ``TOPIC[PARTITION]@OFFSET``."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def process(self) -> str | None:
        """The process that recorded the event, from the header ``agentlog.process``."""
        return next((v.decode(errors="replace") for k, v in self.headers if k == "agentlog.process" and v), None)


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event with its place and its bytes as stored."""

    event: Event
    place: Place
    value: bytes


class Unreadable(NamedTuple):
    """A record, or a line of a file, that holds no event, and the reason.

    Attributes:
        where: the place as messages name it: ``agent-events[3]@1200``, or ``run.ndjson:17``.
    """

    where: str
    place: Place
    reason: str


def to_microseconds(moment: datetime) -> int:
    """Convert an aware ``moment`` to microseconds since the epoch."""
    return (moment - EPOCH) // MICROSECOND


def format_timestamp(moment: datetime) -> str:
    """Format an aware ``moment`` for JSON documents: ``2026-01-15T14:23:11.847000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def is_plausible_ms(timestamp_ms: int) -> bool:
    """Whether a timestamp in milliseconds may be right: not a clock at its zero, nor another unit."""
    return PLAUSIBLE_MS[0] <= timestamp_ms < PLAUSIBLE_MS[1]


def parse_latency_us(latency_ms: object) -> int:
    """Convert a recorded ``latency_ms`` to microseconds; an unusable value becomes 0."""
    if type(latency_ms) is int and 0 <= latency_ms < MAX_LATENCY_MS:
        return latency_ms * 1000  # the fast path: this runs for each event, and nearly all are integers
    latency = parse_amount(latency_ms) or 0
    return round(latency * 1000) if latency < MAX_LATENCY_MS else 0


def parse_amount(value: object) -> float | None:
    """Return ``value`` if it is a number from 0 to ``MAX_AMOUNT``, else None."""
    if type(value) is not int and type(value) is not float:
        return None
    try:
        amount = float(value)
    except OverflowError:
        return None
    return amount if 0 <= amount <= MAX_AMOUNT else None


MAX_EVENT_BYTES = 10_000
"""The largest size of a stored event, in bytes. Values of a larger event are moved to the payload store."""


def to_datetime(microseconds: int) -> datetime:
    """Convert microseconds since the epoch to a time in UTC; a time outside the calendar becomes the epoch."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return EPOCH
