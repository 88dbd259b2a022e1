"""What belongs to a process and not to a tracer: queues that tracers share, its end, and its forks."""

import atexit
import math
import os
import signal
import sys
import threading
import time
from types import FrameType

from .delivery import Delivery
from .options import Options


class Process:
    """The deliveries of this process: tracers with the same options share one."""

    def __init__(self) -> None:
        self._deliveries: dict[object, Delivery] = {}
        self._lock = threading.RLock()  # a signal's handler may need it while the same thread holds it
        self._ends_with: int | None = None
        self._ends_by_sigterm = False
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork_in_child
        )

    def delivery(self, options: Options) -> Delivery:
        """The delivery for ``options``.

        Raises:
            AgentlogError: what the options name doesn't work.
        """
        self.watch_the_end()
        key = options.key()
        with self._lock:
            found = self._deliveries.get(key)
            return found or self._deliveries.setdefault(key, Delivery(options, self.watch_the_end))

    def watch_the_end(self) -> None:
        """Deliver what is queued when this process ends, by itself or by SIGTERM."""
        with self._lock:
            watched, self._ends_with = self._ends_with == os.getpid(), os.getpid()
        if not watched:
            atexit.unregister(self.close)  # that of the parent's, in a forked child
            atexit.register(self.close)
            _at_end_of_multiprocessing(self)
            self._ends_by_sigterm = False
        if not self._ends_by_sigterm:  # the first tracer may be a thread's, which can't set a signal's handler
            self._ends_by_sigterm = _on_sigterm(self)

    def close(self) -> None:
        """Deliver everything, in bounded time."""
        began = time.monotonic()
        for delivery in list(self._deliveries.values()):
            try:
                delivery.close(began)
            except BaseException:  # noqa: BLE001  Ctrl-C once more: wait for nothing, but spool or report it
                began = -math.inf
                delivery.close(began)

    def _before_fork(self) -> None:
        self._lock.acquire()
        for delivery in self._deliveries.values():
            delivery.before_fork()

    def _after_fork(self) -> None:
        for delivery in self._deliveries.values():
            delivery.after_fork()
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        self._lock = threading.RLock()
        for delivery in self._deliveries.values():
            delivery.after_fork_in_child()


def _at_end_of_multiprocessing(process: Process) -> None:
    """A child of multiprocessing ends without atexit, but with finalizers; it forgets those from before it began."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return

    def finally_close(process: Process) -> None:
        util.Finalize(None, process.close, exitpriority=100)

    finally_close(process)
    util.register_after_fork(process, finally_close)


def _on_sigterm(process: Process) -> bool:
    """Where the program leaves SIGTERM as it is, let it deliver first; a handler of the program's own stays.

    False where that can't be, and is to be tried again.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return False

    def ending(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  a signal handler's signature
        process.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, ending)
    return True


PROCESS = Process()
