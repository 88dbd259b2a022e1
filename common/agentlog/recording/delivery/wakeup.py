"""How one thread tells another that it need wait no longer, whatever signals come meanwhile."""

from queue import Empty, SimpleQueue


class Bell:
    """Rung by any thread, heard by the one that waits.

    An event of ``threading`` has a lock of its own. It stays held for ever where a signal's handler raises while it is
    set, as Ctrl-C's does, and where a handler sets it while the program does: the agent would stand still.
    """

    __slots__ = ("_rings",)

    def __init__(self) -> None:
        self._rings = SimpleQueue[None]()

    def ring(self) -> None:
        """Let go who waits, or who is the next to wait."""
        self._rings.put(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is rung, ``timeout_s`` seconds at most; whether it was."""
        try:
            self._rings.get(timeout=timeout_s)
        except Empty:
            return False
        return True

    def hush(self) -> None:
        """Forget how often it was rung."""
        while not self._rings.empty():
            self.wait(0)
