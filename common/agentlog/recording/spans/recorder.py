"""The recorder of one agent in one session."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..delivery.delivery import Delivery
from ..sinks.outbound import Author, make_event

_log = logging.getLogger("agentlog.recording")


class Recorder:
    """A writer of one agent's events in one session.

    Attributes:
        author: the session and the agent.
        delivery: the delivery that takes the events.
        root: the parent of events outside of any span. None if there is no such parent.
        start_session: a function that starts the session, if the first event has to. None once it has started.
    """

    __slots__ = ("author", "delivery", "root", "start_session")

    def __init__(self, author: Author, delivery: Delivery, root: str | None) -> None:
        self.author, self.delivery, self.root = author, delivery, root
        self.start_session: Callable[[], None] | None = None

    def check_delivery(self) -> None:
        """Check that events can be delivered, and start the session if the first event has to.

        Raises:
            KafkaError: events can't be delivered, and ``on_outage="raise"``.
        """
        if self.delivery.failure is not None:
            self.delivery.raise_failure()
        self.ensure_started()

    def ensure_started(self) -> None:
        """Start the session if the first event has to."""
        if self.start_session is not None:
            self.start_session()

    def write(self, event_id: str, event_type: str, payload: Mapping[str, Any], context: Mapping[str, Any]) -> None:
        """Queue an event. The caller may change the values afterwards. Never raises."""
        delivery = self.delivery
        try:
            delivery.put(make_event(self.author, event_id, event_type, payload, context, delivery.headers))
        except Exception:  # noqa: BLE001  recording must never break the agent
            _log.exception("an event of session %s couldn't be queued", self.author.session_id)
