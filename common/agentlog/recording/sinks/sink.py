"""The contract of a sink, which takes events."""

from enum import Enum
from typing import Any, Protocol

from ...errors import AgentlogError
from .outbound import OutboundEvent

SINGLE_EVENT_BATCH_BYTES = 1_000
"""The smallest limit for a batch, in bytes. Then each batch holds one event only."""


class FailureKind(Enum):
    """The reason why a record wasn't delivered."""

    RECORD_REFUSED = "the sink will never take this record, or another one of its batch"
    RECORD_REFUSED_ALONE = "the sink will never take this record, which was alone in its batch"
    UNEXPLAINED = "the sink refused this record, or its batch, and the error doesn't say whether the record is at fault"
    BATCH_TOO_LARGE = "the sink will never take this record in a batch of this size"
    SINK_FAILED = "the sink takes no records now: a fault of the topic, of our rights or of the producer"
    RETURNED = "the record wasn't written: it was recalled, or another record of its batch was refused"


class Sink(Protocol):
    """A taker of records, in order. It reports later whether each was delivered. ``KafkaSink`` describes the methods.

    Attributes:
        where: the place that it writes to, for messages.
        is_closed: whether it is closed.
        is_broken: whether it will never take a record again. A new sink may.
    """

    where: str
    is_closed: bool
    is_broken: bool

    @property
    def is_warm(self) -> bool: ...  # noqa: D102
    def send(self, record: OutboundEvent) -> bool: ...  # noqa: D102
    def poll(self, timeout_s: float) -> None: ...  # noqa: D102
    def purge(self) -> None: ...  # noqa: D102
    def recall_queued(self) -> None: ...  # noqa: D102
    def classify_error(self, error: Any) -> FailureKind: ...  # noqa: D102
    def describe_error(self, error: Any) -> str: ...  # noqa: D102
    def reset_failures(self) -> None: ...  # noqa: D102
    def refusal(self) -> AgentlogError | None: ...  # noqa: D102
    def last_error(self) -> AgentlogError: ...  # noqa: D102
    def probe(self) -> bool: ...  # noqa: D102
    def is_disconnected(self) -> bool: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
    def abandon(self) -> None: ...  # noqa: D102
