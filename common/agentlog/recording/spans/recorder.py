"""One agent's hand in one session: what it writes down becomes an event."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..delivery.delivery import Delivery
from ..sinks.outbound import Author, make_event

_log = logging.getLogger("agentlog.recording")


class Recorder:
    """Writes down what one agent does in one session.

    Attributes:
        author: the agent, and the session.
        delivery: what takes the events.
        root: the event that the agent's first ones follow from; None when there is none.
        start_session: starts the session, where its first event is to do so; None once it has started.
    """

    __slots__ = ("author", "delivery", "root", "start_session")

    def __init__(self, author: Author, delivery: Delivery, root: str | None) -> None:
        self.author, self.delivery, self.root = author, delivery, root
        self.start_session: Callable[[], None] | None = None

    def check_delivery(self) -> None:
        """Before something is recorded: start the session, if that is to be done.

        Raises:
            KafkaError: events can't be delivered, and ``on_outage="raise"``.
        """
        if self.delivery.failure is not None:
            self.delivery.raise_failure()
        self.ensure_started()

    def ensure_started(self) -> None:
        """Start the session, if that is to be done."""
        if self.start_session is not None:
            self.start_session()

    def write(self, event_id: str, event_type: str, payload: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        """Queue an event; its values can be changed afterwards. Never raises."""
        delivery = self.delivery
        try:
            delivery.put(make_event(self.author, event_id, event_type, payload, context, delivery.headers))
        except Exception:  # noqa: BLE001  recording must never break the agent
            _log.exception("an event of session %s couldn't be queued", self.author.session_id)
