"""The OpenAI Agents SDK, recorded by a tracing processor: models, tools, handoffs and guardrails.

add_trace_processor(AgentlogProcessor(tracer))
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from agents.tracing import Span as AgentsSpan
from agents.tracing import Trace, TracingProcessor
from agents.tracing.span_data import (
    AgentSpanData,
    FunctionSpanData,
    GenerationSpanData,
    GuardrailSpanData,
    HandoffSpanData,
    ResponseSpanData,
)
from openai.types.responses import Response

from ..recording.prepare.snapshot import format_error
from ..recording.prepare.token_usage import parse_usage
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.span import Span
from ..tracer import AgentTracer
from .openai import extract_response_output, simplify_message
from .recorded_stream import ignore_read_errors

MakeTracer = Callable[[Trace], AgentTracer]


@dataclass
class _Agent:
    """An agent at work in a run.

    Attributes:
        tracer: by whom it is recorded.
        last_answer_id: the ``event_id`` of its model's last answer, from which follows what it does next.
        last_text: that answer, where it is a text.
        is_handed_over: whether the run was handed over to it.
    """

    tracer: AgentTracer
    last_answer_id: str | None = None
    last_text: str | None = None
    is_handed_over: bool = False


@dataclass
class _TraceRun:
    """A trace of the SDK.

    Attributes:
        first_agent: the agent that it begins with, recorded by the tracer that the program has.
        error_at_start: what was being handled when it began: the program may run an agent while it handles an error.
        first_agent_name: of the first agent, in the SDK.
        handed_over_tracers: tracers of agents that it was handed to and that haven't begun, by their names in the SDK.
    """

    first_agent: _Agent
    error_at_start: BaseException | None
    first_agent_name: str | None = None
    handed_over_tracers: dict[str, AgentTracer] = field(default_factory=dict)

    def begin_agent(self, name: str, outer: _Agent) -> _Agent:
        """The agent of this name, which begins, or goes on."""
        self.first_agent_name = self.first_agent_name or name
        if name in self.handed_over_tracers:
            return _Agent(self.handed_over_tracers.pop(name), is_handed_over=True)
        return self.first_agent if name == self.first_agent_name else _Agent(outer.tracer)

    def find_error(self) -> BaseException | None:
        """What ends something of it just now, if anything does."""
        error = sys.exception()
        return None if error is self.error_at_start else error

    def describe_error(self) -> str | None:
        """The same, as it is recorded; None where nothing does."""
        error = self.find_error()
        return None if error is None else format_error(error)


class _SpanPlace(NamedTuple):
    """Where a span of the SDK is: in which run, at which agent, and under which call."""

    run: _TraceRun
    agent: _Agent
    call: Span | None


class AgentlogProcessor(TracingProcessor):
    """Records what the SDK's runs do.

    Args:
        tracer: of the session that all is recorded in, or a function that makes one for each trace of the SDK.
    """

    def __init__(self, tracer: AgentTracer | MakeTracer) -> None:
        self._tracer = tracer
        self._runs: dict[str, _TraceRun] = {}
        self._places: dict[str, _SpanPlace] = {}

    def on_trace_start(self, trace: Trace) -> None:
        """A run begins."""
        tracer = self._tracer if isinstance(self._tracer, AgentTracer) else self._tracer(trace)
        self._runs[trace.trace_id] = _TraceRun(_Agent(tracer), sys.exception())

    def on_trace_end(self, trace: Trace) -> None:
        """A run ended; so does its session, where it has one of its own: with the error that ends the run, if any."""
        run = self._runs.pop(trace.trace_id, None)
        if run is None:
            return
        for handed_over_tracer in run.handed_over_tracers.values():
            handed_over_tracer.end("cancelled")
        if (tracer := run.first_agent.tracer) is not self._tracer:
            error = run.find_error()
            tracer.__exit__(None if error is None else type(error), error, None)

    def on_span_start(self, span: AgentsSpan[Any]) -> None:
        """Something begins; what it was given is known only at its end."""
        run, data = self._runs.get(span.trace_id), span.span_data
        if run is None:
            return
        _, agent, parent_span = self._places.get(span.parent_id or "", _SpanPlace(run, run.first_agent, None))
        if isinstance(data, AgentSpanData):
            agent = run.begin_agent(data.name, agent)
        elif (call := _make_call(agent.tracer, data)) is not None:
            call.begin(parent_span, cause=agent.last_answer_id, raise_on_outage=False)
            if isinstance(data, FunctionSpanData):
                call.open_scope(run.first_agent.tracer._recorder)  # its code has the tracer that the program has
                agent = _Agent(agent.tracer)  # what it does follows from the call, not from the answer
            parent_span = call
        self._places[span.span_id] = _SpanPlace(run, agent, parent_span)

    def on_span_end(self, span: AgentsSpan[Any]) -> None:
        """Something ended; a span that the program began may do so after its run."""
        place = self._places.pop(span.span_id, None)
        if place is None:
            return
        run, agent, call = place
        match data := span.span_data:
            case FunctionSpanData() | GenerationSpanData() | ResponseSpanData() if call is not None:
                _finish(call, span, agent)
            case HandoffSpanData():
                _hand_over(run, agent, data)
            case GuardrailSpanData(triggered=True):
                _record_error(agent.tracer, "guardrail", f"{data.name} was triggered")
            case AgentSpanData() if agent.is_handed_over:
                agent.tracer.end(result=agent.last_text, error=_describe_span_error(span) or run.describe_error())

    def shutdown(self) -> None:
        """Deliver what there is."""
        self.force_flush()

    def force_flush(self) -> None:
        """Deliver what there is."""
        for run in self._runs.values():
            run.first_agent.tracer.flush()
        if isinstance(self._tracer, AgentTracer):
            self._tracer.flush()


def _finish(call: Span, span: AgentsSpan[Any], agent: _Agent) -> None:
    data = span.span_data
    if isinstance(data, FunctionSpanData):
        call.set_input(_parse_arguments(data.input))
        call.output = data.output
    elif isinstance(call, LLMCall):
        _set_answer(call, data)
        agent.last_answer_id, agent.last_text = call.event_id, call.output if isinstance(call.output, str) else None
    call.error = _describe_span_error(span)
    call.finish(_find_cancellation() if call.output is None else None)


def _hand_over(run: _TraceRun, agent: _Agent, data: HandoffSpanData) -> None:
    """What the next agent does is a delegation's; but the first one goes on in its own name."""
    if data.to_agent is None:
        why = run.describe_error()
        _record_error(agent.tracer, "handoff", f"{data.from_agent} couldn't hand over" + (f": {why}" if why else ""))
    elif data.to_agent != run.first_agent_name:
        delegation = agent.tracer.delegation(data.to_agent)
        delegation.begin(cause=agent.last_answer_id, raise_on_outage=False)
        run.handed_over_tracers[data.to_agent] = agent.tracer._make_sub_tracer(data.to_agent, delegation)


