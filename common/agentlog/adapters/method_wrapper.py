"""A client's method that asks a model, recorded: sync or async, answered at once or streamed."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..recording.spans.call_spans import LLMCall
from ..tracer import AgentTracer
from .recorded_stream import Gathered, failing, quiet, recorded_stream

Begin = Callable[[AgentTracer, dict[str, Any]], LLMCall]
Answer = Callable[[LLMCall, Any], None]


class Kind(NamedTuple):
    """A kind of method: how its call begins, what its answer says, and how one is put together from a stream.

    Attributes:
        streams: the library's classes of streams.
    """

    begin: Begin
    answer: Answer
    gather: Callable[[], Gathered]
    streams: tuple[type, ...]


def record_method(owner: Any, name: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Put what ``make`` makes of ``owner``'s method in its place, once, where it has one of that ``name``."""
    method = getattr(owner, name, None)
    if method is None or getattr(method, "agentlog_recorded", False):
        return
    recorded = functools.update_wrapper(make(method), method)
    recorded.agentlog_recorded = True  # type: ignore[attr-defined]
    setattr(owner, name, recorded)


class Asking:
    """A method that asks a model, recorded."""

    def __init__(self, method: Callable[..., Any], tracer: AgentTracer, kind: Kind) -> None:
        self._method, self._tracer, self._kind = method, tracer, kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Ask; the answer, or the stream of it, comes back as the library has it."""
        call = self._kind.begin(self._tracer, kwargs)
        call.begin()
        with self._failing(call):
            result = self._method(*args, **kwargs)
        if inspect.isawaitable(result):
            return self._waiting(call, result)
        return self._finished(call, result, _parsed(result))

    async def _waiting(self, call: LLMCall, result: Any) -> Any:
        with self._failing(call):
            got = await result
        answer = _parsed(got)
        with quiet():
            answer = await answer if inspect.isawaitable(answer) else answer
        return self._finished(call, got, answer)

    @contextmanager
    def _failing(self, call: LLMCall) -> Iterator[None]:
        with failing(call):
            try:
                yield
            except Exception as error:
                with quiet():  # OpenAI's error has the answer with it that was cut off, and is to be paid
                    self._kind.answer(call, error.completion)  # type: ignore[attr-defined]
                raise

    def _finished(self, call: LLMCall, result: Any, answer: Any) -> Any:
        if isinstance(result, self._kind.streams):
            return recorded_stream(result, call, self._kind.gather())
        with quiet():
            self._kind.answer(call, answer)
        call.finish()
        return result


def begin_with(given: str, *more: str) -> Begin:
    """Begins a call whose input is the argument ``given``, together with those of ``more`` that are there."""

    def begin(tracer: AgentTracer, kwargs: dict[str, Any]) -> LLMCall:
        extra = {name: kwargs[name] for name in more if _is_given(kwargs.get(name))}
        asked = kwargs.get(given)
        known = {given, "model", "extra_headers", "timeout", *more}
        parameters = {name: value for name, value in kwargs.items() if name not in known and _is_given(value)}
        whole = {**extra, given: asked} if extra else asked
        return tracer.llm_call(str(kwargs.get("model", "")), whole, parameters=parameters or None)

    return begin


def _parsed(result: Any) -> Any:
    """The answer in what ``with_raw_response`` returns; a body that the program itself reads is left to it."""
    if not hasattr(result, "http_response"):
        return result
    if not result.http_response.is_stream_consumed:
        return "<read by the program itself>"
    try:
        return result.parse()
    except Exception:  # noqa: BLE001  the program will meet it when it parses the answer itself
        return f"<{type(result).__name__}>"


def _is_given(value: Any) -> bool:
    return value is not None and type(value).__name__ not in ("NotGiven", "Omit")


def dumped(value: Any) -> Any:
    """A library's model as plain data, without what is None."""
    return value.model_dump(exclude_none=True, warnings=False) if hasattr(value, "model_dump") else value
