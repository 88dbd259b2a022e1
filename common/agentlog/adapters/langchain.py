"""The adapter for LangChain and LangGraph, a callback. It records models, tools and retrievers.

graph.invoke(question, config={"callbacks": [AgentlogCallback(tracer)]})
"""

import functools
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from ..errors import AgentlogError
from ..recording.prepare.finish import extract_finish, extract_metadata_finish
from ..recording.prepare.snapshot import is_cancellation
from ..recording.prepare.token_usage import find_service_tier, get_field, parse_usage
from ..recording.spans.call_spans import CallSpan, LLMCall
from ..recording.spans.context import Scope, open_cause
from ..recording.spans.methods import RecordingMethods
from ..recording.spans.span import Span
from .recorded_stream import CLOSED_EARLY, ignore_read_errors

MAX_REMEMBERED = 10_000
"""How many tool calls and answers are remembered. A graph that waits for a human goes on much later."""

_log = logging.getLogger("agentlog.recording")


class _Run(NamedTuple):
    """A run of LangChain.

    Attributes:
        parent: the id of the run around it.
        span: the span of the run; for a chain, the span around it.
        is_call: whether the run is a call itself, and no chain.
    """

    parent: UUID | None
    span: Span | None
    is_call: bool


class _EventIds:
    """The events of things that LangChain names by ids, such as tool calls. Each session has its own ids."""

    def __init__(self) -> None:
        self._ids: OrderedDict[tuple[str, str], str] = OrderedDict()

    def remember(self, name: Any, span: Span) -> None:
        """Remember that the event of ``span`` is that of ``name``."""
        if isinstance(name, str) and name and span.recorder is not None:
            key = span.recorder.author.session_id, name
            self._ids[key] = span.event_id
            self._ids.move_to_end(key)
        while len(self._ids) > MAX_REMEMBERED:
            self._ids.popitem(last=False)

    def find(self, name: Any, span: Span) -> str | None:
        """Return the ``event_id`` for ``name`` in the session of ``span``, or None."""
        return self._ids.get((span.recorder.author.session_id, str(name))) if span.recorder is not None else None


def _never_raise(handler: Callable[..., None]) -> Callable[..., None]:
    """Return ``handler`` so that it raises into the graph only that events can't be delivered."""

    @functools.wraps(handler)
    def guarded(*args: Any, **kwargs: Any) -> None:
        try:
            handler(*args, **kwargs)
        except AgentlogError:
            raise
        except Exception:  # noqa: BLE001  a newer version of LangChain may send something else
            _log.exception("a run of LangChain couldn't be recorded")

    return guarded


