"""The adapter for OpenAI's client. It records chat completions and responses, sync and async, streamed or not.

client = record_openai(OpenAI(), tracer)
"""

from typing import Any, TypeVar

from openai import AsyncStream, Stream

from ..recording.prepare.token_usage import parse_usage
from ..recording.spans.call_spans import LLMCall
from ..tracer import AgentTracer
from .method_wrapper import MethodKind, RecordedMethod, dump_model, make_begin, record_method

Client = TypeVar("Client")

STREAM_CLASSES = (Stream, AsyncStream)


def record_openai(client: Client, tracer: AgentTracer) -> Client:
    """Record each ``chat.completions`` and ``responses`` call of a client, also of ``client.beta``.

    A streamed chat reports its tokens only if ``stream_options={"include_usage": True}`` asks for them.

    Args:
        client: an ``OpenAI`` or ``AsyncOpenAI``.
        tracer: the tracer that records the calls.

    Returns:
        the same client.
    """
    untyped_client: Any = client
    chat = MethodKind(make_begin("messages"), _set_chat_answer, _ChatCollector, STREAM_CLASSES)
    response = MethodKind(make_begin("input", "instructions"), _set_response_answer, _ResponseCollector, STREAM_CLASSES)
    for namespace in (untyped_client, untyped_client.beta):
        for name in ("create", "parse"):
            record_method(namespace.chat.completions, name, lambda method: RecordedMethod(method, tracer, chat))
            record_method(
                getattr(namespace, "responses", None), name, lambda method: RecordedMethod(method, tracer, response)
            )
    return client


def _set_model_and_usage(call: LLMCall, answer: Any) -> None:
    call.model = getattr(answer, "model", None) or call.model
    if (usage := parse_usage(getattr(answer, "usage", None))) is not None:
        call.set_usage(usage)


def _set_chat_answer(call: LLMCall, answer: Any) -> None:
    _set_model_and_usage(call, answer)
    messages = [simplify_message(dump_model(choice.message)) for choice in getattr(answer, "choices", None) or []]
    call.output = messages[0] if len(messages) == 1 else messages or dump_model(answer)


def simplify_message(message: dict[str, Any]) -> Any:
    """Return a chat message as text if it holds only text; else the message."""
    other_fields = {name: value for name, value in message.items() if name not in ("role", "content") and value}
    return message if other_fields else message.get("content")


def _set_response_answer(call: LLMCall, answer: Any) -> None:
    _set_model_and_usage(call, answer)
    call.output = extract_response_output(answer)


def extract_response_output(answer: Any) -> Any:
    """Return a response's output as text if it holds only text; else its items."""
    output = dump_model(answer).get("output") if hasattr(answer, "output") else dump_model(answer)
    kinds = {item.get("type") for item in output} if isinstance(output, list) else set()
    return answer.output_text if kinds == {"message"} else output


class _ChatCollector:
    """A collector that puts a chat completion together from its chunks. It keeps the first of several choices."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._tools: dict[int, dict[str, Any]] = {}
        self._last: Any = None
        self._usage: Any = None

    def add(self, chunk: Any) -> None:
        self._last = chunk
        self._usage = getattr(chunk, "usage", None) or self._usage
        for choice in (choice for choice in chunk.choices if choice.index == 0):
            self._text += [choice.delta.content] if choice.delta.content else []
            for part in choice.delta.tool_calls or []:
                tool = self._tools.setdefault(part.index, {"type": "function", "function": {"arguments": ""}})
                tool |= {"id": part.id} if part.id else {}
                tool["function"] |= {"name": part.function.name} if part.function.name else {}
                tool["function"]["arguments"] += part.function.arguments or ""

    def apply_to(self, call: LLMCall) -> None:
        call.model = getattr(self._last, "model", None) or call.model
        if (usage := parse_usage(self._usage)) is not None:
            call.set_usage(usage)
        tools = {"tool_calls": list(self._tools.values())} if self._tools else {}
        call.output = simplify_message({"role": "assistant", "content": "".join(self._text), **tools})


class _ResponseCollector:
    """A collector that takes a response from its events. The last event holds the whole response."""

    def __init__(self) -> None:
        self._answer: Any = None
        self._text: list[str] = []

    def add(self, chunk: Any) -> None:
        self._answer = getattr(chunk, "response", None) or self._answer
        if chunk.type == "response.output_text.delta":
            self._text.append(chunk.delta)

    def apply_to(self, call: LLMCall) -> None:
        if self._answer is not None:
            _set_response_answer(call, self._answer)
        call.output = call.output or "".join(self._text)
