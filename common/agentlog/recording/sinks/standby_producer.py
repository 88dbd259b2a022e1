"""Another way to where the events go, tried while the one that we have gets none through."""

import logging
import time
from collections.abc import Callable

from ...errors import AgentlogError
from .sink import Sink

RENEW_INTERVAL_S = 30.0
LOST_PROBES = 3

_log = logging.getLogger("agentlog.recording")


class StandbyProducer:
    """An outlet of the same kind, made when it is needed, and now and then anew: it may get lost as well.

    Args:
        open_sink: makes one.
    """

    def __init__(self, open_sink: Callable[[], Sink]) -> None:
        self._open_sink = open_sink
        self._sink: Sink | None = None
        self._next_renew_at = 0.0
        self._lost_probe_count = 0

    def create(self) -> Sink | None:
        """A new one; None where that can't be had."""
        try:
            return self._open_sink()
        except AgentlogError as error:  # what it needs, such as a certificate's file, is gone: go on with the old one
            _log.warning("a new connection can't be made: %s", error)
            return None

    def get_ready(self) -> Sink | None:
        """The spare outlet, if it gets an answer."""
        now = time.monotonic()
        if now >= self._next_renew_at:
            self._sink, self._next_renew_at = self.create(), now + RENEW_INTERVAL_S
        return self._sink if self._sink is not None and self._sink.probe() else None

    def is_needed(self, sink: Sink) -> bool:
        """Whether ``sink`` has no connection although a new one gets an answer, several times in a row."""
        self._lost_probe_count = (
            self._lost_probe_count + 1 if self.get_ready() is not None and sink.is_disconnected() else 0
        )
        return self._lost_probe_count >= LOST_PROBES

    def take(self) -> Sink | None:
        """The one that there is, or a new one; None where that can't be had."""
        sink = self._sink or self.create()
        self.reset()
        return sink

    def reset(self) -> None:
        """All is well, or the outlet is a new one."""
        self._sink, self._next_renew_at, self._lost_probe_count = None, 0.0, 0

    def close(self) -> None:
        """Have none: see ``Sink``."""
        if self._sink is not None:
            self._sink.close()
        self.reset()

    def abandon(self) -> None:
        """In a forked child: see ``Sink``."""
        if self._sink is not None:
            self._sink.abandon()
