"""The OpenAI Agents SDK, recorded by a tracing processor: models, tools and handoffs.

add_trace_processor(AgentlogProcessor(tracer))
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import orjson
from agents.tracing import Span as AgentsSpan
from agents.tracing import Trace, TracingProcessor
from agents.tracing.span_data import FunctionSpanData, GenerationSpanData, HandoffSpanData, ResponseSpanData
from openai.types.responses import Response

from ..recording.calls import LLMCall
from ..recording.span import Span
from ..recording.usage import counted
from ..tracer import AgentTracer
from .openai import plainest, response_output
from .streams import quiet

TracerOf = Callable[[Trace], AgentTracer]


class AgentlogProcessor(TracingProcessor):
    """Records what the SDK's runs do.

    Args:
        tracer: of the session that all is recorded in, or a function that makes one for each trace of the SDK.
    """

    def __init__(self, tracer: AgentTracer | TracerOf) -> None:
        self._tracer = tracer
        self._tracers: dict[str, AgentTracer] = {}
        self._spans: dict[str, Span | None] = {}
        self._before: dict[str, BaseException | None] = {}

    def on_trace_start(self, trace: Trace) -> None:
        """A run begins."""
        own = self._tracer if isinstance(self._tracer, AgentTracer) else self._tracer(trace)
        self._tracers[trace.trace_id] = own
        self._before[trace.trace_id] = sys.exception()

    def on_trace_end(self, trace: Trace) -> None:
        """A run ended; so does its session, where it has one of its own: with the error that ends the run, if any."""
        tracer, before = self._tracers.pop(trace.trace_id, None), self._before.pop(trace.trace_id, None)
        if tracer is not None and tracer is not self._tracer:
            error = sys.exception()
            error = None if error is before else error  # the program may run an agent while it handles an error
            tracer.__exit__(None if error is None else type(error), error, None)

    def on_span_start(self, span: AgentsSpan[Any]) -> None:
        """Something begins; what it was given is known only at its end."""
        tracer, data = self._tracers.get(span.trace_id), span.span_data
        under = self._spans.get(span.parent_id or "")
        own = None if tracer is None else _begun(tracer, data)
        if own is not None:
            own.begin(under, told=False)
            if isinstance(data, FunctionSpanData):
                own.hold()
        self._spans[span.span_id] = own or under

    def on_span_end(self, span: AgentsSpan[Any]) -> None:
        """Something ended."""
        own, data = self._spans.pop(span.span_id, None), span.span_data
        tracer = self._tracers.get(span.trace_id)
        if tracer is not None and isinstance(data, HandoffSpanData):
            tracer.record("delegation", {"to_agent_id": data.to_agent or "unknown", "task": None})
        if own is None or not isinstance(data, FunctionSpanData | GenerationSpanData | ResponseSpanData):
            return
        if isinstance(data, FunctionSpanData):
            own.given(_read(data.input))
            own.output = data.output
        elif isinstance(own, LLMCall):
            _answered(own, data)
        if span.error is not None:
            own.error = f"{span.error['message']} {span.error['data'] or ''}".strip()
        own.finish(_cancelled() if own.output is None else None)

    def shutdown(self) -> None:
        """Deliver what there is."""
        self.force_flush()

    def force_flush(self) -> None:
        """Deliver what there is."""
        for tracer in [*self._tracers.values(), *([self._tracer] if isinstance(self._tracer, AgentTracer) else [])]:
            tracer.flush()


def _begun(tracer: AgentTracer, data: Any) -> Span | None:
    if isinstance(data, FunctionSpanData):
        return tracer.tool_call(data.name, _read(data.input))
    if isinstance(data, GenerationSpanData | ResponseSpanData):
        return tracer.llm_call(getattr(data, "model", None) or "unknown")
    return None


def _answered(call: LLMCall, data: GenerationSpanData | ResponseSpanData) -> None:
    call.given(data.input)
    usage: Any = data.usage
    if isinstance(data, GenerationSpanData):
        call.model, call.output = data.model or call.model, data.output
        with quiet():
            call.output = _said(data.output)
    elif (answer := data.response) is not None:
        usage = answer.usage or usage  # without an answer, where the SDK keeps contents out of its traces
        call.model, call.output = answer.model or call.model, answer.output
        with quiet():
            call.output = response_output(answer)
    if (used := counted(usage)) is not None:
        call.used(used)


def _said(output: Any) -> Any:
    """What a model says: its text, where it is nothing but text. A streamed chat's answer looks like a response."""
    if not output or len(output) != 1:
        return output
    if output[0].get("object") == "response":
        return response_output(Response.construct(**output[0]))
    return plainest({name: value for name, value in output[0].items() if value is not None})


def _cancelled() -> BaseException | None:
    """What ends a span from outside, such as a timeout: the SDK calls that no error of the span's."""
    error = sys.exception()
    return error if isinstance(error, asyncio.CancelledError) else None


def _read(text: Any) -> Any:
    """Arguments that the SDK has as a JSON text."""
    try:
        return orjson.loads(text) if isinstance(text, str) else text
    except orjson.JSONDecodeError:
        return text
