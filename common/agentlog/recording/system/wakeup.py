"""The wakeup, a signal from one thread to a waiting one that is safe in signal handlers."""

import math
import time
from queue import Empty

from .native_threads import POLL_INTERVAL_S, NativeQueue, get_cooperative_sleep


class Wakeup:
    """A signal that any thread sets and one thread waits for.

    It replaces ``threading.Event``, which has an internal lock. If a signal handler raises while the event is being
    set, as Ctrl-C's does, the lock stays locked. If a handler sets the event while the program does, it deadlocks.
    A greenlet that waits lets the others run.
    """

    __slots__ = ("_signals",)

    def __init__(self) -> None:
        self._signals = NativeQueue[None]()

    def set(self) -> None:
        """Wake the waiting thread, or the next one that waits."""
        self._signals.put(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is set, for at most ``timeout_s`` seconds. Return whether it was set."""
        if sleep := get_cooperative_sleep():
            deadline = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
            while self._signals.empty() and (remaining_s := deadline - time.monotonic()) > 0:
                sleep(min(POLL_INTERVAL_S, remaining_s))
            timeout_s = 0.0
        try:
            self._signals.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def clear(self) -> None:
        """Forget that it was set."""
        while not self._signals.empty():
            self.wait(0)
