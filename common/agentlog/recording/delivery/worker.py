"""The worker, which does its rounds in its own thread, or in its callers' threads while none can be started."""

import logging
import sys
from collections.abc import Callable

from ..system.native_threads import Lock, NativeThread, get_ident, sleep
from ..system.running_time import running_time, wait_while_running
from ..system.wakeup import Wakeup

AFTER_ERROR_S = 0.1
"""How long the worker rests after an internal error, in seconds."""
BUSY_WAIT_S = 0.01
"""How often a caller looks whether another one has finished its round, in seconds."""

_log = logging.getLogger("agentlog.recording")


class Worker:
    """A daemon thread that does one round after the other.

    A system may have no thread left for a moment. An interpreter that ends starts none, and stops those that run. Then
    whoever waits for the worker does its rounds meanwhile.

    Args:
        run_round: does a round.
        name: the thread's name.

    Attributes:
        has_thread: whether the thread was started.
    """

    def __init__(self, run_round: Callable[[], None], name: str) -> None:
        self._run_round, self._name = run_round, name
        self.has_thread = self._is_claimed = self._is_shortage_logged = False
        self._lock = Lock()  # held by whoever starts the thread, or does a round in its place
        self._ident: int | None = None

    def start(self) -> None:
        """Start the thread. If that isn't possible now, a later call tries again."""
        # An interpreter that ends would wait forever for the first step of a new thread.
        if self.has_thread or sys.is_finalizing() or not self._lock.acquire(blocking=False):
            return
        try:
            NativeThread(self._run, self._name).start()
            self.has_thread = True
        except (RuntimeError, MemoryError) as error:
            if not self._is_shortage_logged:
                _log.warning("events wait, because no thread can be started now: %s", error)
            self._is_shortage_logged = True
        finally:
            self._lock.release()

    def _run(self) -> None:
        with self._lock:
            if self._is_claimed:  # Ctrl-C left ``start`` after the start of the first thread
                return
            self._is_claimed = self.has_thread = True
        self._ident = get_ident()
        while True:
            try:
                self._run_round()
            except BaseException:  # noqa: BLE001  after any error, later events must still be delivered
                _rest_after_error()

    @property
    def is_running(self) -> bool:
        """Whether the thread does the rounds. An interpreter that ends lets no other thread run."""
        return self.has_thread and not sys.is_finalizing()

    def is_current(self) -> bool:
        """Return whether the caller runs inside a round."""
        return self._ident == get_ident()

    def wait_for(self, wakeup: Wakeup, timeout_s: float) -> bool:
        """Wait for ``wakeup``, which a round sets. Without a thread, do the rounds meanwhile.

        Returns:
            whether it was set within ``timeout_s`` seconds.
        """
        deadline = running_time() + timeout_s
        while not self.is_running:
            if wakeup.wait(0):
                return True
            if running_time() >= deadline:
                return False
            if not self._lock.acquire(blocking=False):
                sleep(BUSY_WAIT_S)
                continue
            self._ident = get_ident()
            try:
                self._run_round()
            except Exception:  # noqa: BLE001  likewise, but Ctrl-C ends the wait
                _rest_after_error()
            finally:
                self._ident = None
                self._lock.release()
        return wait_while_running(wakeup.wait, max(0.0, deadline - running_time()))


def _rest_after_error() -> None:
    _log.exception("recording goes on after an internal error")
    sleep(AFTER_ERROR_S)