def _record_error(tracer: AgentTracer, kind: str, message: str) -> None:
    """Record an error; it waits with the others while events can't be delivered: the SDK would hear of no failure."""
    if tracer._recorder is not None:
        tracer._record_unchecked(tracer._recorder, "error", {"type": kind, "message": message}, {})


def _describe_span_error(span: AgentsSpan[Any]) -> str | None:
    """What the SDK says went wrong."""
    return None if span.error is None else f"{span.error['message']} {span.error['data'] or ''}".strip()


def _make_call(tracer: AgentTracer, data: Any) -> Span | None:
    if isinstance(data, FunctionSpanData):
        return tracer.tool_call(data.name, _parse_arguments(data.input))
    if isinstance(data, GenerationSpanData | ResponseSpanData):
        return tracer.llm_call(getattr(data, "model", None) or "unknown")
    return None


def _set_answer(call: LLMCall, data: GenerationSpanData | ResponseSpanData) -> None:
    call.set_input(data.input)
    usage: Any = data.usage
    if isinstance(data, GenerationSpanData):
        call.model, call.output = data.model or call.model, data.output
        with ignore_read_errors():
            call.output = _simplify_output(data.output)
    elif (answer := data.response) is not None:
        usage = answer.usage or usage  # without an answer, where the SDK keeps contents out of its traces
        call.model, call.output = answer.model or call.model, answer.output
        with ignore_read_errors():
            call.output = extract_response_output(answer)
    if (token_usage := parse_usage(usage)) is not None:
        call.set_usage(token_usage)


def _simplify_output(output: Any) -> Any:
    """What a model says: its text, where it is nothing but text. A streamed chat's answer looks like a response."""
    if not output or len(output) != 1:
        return output
    if output[0].get("object") == "response":
        return extract_response_output(Response.construct(**output[0]))
    return simplify_message({name: value for name, value in output[0].items() if value is not None})


def _find_cancellation() -> BaseException | None:
    """What ends a span from outside, such as a timeout: the SDK calls that no error of the span's."""
    error = sys.exception()
    return error if isinstance(error, asyncio.CancelledError) else None


def _parse_arguments(text: Any) -> Any:
    """Arguments that the SDK has as a JSON text."""
    try:
        return orjson.loads(text) if isinstance(text, str) else text
    except orjson.JSONDecodeError:
        return text
