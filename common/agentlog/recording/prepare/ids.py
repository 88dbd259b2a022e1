"""The ids of events and sessions. They don't depend on the agent's use of ``random``."""

import os
from random import Random

from ..system.fork_hooks import FORK_HOOKS

_STOCK = 256
"""How many ids are made at once, because one by one they take five times as long."""

_random = Random(os.urandom(16))  # noqa: S311  an id is no secret, it only has to be unique
_event_ids = list[str]()


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
        digits = _random.randbytes(8 * _STOCK).hex()
        _event_ids.extend("evt_" + digits[start : start + 15] for start in range(0, len(digits), 16))
        return f"evt_{_random.getrandbits(60):015x}"


def new_session_id() -> str:
    """Return an id that no other session has."""
    FORK_HOOKS.check()
    return f"sess_{_random.getrandbits(96):024x}"
