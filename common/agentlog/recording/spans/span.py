"""The span, an action of an agent that lasts: a ``with`` block, a function call or an awaitable."""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import cached_property
from types import GeneratorType, TracebackType
from typing import Any, Self, TypeVar, cast

from ..prepare.ids import new_event_id
from ..prepare.snapshot import format_error, is_cancellation, snapshot
from ..system.fork_hooks import FORK_HOOKS
from .context import ScopeToken, enter_scope, find_scope, leave_scope
from .recorder import Recorder

T = TypeVar("T")
_log = logging.getLogger("agentlog.recording")
_NEVER_AWAITABLE = frozenset({str, dict, list, int, float, bool, bytes, tuple, type(None)})


class Span:
    """An action that lasts. Events recorded inside have it as their parent.

    An exception that leaves the block is recorded and raised on.

    Attributes:
        recorder: the recorder that writes its events.
        event_id: the id of its event.
        output: the result; any value. It is copied when the span ends.
        error: what went wrong, as text, if it isn't an exception.
        finish_reason: how it ended, in the words of ``docs/events.md``. None if that isn't known.
        began: when it began, on the performance counter, in nanoseconds. 0 before it begins.
        is_gone: whether it ended in a place where its scope couldn't be closed.
    """

    __slots__ = (
        "_context",
        "_outer",
        "_payload",
        "_process",
        "_scope_token",
        "began",
        "error",
        "event_id",
        "finish_reason",
        "is_gone",
        "output",
        "recorder",
    )

    sets_cause = False
    """Whether it is the parent of the agent's next event."""

    def __init__(self, recorder: Recorder, payload: dict[str, Any], context: dict[str, Any]) -> None:
        self.recorder, self._payload, self._context = recorder, payload, context
        self.event_id = new_event_id()
        self.output: Any = None
        self.error: str | None = None
        self.finish_reason: str | None = None
        self.began = 0
        self.is_gone = False
        self._scope_token: ScopeToken | None = None
        self._outer: Any = None
        self._process = ""

    def begin(
        self, parent_span: "Span | None" = None, *, cause: str | None = None, raise_on_outage: bool = True
    ) -> None:
        """Begin the span without a ``with`` block. ``finish`` ends it.

        Args:
            parent_span: the span around it. None means the current span of the context.
            cause: the ``event_id`` of its parent event. None means the event of the span around it.
            raise_on_outage: whether to raise while events can't be delivered. If False, its event waits with the
                others.

        Raises:
            KafkaError: events can't be delivered, and ``on_outage="raise"``.
        """
        recorder = self.recorder
        if raise_on_outage and recorder.delivery.failure is not None:
            recorder.delivery.raise_failure()
        if recorder.start_session is not None:
            recorder.start_session()
        if self.began:
            self._reset()
        scope = find_scope(recorder)
        parent = recorder.root
        if parent_span is not None:
            parent, self._outer = parent_span.event_id, parent_span
        elif scope is not None:
            parent, self._outer = scope.cause, scope.call
        if (parent := cause or parent) is not None:
            self._context["parent_event_id"] = parent
        self._process = recorder.delivery.process
        self.began = time.perf_counter_ns()
        self._on_begin()

    def _reset(self) -> None:
        """Forget the last result. A block that is entered again, as in a loop of retries, is an event of its own."""
        self.event_id = new_event_id()
        self.output = self.error = self.finish_reason = None
        self.is_gone = False

    def open_scope(self, recorder: Recorder | None = None) -> None:
        """Make it the parent of further events in this context, until it ends.

        Args:
            recorder: the recorder of these events. None means its own recorder.
        """
        self._scope_token = enter_scope(recorder or self.recorder, self.event_id, self)

    def close_scope(self) -> None:
        """Stop being the parent of further events. ``finish`` does this by itself."""
        if self._scope_token is not None:
            leave_scope(self._scope_token, self)
            self._scope_token = None

    def set_input(self, value: Any) -> None:
        """Set the input, if it is known only after the beginning."""
        self._payload["input"] = snapshot(value)

    def finish(self, error: BaseException | None = None) -> None:
        """End the span and record its event.

        A forked child doesn't record spans that began before the fork, because the parent ends them.

        Args:
            error: the exception that ended it, if any. A cancellation is no error.
        """
        if self._scope_token is not None:
            self.close_scope()
        FORK_HOOKS.check()
        if self._process != self.recorder.delivery.process:
            return
        latency_ns = time.perf_counter_ns() - self.began
        if error is not None and is_cancellation(error):
            self.finish_reason, error = "cancelled", None
        error_message = self.error if error is None else format_error(error)
        try:
            self._on_end(error_message, latency_ns // 1_000 / 1_000)
        except Exception:  # noqa: BLE001  recording must never break the agent
            _log.exception("the end of %s couldn't be recorded", type(self).__name__)

    def _on_begin(self) -> None: ...

    def _defer_begin(self) -> int:
        """Defer the beginning until the coroutine is awaited.

        Returns:
            the time on the performance counter, in nanoseconds; 0 if the call is already announced.
        """
        return 0

    def _on_end(self, error_message: str | None, latency_ms: float) -> None: ...

    def announce(self) -> None:
        """Record that it runs, so that a live view shows it."""

    def _announce_outer(self) -> None:
        """Record that the call around it runs."""
        if self._outer is not None:
            self._outer.announce()

    def __enter__(self) -> Self:
        self.begin()
        self.open_scope()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish(None if _is_generator_closed(error, trace) else error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def run(self, function: Callable[[], T]) -> T:
        """Call ``function``, record its result or exception, and return or raise it.

        If ``function`` returns an awaitable, the result is what the awaitable returns.
        """
        self.begin()
        token = enter_scope(self.recorder, self.event_id, self)
        try:
            result = function()
        except BaseException as error:
            leave_scope(token)
            self.finish(error)
            raise
        leave_scope(token)
        if type(result) in _NEVER_AWAITABLE:
            self.output = result
            self.finish()
            return result
        result_type = type(result)  # not __class__: reading it makes a lazy proxy do its work, which may raise
        if issubclass(result_type, asyncio.Future):
            cast("asyncio.Future[Any]", result).add_done_callback(self._on_future_done)
            return result
        if issubclass(result_type, Awaitable) or (result_type is GeneratorType and inspect.isawaitable(result)):
            deferred_at = self._defer_begin() if issubclass(result_type, Coroutine) else 0
            make_awaitable = _AwaitableOrContext if hasattr(result_type, "__aenter__") else Span.await_result
            return cast(T, make_awaitable(self, cast(Any, result), deferred_at))
        self.output = result
        self.finish()
        return result

    def _on_future_done(self, future: "asyncio.Future[Any]") -> None:
        # Not exception(): after that call, asyncio no longer warns of an error that the program never reads.
        error = asyncio.CancelledError() if future.cancelled() else future._exception
        self.output = future.result() if error is None else None
        self.finish(error)

    async def await_result(self, result: Awaitable[T], deferred_at: int) -> T:
        """Await ``result``, record it and return it.

        Args:
            result: the awaitable that a function returned.
            deferred_at: what ``_defer_begin`` returned; 0 if the beginning wasn't deferred.
        """
        if deferred_at:
            self.began += time.perf_counter_ns() - deferred_at
            self._on_begin()
        with _ResumedSpan(self):
            self.output = await result
            return cast(T, self.output)


def _is_generator_closed(error: BaseException | None, trace: TracebackType | None) -> bool:
    """Return whether a block ends only because the generator around it was closed."""
    if not isinstance(error, GeneratorExit) or trace is None:
        return False
    return bool(trace.tb_frame.f_code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR))


class _ResumedSpan:
    """A span that has begun and goes on in this context until its end."""

    __slots__ = ("_scope_token", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._scope_token = enter_scope(self._span.recorder, self._span.event_id, self._span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave_scope(self._scope_token)
        self._span.finish(error)


class _AwaitableOrContext(Coroutine[Any, Any, T]):
    """A result that the caller may await or enter, such as an aiohttp request. Either ends the span."""

    def __init__(self, span: Span, result: Any, deferred_at: int) -> None:
        self._span, self._result, self._deferred_at = span, result, deferred_at

    @cached_property
    def _coroutine(self) -> Coroutine[Any, Any, T]:
        return self._span.await_result(self._result, self._deferred_at)

    def __await__(self) -> Generator[Any, Any, T]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        return self._coroutine.send(value)

    def throw(self, *error: Any) -> Any:
        return self._coroutine.throw(*error)

    def close(self) -> None:
        self._coroutine.close()

    async def __aenter__(self) -> T:
        entered: Awaitable[T] = self._result.__aenter__()
        return await self._span.await_result(entered, self._deferred_at)

    async def __aexit__(self, *error: Any) -> Any:
        return await self._result.__aexit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)
