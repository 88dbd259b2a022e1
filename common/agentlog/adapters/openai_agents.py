"""The adapter for the OpenAI Agents SDK, a tracing processor. It records models, tools, handoffs and guardrails.

add_trace_processor(AgentlogProcessor(tracer))
"""

import asyncio
import sys
import time
from collections import OrderedDict
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
    TaskSpanData,
    TurnSpanData,
)
from openai.types.responses import Response

from ..current_tracer import CurrentTracer
from ..recording.prepare.snapshot import format_error
from ..recording.prepare.token_usage import find_service_tier, parse_usage
from ..recording.spans.call_spans import CallSpan, LLMCall
from ..recording.spans.context import find_bound_tracer
from ..recording.spans.span import Span
from ..tracer import AgentTracer
from .answer_parts import parse_arguments
from .openai import extract_response_output, simplify_message
from .recorded_stream import ignore_read_errors

MakeTracer = Callable[[Trace], AgentTracer]
"""A function that makes a tracer for a trace of the SDK."""
MAX_REMEMBERED_TRACES = 1_000
"""How many traces are remembered. A run that waited for an approval goes on in its trace, which the SDK has ended."""
WAITING = "waiting_for_approval"


@dataclass
class _Agent:
    """An agent at work in a run.

    Attributes:
        tracer: the tracer that records it.
        last_answer_id: the ``event_id`` of its model's last answer, the parent of its next events.
        last_text: that answer, if it is a text.
        is_handed_over: whether another agent handed the run over to it.
        is_waiting: whether one of its calls waits for an approval.
    """

    tracer: AgentTracer
    last_answer_id: str | None = None
    last_text: str | None = None
    is_handed_over: bool = False
    is_waiting: bool = False


@dataclass
class _TraceRecord:
    """A trace of the SDK. Several runs may be in one trace, at once or one after the other.

    Attributes:
        tracer: the tracer of its session.
        has_own_session: whether the session is for this trace alone, and ends with it.
        is_ended: whether the SDK has ended it.
        last_answer_id: the ``event_id`` of the last answer of a run that has ended.
        waiting_agents: agents that were handed a run which waits for an approval, by their names in the SDK.
        waits: whether a run waits for an approval.
    """

    tracer: AgentTracer
    has_own_session: bool
    is_ended: bool = False
    last_answer_id: str | None = None
    waiting_agents: dict[str, tuple[_Agent, str | None]] = field(default_factory=dict)
    waits: bool = False


class _UndecidedCall(NamedTuple):
    """A tool's call without an output. It returned nothing if the run goes on, and waits for an approval if not."""

    call: CallSpan
    agent: _Agent
    ended: int


