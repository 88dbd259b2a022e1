"""The unopened sink, which stands for one that couldn't be opened. It takes nothing, and says why."""

from typing import Any

from ...errors import AgentlogError
from .outbound import OutboundEvent
from .sink import FailureKind


class UnopenedSink:
    """A closed sink. Whoever uses it opens another one in its place, as for any closed sink.

    Args:
        where: the place that events were to be written to.
        error: why it couldn't be opened.
    """

    def __init__(self, where: str, error: AgentlogError) -> None:
        self.where, self.is_closed, self.is_broken, self.is_warm = where, True, False, True
        self._error = error

    def send(self, record: OutboundEvent) -> bool:  # noqa: ARG002  a sink's signature
        """Return False."""
        return False

    def poll(self, timeout_s: float) -> None:
        """Do nothing, because nothing was taken."""

    def purge(self) -> None:
        """Do nothing, because nothing was taken."""

    def recall_queued(self) -> None:
        """Do nothing, because nothing was taken."""

    def classify_error(self, error: Any) -> FailureKind:  # noqa: ARG002  a sink's signature
        """Return that the sink failed."""
        return FailureKind.SINK_FAILED

    def describe_error(self, error: Any) -> str:
        """Return an error in words."""
        return str(error)

    def reset_failures(self) -> None:
        """Keep the error, because it can't be opened again."""

    def refusal(self) -> AgentlogError | None:
        """Return None, because a later attempt may open it."""
        return None

    def last_error(self) -> AgentlogError:
        """Return why it couldn't be opened."""
        return self._error

    def probe(self) -> bool:
        """Return False."""
        return False

    def is_disconnected(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Do nothing, because it is closed."""

    def abandon(self) -> None:
        """Do nothing, because it holds nothing."""
