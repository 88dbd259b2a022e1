"""The adapter for LangChain and LangGraph, a callback. It records models, tools and retrievers.

graph.invoke(question, config={"callbacks": [AgentlogCallback(tracer)]})
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from ..recording.prepare.token_usage import get_field, parse_usage
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.span import Span
from ..tracer import AgentTracer
from .recorded_stream import ignore_read_errors

MAX_REMEMBERED_TOOL_CALLS = 10_000
"""How many tool calls that models asked for are remembered. A graph that waits for a human makes them much later."""


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


class AgentlogCallback(BaseCallbackHandler):
    """A callback that records the runs of one session.

    Chains and graph nodes are no events. The runs inside them have the parent of the chain. The parent of a tool call
    is the model's answer that asked for it.

    Args:
        tracer: the tracer that records the runs.

    Raises:
        KafkaError: from the next run, while events can't be delivered and ``on_outage="raise"``.
    """

    raise_error = True
    """Without it, LangChain would hide that events can't be delivered."""
    run_inline = True
    """The callback doesn't block, so LangChain needs no thread for it."""

    def __init__(self, tracer: AgentTracer) -> None:
        self._tracer = tracer
        self._runs: dict[UUID, _Run] = {}
        self._answer_by_tool_call: OrderedDict[str, str] = OrderedDict()

    def _get_span(self, run_id: UUID | None) -> Span | None:
        run = self._runs.get(run_id) if run_id is not None else None
        return run.span if run is not None else None

    def _begin(self, span: Span, run_id: UUID, parent_run_id: UUID | None, cause: str | None = None) -> None:
        span.begin(self._get_span(parent_run_id), cause=cause)
        self._runs[run_id] = _Run(parent_run_id, span, True)

    def _finish(self, run_id: UUID, output: Any = None, error: BaseException | None = None) -> None:
        run = self._runs.pop(run_id, None)
        if run is not None and run.span is not None:
            run.span.output = output
            run.span.finish(error)

    def on_chain_start(self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, **__: Any) -> None:
        """Remember the span around the chain, as the parent of the chain's runs."""
        self._runs[run_id] = _Run(parent_run_id, self._get_span(parent_run_id), False)

    def on_chain_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """Forget the chain."""
        self._runs.pop(run_id, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Forget the chain. If it was cancelled, end its open calls, because LangChain may not report their end.

        Other errors have the event of the run that failed.
        """
        if isinstance(error, asyncio.CancelledError):
            for call_run_id, run in list(self._runs.items()):
                if run.is_call and run_id in self._iter_ancestors(run):
                    self._finish(call_run_id, None, error)
        self._runs.pop(run_id, None)

    def _iter_ancestors(self, run: _Run | None) -> Iterator[UUID]:
        while run is not None and run.parent is not None:
            yield run.parent
            run = self._runs.get(run.parent)

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
        self._begin(self._make_llm_call(serialized, prompt, options), run_id, parent_run_id)

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
        prompt = prompts[0] if len(prompts) == 1 else prompts
        self._begin(self._make_llm_call(serialized, prompt, options), run_id, parent_run_id)

    def _make_llm_call(self, serialized: dict[str, Any] | None, prompt: Any, options: dict[str, Any]) -> LLMCall:
        metadata, params = options.get("metadata"), options.get("invocation_params")
        places = ((metadata, "ls_model_name"), (params, "model"), (params, "model_name"), (params, "_type"))
        names = (get_field(place, name) for place, name in (*places, (serialized, "name")))
        return self._tracer.llm_call(str(next(filter(None, names), "unknown")), prompt)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """End a model call with its answer."""
        self._finish(run_id, self._read_answer(response, run_id))

    def _read_answer(self, response: Any, run_id: UUID) -> Any:
        """Return the messages of ``response``. Set the call's token usage, and remember the tool calls it asks for."""
        output: Any = None
        with ignore_read_errors():
            answers = [generation for batch in response.generations for generation in batch]
            messages = [_format_message(getattr(answer, "message", answer)) for answer in answers]
            output = messages[0] if len(messages) == 1 else messages
            usage = parse_usage(get_field(getattr(answers[0], "message", None), "usage_metadata")) if answers else None
            usage = usage or parse_usage(get_field(response.llm_output, "token_usage"))
            if isinstance(span := self._get_span(run_id), LLMCall) and usage is not None:
                span.set_usage(usage)
        with ignore_read_errors():
            self._remember_tool_calls(response, run_id)
        return output

    def _remember_tool_calls(self, response: Any, run_id: UUID) -> None:
        """Remember the tool calls that a model's answer asks for."""
        span = self._get_span(run_id)
        messages = [getattr(answer, "message", None) for batch in response.generations for answer in batch]
        for call in [call for message in messages for call in get_field(message, "tool_calls") or []]:
            if span is not None and call["id"] is not None:
                self._answer_by_tool_call[call["id"]] = span.event_id
                self._answer_by_tool_call.move_to_end(call["id"])
        while len(self._answer_by_tool_call) > MAX_REMEMBERED_TOOL_CALLS:
            self._answer_by_tool_call.popitem(last=False)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, response: Any = None, **_: Any) -> None:
        """End a failed model call. A stream that the program closed is no error; ``response`` is its part so far."""
        if isinstance(error, GeneratorExit):
            self._finish(run_id, self._read_answer(response, run_id))
        else:
            self._finish(run_id, None, error)

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
        self._begin(call, run_id, parent_run_id, self._answer_by_tool_call.get(options.get("tool_call_id") or ""))
        call.open_scope()

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """End a tool call with its output."""
        self._finish(run_id, getattr(output, "content", output))

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a failed tool call. A tool that waits for a human is no error; LangGraph calls it again later."""
        if type(error).__name__ == "GraphInterrupt":  # by name, because LangGraph may not be installed
            self._finish(run_id, {"interrupted": [get_field(interrupt, "value") for interrupt in error.args[0]]})
        else:
            self._finish(run_id, None, error)

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

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **_: Any) -> None:
        """End a search with the documents found."""
        output = [
            {"text": get_field(each, "page_content"), "metadata": get_field(each, "metadata")} for each in documents
        ]
        self._finish(run_id, output)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """End a failed search."""
        self._finish(run_id, None, error)


def _format_message(message: Any) -> Any:
    """Return a message as its role, content and tool calls; a completed text as a text."""
    content = get_field(message, "content")
    if content is None:
        return get_field(message, "text")
    calls, kind = get_field(message, "tool_calls"), str(get_field(message, "type"))
    role = kind.removesuffix("MessageChunk").lower()  # the type of a streamed message is "AIMessageChunk"
    return {"role": role, "content": content} | ({"tool_calls": calls} if calls else {})
