"""What can be said of an agent: calls in three equal ways, messages, decisions; each of it becomes an event."""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast, overload

from ..prepare.ids import new_event_id
from ..prepare.snapshot import make_error_fields, snapshot
from ..prices import Price
from .call_spans import CallSpan, Delegation, LLMCall, NonRecordingSpan, Retrieval
from .context import find_scope, set_cause
from .decorators import BeginSpan, get_function_name, record_function
from .recorder import Recorder

P = ParamSpec("P")
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])


class RecordingMethods:
    """One agent's hand: each method records, and none blocks.

    Raises:
        KafkaError: from any of them, while events can't be delivered and ``on_outage="raise"``; nothing is called then.
    """

    _recorder: Recorder | None
    _prices: Mapping[str, Price]

    def record(self, event_type: str, payload: dict[str, Any], context: Mapping[str, Any] | None = None) -> str:
        """Record an event of any type, and return its ``event_id``.

        Args:
            payload: what the event type calls for.
            context: reasoning and the like; the parent is added.
        """
        if self._recorder is None:
            return ""
        self._recorder.check_delivery()
        if not isinstance(payload, Mapping):
            payload = {"value": payload}
        return self._record_unchecked(self._recorder, event_type, payload, context or {})

    def _record_unchecked(
        self, recorder: Recorder, event_type: str, payload: Mapping[str, Any], context: Mapping[str, Any]
    ) -> str:
        """As ``record``, for what is to be kept even while events can't be delivered: it never raises."""
        recorder.ensure_started()
        scope = find_scope(recorder)
        parent = recorder.root
        if scope is not None:
            parent = scope.cause
            if scope.call is not None:
                scope.call.announce()
        event_id = new_event_id()
        parent_field = {} if parent is None else {"parent_event_id": parent}
        recorder.write(event_id, event_type, payload, {**context, **parent_field})
        return event_id

    # One-shots

    def user_message(self, text: str) -> str:
        """What the user wrote; what the agent does next follows from it."""
        return self._record_cause("user_message", {"text": text})

    def agent_message(self, text: str) -> str:
        """What the agent wrote to the user."""
        return self.record("agent_message", {"text": text})

    def log_decision(
        self,
        action: str,
        *,
        reasoning: str | None = None,
        confidence: float | None = None,
        alternatives: Any = None,
        model: str | None = None,
    ) -> str:
        """What the agent decided, and why; what it does next follows from it."""
        payload = {"action": action} | _drop_none(alternatives=alternatives)
        return self._record_cause(
            "decision", payload, _drop_none(reasoning=reasoning, confidence=confidence, model=model)
        )

    def memory_write(self, key: str, value: Any) -> str:
        """What the agent put into its memory."""
        return self.record("memory_write", {"key": key, "value": value})

    def error(self, error: BaseException | str, message: str | None = None) -> str:
        """Something that went wrong outside a call: an exception, or a type; with a message, which stands first."""
        if isinstance(error, BaseException):
            fields = make_error_fields(error)
            if isinstance(message, str) and fields["message"]:
                message = f"{message}: {fields['message']}"
            return self.record("error", fields | _drop_none(message=message))
        return self.record("error", {"type": error, "message": message or ""})

    def _record_cause(self, event_type: str, payload: dict[str, Any], context: Mapping[str, Any] | None = None) -> str:
        event_id = self.record(event_type, payload, context)
        if self._recorder is not None:
            set_cause(self._recorder, event_id)
        return event_id

    # Spans

    def tool_call(
        self,
        tool: str,
        input: Any = None,  # noqa: A002
        *,
        reasoning: str | None = None,
        confidence: float | None = None,
    ) -> CallSpan:
        """A call of a tool, as a ``with`` block: ``call.output`` is what came back."""
        if self._recorder is None:
            return NonRecordingSpan()
        return CallSpan(self._recorder, {"tool": tool, "input": snapshot(input)}, _make_context(reasoning, confidence))

    def llm_call(
        self,
        model: str,
        input: Any = None,  # noqa: A002
        *,
        parameters: Any = None,
        reasoning: str | None = None,
        confidence: float | None = None,
    ) -> LLMCall:
        """A call of a language model, as a ``with`` block; tokens and cost are told by the output or set.

        Args:
            parameters: what else it was given, such as its temperature and tools.
        """
        if self._recorder is None:
            return NonRecordingSpan()
        payload = {"model": model, "input": snapshot(input)} | _drop_none(parameters=snapshot(parameters))
        return LLMCall(self._recorder, payload, _make_context(reasoning, confidence), self._prices)

    def retrieval(self, query: Any, *, reasoning: str | None = None, confidence: float | None = None) -> Retrieval:
        """A search, as a ``with`` block: ``call.documents`` is what was found."""
        if self._recorder is None:
            return cast(Retrieval, NonRecordingSpan())
        return Retrieval(self._recorder, {"query": snapshot(query)}, _make_context(reasoning, confidence))

    def delegation(
        self,
        to_agent_id: str,
        task: Any = None,
        *,
        child_session_id: str | None = None,
        reasoning: str | None = None,
        confidence: float | None = None,
    ) -> Delegation:
        """A task for an agent that doesn't record here, as a ``with`` block: ``call.output`` is its result."""
        if self._recorder is None:
            return cast(Delegation, NonRecordingSpan())
        payload = {"to_agent_id": to_agent_id, "task": snapshot(task)} | _drop_none(child_session_id=child_session_id)
        return Delegation(self._recorder, payload, _make_context(reasoning, confidence))

    def track_tool_call(
        self,
        tool: str,
        input: Any,  # noqa: A002
        fn: Callable[[], T],
        *,
        reasoning: str | None = None,
        confidence: float | None = None,
    ) -> T:
        """Call ``fn``, sync or async, as a tool: returns what it returns, raises what it raises, records both."""
        if self._recorder is None:
            return fn()
        return self.tool_call(tool, input, reasoning=reasoning, confidence=confidence).run(fn)

    def track_llm_call(  # noqa: PLR0913  those of llm_call, and fn
        self,
        model: str,
        input: Any,  # noqa: A002
        fn: Callable[[], T],
        *,
        parameters: Any = None,
        reasoning: str | None = None,
        confidence: float | None = None,
    ) -> T:
        """Call ``fn``, sync or async, as a language model; tokens are told by what it returns, where that tells."""
        call = self.llm_call(model, input, parameters=parameters, reasoning=reasoning, confidence=confidence)
        return call.run(fn)

    def track_retrieval(
        self, query: Any, fn: Callable[[], T], *, reasoning: str | None = None, confidence: float | None = None
    ) -> T:
        """Call ``fn``, sync or async, as a search."""
        return self.retrieval(query, reasoning=reasoning, confidence=confidence).run(fn)

    def track_delegation(  # noqa: PLR0913  those of delegation, and fn
        self,
        to_agent_id: str,
        task: Any,
        fn: Callable[[], T],
        *,
        child_session_id: str | None = None,
        reasoning: str | None = None,
        confidence: float | None = None,
    ) -> T:
        """Call ``fn``, sync or async, as another agent's work."""
        call = self.delegation(
            to_agent_id, task, child_session_id=child_session_id, reasoning=reasoning, confidence=confidence
        )
        return call.run(fn)

    @overload
    def tool(self, function: Function, /) -> Function: ...
    @overload
    def tool(self, *, name: str | None = None, **why: Any) -> Callable[[Function], Function]: ...
    def tool(  # type: ignore[misc]
        self, function: Function | None = None, /, *, name: str | None = None, **why: Any
    ) -> Any:
        """Record each call of a function as a tool's, as ``@tracer.tool`` or ``@tracer.tool(name=…)``."""
        return self._decorator(function, lambda told: lambda given: self.tool_call(name or told, given, **why))

    def llm(self, model: str, **why: Any) -> Callable[[Function], Function]:
        """Record each call of a function as one of ``model``: ``@tracer.llm("gpt-4o")``."""
        return cast(
            Callable[[Function], Function],
            self._decorator(None, lambda _: lambda given: self.llm_call(model, given, **why)),
        )

    @overload
    def retriever(self, function: Function, /) -> Function: ...
    @overload
    def retriever(self, **why: Any) -> Callable[[Function], Function]: ...
    def retriever(self, function: Function | None = None, /, **why: Any) -> Any:  # type: ignore[misc]
        """Record each call of a function as a search; its only argument, or all of them, is the query."""
        return self._decorator(function, lambda _: lambda given: self.retrieval(_unwrap_single(given), **why))

    def delegate(self, to_agent_id: str, **why: Any) -> Callable[[Function], Function]:
        """Record each call of a function as another agent's work: ``@tracer.delegate("research-agent")``."""
        return cast(
            Callable[[Function], Function],
            self._decorator(None, lambda _: lambda given: self.delegation(to_agent_id, _unwrap_single(given), **why)),
        )

    def _decorator(self, function: Any, begin: Callable[[str], BeginSpan]) -> Any:
        def decorate(function: Any) -> Any:
            if self._recorder is None:
                return function
            return record_function(function, begin(get_function_name(function)))

        return decorate if function is None else decorate(function)


def _drop_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _make_context(reasoning: str | None, confidence: float | None) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if reasoning is not None:
        context["reasoning"] = snapshot(reasoning)
    if confidence is not None:
        context["confidence"] = snapshot(confidence)
    return context


def _unwrap_single(arguments: dict[str, Any]) -> Any:
    return next(iter(arguments.values())) if len(arguments) == 1 else arguments
