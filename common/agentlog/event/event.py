"""The event that an agent records, and the record that says where the event lies."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NamedTuple

import msgspec

SCHEMA_VERSION = 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MAX_AMOUNT = 1e12
"""Of tokens, dollars or milliseconds: more is nobody's meaning, and its sums would outgrow what JSON readers take."""
MAX_LATENCY_MS = (datetime.max - datetime.min) // timedelta(milliseconds=1)

NonEmptyText = Annotated[str, msgspec.Meta(min_length=1)]
Headers = tuple[tuple[str, bytes | None], ...]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that an agent did or saw.

    Fields that we don't know are kept: those of ``payload`` and ``context`` in their dicts, those of the top level in
    the record's ``value``, the bytes as stored.

    Attributes:
        timestamp: when the event was recorded; without a zone in the stored text it counts as UTC.
        payload: what the event type calls for; empty when absent.
        context: the parent, the reasoning, the model and its confidence; empty when absent.
        status: of the session as of this event, or None.
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
        """How long the call took, in microseconds; 0 where the event says nothing usable."""
        return parse_latency_us(self.payload.get("latency_ms"))


class Place(NamedTuple):
    """Where a record lies. Outside Kafka (a line of a file) the topic is None, the partition -1, the offset the line.

    Attributes:
        timestamp: the record's timestamp in milliseconds since the epoch, or None outside Kafka.
        headers: names and values in their order; a name may repeat, a value may be null.
    """

    topic: str | None
    partition: int
    offset: int
    timestamp: int | None = None
    headers: Headers = ()

    @property
    def where(self) -> str:
        """A place in Kafka as it is named to a person: ``TOPIC[PARTITION]@OFFSET``."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def process(self) -> str | None:
        """The process that recorded the event, as its header ``agentlog.process`` names it."""
        return next((v.decode(errors="replace") for k, v in self.headers if k == "agentlog.process" and v), None)


class Record(msgspec.Struct, frozen=True, gc=False):
    """An event together with where it lies, and its bytes as stored."""

    event: Event
    place: Place
    value: bytes


class Unreadable(NamedTuple):
    """A record, or a line of a file, that is no event, and why.

    Attributes:
        where: for a person: ``agent-events[3]@1200``, or ``run.ndjson:17``.
    """

    where: str
    place: Place
    reason: str


def to_microseconds(moment: datetime) -> int:
    """Microseconds since the epoch of an aware ``moment``."""
    return (moment - EPOCH) // MICROSECOND


def format_timestamp(moment: datetime) -> str:
    """An aware ``moment`` as our JSON documents hold it: ``2026-01-15T14:23:11.847000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_latency_us(latency_ms: object) -> int:
    """A recorded ``latency_ms`` in microseconds; 0 where it is nothing usable."""
    if type(latency_ms) is int and 0 <= latency_ms < MAX_AMOUNT:
        return latency_ms * 1000  # nearly all are: this runs for each event
    latency = parse_amount(latency_ms) or 0
    return round(latency * 1000) if latency < MAX_LATENCY_MS else 0


def parse_amount(value: object) -> float | None:
    """``value`` as a number from 0 to ``MAX_AMOUNT``; None when it is anything else."""
    if type(value) is not int and type(value) is not float:
        return None
    try:
        amount = float(value)
    except OverflowError:
        return None
    return amount if 0 <= amount <= MAX_AMOUNT else None


MAX_EVENT_BYTES = 10_000
"""Bytes of an event as stored; above it values are moved out."""


def to_datetime(microseconds: int) -> datetime:
    """A time in UTC; what no calendar holds stands at its edge."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return EPOCH
