"""The standby producer, which replaces a sink that lost its connection."""

import logging
import time
from collections.abc import Callable

from ...errors import AgentlogError
from .sink import Sink

RENEW_INTERVAL_S = 30.0
"""After how long a standby sink is replaced by a new one, because it may lose its connection too, in seconds."""
LOST_PROBES = 3
"""How many probes in a row must find the sink disconnected before it is replaced."""

_log = logging.getLogger("agentlog.recording")


class StandbyProducer:
    """A second sink for the same target. It is opened when it is needed, and renewed now and then.

    Args:
        open_sink: opens a sink.
    """

    def __init__(self, open_sink: Callable[[], Sink]) -> None:
        self._open_sink = open_sink
        self._sink: Sink | None = None
        self._next_renew_at = 0.0
        self._lost_probe_count = 0

    def create(self) -> Sink | None:
        """Open a new sink. Return None if that fails."""
        try:
            return self._open_sink()
        # For example, a certificate's file is gone, or an ending interpreter imports nothing more. The old sink stays.
        except (AgentlogError, ImportError) as error:
            _log.warning("a new connection can't be made: %s", error)
            return None

    def get_ready(self) -> Sink | None:
        """Return the standby sink if Kafka answers it, else None."""
        now = time.monotonic()
        if now >= self._next_renew_at:
            self._sink, self._next_renew_at = self.create(), now + RENEW_INTERVAL_S
        return self._sink if self._sink is not None and self._sink.probe() else None

    def is_needed(self, sink: Sink) -> bool:
        """Return whether ``sink`` had no connection in ``LOST_PROBES`` checks in a row, but a new sink had one."""
        self._lost_probe_count = (
            self._lost_probe_count + 1 if self.get_ready() is not None and sink.is_disconnected() else 0
        )
        return self._lost_probe_count >= LOST_PROBES

    def take(self) -> Sink | None:
        """Hand over the standby sink, or a new one. Return None if there is none."""
        sink = self._sink or self.create()
        self.reset()
        return sink

    def reset(self) -> None:
        """Forget the standby sink and the probes, because the sink works or is new."""
        self._sink, self._next_renew_at, self._lost_probe_count = None, 0.0, 0

    def close(self) -> None:
        """Close the standby sink, if there is one."""
        if self._sink is not None:
            self._sink.close()
        self.reset()

    def abandon(self) -> None:
        """Leave the standby sink to the parent, in a forked child."""
        if self._sink is not None:
            self._sink.abandon()