class AgentlogCallback(BaseCallbackHandler):
    """A callback that records the runs of one session.

    Chains and graph nodes are no events. The runs inside them have the parent of the chain. The parent of a tool call
    is the model's answer that asked for it.

    Args:
        tracer: the tracer that records the runs; ``agentlog.current()`` for a callback that several sessions share.

    Raises:
        KafkaError, UsageError: from the next run, while events can't be delivered and ``on_outage="raise"``. The latter
            for a capture file.
    """

    raise_error = True
    """Without it, LangChain would hide that events can't be delivered."""
    run_inline = True
    """The callback doesn't block, so LangChain needs no thread for it."""

    def __init__(self, tracer: RecordingMethods) -> None:
        self._tracer = tracer
        self._runs: dict[UUID, _Run] = {}
        self._answers = _EventIds()
        self._tool_calls = _EventIds()
        self._open_causes: dict[UUID | None, Scope | None] = {}

    def _get_span(self, run_id: UUID | None) -> Span | None:
        run = self._runs.get(run_id) if run_id is not None else None
        return run.span if run is not None else None

    def _begin(self, span: Span, run_id: UUID, parent_run_id: UUID | None, cause: str | None = None) -> None:
        span.begin(self._get_span(parent_run_id), cause=cause)
        self._runs[run_id] = _Run(parent_run_id, span, True)

    def _finish(self, run_id: UUID, output: Any = None, error: BaseException | None = None) -> None:
        run = self._runs.pop(run_id, None)
        if run is None or run.span is None:
            return
        run.span.output = output
        if error is not None and _is_control_flow(error):
            run.span.finish_reason, run.span.output = _describe_control_flow(error)
            error = None
        run.span.finish(error)
        if isinstance(run.span, LLMCall) and (scope := self._open_causes.get(self._find_root(run))) is not None:
            scope.cause = run.span.event_id

    def _find_root(self, run: _Run) -> UUID | None:
        """Return the outermost run around ``run``, if there is one."""
        return next(reversed(list(self._iter_ancestors(run))), None)

    def _end_chain(self, run_id: UUID) -> None:
        self._runs.pop(run_id, None)
        self._open_causes.pop(run_id, None)

    @_never_raise
    def on_chain_start(self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, **__: Any) -> None:
        """Remember the span around the chain, as the parent of the chain's runs.

        What follows the outermost chain follows from its last answer.
        """
        self._runs[run_id] = _Run(parent_run_id, self._get_span(parent_run_id), False)
        recorder = self._tracer._recorder
        if parent_run_id is None and recorder is not None:
            # Its end runs in another context, so that what follows it can't be told its cause there.
            recorder.ensure_started()
            self._open_causes[run_id] = open_cause(recorder, recorder.root)

    @_never_raise
    def on_chain_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """Forget the chain."""
        self._end_chain(run_id)

    @_never_raise
    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Forget the chain. If it was cancelled, end its open calls, because LangChain may not report their end.

        Other errors have the event of the run that failed.
        """
        if is_cancellation(error):
            for call_run_id, run in list(self._runs.items()):
                if run.is_call and run_id in self._iter_ancestors(run):
                    self._finish(call_run_id, None, error)
        self._end_chain(run_id)

    def _iter_ancestors(self, run: _Run | None) -> Iterator[UUID]:
        while run is not None and run.parent is not None:
            yield run.parent
            run = self._runs.get(run.parent)

    @_never_raise
    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **options: Any,
    ) -> None:
        """Begin a call of a chat model."""
        prompt = [_format_message(message) for batch in messages for message in batch]
        call = self._make_llm_call(serialized, prompt, options)
        self._begin(call, run_id, parent_run_id, self._find_cause(messages, call))

    def _find_cause(self, messages: list[list[Any]], call: LLMCall) -> str | None:
        """Return the event that an answer follows from: the last message's, if that is a tool's result or an answer."""
        last = messages[0][-1] if len(messages) == 1 and messages[0] else None
        if (tool_call_id := get_field(last, "tool_call_id")) is not None:
            return self._tool_calls.find(tool_call_id, call)
        is_answer = str(get_field(last, "type")).startswith(("ai", "AI"))
        return self._answers.find(get_field(last, "id"), call) if is_answer else None

    @_never_raise
    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **options: Any,
    ) -> None:
        """Begin a call of a model that completes texts."""
        prompt = prompts[0] if prompts and len(prompts) == 1 else prompts
        self._begin(self._make_llm_call(serialized, prompt, options), run_id, parent_run_id)

    def _make_llm_call(self, serialized: dict[str, Any] | None, prompt: Any, options: dict[str, Any]) -> LLMCall:
        metadata, params = options.get("metadata"), options.get("invocation_params")
        places = ((metadata, "ls_model_name"), (params, "model"), (params, "model_name"), (params, "_type"))
        names = (get_field(place, name) for place, name in (*places, (serialized, "name")))
        return self._tracer.llm_call(str(next(filter(None, names), "unknown")), prompt)

    @_never_raise
    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """End a model call with its answer."""
        self._finish(run_id, self._read_answer(response, run_id))

    def _read_answer(self, response: Any, run_id: UUID) -> Any:
        """Return the messages of ``response``. Set the call's tokens and finish, and remember what it asks for."""
        output: Any = None
        span = self._get_span(run_id)
        with ignore_read_errors():
            answers = [generation for batch in response.generations for generation in batch]
            messages = [_format_message(getattr(answer, "message", answer)) for answer in answers]
            output = messages[0] if len(messages) == 1 else messages
            if isinstance(span, LLMCall) and answers:
                _set_usage(span, answers[0], response)
                _set_finish(span, answers[0])
        with ignore_read_errors():
            for answer in [answer for batch in response.generations for answer in batch]:
                if span is not None:
                    self._remember_answer(getattr(answer, "message", None), span)
        return output

    def _remember_answer(self, message: Any, span: Span) -> None:
        """Remember a model's answer and the tool calls that it asks for."""
        self._answers.remember(get_field(message, "id"), span)
        for call in get_field(message, "tool_calls") or []:
            self._answers.remember(call["id"], span)

    @_never_raise
    def on_llm_error(self, error: BaseException, *, run_id: UUID, response: Any = None, **_: Any) -> None:
        """End a failed model call. A stream that the program closed is no error; ``response`` is its part so far."""
        if isinstance(error, GeneratorExit):
            output = self._read_answer(response, run_id)
            if isinstance(span := self._get_span(run_id), LLMCall) and span.finish_reason is None:
                span.finish_reason = CLOSED_EARLY
            self._finish(run_id, output)
        else:
            self._finish(run_id, None, error)

    @_never_raise
    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Begin a tool call."""
        name = str((serialized or {}).get("name") or "tool")
        call = self._tracer.tool_call(name, input_str if inputs is None else inputs)
        tool_call_id = options.get("tool_call_id")
        self._begin(call, run_id, parent_run_id, self._answers.find(tool_call_id, call))
        self._tool_calls.remember(tool_call_id, call)
        call.open_scope()

    @_never_raise
    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """End a tool call with its output. A message with the status ``error`` is an error that was handled."""
        error, span = _find_handled_error(output), self._get_span(run_id)
        if error is not None and isinstance(span, CallSpan):
            span.error = error
            self._finish(run_id)
        else:
            self._finish(run_id, getattr(output, "content", output))

    @_never_raise
    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a failed tool call. A tool that waits for a human, or leaves its graph, is no error."""
        self._finish(run_id, None, error)

    def on_interrupt(self, *_: Any, **__: Any) -> None:
        """Do nothing. Some versions of LangGraph tell each callback of a pause, and the paused call says so itself."""

    def on_resume(self, *_: Any, **__: Any) -> None:
        """Do nothing. The calls that follow say that the graph goes on."""

    @_never_raise
    def on_retriever_start(
        self,
        serialized: dict[str, Any],  # noqa: ARG002  LangChain's signature
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **_: Any,
    ) -> None:
        """Begin a search."""
        self._begin(self._tracer.retrieval(query), run_id, parent_run_id)

    @_never_raise
    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **_: Any) -> None:
        """End a search with the documents found."""
        output = [
            {"text": get_field(each, "page_content"), "metadata": get_field(each, "metadata")}
            for each in documents or ()
        ]
        self._finish(run_id, output)

    @_never_raise
    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a failed search."""
        self._finish(run_id, None, error)


def _set_usage(span: LLMCall, answer: Any, response: Any) -> None:
    message = getattr(answer, "message", None)
    usage = parse_usage(get_field(message, "usage_metadata"), find_service_tier(message))
    usage = usage or parse_usage(get_field(get_field(response, "llm_output"), "token_usage"))
    if usage is not None:
        span.set_usage(usage)


def _set_finish(span: LLMCall, answer: Any) -> None:
    finish = extract_finish(getattr(answer, "message", None))
    if finish.reason is None:
        finish = extract_metadata_finish(get_field(answer, "generation_info"))
    if finish.reason is None and get_field(getattr(answer, "message", None), "tool_calls"):
        finish = finish._replace(reason="tool_calls")
    span.finish_reason, span.error = finish.reason, finish.error


def _is_control_flow(error: BaseException) -> bool:
    """Return whether LangGraph ends a tool by ``error`` without an error: a pause, or a hand-over to another graph."""
    return any(kind.__name__ == "GraphBubbleUp" for kind in type(error).__mro__)  # LangGraph may not be installed


def _describe_control_flow(error: BaseException) -> tuple[str, Any]:
    """Return the finish reason and the output of a call that LangGraph ended by ``error``."""
    first = error.args[0] if error.args else None
    if any(kind.__name__ == "ParentCommand" for kind in type(error).__mro__):
        return "handed_over", first
    values = [get_field(each, "value") for each in first] if isinstance(first, list | tuple) else [first]
    return "interrupted", {"interrupted": values if first is not None else []}


def _find_handled_error(output: Any) -> str | None:
    """Return what a tool said that failed and whose error was handled; None if it didn't fail.

    The output is a message, a list of messages, or a command that brings messages into the graph.
    """
    update = get_field(output, "update")
    brought = get_field(update, "messages") if update is not None else output
    for message in brought if isinstance(brought, list | tuple) else [brought]:
        if get_field(message, "status") == "error" and get_field(message, "tool_call_id") is not None:
            content = get_field(message, "content")
            parts = content if isinstance(content, list) else [content]
            return "\n".join(str(get_field(part, "text") or part) for part in parts) or "error"
    return None


def _format_message(message: Any) -> Any:
    """Return a message as its role, content and tool calls, broken ones too; a completed text as a text."""
    content = get_field(message, "content")
    if content is None:
        return get_field(message, "text")
    fields = {name: get_field(message, name) for name in ("tool_calls", "invalid_tool_calls")}
    kind = str(get_field(message, "type"))
    role = kind.removesuffix("MessageChunk").lower()  # the type of a streamed message is "AIMessageChunk"
    return {"role": role, "content": content} | {name: value for name, value in fields.items() if value}
