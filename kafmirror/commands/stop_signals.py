"""The first signal ends a command cleanly, the second one ends the process."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ..kafka.network.event_loop import EventLoop


@contextmanager
def call_on_signal(loop: EventLoop, stop: Callable[[], None]) -> Iterator[list[int]]:
    """Call ``stop`` in the loop's thread at the first SIGINT or SIGTERM in the block. Yield the signals that came."""
    signals: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        loop.call_soon(stop)

    previous_handlers = {each: signal.signal(each, handle) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        if not signals:
            for each, handler in previous_handlers.items():
                signal.signal(each, handler)
