"""The redaction of events before they are sent, by the built-in rules and the user's function."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from .secret_scan import SecretScanner
from .secrets import redact_secrets

Redact = Callable[[dict[str, Any]], dict[str, Any]]
"""A function that takes an event and returns the event to store in its place."""

_IDENTITY_FIELDS = ("event_id", "session_id", "agent_id", "timestamp", "event_type")
_CONTENT_FIELDS = ("payload", "context")

_log = logging.getLogger("agentlog.recording")


class Redactor:
    """A redactor of events, for one thread.

    If redaction fails, the event keeps its ids, time and type, and says that its contents were left out.

    Args:
        user_function: the user's function, which gets the events after the built-in rules. None if there is none.
        use_builtin_rules: whether the built-in rules apply.
    """

    def __init__(self, user_function: Redact | None, *, use_builtin_rules: bool) -> None:
        self._user_function, self._use_builtin_rules = user_function, use_builtin_rules
        self._scanner: SecretScanner | None = None

    def redact_events(self, values: Sequence[bytes]) -> list[bytes]:
        """Return the events without their secrets. Each is JSON as orjson writes it."""
        redacted = list(values)
        for index in self._find_suspects(values) if self._use_builtin_rules else ():
            redacted[index] = _apply_redaction(redact_secrets, redacted[index], "redacting")
        return (
            redacted
            if self._user_function is None
            else [_apply_redaction(self._user_function, value, "redact") for value in redacted]
        )

    def _find_suspects(self, values: Sequence[bytes]) -> Iterable[int]:
        """Return the indices of events that may hold a secret; all indices if the fast search fails."""
        try:
            self._scanner = self._scanner or SecretScanner()
            return self._scanner.find_suspects(values)
        except Exception:  # noqa: BLE001  slower, but no secret is sent and no event is lost
            _log.exception("the fast search for secrets failed; each text is searched by itself, which takes longer")
            return range(len(values))


def _apply_redaction(redact: Redact, value: bytes, step_name: str) -> bytes:
    event = orjson.loads(value)
    identity = {name: event[name] for name in _IDENTITY_FIELDS}
    try:
        redacted = redact(event)
        contents = {part: dict(redacted.get(part, {})) for part in _CONTENT_FIELDS}
        return orjson.dumps({**redacted, **contents, **identity})
    except Exception as error:  # noqa: BLE001  the user's function may raise anything, and the text may hold a secret
        message = f"left out: {step_name} raised {type(error).__name__}"
        return orjson.dumps({**identity, "payload": {"redaction": message}, "context": {}})