@dataclass
class _Run:
    """A run of the SDK's ``Runner``, or the spans of a trace that are in none.

    Attributes:
        trace: its trace.
        first_agent: the agent that begins the run. The program's tracer records it.
        error_at_start: the exception that the program was handling when the run began, if any.
        is_of_runner: whether it is a run of the ``Runner``.
        first_agent_name: the first agent's name in the SDK.
        handed_over_tracers: the tracers of agents that the run was handed to and that haven't begun, by their names
            in the SDK.
        undecided_calls: the calls of which it isn't known yet whether they wait for an approval.
    """

    trace: _TraceRecord
    first_agent: _Agent
    error_at_start: BaseException | None
    is_of_runner: bool = False
    first_agent_name: str | None = None
    handed_over_tracers: dict[str, AgentTracer] = field(default_factory=dict)
    undecided_calls: list[_UndecidedCall] = field(default_factory=list)

    def begin_agent(self, name: str, outer: _Agent) -> _Agent:
        """Return the agent of this name, which begins or continues."""
        if name in self.handed_over_tracers:
            return _Agent(self.handed_over_tracers.pop(name), is_handed_over=True)
        if self.first_agent_name is None and name in self.trace.waiting_agents:
            agent, self.first_agent_name = self.trace.waiting_agents.pop(name)
            agent.is_waiting = False
            return agent
        self.first_agent_name = self.first_agent_name or name
        return self.first_agent if name == self.first_agent_name else _Agent(outer.tracer)

    def end_agent(self, agent: _Agent, name: str, error: str | None) -> None:
        """End the agent. One whose call waits for an approval goes on later."""
        self.settle_calls(is_waiting=error is None)
        if agent.is_waiting and agent.is_handed_over:
            self.trace.waiting_agents[name] = agent, self.first_agent_name
        elif agent.is_handed_over:
            agent.tracer.end(result=agent.last_text, error=error)

    def settle_calls(self, *, is_waiting: bool) -> None:
        """Record the undecided calls: as waiting for an approval, or as calls that returned nothing."""
        calls, self.undecided_calls = self.undecided_calls, []
        for call, agent, ended in calls:
            if is_waiting:
                call.finish_reason = WAITING
                agent.is_waiting = self.trace.waits = True
            call.began += time.perf_counter_ns() - ended
            call.finish()

    def end(self) -> None:
        """End the run."""
        self.settle_calls(is_waiting=self.find_error() is None)
        self.trace.last_answer_id = self.first_agent.last_answer_id or self.trace.last_answer_id
        for tracer in self.handed_over_tracers.values():
            tracer.end("cancelled")

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

    run: _Run
    agent: _Agent
    call: Span | None


class AgentlogProcessor(TracingProcessor):
    """A tracing processor that records the SDK's runs.

    A run that waits for an approval and is resumed goes on in the session in which it began.

    Args:
        tracer: the tracer of one session for all runs; or ``agentlog.current()``; or a function that makes a tracer for
            each trace of the SDK.
    """

    def __init__(self, tracer: AgentTracer | CurrentTracer | MakeTracer) -> None:
        self._tracer = tracer
        self._traces: OrderedDict[str, _Run] = OrderedDict()
        self._places: dict[str, _SpanPlace] = {}

    def on_trace_start(self, trace: Trace) -> None:
        """Begin a trace. Its runs begin with their spans."""
        if isinstance(self._tracer, CurrentTracer):
            tracer = find_bound_tracer()
        else:
            tracer = self._tracer if isinstance(self._tracer, AgentTracer) else self._tracer(trace)
        if tracer is not None:
            has_own_session = not isinstance(self._tracer, AgentTracer | CurrentTracer)
            self._traces[trace.trace_id] = _Run(_TraceRecord(tracer, has_own_session), _Agent(tracer), sys.exception())
        while len(self._traces) > MAX_REMEMBERED_TRACES:
            self._traces.popitem(last=False)

    def on_trace_end(self, trace: Trace) -> None:
        """End a trace. If it has a session of its own, end that too, with the run's error if there is one."""
        if (run := self._traces.get(trace.trace_id)) is not None:
            run.trace.is_ended = True
            run.end()
            _end_session(run)

    def on_span_start(self, span: AgentsSpan[Any]) -> None:
        """Begin a span. Its input is known only at its end."""
        loose_run, data = self._find_trace(span.trace_id), span.span_data
        if loose_run is None:
            return
        place = self._places.get(span.parent_id or "", _SpanPlace(loose_run, loose_run.first_agent, None))
        run, agent, parent_span = place
        if isinstance(data, TaskSpanData):
            run = _begin_run(place)
            agent = run.first_agent
        elif isinstance(data, AgentSpanData):
            agent = run.begin_agent(data.name, agent)
        elif isinstance(data, TurnSpanData):
            run.settle_calls(is_waiting=False)
        elif (call := _make_call(agent.tracer, data)) is not None:
            call.begin(parent_span, cause=agent.last_answer_id, raise_on_outage=False)
            if isinstance(data, FunctionSpanData):
                call.open_scope(run.first_agent.tracer._recorder)  # the tool's code uses the program's tracer
                agent = _Agent(agent.tracer)  # inside a tool, the parent is the call and not the model's answer
            parent_span = call
        self._places[span.span_id] = _SpanPlace(run, agent, parent_span)

    def _find_trace(self, trace_id: str) -> _Run | None:
        """Return the run of the spans that are in no run of a trace. A trace may have ended, and go on."""
        run = self._traces.get(trace_id)
        if run is None or not run.trace.is_ended or not isinstance(self._tracer, CurrentTracer):
            return run
        tracer = find_bound_tracer()  # the session around a run that is resumed may be another one
        if tracer is not None and tracer is not run.trace.tracer:
            run.trace.tracer, run.first_agent, run.trace.last_answer_id = tracer, _Agent(tracer), None
        return run

    def on_span_end(self, span: AgentsSpan[Any]) -> None:
        """End a span. A span that the program began itself may end after its run."""
        place = self._places.pop(span.span_id, None)
        if place is None:
            return
        run, agent, call = place
        match data := span.span_data:
            case FunctionSpanData() if isinstance(call, CallSpan) and _is_undecided(run, span):
                call.set_input(parse_arguments(data.input))
                call.close_scope()
                agent = self._places.get(span.parent_id or "", place).agent
                run.undecided_calls.append(_UndecidedCall(call, agent, time.perf_counter_ns()))
            case FunctionSpanData() | GenerationSpanData() | ResponseSpanData() if call is not None:
                _finish(call, span, agent)
                run.trace.waits = run.trace.waits or getattr(call, "finish_reason", None) == WAITING
            case HandoffSpanData():
                _hand_over(run, agent, data)
            case GuardrailSpanData(triggered=True):
                _record_error(agent.tracer, "guardrail", f"{data.name} was triggered")
            case AgentSpanData():
                run.end_agent(agent, data.name, _describe_span_error(span) or run.describe_error())
            case TaskSpanData():
                run.end()
                if run.trace.is_ended and span.parent_id is None:  # a run that was resumed; the SDK ends no trace again
                    _end_session(run)

    def shutdown(self) -> None:
        """Wait until the recorded events are delivered."""
        self.force_flush()

    def force_flush(self) -> None:
        """Wait until the recorded events are delivered."""
        tracers = [run.trace.tracer for run in self._traces.values()]
        tracers += [self._tracer] if isinstance(self._tracer, AgentTracer) else []
        for tracer in {id(each._recorder and each._recorder.delivery): each for each in tracers}.values():
            tracer.flush()


