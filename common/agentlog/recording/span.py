"""What an agent does from one moment to another: a ``with`` block, a function that is run, or an awaitable."""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

from .ids import new_event_id
from .scope import Held, Scope, enter, leave, scope_of
from .snapshot import error_text, snapshot

T = TypeVar("T")
_log = logging.getLogger("agentlog.recording")
_NO_AWAITABLES = frozenset({str, dict, list, int, float, bool, bytes, tuple, type(None)})


class Recorder(Protocol):
    """What a span needs of its tracer.

    Its ``root`` is the event that the agent's first ones follow from, its ``open_calls`` those that weren't announced,
    its ``process`` the name of the recording process.
    """

    @property
    def process(self) -> str: ...  # noqa: D102

    @property
    def root(self) -> str | None: ...  # noqa: D102

    @property
    def open_calls(self) -> dict[str, Any]: ...  # noqa: D102

    def opened(self, event_id: str, call: Any) -> None:
        """Keep a call that runs, to be announced when it takes long."""

    def check(self) -> None:
        """Raise what keeps events from being delivered."""

    def write(self, event_id: str, event_type: str, payload: dict[str, Any], context: dict[str, Any]) -> None:
        """Record an event; never raises."""


class Span:
    """Something under way: what is recorded inside has it as its parent.

    An error that leaves it is recorded, and goes on.

    Attributes:
        recorder: that it belongs to.
        event_id: that its event has, or will have.
        output: what came back; any value, copied when the span ends.
        error: what went wrong, where that is no exception; a text.
        began: on the performance counter, in nanoseconds; 0 before it began.
    """

    __slots__ = (
        "_context",
        "_held",
        "_outer",
        "_payload",
        "_process",
        "began",
        "error",
        "event_id",
        "output",
        "recorder",
    )

    def __init__(self, recorder: Recorder, payload: dict[str, Any], context: dict[str, Any]) -> None:
        self.recorder, self._payload, self._context = recorder, payload, context
        self.event_id = new_event_id()
        self.output: Any = None
        self.error: str | None = None
        self.began = 0
        self._held: Held | None = None
        self._outer: Any = None
        self._process = ""

    def begin(self, under: "Span | None" = None, *, told: bool = True) -> None:
        """Begin, without a ``with`` block; ``finish`` ends it.

        Args:
            under: the span that it belongs to; that of the context when None.
            told: whether the agent is told that events can't be delivered; if not, its event waits with the others.

        Raises:
            KafkaError: events can't be delivered, and ``on_outage="raise"``.
        """
        recorder = self.recorder
        if told:
            recorder.check()
        scope: Scope | None = scope_of(recorder)
        parent = recorder.root
        if under is not None:
            parent, self._outer = under.event_id, under
        elif scope is not None:
            parent, self._outer = scope.cause, scope.call
        if parent is not None:
            self._context["parent_event_id"] = parent
        self._process = recorder.process
        self.began = time.perf_counter_ns()
        self._begun()

    def given(self, value: Any) -> None:
        """Set what it was given, where that is known only later."""
        self._payload["input"] = snapshot(value)

    def finish(self, error: BaseException | None = None) -> None:
        """End, and record what came of it; not in a forked child: what began before the fork is the parent's to end."""
        if self._process != self.recorder.process:
            return
        latency_ns = time.perf_counter_ns() - self.began
        wrong = self.error if error is None else error_text(error)
        try:
            self._ended(wrong, latency_ns // 1_000 / 1_000)
        except Exception:  # noqa: BLE001  recording must never break the agent
            _log.exception("the end of %s couldn't be recorded", type(self).__name__)

    def _begun(self) -> None: ...

    def _ended(self, wrong: str | None, latency_ms: float) -> None: ...

    def announce(self) -> None:
        """Let it be seen while it runs."""

    def _announce_outer(self) -> None:
        if self._outer is not None:
            self._outer.announce()

    def __enter__(self) -> Self:
        self.begin()
        self._held = enter(self.recorder, self.event_id, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._held is not None:
            leave(self._held)
        self.finish(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def run(self, function: Callable[[], T]) -> T:
        """Call ``function``; what it returns or raises is recorded, and comes back. Of an awaitable, its result."""
        self.begin()
        held = enter(self.recorder, self.event_id, self)
        try:
            result = function()
        except BaseException as error:
            leave(held)
            self.finish(error)
            raise
        leave(held)
        if type(result) in _NO_AWAITABLES:
            self.output = result
            self.finish()
            return result
        if isinstance(result, asyncio.Future):
            result.add_done_callback(self._done)
            return result
        if inspect.isawaitable(result):
            return cast(T, self._awaited(result))
        self.output = result
        self.finish()
        return result

    def _done(self, future: "asyncio.Future[Any]") -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        self.output = future.result() if error is None else None
        self.finish(error)

    async def _awaited(self, result: Awaitable[T]) -> T:
        with _Resumed(self):
            self.output = await result
            return cast(T, self.output)


class _Resumed:
    """The rest of a span that has begun, in whatever context it goes on."""

    __slots__ = ("_held", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> None:
        self._held = enter(self._span.recorder, self._span.event_id, self._span)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self._held)
        self._span.finish(error)
