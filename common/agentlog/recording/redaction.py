"""Secrets taken out of an event before it leaves: the ready rules, and a function of the user's own.

Looking at every text of every event would cost more than all else, so an event's bytes are first searched for
anything that could be one; only then is it opened and each of its texts looked at.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

HIDDEN = "[redacted]"

Redact = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes an event as it would be stored, and returns it as it shall be stored."""

_IDENTITY = ("event_id", "session_id", "agent_id", "timestamp", "event_type")

_CONTENTS = ("payload", "context")

_NAMES = (
    r"pass[-_ ]?words?|passwd|pass[-_ ]?phrase|pwd|secrets?|api[-_ ]?keys?|(?:access|private|secret)[-_ ]?keys?"
    r"|(?:signing|encryption|account|shared)[-_ ]?key|authorization|credentials?|cookie|cvv|cvc|ssn"
    r"|(?<![a-z])(?:(?:access|refresh|bearer|auth|id|session|security|api|csrf|xsrf)[-_ ]?)?token"
)
_KEY = re.compile(rf"(?:{_NAMES})\Z|^auth\Z", re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"""(?P<name>(?:{_NAMES})\\?["']?\s*[:=]\s*)(?P<quote>\\?["'])?"""
    rf"""(?P<scheme>(?:bearer|basic)\s+)?(?P<value>(?(quote)[^"'\\]+|[^\s"',;&\\}}]+))""",
    re.IGNORECASE,
)
_FLAG = re.compile(rf"(?P<flag>--(?:[a-z]+-)*(?:{_NAMES})\s+)(?!-)\S+", re.IGNORECASE)
_LONG = 20
_WORD = re.compile(rf"[A-Za-z0-9_-]{{{_LONG},}}(?:\.[A-Za-z0-9_-]+)*")
_SHAPE = re.compile(
    r"(?:sk|rk|pk)[-_]|gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-|xox[abeoprs]-|ya29\b|AIza|(?:AKIA|ASIA)[A-Z0-9]{16}$"
    r"|SG\.|eyJ[\w-]+\.[\w-]+\."  # the last is a JSON web token
)
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)", re.DOTALL)
_BEARER = re.compile(r"\b(?P<scheme>bearer|basic)\s+[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE)
_USER_INFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://[^\s:/]*:)[^\s/?#]+@", re.IGNORECASE)
_CARD = re.compile(r"(?<![\d.])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d])")

# Of an event's bytes: lower case, each digit 0, = as a colon, without what may stand inside a name or a card number.
# An opening bracket is a colon too: so [[ is seen by the search for names, which looks at nothing but colons.
_FOLD = bytes(ord(":") if c in b"=[" else c + 32 if 65 <= c <= 90 else 48 if 48 <= c <= 57 else c for c in range(256))
_INSIDE = b" -_\\\"'"
_ENDS = rb"rd|wd|et|en|ey|on|al|ie|se|vv|vc|sn|th|ds|ls|ts|ys"
"""What a telling name ends in; nearly all others don't, which makes the search fast."""

_TELLING = (
    rb"(?:assword|sphrase|ization|dential|entials|cesskey|cretkey|vatekey|ningkey|tionkey|ountkey|aredkey"
    rb"|sswords|esskeys|atekeys|retkeys|secrets|apikeys|.(?:passwd|secret|cookie|apikey)|..(?:token|[:{]auth)"
    rb"|....(?:pwd|cvv|cvc|ssn))"
)
_SUSPECT_NAME = re.compile(rb":(?<=(?:%b):)(?<=%b:)" % (_ENDS, _TELLING))
_HINT = re.compile(rb":(?<=(?:%b|ue|::|,:):)(?<=(?:%b|..value|.....(?:::|,:)):)" % (_ENDS, _TELLING))
"""A telling name; or ``[[`` or the name ``value``, where one may stand before a comma or a bracket as well."""
_ANY_COLON = bytes(ord(":") if c in b",}" else c for c in range(256))

_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)")
_SCHEME = re.compile(rb"b(?:earer|asic)")
_DIGITS = b"0" * 13
_WORDS = bytes(97 if chr(c).isascii() and (chr(c).isalnum() or chr(c) in "_-") else 32 for c in range(256))
_LONG_WORD = b"a" * _LONG


