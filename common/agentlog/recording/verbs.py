"""What can be said of an agent: calls in three equal ways, messages, decisions; each of it becomes an event."""

import logging
import time
from collections.abc import Callable, Mapping
from sys import getsizeof
from typing import Any, ParamSpec, TypeVar, cast, overload

from .calls import Call, Delegation, LLMCall, NoCall, Retrieval
from .decorate import Begin, decorated
from .delivery import Delivery
from .ids import new_event_id
from .intake import OpenCall
from .prices import Price
from .records import Author, Entry
from .scope import follow, scope_of
from .snapshot import error_fields, snapshot

P = ParamSpec("P")
T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., Any])

OVERHEAD = 600
"""About how many bytes an event takes in memory beside its values."""

_log = logging.getLogger("agentlog.recording")


def copied(fields: Mapping[str, Any]) -> dict[str, Any]:
    """``fields`` as they are now."""
    return {name: snapshot(value) for name, value in fields.items()}


class Verbs:
    """One agent's hand: each method records, and none blocks.

    Raises:
        KafkaError: from any of them, while events can't be delivered and ``on_outage="raise"``; nothing is called then.

    Attributes:
        root: the event that the agent's first ones follow from; None when there is none.
    """

    _author: Author
    _delivery: Delivery | None
    _prices: Mapping[str, Price]
    root: str | None

    def check(self) -> None:
        """Raise what keeps events from being delivered, where the agent is to know."""
        if self._delivery is not None:
            self._delivery.check()

    @property
    def process(self) -> str:
        """What this recording process is called; a forked child is another one."""
        return self._delivery.process if self._delivery is not None else ""

    @property
    def open_calls(self) -> dict[str, Any]:
        """Calls that run and weren't announced."""
        return self._delivery.opens if self._delivery is not None else {}

    def opened(self, event_id: str, call: OpenCall) -> None:
        """Keep a call that runs, to be announced when it takes long."""
        if self._delivery is not None:
            self._delivery.open(event_id, call)

    def write(self, event_id: str, event_type: str, payload: dict[str, Any], context: dict[str, Any]) -> None:
        """Queue an event; its values can't be changed any more. Never raises."""
        if self._delivery is None:
            return
        size = OVERHEAD + sum(map(getsizeof, (*payload.values(), *context.values())))
        try:
            self._delivery.put(Entry(self._author, event_id, time.time_ns(), event_type, payload, context, size))
        except Exception:  # noqa: BLE001  recording must never break the agent
            _log.exception("an event of session %s couldn't be queued", self._author.session_id)

    def record(self, event_type: str, payload: dict[str, Any], context: Mapping[str, Any] | None = None) -> str:
        """Record an event of any type, and return its ``event_id``.

        Args:
            payload: what the event type calls for.
            context: reasoning and the like; the parent is added.
        """
        if self._delivery is None:
            return ""
        self.check()
        return self._put(event_type, payload, context)

    def _put(self, event_type: str, payload: dict[str, Any], context: Mapping[str, Any] | None = None) -> str:
        """As ``record``, for what is to be kept even while events can't be delivered: it never raises."""
        scope = scope_of(self)
        parent = self.root
        if scope is not None:
            parent = scope.cause
            if scope.call is not None:
                scope.call.announce()
        told = copied(context or {})
        event_id = new_event_id()
        if parent is not None and parent != event_id:
            told["parent_event_id"] = parent
        self.write(event_id, event_type, copied(payload), told)
        return event_id

    # One-shots

    def user_message(self, text: str) -> str:
        """What the user wrote; what the agent does next follows from it."""
        return self._leading("user_message", {"text": text})

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
        payload = {"action": action} | _given(alternatives=alternatives)
        return self._leading("decision", payload, _given(reasoning=reasoning, confidence=confidence, model=model))

    def memory_write(self, key: str, value: Any) -> str:
        """What the agent put into its memory."""
        return self.record("memory_write", {"key": key, "value": value})

    def error(self, error: BaseException | str, message: str | None = None) -> str:
        """Something that went wrong outside a call: an exception, or a type and a message."""
        if isinstance(error, BaseException):
            return self.record("error", error_fields(error) | _given(message=message))
        return self.record("error", {"type": error, "message": message or ""})

    def _leading(self, event_type: str, payload: dict[str, Any], context: Mapping[str, Any] | None = None) -> str:
        event_id = self.record(event_type, payload, context)
        if event_id:
            follow(self, event_id)
        return event_id

    # Spans

    def tool_call(
        self,
        tool: str,
        input: Any = None,  # noqa: A002
        *,
        reasoning: str | None = None,
        confidence: float | None = None,
    ) -> Call:
        """A call of a tool, as a ``with`` block: ``call.output`` is what came back."""
        if self._delivery is None:
            return NoCall()
        return Call(self, {"tool": tool, "input": snapshot(input)}, _why(reasoning, confidence))

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
        if self._delivery is None:
            return NoCall()
        payload = {"model": model, "input": snapshot(input)} | _given(parameters=snapshot(parameters))
        return LLMCall(self, payload, _why(reasoning, confidence), self._prices)

    def retrieval(self, query: Any, *, reasoning: str | None = None, confidence: float | None = None) -> Retrieval:
        """A search, as a ``with`` block: ``call.documents`` is what was found."""
        if self._delivery is None:
            return cast(Retrieval, NoCall())
        return Retrieval(self, {"query": snapshot(query)}, _why(reasoning, confidence))

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
        if self._delivery is None:
            return cast(Delegation, NoCall())
        payload = {"to_agent_id": to_agent_id, "task": snapshot(task)} | _given(child_session_id=child_session_id)
        return Delegation(self, payload, _why(reasoning, confidence))

    def track_tool_call(self, tool: str, input: Any, fn: Callable[[], T], **why: Any) -> T:  # noqa: A002
        """Call ``fn``, sync or async, as a tool: returns what it returns, raises what it raises, records both.

        Args:
            why: ``reasoning`` and ``confidence``.
        """
        return fn() if self._delivery is None else self.tool_call(tool, input, **why).run(fn)

    def track_llm_call(self, model: str, input: Any, fn: Callable[[], T], **why: Any) -> T:  # noqa: A002
        """Call ``fn``, sync or async, as a language model; tokens are told by what it returns, where that tells."""
        return fn() if self._delivery is None else self.llm_call(model, input, **why).run(fn)

    def track_retrieval(self, query: Any, fn: Callable[[], T], **why: Any) -> T:
        """Call ``fn``, sync or async, as a search."""
        return fn() if self._delivery is None else self.retrieval(query, **why).run(fn)

    def track_delegation(self, to_agent_id: str, task: Any, fn: Callable[[], T], **why: Any) -> T:
        """Call ``fn``, sync or async, as another agent's work."""
        return fn() if self._delivery is None else self.delegation(to_agent_id, task, **why).run(fn)

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
        return self._decorator(function, lambda _: lambda given: self.retrieval(_only(given), **why))

    def delegate(self, to_agent_id: str, **why: Any) -> Callable[[Function], Function]:
        """Record each call of a function as another agent's work: ``@tracer.delegate("research-agent")``."""
        return cast(
            Callable[[Function], Function],
            self._decorator(None, lambda _: lambda given: self.delegation(to_agent_id, _only(given), **why)),
        )

    def _decorator(self, function: Any, begin: Callable[[str], Begin]) -> Any:
        def decorate(function: Any) -> Any:
            if self._delivery is None:
                return function
            return decorated(function, begin(getattr(function, "__name__", "function")))

        return decorate if function is None else decorate(function)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _why(reasoning: str | None, confidence: float | None) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if reasoning is not None:
        context["reasoning"] = snapshot(reasoning)
    if confidence is not None:
        context["confidence"] = snapshot(confidence)
    return context


def _only(given: dict[str, Any]) -> Any:
    return next(iter(given.values())) if len(given) == 1 else given
