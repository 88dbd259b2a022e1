"""Log records of our own threads under gevent and eventlet, held until the agent's thread writes them.

A lock that gevent or eventlet patched is made for the greenlets of one thread. If two threads meet at the lock of a log
handler, one of them may wait forever (eventlet issue 432). So a record of our threads waits here for the agent's next
event, or for the end of its next wait.
"""

import logging
import sys
from collections import deque

from .native_threads import is_own_thread

_held = deque[logging.LogRecord]()
_logger = logging.getLogger("agentlog.recording")


def hold_record(record: logging.LogRecord) -> bool:
    """Hold a record that this thread can't write. Return whether it may be written now: the filter of our logger."""
    if not is_own_thread() or not _has_patched_locks():
        return True
    _held.append(record)
    return False


def _has_patched_locks() -> bool:
    gevent, eventlet = sys.modules.get("gevent.monkey"), sys.modules.get("eventlet.patcher")
    return bool(gevent and gevent.is_module_patched("threading")) or bool(
        eventlet and eventlet.is_monkey_patched("thread")
    )


def write_held_records() -> None:
    """Write the records that wait, in the agent's thread."""
    while _held and not is_own_thread():
        _logger.handle(_held.popleft())


_logger.addFilter(hold_record)
