"""What has to be done in a forked child, also where Python doesn't know of the fork.

A program written in C may fork without Python's hooks, as uWSGI does. Such a fork is noticed when the child records.
"""

import mmap
import os
from collections.abc import Callable

from ..native_threads import RLock

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
                if self._pid != os.getpid():
                    self._call_functions()

    def _call_functions(self) -> None:
        for function in self._functions:
            function()
        self._pid = os.getpid()
        if self._page is not None:
            self._page[0] = 1


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
