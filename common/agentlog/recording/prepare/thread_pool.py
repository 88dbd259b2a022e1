"""A few threads for what may take long; unlike a pool's they never hold up the end of the process."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Task = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class WorkerPool:
    """Threads that work off what is submitted to them, begun at once: an ending interpreter begins none any more."""

    def __init__(self, count: int, name: str) -> None:
        self._tasks = SimpleQueue[_Task]()
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def submit(self, function: Callable[..., T], *args: Any) -> "Future[T]":
        """Have ``function`` called with ``args``; what it returns or raises is the future's."""
        future: Future[T] = Future()
        self._tasks.put((future, function, args))
        return future

    def _work(self) -> None:
        while True:
            future, function, args = self._tasks.get()
            try:
                future.set_result(function(*args))
            except BaseException as error:  # noqa: BLE001  it is for whoever waits for the result
                future.set_exception(error)
