"""What has to be done in a forked child, also where Python doesn't know of the fork.

A program written in C may fork without Python's hooks, as uWSGI does. Such a fork is noticed when the child records.
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .native_threads import RLock

MADV_WIPEONFORK = 18
"""Linux' advice that a child finds zeros in a page. Python's mmap has no name for it."""


class ForkHooks:
    """The functions that are called once in each child."""

    def __init__(self) -> None:
        self._functions: list[Callable[[], None]] = []
        self._lock = RLock()  # threads of the child may notice the fork at the same time
        self._pid = os.getpid()
        self._page = _map_wiped_page()
        os.register_at_fork(after_in_child=self._call_functions)

    def add(self, function: Callable[[], None]) -> None:
        """Call ``function`` in each child, after those that were added before."""
        self._functions.append(function)

    def check(self) -> None:
        """Call the functions, if this is a child in which they weren't called yet.

        This runs for each event. Reading a page takes an eighth of the time of asking for the process id.
        """
        if (self._page is None or not self._page[0]) and self._pid != os.getpid():
            with self._lock:
                if self._pid == os.getpid():
                    return
                if _may_tell_python():
                    ctypes.pythonapi.PyOS_AfterFork_Child()  # calls the functions too, as one of Python's own hooks
                else:
                    self._call_functions()

    def _call_functions(self) -> None:
        for function in self._functions:
            function()
        self._pid = os.getpid()
        if self._page is not None:
            self._page[0] = 1


def _may_tell_python() -> bool:
    """Return whether Python can still do what it does in a child right after a fork.

    It makes the interpreter's lock anew: if a thread waited for it at the fork, the child may never get it again. It
    also forgets all other threads and the running event loop, so there must be none.
    """
    try:
        thread_count = len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return False
    return thread_count == 1 and not _is_loop_running() and _is_main_interpreter()


def _is_loop_running() -> bool:
    if "gevent" in sys.modules or "eventlet" in sys.modules:
        return True
    asyncio_events = sys.modules.get("asyncio.events")  # importing it here would take every program 30 ms
    return asyncio_events is not None and asyncio_events._get_running_loop() is not None


def _is_main_interpreter() -> bool:
    get, get_main = ctypes.pythonapi.PyInterpreterState_Get, ctypes.pythonapi.PyInterpreterState_Main
    get.restype = get_main.restype = ctypes.c_void_p
    return bool(get() == get_main())


def _map_wiped_page() -> mmap.mmap | None:
    """Return memory that holds a 1, and a 0 in each child. None if the system can't do that."""
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        page.madvise(MADV_WIPEONFORK)
    except (AttributeError, OSError):
        return None
    page[0] = 1
    return page


FORK_HOOKS = ForkHooks()
"""The only hooks of this process."""
