"""The methods that record an agent's calls, messages and decisions."""

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
    """The recording methods of a tracer. They don't wait for Kafka.

    A call can be recorded in three ways, with the same result: by a ``with`` block (``tool_call``), by a function that
    is called (``track_tool_call``), and by a decorator (``tool``).

    Raises:
        KafkaError: from any method, while events can't be delivered and ``on_outage="raise"``. The recorded function
            isn't called then.
    """

    _recorder: Recorder | None
    _prices: Mapping[str, Price]

    def record(self, event_type: str, payload: dict[str, Any], context: Mapping[str, Any] | None = None) -> str:
        """Record an event of any type, and return its ``event_id``.

        Args:
            event_type: the event's type.
            payload: the event's fields.
            context: fields such as ``reasoning``. The parent event is added to them.
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
        """Record an event even while events can't be delivered. Never raises."""
        event_id = new_event_id()
        recorder.ensure_started()
        scope = find_scope(recorder)
        parent = recorder.root
        if scope is not None:
            parent = scope.cause
            if scope.call is not None:
                scope.call.announce()
        parent_field = {} if parent is None else {"parent_event_id": parent}
        recorder.write(event_id, event_type, payload, {**context, **parent_field})
        return event_id

    # Single events

    def user_message(self, text: str) -> str:
        """Record a message of the user. It is the parent of the agent's next event."""
        return self._record_cause("user_message", {"text": text})

    def agent_message(self, text: str) -> str:
        """Record a message of the agent to the user."""
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
        """Record a decision. It is the parent of the agent's next event.

        Args:
            action: what the agent decided to do.
            reasoning: why.
            confidence: how sure the agent is, from 0 to 1.
            alternatives: what else the agent considered.
            model: the model that decided.
        """
        payload = {"action": action} | _drop_none(alternatives=alternatives)
        return self._record_cause(
            "decision", payload, _drop_none(reasoning=reasoning, confidence=confidence, model=model)
        )

    def memory_write(self, key: str, value: Any) -> str:
        """Record that the agent stored ``value`` in its memory under ``key``."""
        return self.record("memory_write", {"key": key, "value": value})

    def error(self, error: BaseException | str, message: str | None = None) -> str:
        """Record an error outside of any call.

        Args:
            error: an exception, or the error's type.
            message: what went wrong. It stands before the exception's own text.
        """
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
        """Return a tool call for a ``with`` block. Set ``call.output`` inside the block.

        Args:
            tool: the tool's name.
            input: the arguments; any value. They are copied now.
            reasoning: why the agent calls it.
            confidence: how sure the agent is, from 0 to 1.
        """
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
        """Return a call of a language model for a ``with`` block. Set ``call.output`` inside the block.

        Tokens are read from the output if it is a provider's answer. Otherwise set ``call.input_tokens`` and so on.

        Args:
            model: the model's name.
            input: the prompt or the messages; any value. It is copied now.
            parameters: further parameters of the call, such as the temperature and the tools.
            reasoning: why the agent calls it.
            confidence: how sure the agent is, from 0 to 1.
        """
        if self._recorder is None:
            return NonRecordingSpan()
        payload = {"model": model, "input": snapshot(input)} | _drop_none(parameters=snapshot(parameters))
        return LLMCall(self._recorder, payload, _make_context(reasoning, confidence), self._prices)

    def retrieval(self, query: Any, *, reasoning: str | None = None, confidence: float | None = None) -> Retrieval:
        """Return a search for a ``with`` block. Set ``call.documents`` inside the block."""
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
        """Return a task for another agent, for a ``with`` block. Set ``call.output`` to the result inside the block.

        It is for an agent that doesn't record here. For an agent that records, use ``sub_agent``.

        Args:
            to_agent_id: the name of the other agent.
            task: the task; any value. It is copied now.
            child_session_id: the session that the other agent records in, if there is one.
            reasoning: why the agent delegates.
            confidence: how sure the agent is, from 0 to 1.
        """
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
        """Call ``fn`` and record it as a tool call.

        Returns what ``fn`` returns and raises what ``fn`` raises. Both are recorded. If ``fn`` is async, await the
        result.

        Args:
            tool: the tool's name.
            input: the arguments; any value. They are copied before ``fn`` is called.
            fn: the function, without parameters.
            reasoning: why the agent calls it.
            confidence: how sure the agent is, from 0 to 1.
        """
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
        """Call ``fn``, sync or async, and record it as a call of a language model.

        Tokens are read from the result if it is a provider's answer.
        """
        call = self.llm_call(model, input, parameters=parameters, reasoning=reasoning, confidence=confidence)
        return call.run(fn)

    def track_retrieval(
        self, query: Any, fn: Callable[[], T], *, reasoning: str | None = None, confidence: float | None = None
    ) -> T:
        """Call ``fn``, sync or async, and record it as a search. Its result is the documents found."""
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
        """Call ``fn``, sync or async, and record it as another agent's work."""
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
        """Record each call of a function as a tool call: ``@tracer.tool`` or ``@tracer.tool(name=…)``.

        Args:
            name: the tool's name. None means the function's name.
            why: ``reasoning`` and ``confidence``.
        """
        return self._decorator(
            function, lambda function_name: lambda arguments: self.tool_call(name or function_name, arguments, **why)
        )

    def llm(self, model: str, **why: Any) -> Callable[[Function], Function]:
        """Record each call of a function as a call of ``model``: ``@tracer.llm("gpt-4o")``."""
        return cast(
            Callable[[Function], Function],
            self._decorator(None, lambda _: lambda arguments: self.llm_call(model, arguments, **why)),
        )

    @overload
    def retriever(self, function: Function, /) -> Function: ...
    @overload
    def retriever(self, **why: Any) -> Callable[[Function], Function]: ...
    def retriever(self, function: Function | None = None, /, **why: Any) -> Any:  # type: ignore[misc]
        """Record each call of a function as a search: ``@tracer.retriever``.

        The query is the function's only argument, or all its arguments by their names.
        """
        return self._decorator(function, lambda _: lambda arguments: self.retrieval(_unwrap_single(arguments), **why))

    def delegate(self, to_agent_id: str, **why: Any) -> Callable[[Function], Function]:
        """Record each call of a function as another agent's work: ``@tracer.delegate("research-agent")``."""
        return cast(
            Callable[[Function], Function],
            self._decorator(
                None, lambda _: lambda arguments: self.delegation(to_agent_id, _unwrap_single(arguments), **why)
            ),
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
