"""The wakeup, a signal from one thread to a waiting one that is safe in signal handlers."""

from queue import Empty, SimpleQueue


class Wakeup:
    """A signal that any thread sets and one thread waits for.

    It replaces ``threading.Event``, which has an internal lock. If a signal handler raises while the event is being
    set, as Ctrl-C's does, the lock stays locked. If a handler sets the event while the program does, it deadlocks.
    """

    __slots__ = ("_signals",)

    def __init__(self) -> None:
        self._signals = SimpleQueue[None]()

    def set(self) -> None:
        """Wake the waiting thread, or the next one that waits."""
        self._signals.put(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is set, for at most ``timeout_s`` seconds. Return whether it was set."""
        try:
            self._signals.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def clear(self) -> None:
        """Forget that it was set."""
        while not self._signals.empty():
            self.wait(0)
