"""What keeps the mirror waiting, said on the log when it lasts, and again when it is over."""

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

SAID_AFTER_S = 1.0
SAID_AGAIN_S = 30.0

_log = logging.getLogger("kafmirror")


@dataclass
class _Trouble:
    text: str
    since: float
    said: float | None = None


class Troubles:
    """Open troubles by what they concern; ``clock`` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: dict[Hashable, _Trouble] = {}

    def note(self, what: Hashable, text: str) -> None:
        """Something doesn't work, still or again."""
        now = self._clock()
        trouble = self._open.setdefault(what, _Trouble(text, now))
        trouble.text = text
        if now - (trouble.said or trouble.since) >= (SAID_AGAIN_S if trouble.said else SAID_AFTER_S):
            trouble.said = now
            _log.warning("waiting since %.0f s: %s", now - trouble.since, text)

    def over(self, what: Hashable) -> None:
        """It works."""
        if self._open and (trouble := self._open.pop(what, None)) and trouble.said:
            _log.warning("going on after %.0f s: %s", self._clock() - trouble.since, trouble.text)

    def all(self) -> list[str]:
        """What the mirror waits for."""
        return [trouble.text for trouble in self._open.values()]
