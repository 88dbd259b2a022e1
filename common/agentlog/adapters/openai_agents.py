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

from ..recording.prepare.snapshot import error_text
from ..recording.prepare.token_usage import counted
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.span import Span
from ..tracer import AgentTracer
from .openai import plainest, response_output
from .recorded_stream import quiet

TracerOf = Callable[[Trace], AgentTracer]


@dataclass
class _Agent:
    """An agent at work in a run.

    Attributes:
        tracer: by whom it is recorded.
        answer: the ``event_id`` of its model's last answer, from which follows what it does next.
        said: that answer, where it is a text.
        handed: whether the run was handed over to it.
    """

    tracer: AgentTracer
    answer: str | None = None
    said: str | None = None
    handed: bool = False


@dataclass
class _Run:
    """A trace of the SDK.

    Attributes:
        first: the agent that it begins with, recorded by the tracer that the program has.
        before: what was being handled when it began: the program may run an agent while it handles an error.
        name: of the first agent, in the SDK.
        handed: tracers of agents that it was handed to and that haven't begun, by their names in the SDK.
    """

    first: _Agent
    before: BaseException | None
    name: str | None = None
    handed: dict[str, AgentTracer] = field(default_factory=dict)

    def begun(self, name: str, outer: _Agent) -> _Agent:
        """The agent of this name, which begins, or goes on."""
        self.name = self.name or name
        if name in self.handed:
            return _Agent(self.handed.pop(name), handed=True)
        return self.first if name == self.name else _Agent(outer.tracer)

    def error(self) -> BaseException | None:
        """What ends something of it just now, if anything does."""
        error = sys.exception()
        return None if error is self.before else error

    def wrong(self) -> str | None:
        """The same, as it is recorded; None where nothing does."""
        error = self.error()
        return None if error is None else error_text(error)


class _Place(NamedTuple):
    """Where a span of the SDK is: in which run, at which agent, and under which call."""

    run: _Run
    agent: _Agent
    call: Span | None


class AgentlogProcessor(TracingProcessor):
    """Records what the SDK's runs do.

    Args:
        tracer: of the session that all is recorded in, or a function that makes one for each trace of the SDK.
    """

    def __init__(self, tracer: AgentTracer | TracerOf) -> None:
        self._tracer = tracer
        self._runs: dict[str, _Run] = {}
        self._places: dict[str, _Place] = {}

    def on_trace_start(self, trace: Trace) -> None:
        """A run begins."""
        own = self._tracer if isinstance(self._tracer, AgentTracer) else self._tracer(trace)
        self._runs[trace.trace_id] = _Run(_Agent(own), sys.exception())

    def on_trace_end(self, trace: Trace) -> None:
        """A run ended; so does its session, where it has one of its own: with the error that ends the run, if any."""
        run = self._runs.pop(trace.trace_id, None)
        if run is None:
            return
        for handed in run.handed.values():
            handed.end("cancelled")
        if (tracer := run.first.tracer) is not self._tracer:
            error = run.error()
            tracer.__exit__(None if error is None else type(error), error, None)

    def on_span_start(self, span: AgentsSpan[Any]) -> None:
        """Something begins; what it was given is known only at its end."""
        run, data = self._runs.get(span.trace_id), span.span_data
        if run is None:
            return
        _, agent, under = self._places.get(span.parent_id or "", _Place(run, run.first, None))
        if isinstance(data, AgentSpanData):
            agent = run.begun(data.name, agent)
        elif (own := _begun(agent.tracer, data)) is not None:
            own.begin(under, cause=agent.answer, told=False)
            if isinstance(data, FunctionSpanData):
                own.hold(run.first.tracer._recorder)  # its code has the tracer that the program has
                agent = _Agent(agent.tracer)  # what it does follows from the call, not from the answer
            under = own
        self._places[span.span_id] = _Place(run, agent, under)

    def on_span_end(self, span: AgentsSpan[Any]) -> None:
        """Something ended; a span that the program began may do so after its run."""
        place = self._places.pop(span.span_id, None)
        if place is None:
            return
        run, agent, own = place
        match data := span.span_data:
            case FunctionSpanData() | GenerationSpanData() | ResponseSpanData() if own is not None:
                _finish(own, span, agent)
            case HandoffSpanData():
                _hand_over(run, agent, data)
            case GuardrailSpanData(triggered=True):
                _note(agent.tracer, "guardrail", f"{data.name} was triggered")
            case AgentSpanData() if agent.handed:
                agent.tracer.end(result=agent.said, error=_told(span) or run.wrong())

    def shutdown(self) -> None:
        """Deliver what there is."""
        self.force_flush()

    def force_flush(self) -> None:
        """Deliver what there is."""
        for run in self._runs.values():
            run.first.tracer.flush()
        if isinstance(self._tracer, AgentTracer):
            self._tracer.flush()


def _finish(call: Span, span: AgentsSpan[Any], agent: _Agent) -> None:
    data = span.span_data
    if isinstance(data, FunctionSpanData):
        call.given(_read(data.input))
        call.output = data.output
    elif isinstance(call, LLMCall):
        _answered(call, data)
        agent.answer, agent.said = call.event_id, call.output if isinstance(call.output, str) else None
    call.error = _told(span)
    call.finish(_cancelled() if call.output is None else None)


def _hand_over(run: _Run, agent: _Agent, data: HandoffSpanData) -> None:
    """What the next agent does is a delegation's; but the first one goes on in its own name."""
    if data.to_agent is None:
        why = run.wrong()
        _note(agent.tracer, "handoff", f"{data.from_agent} couldn't hand over" + (f": {why}" if why else ""))
    elif data.to_agent != run.name:
        delegation = agent.tracer.delegation(data.to_agent)
        delegation.begin(cause=agent.answer, told=False)
        run.handed[data.to_agent] = agent.tracer._by(data.to_agent, delegation)


def _note(tracer: AgentTracer, kind: str, message: str) -> None:
    """Record an error; it waits with the others while events can't be delivered: the SDK would hear of no failure."""
    if tracer._recorder is not None:
        tracer._put(tracer._recorder, "error", {"type": kind, "message": message}, {})


def _told(span: AgentsSpan[Any]) -> str | None:
    """What the SDK says went wrong."""
    return None if span.error is None else f"{span.error['message']} {span.error['data'] or ''}".strip()


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
