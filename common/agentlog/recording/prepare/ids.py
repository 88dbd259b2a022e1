"""The ids of events and sessions. They don't depend on the agent's use of ``random``."""

import os
from random import Random

from ..system.fork_hooks import FORK_HOOKS

_STOCK = 256
"""How many ids are made at once, because one by one they take five times as long."""

_random = Random(os.urandom(16))  # noqa: S311  an id is no secret, it only has to be unique
_event_ids = list[str]()
_LETTERS = b"\xaa"
"""These two digits stand inside an event's id. Else an id might hold a payment card's number, and be redacted."""
_SESSION_LETTERS = 0xA << 32 | 0xA << 64
"""These bits make two digits of a session's id letters, likewise."""


def _begin_anew() -> None:
    """Make other ids than the parent process."""
    _random.seed(os.urandom(16))
    _event_ids.clear()


FORK_HOOKS.add(_begin_anew)


def new_event_id() -> str:
    """Return an id that no other event of a session has."""
    FORK_HOOKS.check()  # stands here because each event needs an id, before it does anything else
    try:
        return _event_ids.pop()
    except IndexError:
        digits = bytearray(_random.randbytes(8 * _STOCK))
        digits[3::8] = _LETTERS * _STOCK
        ids = f"evt_{digits.hex(' ', 8).replace(' ', ' evt_')}".split(" ")
        _event_ids.extend(ids[1:])  # another thread may take all of them
        return ids[0]


def new_session_id() -> str:
    """Return an id that no other session has."""
    FORK_HOOKS.check()
    return f"sess_{_random.getrandbits(96) | _SESSION_LETTERS:024x}"
