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
from .options import RecordingOptions


class DeliveryRegistry:
    """The deliveries of this process: tracers with the same options share one."""

    def __init__(self) -> None:
        self._deliveries: dict[object, Delivery] = {}
        self._lock = threading.RLock()  # a signal's handler may need it while the same thread holds it
        self._registered_pid: int | None = None
        self._handles_sigterm = False
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork_in_child
        )

    def get_delivery(self, options: RecordingOptions) -> Delivery:
        """The delivery for ``options``.

        Raises:
            AgentlogError: what the options name doesn't work.
        """
        self.register_exit_handlers()
        key = options.make_sharing_key()
        with self._lock:
            existing = self._deliveries.get(key)
            return existing or self._deliveries.setdefault(key, Delivery(options, self.register_exit_handlers))

    def register_exit_handlers(self) -> None:
        """Deliver what is queued when this process ends, by itself or by SIGTERM."""
        with self._lock:
            is_registered, self._registered_pid = self._registered_pid == os.getpid(), os.getpid()
        if not is_registered:
            atexit.unregister(self.close)  # that of the parent's, in a forked child
            atexit.register(self.close)
            _register_finalizer(self)
            self._handles_sigterm = False
        if not self._handles_sigterm:  # the first tracer may be a thread's, which can't set a signal's handler
            self._handles_sigterm = _install_sigterm_handler(self)

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


def _register_finalizer(registry: DeliveryRegistry) -> None:
    """A child of multiprocessing ends without atexit, but with finalizers; it forgets those from before it began."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return

    def register_close(registry: DeliveryRegistry) -> None:
        util.Finalize(None, registry.close, exitpriority=100)

    register_close(registry)
    util.register_after_fork(registry, register_close)


def _install_sigterm_handler(registry: DeliveryRegistry) -> bool:
    """Where the program leaves SIGTERM as it is, let it deliver first; a handler of the program's own stays.

    False where that can't be, and is to be tried again.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return False

    def handle_sigterm(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  a signal handler's signature
        registry.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, handle_sigterm)
    return True


DELIVERIES = DeliveryRegistry()
