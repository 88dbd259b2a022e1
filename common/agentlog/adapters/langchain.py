"""LangChain and LangGraph, recorded by a callback: models, tools and retrievers, under the runs that they belong to.

graph.invoke(question, config={"callbacks": [AgentlogCallback(tracer)]})
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler

from ..recording.calls import LLMCall
from ..recording.span import Span
from ..recording.usage import counted, field
from ..tracer import AgentTracer
from .streams import quiet


class AgentlogCallback(BaseCallbackHandler):
    """Records the runs of one session; chains and graph nodes are no events, what runs in them follows from around.

    Raises:
        KafkaError: from what is to run next, while events can't be delivered and ``on_outage="raise"``.
    """

    raise_error = True
    """Else LangChain would keep to itself that events can't be delivered."""
    run_inline = True
    """Nothing here blocks, so no thread is needed for it."""

    def __init__(self, tracer: AgentTracer) -> None:
        self._tracer = tracer
        self._spans: dict[UUID, Span | None] = {}

    def _begin(self, span: Span, run_id: UUID, parent_run_id: UUID | None) -> None:
        span.begin(self._spans.get(parent_run_id) if parent_run_id is not None else None)
        self._spans[run_id] = span

    def _finish(self, run_id: UUID, output: Any = None, error: BaseException | None = None) -> None:
        span = self._spans.pop(run_id, None)
        if span is not None:
            span.output = output
            span.finish(error)

    def on_chain_start(self, *_: Any, run_id: UUID, parent_run_id: UUID | None = None, **__: Any) -> None:
        """Pass on to the chain's runs what it belongs to."""
        self._spans[run_id] = self._spans.get(parent_run_id) if parent_run_id is not None else None

    def on_chain_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """Forget the chain."""
        self._spans.pop(run_id, None)

    def on_chain_error(self, *_: Any, run_id: UUID, **__: Any) -> None:
        """Forget the chain: what failed in it has its own event."""
        self._spans.pop(run_id, None)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **told: Any,
    ) -> None:
        """A chat model is asked."""
        asked = [_message(message) for batch in messages for message in batch]
        self._begin(self._llm(serialized, asked, told), run_id, parent_run_id)

    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **told: Any,
    ) -> None:
        """A model that completes texts is asked."""
        asked = prompts[0] if len(prompts) == 1 else prompts
        self._begin(self._llm(serialized, asked, told), run_id, parent_run_id)

    def _llm(self, serialized: dict[str, Any] | None, asked: Any, told: dict[str, Any]) -> LLMCall:
        metadata, params = told.get("metadata"), told.get("invocation_params")
        places = ((metadata, "ls_model_name"), (params, "model"), (params, "model_name"), (params, "_type"))
        names = (field(place, name) for place, name in (*places, (serialized, "name")))
        return self._tracer.llm_call(str(next(filter(None, names), "unknown")), asked)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """A model answered."""
        output: Any = None
        with quiet():
            answers = [generation for batch in response.generations for generation in batch]
            messages = [_message(getattr(answer, "message", answer)) for answer in answers]
            output = messages[0] if len(messages) == 1 else messages
            usage = counted(field(getattr(answers[0], "message", None), "usage_metadata")) if answers else None
            usage = usage or counted(field(response.llm_output, "token_usage"))
            if isinstance(span := self._spans.get(run_id), LLMCall) and usage is not None:
                span.used(usage)
        self._finish(run_id, output)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A model failed."""
        self._finish(run_id, None, error)

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """A tool is called."""
        name = str((serialized or {}).get("name") or "tool")
        self._begin(self._tracer.tool_call(name, input_str if inputs is None else inputs), run_id, parent_run_id)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """A tool answered."""
        self._finish(run_id, getattr(output, "content", output))

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A tool failed."""
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
        found = [{"text": field(one, "page_content"), "metadata": field(one, "metadata")} for one in documents]
        self._finish(run_id, found)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A search failed."""
        self._finish(run_id, None, error)


def _message(message: Any) -> Any:
    """A message by its role, content and tool calls; a completed text as such."""
    content = field(message, "content")
    if content is None:
        return field(message, "text")
    calls = field(message, "tool_calls")
    return {"role": field(message, "type"), "content": content} | ({"tool_calls": calls} if calls else {})
