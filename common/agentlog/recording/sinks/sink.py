"""Where events go: the contract that Kafka's writer keeps, and the capture file that keeps it without Kafka."""

from enum import Enum
from typing import Any, Protocol

from ...errors import AgentlogError
from .outbound import Outbound


class Verdict(Enum):
    """Why a record that was handed over wasn't delivered."""

    REFUSED = "never to be taken: this record"
    OVERFULL = "never to be taken: this record together with others"
    FAILED = "not taken, nor will others be: the topic, our rights, or the producer itself"
    TAKEN_BACK = "called back before it was acknowledged"


class Outlet(Protocol):
    """Takes records in order, and tells later what became of each: see ``KafkaWriter``.

    Attributes:
        broken: whether it never takes a record again, though a new one may.
    """

    where: str
    closed: bool
    broken: bool

    @property
    def warm(self) -> bool: ...  # noqa: D102
    def send(self, record: Outbound) -> bool: ...  # noqa: D102
    def poll(self, timeout_s: float) -> None: ...  # noqa: D102
    def take_back(self) -> None: ...  # noqa: D102
    def verdict(self, error: Any) -> Verdict: ...  # noqa: D102
    def is_well(self) -> None: ...  # noqa: D102
    def refusal(self) -> AgentlogError | None: ...  # noqa: D102
    def trouble(self) -> AgentlogError: ...  # noqa: D102
    def answers(self) -> bool: ...  # noqa: D102
    def is_lost(self) -> bool: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102
    def abandon(self) -> None: ...  # noqa: D102
