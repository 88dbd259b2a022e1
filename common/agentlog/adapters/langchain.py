"""LangChain and LangGraph, recorded by a callback: models, tools and retrievers, under the runs that they belong to.

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
"""So many tool calls that models asked for are kept in mind: a graph that waits for a human makes them much later."""


class _Run(NamedTuple):
    """A run of LangChain's: the run that it is part of, and the call that it is, or that a chain belongs to."""

    parent: UUID | None
    span: Span | None
    is_call: bool


class AgentlogCallback(BaseCallbackHandler):
    """Records the runs of one session; chains and graph nodes are no events, what runs in them follows from around.

    A tool's call follows from the answer of the model that asked for it.

    Raises:
        KafkaError: from what is to run next, while events can't be delivered and ``on_outage="raise"``.
    """

    raise_error = True
    """Else LangChain would keep to itself that events can't be delivered."""
    run_inline = True
    """Nothing here blocks, so no thread is needed for it."""

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
        """Pass on to the chain's runs what it belongs to."""
        self._runs[run_id] = _Run(parent_run_id, self._get_span(parent_run_id), False)

    def on_chain_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """Forget the chain."""
        self._runs.pop(run_id, None)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """Forget the chain: what failed in it has its own event. A call cancelled with it may get no other end."""
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
        """A chat model is asked."""
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
        """A model that completes texts is asked."""
        prompt = prompts[0] if len(prompts) == 1 else prompts
        self._begin(self._make_llm_call(serialized, prompt, options), run_id, parent_run_id)

    def _make_llm_call(self, serialized: dict[str, Any] | None, prompt: Any, options: dict[str, Any]) -> LLMCall:
        metadata, params = options.get("metadata"), options.get("invocation_params")
        places = ((metadata, "ls_model_name"), (params, "model"), (params, "model_name"), (params, "_type"))
        names = (get_field(place, name) for place, name in (*places, (serialized, "name")))
        return self._tracer.llm_call(str(next(filter(None, names), "unknown")), prompt)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """A model answered."""
        self._finish(run_id, self._read_answer(response, run_id))

    def _read_answer(self, response: Any, run_id: UUID) -> Any:
        """The messages of ``response``; what the call used and asks for is taken from it, too."""
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
        """Keep in mind which tool calls a model's answer asks for."""
        span = self._get_span(run_id)
        messages = [getattr(answer, "message", None) for batch in response.generations for answer in batch]
        for call in [call for message in messages for call in get_field(message, "tool_calls") or []]:
            if span is not None and call["id"] is not None:
                self._answer_by_tool_call[call["id"]] = span.event_id
                self._answer_by_tool_call.move_to_end(call["id"])
        while len(self._answer_by_tool_call) > MAX_REMEMBERED_TOOL_CALLS:
            self._answer_by_tool_call.popitem(last=False)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, response: Any = None, **_: Any) -> None:
        """A model failed, or its stream was left: that is no error, and ``response`` is what had come by then."""
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
        """A tool is called."""
        name = str((serialized or {}).get("name") or "tool")
        call = self._tracer.tool_call(name, input_str if inputs is None else inputs)
        self._begin(call, run_id, parent_run_id, self._answer_by_tool_call.get(options.get("tool_call_id") or ""))
        call.open_scope()

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """A tool answered."""
        self._finish(run_id, getattr(output, "content", output))

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A tool failed, or waits for a human: that is no error, and LangGraph calls it anew with the answer."""
        if type(error).__name__ == "GraphInterrupt":  # LangGraph needn't be there
            self._finish(run_id, {"interrupted": [get_field(one, "value") for one in error.args[0]]})
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
        """A search begins."""
        self._begin(self._tracer.retrieval(query), run_id, parent_run_id)

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **_: Any) -> None:
        """A search found something."""
        found = [{"text": get_field(one, "page_content"), "metadata": get_field(one, "metadata")} for one in documents]
        self._finish(run_id, found)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A search failed."""
        self._finish(run_id, None, error)


def _format_message(message: Any) -> Any:
    """A message by its role, content and tool calls; a completed text as such."""
    content = get_field(message, "content")
    if content is None:
        return get_field(message, "text")
    calls, kind = get_field(message, "tool_calls"), str(get_field(message, "type"))
    role = kind.removesuffix("MessageChunk").lower()  # a streamed message is named after its chunks
    return {"role": role, "content": content} | ({"tool_calls": calls} if calls else {})
