"""What belongs to a process and not to a tracer: queues that tracers share, its end, and its forks."""

import atexit
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
        self._lock = threading.Lock()
        self._ends_with: int | None = None
        os.register_at_fork(after_in_child=self._after_fork)

    def delivery(self, options: Options) -> Delivery:
        """The delivery for ``options``.

        Raises:
            AgentlogError: what the options name doesn't work.
        """
        self.watch_the_end()
        with self._lock:
            found = self._deliveries.get(options.key())
            if found is None:
                found = self._deliveries[options.key()] = Delivery(options, self.watch_the_end)
            return found

    def watch_the_end(self) -> None:
        """Deliver what is queued when this process ends, by itself or by SIGTERM."""
        with self._lock:
            watched, self._ends_with = self._ends_with == os.getpid(), os.getpid()
        if not watched:
            atexit.register(self.close)
            _at_end_of_multiprocessing(self)
            _on_sigterm(self)

    def close(self) -> None:
        """Deliver everything, in bounded time."""
        began = time.monotonic()
        for delivery in list(self._deliveries.values()):
            delivery.close(began)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        for delivery in self._deliveries.values():
            delivery.after_fork()


def _at_end_of_multiprocessing(process: Process) -> None:
    """A child of multiprocessing ends without atexit, but with finalizers; it forgets those from before it began."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return

    def finally_close(process: Process) -> None:
        util.Finalize(None, process.close, exitpriority=100)

    finally_close(process)
    util.register_after_fork(process, finally_close)


def _on_sigterm(process: Process) -> None:
    """Where the program leaves SIGTERM as it is, let it deliver first; a handler of the program's own stays."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return

    def ending(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  a signal handler's signature
        process.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, ending)


PROCESS = Process()
