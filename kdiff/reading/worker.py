"""Work in a second process: a fork of this one, so that both have the same hashes."""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

from agentlog.errors import AgentlogError

Returned = TypeVar("Returned")


@contextmanager
def run_in_fork(work: Callable[[], Returned]) -> Iterator[Callable[[], Returned]]:
    """Start ``work``. Yield a function that waits for it, and returns its result or raises its exception."""
    fork = get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    process = fork.Process(target=_run_and_send, args=(work, sender), daemon=True)
    process.start()
    sender.close()
    try:
        yield lambda: _receive_result(receiver)
    finally:
        receiver.close()
        process.kill()
        process.join()


def _receive_result(receiver: Connection) -> Returned:  # type: ignore[type-var]
    try:
        error, returned = receiver.recv()
    except EOFError:
        raise AgentlogError("the process that read session B ended without a result: was it killed?") from None
    if error is not None:
        raise error
    return returned  # type: ignore[no-any-return]


def _run_and_send(work: Callable[[], object], sender: Connection) -> None:
    """Run ``work`` and send its result. The parent handles Ctrl-C, and SIGTERM ends this process without a word."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    try:
        sender.send((None, work()))
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:  # noqa: BLE001  whatever it is, the parent raises it
        error.add_note(traceback.format_exc())
        sender.send((error, None))
