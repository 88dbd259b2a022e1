"""Work that is done in a process of its own meanwhile: a fork of this one, so that both have the same hashes."""

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
def beside(work: Callable[[], Returned]) -> Iterator[Callable[[], Returned]]:
    """Begin ``work``; what is yielded waits for its end, and returns what it returned or raises what it raised."""
    fork = get_context("fork")
    ours, theirs = fork.Pipe(duplex=False)
    child = fork.Process(target=_work, args=(work, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        yield lambda: _outcome(ours)
    finally:
        ours.close()
        child.kill()
        child.join()


def _outcome(ours: Connection) -> Returned:  # type: ignore[type-var]
    try:
        error, returned = ours.recv()
    except EOFError:
        raise AgentlogError("the process that read the other session has ended: was it killed?") from None
    if error is not None:
        raise error
    return returned  # type: ignore[no-any-return]


def _work(work: Callable[[], object], theirs: Connection) -> None:
    """A signal is the parent's to answer: it ends us."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
    try:
        theirs.send((None, work()))
    except BrokenPipeError:
        os._exit(1)
    except Exception as error:  # noqa: BLE001  whatever it is, the parent raises it
        error.add_note(traceback.format_exc())
        theirs.send((error, None))
