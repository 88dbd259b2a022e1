"""The running time: a clock that stands still while the process is frozen.

A frozen process (a serverless function between two calls, a paused container, SIGSTOP) can't do anything, so time that
passes meanwhile says nothing about Kafka.
"""

import time
from collections.abc import Callable

LARGEST_STEP_S = 0.5
"""By how much the clock advances at most from one look to the next, in seconds. While anything waits, somebody looks
more often than that."""


class RunningClock:
    """A clock that counts from look to look. Any thread may look."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._last_look = now, now

    def __call__(self) -> float:
        """Return how long the process has run, from an arbitrary start on, in seconds."""
        looked_at, running_s = self._last_look
        now = time.monotonic()
        running_s += min(max(now - looked_at, 0.0), LARGEST_STEP_S)
        self._last_look = now, running_s  # one assignment: a thread that comes between sees both or none
        return running_s


running_time = RunningClock()
"""The only running clock of this process."""


def wait_while_running(wait: Callable[[float], bool], timeout_s: float) -> bool:
    """Wait for at most ``timeout_s`` seconds of running time.

    Args:
        wait: waits for at most so many seconds, and returns whether it was successful.
        timeout_s: how long to wait in all.
    """
    deadline = running_time() + timeout_s
    while True:
        left = deadline - running_time()
        if wait(min(max(left, 0.0), LARGEST_STEP_S / 2)):
            return True
        if left <= 0:
            return False
