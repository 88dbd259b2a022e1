"""How one thread tells another that it need wait no longer, whatever signals come meanwhile."""

from queue import Empty, SimpleQueue


class Wakeup:
    """Rung by any thread, heard by the one that waits.

    An event of ``threading`` has a lock of its own. It stays held for ever where a signal's handler raises while it is
    set, as Ctrl-C's does, and where a handler sets it while the program does: the agent would stand still.
    """

    __slots__ = ("_signals",)

    def __init__(self) -> None:
        self._signals = SimpleQueue[None]()

    def set(self) -> None:
        """Let go who waits, or who is the next to wait."""
        self._signals.put(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is rung, ``timeout_s`` seconds at most; whether it was."""
        try:
            self._signals.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def clear(self) -> None:
        """Forget how often it was rung."""
        while not self._signals.empty():
            self.wait(0)
