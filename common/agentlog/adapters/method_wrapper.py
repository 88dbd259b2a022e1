"""The wrapper for a client's method that asks a model, sync or async, streamed or not."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..errors import UsageError
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.methods import RecordingMethods
from ..tracer import AgentTracer
from .recorded_stream import AnswerCollector, finish_on_error, ignore_read_errors, record_stream

BeginCall = Callable[[RecordingMethods, dict[str, Any]], LLMCall]
SetAnswer = Callable[[LLMCall, Any], None]


class MethodKind(NamedTuple):
    """The facts about a kind of method.

    Attributes:
        begin_call: makes the call from the method's keyword arguments.
        set_answer: sets the call's output and usage from an answer.
        make_collector: makes a collector that puts an answer together from a stream.
        stream_classes: the library's classes of streams.
    """

    begin_call: BeginCall
    set_answer: SetAnswer
    make_collector: Callable[[], AnswerCollector]
    stream_classes: tuple[type, ...]


def record_method(owner: Any, name: str, tracer: RecordingMethods, wrap: Callable[[Any], Callable[..., Any]]) -> None:
    """Replace a method of ``owner`` by the result of ``wrap``. Do nothing if there is no such method.

    Raises:
        UsageError: another tracer records it already.
    """
    method = getattr(owner, name, None)
    is_disabled = isinstance(tracer, AgentTracer) and tracer._recorder is None
    if method is None or is_disabled or (recording := getattr(method, "agentlog_tracer", None)) is tracer:
        return
    if recording is not None:
        raise UsageError(
            "this client is recorded by another tracer already, and all its calls go to that one's session; "
            "record it once, with agentlog.current() as the tracer, and each call goes to the session around it"
        )
    recorded = functools.update_wrapper(wrap(method), method)
    recorded.agentlog_tracer = tracer  # type: ignore[attr-defined]
    setattr(owner, name, recorded)


class RecordedMethod:
    """A method that asks a model, recorded."""

    def __init__(self, method: Callable[..., Any], tracer: RecordingMethods, kind: MethodKind) -> None:
        self._method, self._tracer, self._kind = method, tracer, kind

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method and record it. Return the library's answer or stream."""
        call = self._kind.begin_call(self._tracer, kwargs)
        call.begin()
        with self._finish_on_error(call):
            result = self._method(*args, **kwargs)
        if inspect.isawaitable(result):
            return self._await_answer(call, result)
        return self._finish_call(call, result, parse_raw_response(result))

    async def _await_answer(self, call: LLMCall, result: Any) -> Any:
        with self._finish_on_error(call):
            response = await result
        answer = parse_raw_response(response)
        with ignore_read_errors():
            answer = await answer if inspect.isawaitable(answer) else answer
        return self._finish_call(call, response, answer)

    @contextmanager
    def _finish_on_error(self, call: LLMCall) -> Iterator[None]:
        with finish_on_error(call):
            try:
                yield
            except Exception as error:
                with ignore_read_errors():  # OpenAI's error holds the answer that was cut off; its tokens cost money
                    self._kind.set_answer(call, error.completion)  # type: ignore[attr-defined]
                raise

    def _finish_call(self, call: LLMCall, result: Any, answer: Any) -> Any:
        if isinstance(result, self._kind.stream_classes):
            return record_stream(result, call, self._kind.make_collector())
        with ignore_read_errors():
            self._kind.set_answer(call, answer)
        call.finish()
        return result


def make_begin(input_name: str, *extra_names: str) -> BeginCall:
    """Return a function that makes a call from keyword arguments.

    Args:
        input_name: the argument that is the call's input.
        extra_names: further arguments that belong to the input, if they are given.
    """

    def begin(tracer: RecordingMethods, kwargs: dict[str, Any]) -> LLMCall:
        extra = {name: kwargs[name] for name in extra_names if _is_given(kwargs.get(name))}
        input_value = kwargs.get(input_name)
        known = {input_name, "model", "extra_headers", "timeout", *extra_names}
        parameters = {name: value for name, value in kwargs.items() if name not in known and _is_given(value)}
        call_input = {**extra, input_name: input_value} if extra else input_value
        return tracer.llm_call(str(kwargs.get("model", "")), call_input, parameters=parameters or None)

    return begin


def parse_raw_response(result: Any) -> Any:
    """Return the answer in a result of ``with_raw_response``. A body that the program reads itself isn't touched."""
    if not hasattr(result, "http_response"):
        return result
    if not result.http_response.is_stream_consumed:
        return "<read by the program itself>"
    try:
        return result.parse()
    except Exception:  # noqa: BLE001  the program gets the same error when it parses the answer itself
        return f"<{type(result).__name__}>"


def _is_given(value: Any) -> bool:
    return value is not None and type(value).__name__ not in ("NotGiven", "Omit")


def dump_model(value: Any) -> Any:
    """Return a library's model as plain data, without fields that are None."""
    return value.model_dump(exclude_none=True, warnings=False) if hasattr(value, "model_dump") else value
