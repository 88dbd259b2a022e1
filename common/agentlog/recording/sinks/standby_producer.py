"""Another way to where the events go, tried while the one that we have gets none through."""

import logging
import time
from collections.abc import Callable

from ...errors import AgentlogError
from .sink import Outlet

RENEWED_S = 30.0
LOST_PROBES = 3

_log = logging.getLogger("agentlog.recording")


class Spare:
    """An outlet of the same kind, made when it is needed, and now and then anew: it may get lost as well.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[[], Outlet]) -> None:
        self._make = make
        self._outlet: Outlet | None = None
        self._renew_at = 0.0
        self._lost = 0

    def made(self) -> Outlet | None:
        """A new one; None where that can't be had."""
        try:
            return self._make()
        except AgentlogError as error:  # what it needs, such as a certificate's file, is gone: go on with the old one
            _log.warning("a new connection can't be made: %s", error)
            return None

    def found(self) -> Outlet | None:
        """The spare outlet, if it gets an answer."""
        now = time.monotonic()
        if now >= self._renew_at:
            self._outlet, self._renew_at = self.made(), now + RENEWED_S
        return self._outlet if self._outlet is not None and self._outlet.answers() else None

    def shows_lost(self, outlet: Outlet) -> bool:
        """Whether ``outlet`` has no connection although a new one gets an answer, several times in a row."""
        self._lost = self._lost + 1 if self.found() is not None and outlet.is_lost() else 0
        return self._lost >= LOST_PROBES

    def taken(self) -> Outlet | None:
        """The one that there is, or a new one; None where that can't be had."""
        outlet = self._outlet or self.made()
        self.forget()
        return outlet

    def forget(self) -> None:
        """All is well, or the outlet is a new one."""
        self._outlet, self._renew_at, self._lost = None, 0.0, 0

    def close(self) -> None:
        """Have none: see ``Outlet``."""
        if self._outlet is not None:
            self._outlet.close()
        self.forget()

    def abandon(self) -> None:
        """In a forked child: see ``Outlet``."""
        if self._outlet is not None:
            self._outlet.abandon()
