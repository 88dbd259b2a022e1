"""The adapter for the OpenAI Agents SDK, a tracing processor. It records models, tools, handoffs and guardrails.

add_trace_processor(AgentlogProcessor(tracer))
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
from ..recording.prepare.token_usage import find_service_tier, parse_usage
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.span import Span
from ..tracer import AgentTracer
from .answer_parts import parse_arguments
from .openai import extract_response_output, simplify_message
from .recorded_stream import ignore_read_errors

MakeTracer = Callable[[Trace], AgentTracer]
"""A function that makes a tracer for a trace of the SDK."""


@dataclass
class _Agent:
    """An agent at work in a run.

    Attributes:
        tracer: the tracer that records it.
        last_answer_id: the ``event_id`` of its model's last answer, the parent of its next events.
        last_text: that answer, if it is a text.
        is_handed_over: whether another agent handed the run over to it.
    """

    tracer: AgentTracer
    last_answer_id: str | None = None
    last_text: str | None = None
    is_handed_over: bool = False


@dataclass
class _TraceRun:
    """A trace of the SDK, which is a run.

    Attributes:
        first_agent: the agent that begins the run. The program's tracer records it.
        error_at_start: the exception that the program was handling when the run began, if any.
        first_agent_name: the first agent's name in the SDK.
        handed_over_tracers: the tracers of agents that the run was handed to and that haven't begun, by their names
            in the SDK.
    """

    first_agent: _Agent
    error_at_start: BaseException | None
    first_agent_name: str | None = None
    handed_over_tracers: dict[str, AgentTracer] = field(default_factory=dict)

    def begin_agent(self, name: str, outer: _Agent) -> _Agent:
        """Return the agent of this name, which begins or continues."""
        self.first_agent_name = self.first_agent_name or name
        if name in self.handed_over_tracers:
            return _Agent(self.handed_over_tracers.pop(name), is_handed_over=True)
        return self.first_agent if name == self.first_agent_name else _Agent(outer.tracer)

    def find_error(self) -> BaseException | None:
        """Return the exception that is ending a part of the run, if any."""
        error = sys.exception()
        return None if error is self.error_at_start else error

    def describe_error(self) -> str | None:
        """Return that exception as text, or None."""
        error = self.find_error()
        return None if error is None else format_error(error)


class _SpanPlace(NamedTuple):
    """The place of a span of the SDK: its run, its agent, and the call around it or its own."""

    run: _TraceRun
    agent: _Agent
    call: Span | None


class AgentlogProcessor(TracingProcessor):
    """A tracing processor that records the SDK's runs.

    Args:
        tracer: the tracer of one session for all runs, or a function that makes a tracer for each trace of the SDK.
    """

    def __init__(self, tracer: AgentTracer | MakeTracer) -> None:
        self._tracer = tracer
        self._runs: dict[str, _TraceRun] = {}
        self._places: dict[str, _SpanPlace] = {}

    def on_trace_start(self, trace: Trace) -> None:
        """Begin a run."""
        tracer = self._tracer if isinstance(self._tracer, AgentTracer) else self._tracer(trace)
        self._runs[trace.trace_id] = _TraceRun(_Agent(tracer), sys.exception())

    def on_trace_end(self, trace: Trace) -> None:
        """End a run. If it has a session of its own, end that too, with the run's error if there is one."""
        run = self._runs.pop(trace.trace_id, None)
        if run is None:
            return
        for handed_over_tracer in run.handed_over_tracers.values():
            handed_over_tracer.end("cancelled")
        if (tracer := run.first_agent.tracer) is not self._tracer:
            error = run.find_error()
            tracer.__exit__(None if error is None else type(error), error, None)

    def on_span_start(self, span: AgentsSpan[Any]) -> None:
        """Begin a span. Its input is known only at its end."""
        run, data = self._runs.get(span.trace_id), span.span_data
        if run is None:
            return
        _, agent, parent_span = self._places.get(span.parent_id or "", _SpanPlace(run, run.first_agent, None))
        if isinstance(data, AgentSpanData):
            agent = run.begin_agent(data.name, agent)
        elif (call := _make_call(agent.tracer, data)) is not None:
            call.begin(parent_span, cause=agent.last_answer_id, raise_on_outage=False)
            if isinstance(data, FunctionSpanData):
                call.open_scope(run.first_agent.tracer._recorder)  # the tool's code uses the program's tracer
                agent = _Agent(agent.tracer)  # inside a tool, the parent is the call and not the model's answer
            parent_span = call
        self._places[span.span_id] = _SpanPlace(run, agent, parent_span)

    def on_span_end(self, span: AgentsSpan[Any]) -> None:
        """End a span. A span that the program began itself may end after its run."""
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
        """Wait until the recorded events are delivered."""
        self.force_flush()

    def force_flush(self) -> None:
        """Wait until the recorded events are delivered."""
        for run in self._runs.values():
            run.first_agent.tracer.flush()
        if isinstance(self._tracer, AgentTracer):
            self._tracer.flush()


