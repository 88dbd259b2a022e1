"""Where events go: the contract that Kafka's writer keeps, and the capture file that keeps it without Kafka."""

from enum import Enum
from typing import Any, Protocol

from ...errors import AgentlogError
from .outbound import OutboundEvent


class FailureKind(Enum):
    """Why a record that was handed over wasn't delivered."""

    RECORD_REFUSED = "never to be taken: this record"
    BATCH_TOO_LARGE = "never to be taken: this record together with others"
    SINK_FAILED = "not taken, nor will others be: the topic, our rights, or the producer itself"
    PURGED = "called back before it was acknowledged"


class Sink(Protocol):
    """Takes records in order, and tells later what became of each: see ``KafkaSink``.

    Attributes:
        is_broken: whether it never takes a record again, though a new one may.
    """

    where: str
    is_closed: bool
    is_broken: bool

    @property
    def is_warm(self) -> bool: ...  # noqa: D102
    def send(self, record: OutboundEvent) -> bool: ...  # noqa: D102
    def poll(self, timeout_s: float) -> None: ...  # noqa: D102
    def purge(self) -> None: ...  # noqa: D102
    def classify_error(self, error: Any) -> FailureKind: ...  # noqa: D102
    def reset_failures(self) -> None: ...  # noqa: D102
    def refusal(self) -> AgentlogError | None: ...  # noqa: D102
    def last_error(self) -> AgentlogError: ...  # noqa: D102
    def probe(self) -> bool: ...  # noqa: D102
    def is_disconnected(self) -> bool: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
    def abandon(self) -> None: ...  # noqa: D102
