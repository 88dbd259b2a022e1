"""Recorded generators. They pass on each item, and each value or exception sent to them."""

import functools
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any

from ..prepare.snapshot import snapshot
from .context import Scope, ScopeToken, enter_scope, leave_scope, resume_scope
from .span import Span

MAX_RECORDED_ITEMS = 1_000
"""How many items of a generator are recorded. Later items are passed on only."""

StartSpan = Callable[..., Span]
"""A function that makes the span of a call from its arguments."""


class _GeneratorSpan:
    """A generator's span. Its scope is open only while the generator runs, because its caller runs in between."""

    def __init__(self, span: Span) -> None:
        span.begin()
        self._span, self._items = span, list[Any]()
        span.output = self._items
        self._scope: Scope | None = None
        self._scope_token: ScopeToken

    def __enter__(self) -> None:
        span, scope = self._span, self._scope
        self._scope_token = enter_scope(span.recorder, span.event_id, span) if scope is None else resume_scope(scope)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scope = leave_scope(self._scope_token)
        if error is not None:
            is_finished = isinstance(error, StopIteration | StopAsyncIteration | GeneratorExit)
            self._span.finish(None if is_finished else error)

    def keep_item(self, item: Any) -> None:
        """Keep a copy of ``item`` for the record."""
        if len(self._items) < MAX_RECORDED_ITEMS and self._span.recorder is not None:
            self._items.append(snapshot(item))


def record_generator(
    function: Callable[..., Generator[Any, Any, Any]], start_span: StartSpan
) -> Callable[..., Generator[Any, Any, Any]]:
    """Return ``function``, a generator function, wrapped so that each run is a span. Its output is the items."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator_span = _GeneratorSpan(start_span(args, kwargs))
        with generator_span:
            items = function(*args, **kwargs)
        step, sent = items.send, None
        while True:
            try:
                with generator_span:
                    item = step(sent)
            except StopIteration as end:
                return end.value
            generator_span.keep_item(item)
            try:
                step, sent = items.send, (yield item)
            except BaseException as error:  # noqa: BLE001  it is the generator's to deal with
                step, sent = items.throw, error

    return wrapper


def record_async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], start_span: StartSpan
) -> Callable[..., AsyncGenerator[Any, Any]]:
    """Return ``function``, an async generator function, wrapped like ``record_generator`` does."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator_span = _GeneratorSpan(start_span(args, kwargs))
        with generator_span:
            items = function(*args, **kwargs)
        step, sent = items.asend, None
        while True:
            try:
                with generator_span:
                    item = await step(sent)
            except StopAsyncIteration:
                return
            generator_span.keep_item(item)
            try:
                step, sent = items.asend, (yield item)
            except BaseException as error:  # noqa: BLE001  it is the generator's to deal with
                step, sent = items.athrow, error

    return wrapper
