"""The thread in which all connections live, and the wake-ups of its coroutines."""

import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from kafka.future import Future
from kafka.net.selector import NetworkSelector

MAX_CONCURRENT = 20
"""The most coroutines that ``map_concurrently`` runs at once."""

MAX_QUESTIONS = 1000
"""The most coroutines at once that only ask for places of partitions, because their questions go in one request."""

S = TypeVar("S")
T = TypeVar("T")


class EventLoop:
    """The thread in which all connections live, with kafka-python's event loop."""

    def __init__(self) -> None:
        for name in ("kafka", "kafka.net", "kafka.cluster"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # our own messages report its errors
        self.net = NetworkSelector(slow_task_threshold_secs=0)
        self.net.start()

    def run(self, coroutine: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run a coroutine to its end, and return its result. An exception of a signal handler passes through."""
        result: T = self.net.run(coroutine, *args)
        return result

    def spawn(self, coroutine: Callable[..., Awaitable[T]], *args: Any) -> Awaitable[T]:
        """Start a coroutine. The result can be awaited for what the coroutine returns or raises."""
        future: Awaitable[T] = self.net.call_soon_with_future(coroutine, *args)
        return future

    async def map_concurrently(
        self, coroutine: Callable[[S], Awaitable[T]], items: Iterable[S], limit: int = MAX_CONCURRENT
    ) -> list[T]:
        """Run a coroutine for each item, up to ``limit`` at once, and return the results in order."""
        results, futures = list[T](), deque[Awaitable[T]]()
        for item in items:
            if len(futures) == limit:
                results.append(await futures.popleft())
            futures.append(self.spawn(coroutine, item))
        return results + [await each for each in futures]

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function in the loop's thread. A signal handler may use this."""
        self.net.call_soon_threadsafe(function)

    async def sleep(self, seconds: float) -> None:
        """Let other coroutines run for a time."""
        await self.net.sleep(seconds)

    def stop(self, *final_calls: Callable[[], None]) -> None:
        """Call functions in the loop's thread, then end the thread. A command does this at its end."""
        for final_call in final_calls:
            self.call_soon(final_call)
        self.net.stop(timeout_ms=2000)
        # Coroutines that still wait for a closed connection are deleted now, and raise errors that mean nothing.
        sys.unraisablehook = _ignore_unraisable


def _ignore_unraisable(_: object) -> None: ...


class Wakeup:
    """A wake-up for one waiting coroutine. A wake-up before the wait counts."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._future: Future | None = None
        self._is_set = False

    def set(self) -> None:
        """Wake the waiting coroutine, or the next one that waits. Call this in the loop's thread."""
        self._is_set = True
        if self._future is not None and not self._future.is_done:
            self._future.success(None)

    async def wait(self, seconds: float) -> None:
        """Wait for a wake-up, at most ``seconds``. Only one coroutine may wait at a time."""
        if not self._is_set:
            self._future = Future()
            timer = self._loop.net.call_later(seconds, self.set)
            await self._future
            self._loop.net.cancel(timer)
        self._is_set, self._future = False, None
