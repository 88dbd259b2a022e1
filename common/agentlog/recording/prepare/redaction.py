"""Events redacted before they leave: by the ready rules, and by a function of the user's own."""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson

from .secret_scan import SecretScanner
from .secrets import redact_secrets

Redact = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an event as it would be stored, and returns it as it shall be stored."""

_IDENTITY_FIELDS = ("event_id", "session_id", "agent_id", "timestamp", "event_type")
_CONTENT_FIELDS = ("payload", "context")

_log = logging.getLogger("agentlog.recording")


class Redactor:
    """Takes secrets out of events, on the thread that first asks it to.

    Where that fails, an event keeps who, when and what kind, and says that its contents were left out.

    Args:
        user_function: the user's function, which gets what the ready rules leave; None when there is none.
        use_builtin_rules: whether the ready rules are on.
    """

    def __init__(self, user_function: Redact | None, *, use_builtin_rules: bool) -> None:
        self._user_function, self._use_builtin_rules = user_function, use_builtin_rules
        self._scanner: SecretScanner | None = None

    def redact_events(self, values: Sequence[bytes]) -> list[bytes]:
        """The events ``values``, JSON as orjson writes it, without their secrets."""
        redacted = list(values)
        for index in self._find_suspects(values) if self._use_builtin_rules else ():
            redacted[index] = _apply_redaction(redact_secrets, redacted[index], "redacting")
        return (
            redacted
            if self._user_function is None
            else [_apply_redaction(self._user_function, value, "redact") for value in redacted]
        )

    def _find_suspects(self, values: Sequence[bytes]) -> Iterable[int]:
        """Which of ``values`` are to be looked at text by text: all of them where they can't be searched."""
        try:
            self._scanner = self._scanner or SecretScanner()
            return self._scanner.find_suspects(values)
        except Exception:  # noqa: BLE001  slower, but no secret leaves and no event is lost
            _log.exception("events can't be searched for secrets quickly")
            return range(len(values))


def _apply_redaction(redact: Redact, value: bytes, step_name: str) -> bytes:
    event = orjson.loads(value)
    identity = {name: event[name] for name in _IDENTITY_FIELDS}
    try:
        redacted = redact(event)
        contents = {part: dict(redacted.get(part, {})) for part in _CONTENT_FIELDS}
        return orjson.dumps({**redacted, **contents, **identity})
    except Exception as error:  # noqa: BLE001  the user's function may raise anything; its text may hold the secret
        message = f"left out: {step_name} raised {type(error).__name__}"
        return orjson.dumps({**identity, "payload": {"redaction": message}, "context": {}})
