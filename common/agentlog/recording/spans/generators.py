"""Generators that are recorded: passed on item by item, with what is sent and thrown into them."""

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any

from ..prepare.snapshot import snapshot
from .context import Held, Scope, enter, leave, resume
from .span import Span

MAX_ITEMS = 1_000
"""Items of a generator that are recorded; it goes on without us."""

Started = Callable[..., Span]
"""Makes the span of a call from its arguments."""


class _Stretches:
    """A generator's span, entered for each stretch that it runs: between two of them its caller goes on as before."""

    def __init__(self, span: Span) -> None:
        span.begin()
        self._span, self._items = span, list[Any]()
        span.output = self._items
        self._scope: Scope | None = None
        self._held: Held

    def __enter__(self) -> None:
        span, scope = self._span, self._scope
        self._held = enter(span.recorder, span.event_id, span) if scope is None else resume(scope)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scope = leave(self._held)
        if error is not None:
            over = isinstance(error, StopIteration | StopAsyncIteration | GeneratorExit)
            self._span.finish(None if over else error)

    def keep(self, item: Any) -> None:
        """Keep ``item`` to be recorded as it is now."""
        if len(self._items) < MAX_ITEMS:
            self._items.append(snapshot(item))


def recorded_generator(
    function: Callable[..., Generator[Any, Any, Any]], started: Started
) -> Callable[..., Generator[Any, Any, Any]]:
    """The generator function ``function``, each run of it a span whose output is the list of its items."""

    @functools.wraps(function)
    def yielding(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        stretches = _Stretches(started(args, kwargs))
        with stretches:
            items = function(*args, **kwargs)
        step, given = items.send, None
        while True:
            try:
                with stretches:
                    item = step(given)
            except StopIteration as end:
                return end.value
            stretches.keep(item)
            try:
                step, given = items.send, (yield item)
            except BaseException as error:  # noqa: BLE001  it is the generator's to deal with
                step, given = items.throw, error

    return yielding


def recorded_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], started: Started
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """As ``recorded_generator``, of an async one."""

    @functools.wraps(function)
    async def yielding(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        stretches = _Stretches(started(args, kwargs))
        with stretches:
            items = function(*args, **kwargs)
        step, given = items.asend, None
        while True:
            try:
                with stretches:
                    item = await step(given)
            except StopAsyncIteration:
                return
            stretches.keep(item)
            try:
                step, given = items.asend, (yield item)
            except BaseException as error:  # noqa: BLE001  it is the generator's to deal with
                step, given = items.athrow, error

    return yielding
