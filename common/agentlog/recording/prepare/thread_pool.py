"""The pool of threads for slow work. Unlike the standard pool, it never delays the end of the process."""

import sys
from collections.abc import Callable
from queue import Empty
from typing import Any, Generic, TypeVar, cast

from ..system.native_threads import NativeQueue, NativeThread

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
        self._count, self._unstarted_names = count, [f"{name}-{number}" for number in range(count)]
        self._start_threads()

    def _start_threads(self) -> None:
        """Start the threads that couldn't be started before."""
        while self._unstarted_names and not sys.is_finalizing():
            try:
                NativeThread(self._work, self._unstarted_names[-1]).start()
            except (RuntimeError, MemoryError):
                return
            self._unstarted_names.pop()

    @property
    def has_threads(self) -> bool:
        """Whether a thread does the work. An interpreter that ends lets no other thread run."""
        return len(self._unstarted_names) < self._count and not sys.is_finalizing()

    def submit(self, function: Callable[..., T], *args: Any) -> "Future[T]":
        """Let a thread call ``function`` with ``args``, or call it here if there is no thread.

        The future gets its result or exception.
        """
        self._start_threads()
        future: Future[T] = Future()
        self._tasks.put((future, function, args))
        if not self.has_threads:
            self._run_next_task()
        return future

    def _work(self) -> None:
        while True:
            self._run_next_task()

    def _run_next_task(self) -> None:
        future, function, args = self._tasks.get()
        try:
            future.set_result(function(*args))
        except BaseException as error:  # noqa: BLE001  the future's owner handles it
            future.set_exception(error)
