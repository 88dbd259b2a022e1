"""The ids of events and sessions. They don't depend on the agent's use of ``random``."""

import os
from random import Random

_random = Random(os.urandom(16))  # noqa: S311  an id is no secret, it only has to be unique
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(16)))


def new_event_id() -> str:
    """Return an id that no other event of a session has."""
    return "evt_%015x" % _random.getrandbits(60)  # noqa: UP031  takes half the time of an f-string, for each event


def new_session_id() -> str:
    """Return an id that no other session has."""
    return f"sess_{_random.getrandbits(96):024x}"