def _begin_run(place: _SpanPlace) -> _Run:
    """Return a run that begins at this place: in its trace, or inside of a tool."""
    outer, agent, call = place
    cause = outer.trace.last_answer_id if call is None else None
    outer.trace.waits = outer.trace.waits and call is not None
    return _Run(outer.trace, _Agent(agent.tracer, cause), sys.exception(), is_of_runner=True)


def _end_session(run: _Run) -> None:
    """End the session of a trace that has its own, unless a run waits for an approval."""
    if run.trace.has_own_session and not run.trace.waits:
        error = run.find_error()
        run.trace.tracer.__exit__(None if error is None else type(error), error, None)


def _is_undecided(run: _Run, span: AgentsSpan[Any]) -> bool:
    """Return whether a tool's call may wait for an approval. The SDK doesn't say it: such a call has no output."""
    data = span.span_data
    has_nothing = data.input is not None and data.output is None and span.error is None
    return run.is_of_runner and has_nothing and run.find_error() is None


def _finish(call: Span, span: AgentsSpan[Any], agent: _Agent) -> None:
    data = span.span_data
    if isinstance(data, FunctionSpanData):
        call.set_input(parse_arguments(data.input))
        call.output = data.output
    elif isinstance(call, LLMCall):
        _set_answer(call, data)
        agent.last_answer_id, agent.last_text = call.event_id, call.output if isinstance(call.output, str) else None
    call.error = _describe_span_error(span) or call.error
    call.finish(_find_cancellation() if call.output is None else None)


def _hand_over(run: _Run, agent: _Agent, data: HandoffSpanData) -> None:
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
        call.set_finish(answer)
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
