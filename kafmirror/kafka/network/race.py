"""The race of several ways to a result. Each begins a little after the one before, and the first success counts."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from kafka.future import Future

HEAD_START_S = 0.25
"""How long a way is ahead of the next one, as in RFC 8305 ("Happy Eyeballs")."""

T = TypeVar("T")


class AllFailedError(Exception):
    """All ways failed; ``errors`` has why, in the order of the ways."""

    def __init__(self, errors: Sequence[Exception]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors


async def race(net: Any, ways: Sequence[Callable[[], Awaitable[T]]], discard: Callable[[T], None]) -> T:
    """Return the result of the way that is first. A way that fails lets the next one begin at once.

    Args:
        net: the event loop of kafka-python.
        ways: functions that begin a way.
        discard: receives the result of a way that comes too late.

    Raises:
        AllFailedError: all ways failed, or there are none.
    """
    outcome: Future = Future()
    errors: dict[int, Exception] = {}
    begun = 0

    def begin_next() -> None:
        nonlocal begun
        if begun < len(ways) and not outcome.is_done:
            number, begun = begun, begun + 1
            net.call_soon_with_future(run, number)
            net.call_later(HEAD_START_S, lambda: begin_next() if begun == number + 1 else None)

    async def run(number: int) -> None:
        try:
            result = await ways[number]()
        except Exception as error:  # noqa: BLE001  the caller gets it, unless another way succeeds
            errors[number] = error
            if len(errors) == len(ways):
                outcome.failure(AllFailedError([errors[each] for each in sorted(errors)]))
            begin_next()
        else:
            if outcome.is_done:
                discard(result)
            else:
                outcome.success(result)

    if not ways:
        raise AllFailedError([])
    begin_next()
    first: T = await outcome
    return first
