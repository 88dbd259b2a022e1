"""The pool of threads for slow work. Unlike the standard pool, it never delays the end of the process."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Task = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class WorkerPool:
    """A pool of daemon threads. All start at once, because an ending interpreter starts no more threads."""

    def __init__(self, count: int, name: str) -> None:
        self._tasks = SimpleQueue[_Task]()
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def submit(self, function: Callable[..., T], *args: Any) -> "Future[T]":
        """Let a thread call ``function`` with ``args``. The future gets its result or exception."""
        future: Future[T] = Future()
        self._tasks.put((future, function, args))
        return future

    def _work(self) -> None:
        while True:
            future, function, args = self._tasks.get()
            try:
                future.set_result(function(*args))
            except BaseException as error:  # noqa: BLE001  the future's owner handles it
                future.set_exception(error)