def _finish(call: Span, span: AgentsSpan[Any], agent: _Agent) -> None:
    data = span.span_data
    if isinstance(data, FunctionSpanData):
        call.set_input(parse_arguments(data.input))
        call.output = data.output
    elif isinstance(call, LLMCall):
        _set_answer(call, data)
        agent.last_answer_id, agent.last_text = call.event_id, call.output if isinstance(call.output, str) else None
    call.error = _describe_span_error(span)
    call.finish(_find_cancellation() if call.output is None else None)


def _hand_over(run: _TraceRun, agent: _Agent, data: HandoffSpanData) -> None:
    """Record a handoff as a delegation. A handoff back to the first agent is none."""
    if data.to_agent is None:
        reason = run.describe_error()
        message = f"{data.from_agent} couldn't hand over" + (f": {reason}" if reason else "")
        _record_error(agent.tracer, "handoff", message)
    elif data.to_agent != run.first_agent_name:
        delegation = agent.tracer.delegation(data.to_agent)
        delegation.begin(cause=agent.last_answer_id, raise_on_outage=False)
        run.handed_over_tracers[data.to_agent] = agent.tracer._make_sub_tracer(data.to_agent, delegation)


def _record_error(tracer: AgentTracer, kind: str, message: str) -> None:
    """Record an error. It never raises in an outage, because the SDK hides exceptions of its processors."""
    if tracer._recorder is not None:
        tracer._record_unchecked(tracer._recorder, "error", {"type": kind, "message": message}, {})


def _describe_span_error(span: AgentsSpan[Any]) -> str | None:
    """Return the span's error as text, or None."""
    return None if span.error is None else f"{span.error['message']} {span.error['data'] or ''}".strip()


def _make_call(tracer: AgentTracer, data: Any) -> Span | None:
    if isinstance(data, FunctionSpanData):
        return tracer.tool_call(data.name, parse_arguments(data.input))
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
        usage = answer.usage or usage  # the SDK may leave contents out of its traces; then there is no answer
        call.model, call.output = answer.model or call.model, answer.output
        with ignore_read_errors():
            call.output = extract_response_output(answer)
    if (token_usage := parse_usage(usage, find_service_tier(getattr(data, "response", None)))) is not None:
        call.set_usage(token_usage)


def _simplify_output(output: Any) -> Any:
    """Return a model's output as text if it holds only text. The output of a streamed chat has a response's form."""
    if not output or len(output) != 1:
        return output
    if output[0].get("object") == "response":
        return extract_response_output(Response.construct(**output[0]))
    return simplify_message({name: value for name, value in output[0].items() if value is not None})


def _find_cancellation() -> BaseException | None:
    """Return the cancellation that ends a span, such as a timeout. The SDK doesn't report it as the span's error."""
    error = sys.exception()
    return error if isinstance(error, asyncio.CancelledError) else None
