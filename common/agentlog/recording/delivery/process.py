"""The deliveries of this process, which tracers share, and what happens to them at forks and at its end."""

import atexit
import ctypes
import math
import os
import signal
import threading
from types import FrameType

from ..system.fork_hooks import FORK_HOOKS
from ..system.hosts import call_at_end_of_child
from ..system.native_threads import RLock
from ..system.running_time import running_time
from .delivery import Delivery
from .options import RecordingOptions


class DeliveryRegistry:
    """The deliveries of this process. Tracers with the same options share one."""

    def __init__(self) -> None:
        self._deliveries: dict[object, Delivery] = {}
        self._lock = RLock()  # re-entrant: a signal handler may need it while its thread holds it
        self._registered_pid: int | None = None
        self._handles_sigterm = self._has_closed = False
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork)
        FORK_HOOKS.add(self._after_fork_in_child)

    def get_delivery(self, options: RecordingOptions) -> Delivery:
        """Return the delivery for ``options``. Make it if there is none.

        Raises:
            AgentlogError: the sink or the payload store can't be opened.
        """
        FORK_HOOKS.check()
        self.register_exit_handlers()
        key = options.make_sharing_key()
        with self._lock:
            delivery = self._deliveries.get(key)
            if delivery is None:
                delivery = self._deliveries.setdefault(key, Delivery(options, self.register_exit_handlers))
                # Python calls functions given to atexit when the main thread counts as ended. Ours may not be called
                # any more then.
                if self._has_closed or not threading.main_thread().is_alive():
                    delivery.deliver_at_once()
            return delivery

    def register_exit_handlers(self) -> None:
        """Make sure that queued events are delivered when this process ends, by itself or by SIGTERM."""
        with self._lock:
            is_registered, self._registered_pid = self._registered_pid == os.getpid(), os.getpid()
        if not is_registered:
            atexit.unregister(self.close)  # a forked child inherits the parent's registration
            atexit.register(self.close)
            call_at_end_of_child(self.close, self)
            self._handles_sigterm = False
        if not self._handles_sigterm:  # tried again, because only the main thread can set a signal handler
            self._handles_sigterm = _install_sigterm_handler(self)

    def close(self) -> None:
        """Deliver the remaining events of all deliveries, in bounded time."""
        FORK_HOOKS.check()
        self._has_closed = True
        began = running_time()
        for delivery in list(self._deliveries.values()):
            try:
                delivery.close(began)
            except BaseException:  # noqa: BLE001  after another Ctrl-C, spool or report the events without waiting
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
        self._lock, self._has_closed = RLock(), False
        for delivery in self._deliveries.values():
            delivery.after_fork_in_child()


def _install_sigterm_handler(registry: DeliveryRegistry) -> bool:
    """Install a SIGTERM handler that delivers events before the process ends. A handler of the program stays.

    Returns:
        False if no handler was installed, because this isn't the main thread or the program has a handler.
    """
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL or _has_native_handler(signal.SIGTERM):
        return False

    def handle_sigterm(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  a signal handler's signature
        registry.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    try:
        signal.signal(signal.SIGTERM, handle_sigterm)
    except ValueError:  # not in the main thread
        return False
    return True


def _has_native_handler(number: int) -> bool:
    """Return whether the signal has a handler of the system, written in C, which Python doesn't know.

    uWSGI ends its workers by such a handler. Ours in its place would never run while the worker waits for a request.
    """
    get_handler = ctypes.pythonapi.PyOS_getsig
    get_handler.restype = ctypes.c_void_p
    return get_handler(number) is not None


DELIVERIES = DeliveryRegistry()
"""The only registry of this process."""