def redacted(value: bytes, own: Redact | None, ready: bool) -> bytes:
    """The event ``value`` without secrets: by the ready rules, then by the user's ``own`` function.

    Where ``own`` fails, the event keeps who, when and what kind, and says that its contents were left out.
    """
    if ready and _suspicious(value):
        event = orjson.loads(value)
        value = orjson.dumps({k: v if k in _IDENTITY else without_secrets(v) for k, v in event.items()})
    return value if own is None else _by_own(value, own)


def _suspicious(value: bytes) -> bool:
    if b"\\" in value:  # what an escape stands for parts words; the letter in \n would hide where one begins
        value = _ESCAPE.sub(b" ", value)
    folded = value.translate(_FOLD, _INSIDE)
    if _HINT.search(folded) is not None and _SUSPECT_NAME.search(folded.translate(_ANY_COLON)) is not None:
        return True
    if b"@" in folded and b"://" in value:
        return True
    contents = value[value.find(b'"payload":') :]
    return (
        (b"-" in contents and b"--" in contents and _FLAG.search(_decoded(contents)) is not None)
        or (_DIGITS in folded and any(_luhn(found[0]) for found in _CARD.finditer(_decoded(contents))))
        or (_SCHEME.search(folded) is not None and _BEARER.search(_decoded(contents)) is not None)
        or (_LONG_WORD in contents.translate(_WORDS) and _has_token(_decoded(contents)))
    )


def _decoded(value: bytes) -> str:
    return value.decode(errors="replace")


def _has_token(text: str) -> bool:
    return any(_SHAPE.match(word) for word in _WORD.findall(text)) or "PRIVATE KEY" in text


def without_secrets(value: Any) -> Any:
    """A decoded JSON value with the secrets in it replaced by ``[redacted]``; names tell some, shapes the others."""
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        pairs = all(map(_is_named_pair, value))
        return [[one[0], _member(*one)] for one in value] if pairs else [without_secrets(inner) for inner in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2 * 10**12:
        return HIDDEN if _CARD.fullmatch(str(value)) and _luhn(str(value)) else value
    return value


def _object(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, inner in value.items():
        shown = _text(name)
        while shown in found:  # of several names that are secrets each keeps its value
            shown += "'"
        found[shown] = _member(name, inner)
    label = value.get("name", value.get("key"))
    if "value" in value and isinstance(label, str) and _is_secret(label, value["value"]):
        found["value"] = HIDDEN
    return found


def _member(name: str, value: Any) -> Any:
    return HIDDEN if _is_secret(name, value) else without_secrets(value)


def _is_named_pair(value: Any) -> bool:
    """Whether it is a name and its value, as lists of headers have them."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _is_secret(name: str, value: Any) -> bool:
    return not (value in (None, "", [], {}) or isinstance(value, bool)) and _names_secret(name)


@lru_cache(4096)
def _names_secret(name: str) -> bool:
    return _KEY.search(name) is not None


def _text(text: str) -> str:
    """Each rule is tried only on what may hold what it looks for: a session's texts are many, its secrets few."""
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    if len(text) >= _LONG:
        text = _WORD.sub(lambda found: HIDDEN if _SHAPE.match(found[0]) else found[0], text)
        text = _BEARER.sub(rf"\g<scheme> {HIDDEN}", _PEM.sub(HIDDEN, text) if "PRIVATE KEY" in text else text)
    if "--" in text:
        text = _FLAG.sub(rf"\g<flag>{HIDDEN}", text)
    if ":" in text or "=" in text:
        text = _ASSIGNED.sub(_without_value, text)
    return _CARD.sub(lambda found: HIDDEN if _luhn(found[0]) else found[0], text) if len(text) >= 13 else text


def _without_value(found: re.Match[str]) -> str:
    return f"{found['name']}{found['quote'] or ''}{found['scheme'] or ''}{HIDDEN}"


def _luhn(written: str) -> bool:
    """Whether the digits end in the check digit that card numbers have."""
    digits = [int(c) for c in reversed(written) if c.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _by_own(value: bytes, own: Redact) -> bytes:
    event = orjson.loads(value)
    identity = {name: event[name] for name in _IDENTITY}
    try:
        found = own(event)
        contents = {part: dict(found.get(part, {})) for part in _CONTENTS}
        return orjson.dumps({**found, **contents, **identity})
    except Exception as error:  # noqa: BLE001  the user's function may raise anything; its text may hold the secret
        told = f"left out: redact raised {type(error).__name__}"
        return orjson.dumps({**identity, "payload": {"redaction": told}, "context": {}})
