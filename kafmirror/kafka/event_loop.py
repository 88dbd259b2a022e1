"""The thread in which all connections live, and what its coroutines wait for."""

import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from kafka.future import Future
from kafka.net.selector import NetworkSelector

MAX_CONCURRENT = 20

S = TypeVar("S")
T = TypeVar("T")


class EventLoop:
    """The thread in which all connections live."""

    def __init__(self) -> None:
        for name in ("kafka", "kafka.net", "kafka.cluster"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what matters of it is said in our own words
        self.net = NetworkSelector(slow_task_threshold_secs=0)
        self.net.start()

    def run(self, coroutine: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run a coroutine to its end, and return what it returns; a signal's exception passes."""
        result: T = self.net.run(coroutine, *args)
        return result

    def spawn(self, coroutine: Callable[..., Awaitable[T]], *args: Any) -> Awaitable[T]:
        """Start a coroutine, to be waited for or not; who waits gets what it returns or raises."""
        future: Awaitable[T] = self.net.call_soon_with_future(coroutine, *args)
        return future

    async def map_concurrently(self, coroutine: Callable[[S], Awaitable[T]], items: Iterable[S]) -> list[T]:
        """What a coroutine returns for each of the items, a few of them under way at once."""
        results, futures = list[T](), deque[Awaitable[T]]()
        for item in items:
            if len(futures) == MAX_CONCURRENT:
                results.append(await futures.popleft())
            futures.append(self.spawn(coroutine, item))
        return results + [await each for each in futures]

    def call_soon(self, function: Callable[[], None]) -> None:
        """Call a function in the loop's thread; from a signal's handler too."""
        self.net.call_soon_threadsafe(function)

    async def sleep(self, seconds: float) -> None:
        """Let others run for so long."""
        await self.net.sleep(seconds)

    def stop(self, *final_calls: Callable[[], None]) -> None:
        """Call these a last time in the loop's thread, and end it, with which a command ends."""
        for final_call in final_calls:
            self.call_soon(final_call)
        self.net.stop(timeout_ms=2000)
        sys.unraisablehook = (
            _ignore_unraisable  # what still waits for a closed connection is thrown away, and stumbles over it
        )


def _ignore_unraisable(_: object) -> None: ...


class Wakeup:
    """Wakes who waits for it; a ring before the wait counts."""

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._future: Future | None = None
        self._is_set = False

    def set(self) -> None:
        """Wake the one that waits, or the next one that will; from the loop's own thread."""
        self._is_set = True
        if self._future is not None and not self._future.is_done:
            self._future.success(None)

    async def wait(self, seconds: float) -> None:
        """Wait for a ring, at most so long. One waiter at a time."""
        if not self._is_set:
            self._future = Future()
            timer = self._loop.net.call_later(seconds, self.set)
            await self._future
            self._loop.net.cancel(timer)
        self._is_set, self._future = False, None
