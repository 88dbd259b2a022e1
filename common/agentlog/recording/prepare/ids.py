"""Ids that are the recorder's own: of events and of sessions; apart from the agent's own use of `random`."""

import os
from random import Random

_random = Random(os.urandom(16))  # noqa: S311  no secret: it only mustn't repeat
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(16)))


def new_event_id() -> str:
    """An id that no other event of a session has."""
    return "evt_%015x" % _random.getrandbits(60)  # noqa: UP031  each call of the agent takes one: half an f-string's time


def new_session_id() -> str:
    """An id that no other session has."""
    return f"sess_{_random.getrandbits(96):024x}"
