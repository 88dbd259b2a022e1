"""The log of problems that keep the mirror waiting, and of their ends."""

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

LOG_AFTER_S = 1.0
"""How long a problem must last before it is logged."""

LOG_AGAIN_S = 30.0
"""The time between two lines on the log about the same problem."""

_log = logging.getLogger("kafmirror")


@dataclass
class _Wait:
    text: str
    since: float
    last_logged: float | None = None


class WaitLog:
    """The open problems, by a key that names the part that waits. ``clock`` returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waits: dict[Hashable, _Wait] = {}

    def report(self, key: Hashable, text: str) -> None:
        """Report a problem that began, or still lasts."""
        now = self._clock()
        wait = self._waits.setdefault(key, _Wait(text, now))
        wait.text = text
        if now - (wait.last_logged or wait.since) >= (LOG_AGAIN_S if wait.last_logged else LOG_AFTER_S):
            wait.last_logged = now
            _log.warning("still waiting after %.0f s: %s", now - wait.since, text)

    def resolve(self, key: Hashable) -> None:
        """End a problem, if there was one."""
        if self._waits and (wait := self._waits.pop(key, None)) and wait.last_logged:
            _log.warning("continuing after %.0f s: %s", self._clock() - wait.since, wait.text)

    def list_waits(self) -> list[str]:
        """Return the problems that the mirror waits for, a sentence each."""
        return [wait.text for wait in self._waits.values()]
