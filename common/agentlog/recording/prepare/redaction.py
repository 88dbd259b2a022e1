"""Events redacted before they leave: by the ready rules, and by a function of the user's own."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from .secret_scan import Search
from .secrets import without_secrets

Redact = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an event as it would be stored, and returns it as it shall be stored."""

_IDENTITY = ("event_id", "session_id", "agent_id", "timestamp", "event_type")
_CONTENTS = ("payload", "context")

_log = logging.getLogger("agentlog.recording")


class Redactor:
    """Takes secrets out of events, on the thread that first asks it to.

    Where that fails, an event keeps who, when and what kind, and says that its contents were left out.

    Args:
        own: the user's function, which gets what the ready rules leave; None when there is none.
        ready: whether the ready rules are on.
    """

    def __init__(self, own: Redact | None, *, ready: bool) -> None:
        self._own, self._ready = own, ready
        self._search: Search | None = None

    def redacted(self, values: Sequence[bytes]) -> list[bytes]:
        """The events ``values``, JSON as orjson writes it, without their secrets."""
        found = list(values)
        for at in self._suspects(values) if self._ready else ():
            found[at] = _tried(without_secrets, found[at], "redacting")
        return found if self._own is None else [_tried(self._own, value, "redact") for value in found]

    def _suspects(self, values: Sequence[bytes]) -> Iterable[int]:
        """Which of ``values`` are to be looked at text by text: all of them where they can't be searched."""
        try:
            self._search = self._search or Search()
            return self._search.suspects(values)
        except Exception:  # noqa: BLE001  slower, but no secret leaves and no event is lost
            _log.exception("events can't be searched for secrets quickly")
            return range(len(values))


def _tried(redact: Redact, value: bytes, what: str) -> bytes:
    event = orjson.loads(value)
    identity = {name: event[name] for name in _IDENTITY}
    try:
        found = redact(event)
        contents = {part: dict(found.get(part, {})) for part in _CONTENTS}
        return orjson.dumps({**found, **contents, **identity})
    except Exception as error:  # noqa: BLE001  the user's function may raise anything; its text may hold the secret
        told = f"left out: {what} raised {type(error).__name__}"
        return orjson.dumps({**identity, "payload": {"redaction": told}, "context": {}})
