"""The pool of threads for slow work. Unlike the standard pool, it never delays the end of the process."""

from collections.abc import Callable
from queue import Empty
from typing import Any, Generic, TypeVar, cast

from ..native_threads import NativeQueue, NativeThread

T = TypeVar("T")


class Future(Generic[T]):
    """The result of a task, once it is there. Unlike the standard one, it has no lock that gevent can patch."""

    def __init__(self) -> None:
        self._outcomes = NativeQueue[tuple[T | None, BaseException | None]]()

    def set_result(self, value: T) -> None:
        """Set the result."""
        self._outcomes.put((value, None))

    def set_exception(self, error: BaseException) -> None:
        """Set the exception that the task raised."""
        self._outcomes.put((None, error))

    def done(self) -> bool:
        """Return whether the result or exception is there."""
        return not self._outcomes.empty()

    def result(self, timeout_s: float | None = None) -> T:
        """Wait for the result, and return it. Raise the task's exception if there is one.

        Raises:
            TimeoutError: it isn't there within ``timeout_s`` seconds.
        """
        try:
            value, error = outcome = self._outcomes.get(timeout=timeout_s)
        except Empty:
            raise TimeoutError from None
        self._outcomes.put(outcome)  # for the next caller
        if error is not None:
            raise error
        return cast("T", value)


_Task = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...]]


class WorkerPool:
    """A pool of daemon threads. All start at once, because an ending interpreter starts no more threads."""

    def __init__(self, count: int, name: str) -> None:
        self._tasks = NativeQueue[_Task]()
        for number in range(count):
            NativeThread(self._work, f"{name}-{number}").start()

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
