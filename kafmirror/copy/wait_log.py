"""What keeps the mirror waiting, said on the log when it lasts, and again when it is over."""

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

LOG_AFTER_S = 1.0
LOG_AGAIN_S = 30.0

_log = logging.getLogger("kafmirror")


@dataclass
class _Wait:
    text: str
    since: float
    last_logged: float | None = None


class WaitLog:
    """Open troubles by what they concern; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waits: dict[Hashable, _Wait] = {}

    def report(self, key: Hashable, text: str) -> None:
        """Something doesn't work, still or again."""
        now = self._clock()
        wait = self._waits.setdefault(key, _Wait(text, now))
        wait.text = text
        if now - (wait.last_logged or wait.since) >= (LOG_AGAIN_S if wait.last_logged else LOG_AFTER_S):
            wait.last_logged = now
            _log.warning("waiting since %.0f s: %s", now - wait.since, text)

    def resolve(self, key: Hashable) -> None:
        """It works."""
        if self._waits and (wait := self._waits.pop(key, None)) and wait.last_logged:
            _log.warning("going on after %.0f s: %s", self._clock() - wait.since, wait.text)

    def list_waits(self) -> list[str]:
        """What the mirror waits for."""
        return [wait.text for wait in self._waits.values()]
