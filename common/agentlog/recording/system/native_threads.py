"""Real threads of the operating system, and waits that hold up no hub of gevent or eventlet.

gevent and eventlet replace Python's threads, locks and sleeps by greenlets, which share one thread with the agent. If
librdkafka waited for Kafka in there, the whole agent would stand still. So the recorder takes its threads, locks and
sleeps from here, whether Python is patched before or after agentlog is imported.
"""

import sys
import threading
from _queue import SimpleQueue as NativeQueue  # the C queue, which nobody patches: they patch the module ``queue``
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, ModuleSpec
from importlib.util import module_from_spec
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import _thread
    import time

POLL_INTERVAL_S = 0.005
"""How often a greenlet looks whether its wait is over, in seconds. Other greenlets run in between."""

__all__ = [
    "Lock",
    "NativeQueue",
    "NativeThread",
    "RLock",
    "get_cooperative_sleep",
    "get_ident",
    "is_own_thread",
    "sleep",
]


def _copy_builtin(name: str) -> Any:
    """Return a new copy of a module written in C, with its own functions in place of patched ones."""
    module = module_from_spec(ModuleSpec(name, cast("Any", BuiltinImporter)))
    BuiltinImporter.exec_module(module)
    return module


if not TYPE_CHECKING:
    _thread, time = _copy_builtin("_thread"), _copy_builtin("time")

Lock, RLock, get_ident, sleep = _thread.allocate_lock, _thread.RLock, _thread.get_ident, time.sleep

_own_threads = set[int]()


class NativeThread:
    """A daemon thread of the operating system, also where ``threading.Thread`` makes greenlets.

    Attributes:
        name: the thread's name in logs and debuggers.
    """

    def __init__(self, target: Callable[[], object], name: str) -> None:
        self.name = name
        self._target = target
        self._ident: int | None = None
        self._is_alive = False

    def start(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: the system starts no more threads.
        """
        self._is_alive = True
        try:
            _thread.start_new_thread(self._run, ())
        except BaseException:
            self._is_alive = False
            raise

    def _run(self) -> None:
        self._ident = get_ident()
        _own_threads.add(self._ident)
        try:
            threading.current_thread().name = self.name
            self._target()
        finally:
            self._is_alive = False
            _own_threads.discard(self._ident)

    def is_alive(self) -> bool:
        """Return whether the thread was started and hasn't ended."""
        return self._is_alive

    def is_current(self) -> bool:
        """Return whether the caller runs in this thread."""
        return self._ident == get_ident()


def is_own_thread() -> bool:
    """Return whether the caller runs in a thread that was started here."""
    return get_ident() in _own_threads


def get_cooperative_sleep() -> Callable[[float], object] | None:
    """Return the sleep that lets other greenlets run. None if the caller's wait holds up no greenlet.

    Our own threads have no greenlets. A hub itself can't wait cooperatively: a signal handler may run in it.
    """
    if is_own_thread() or "greenlet" not in sys.modules:
        return None
    current = sys.modules["greenlet"].getcurrent()
    if (gevent := sys.modules.get("gevent._hub_local")) is not None:
        hub = gevent.get_hub_if_exists()
        if hub is not None:
            return None if hub is current else sys.modules["gevent"].sleep
    if (eventlet := sys.modules.get("eventlet.hubs")) is not None:
        hub = getattr(eventlet._threadlocal, "hub", None)
        if hub is not None:
            return None if hub.greenlet is current else sys.modules["eventlet"].sleep
    return None
