"""OpenAI's client, recorded: chat completions and responses, sync and async, streamed or not.

client = record_openai(OpenAI(), tracer)
"""

from typing import Any, TypeVar

from openai import AsyncStream, Stream

from ..recording.prepare.token_usage import counted
from ..recording.spans.call_spans import LLMCall
from ..tracer import AgentTracer
from .method_wrapper import Asking, Kind, begin_with, dumped, record_method

Client = TypeVar("Client")

STREAMS = (Stream, AsyncStream)


def record_openai(client: Client, tracer: AgentTracer) -> Client:
    """Record each ``chat.completions`` and ``responses`` call of ``client``, an ``OpenAI`` or ``AsyncOpenAI``.

    Those of ``client.beta`` are recorded, too.

    A streamed chat tells its tokens only where ``stream_options={"include_usage": True}`` asks for them.

    Returns:
        the same client.
    """
    own: Any = client
    chat = Kind(begin_with("messages"), _chat, _Chat, STREAMS)
    response = Kind(begin_with("input", "instructions"), _response, _Response, STREAMS)
    for place in (own, own.beta):
        for name in ("create", "parse"):
            record_method(place.chat.completions, name, lambda method: Asking(method, tracer, chat))
            record_method(getattr(place, "responses", None), name, lambda method: Asking(method, tracer, response))
    return client


def _told(call: LLMCall, answer: Any) -> None:
    call.model = getattr(answer, "model", None) or call.model
    if (usage := counted(getattr(answer, "usage", None))) is not None:
        call.used(usage)


def _chat(call: LLMCall, answer: Any) -> None:
    _told(call, answer)
    messages = [plainest(dumped(choice.message)) for choice in getattr(answer, "choices", None) or []]
    call.output = messages[0] if len(messages) == 1 else messages or dumped(answer)


def plainest(message: dict[str, Any]) -> Any:
    """A message of a chat as its text, where it is nothing but text."""
    rest = {name: value for name, value in message.items() if name not in ("role", "content") and value}
    return message if rest else message.get("content")


def _response(call: LLMCall, answer: Any) -> None:
    _told(call, answer)
    call.output = response_output(answer)


def response_output(answer: Any) -> Any:
    """What a response says: its text, where it is nothing but text."""
    output = dumped(answer).get("output") if hasattr(answer, "output") else dumped(answer)
    kinds = {item.get("type") for item in output} if isinstance(output, list) else set()
    return answer.output_text if kinds == {"message"} else output


class _Chat:
    """A chat completion from its chunks; of several choices the first."""

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

    def put_into(self, call: LLMCall) -> None:
        call.model = getattr(self._last, "model", None) or call.model
        if (usage := counted(self._usage)) is not None:
            call.used(usage)
        tools = {"tool_calls": list(self._tools.values())} if self._tools else {}
        call.output = plainest({"role": "assistant", "content": "".join(self._text), **tools})


class _Response:
    """A response from its events: its last one holds all."""

    def __init__(self) -> None:
        self._answer: Any = None
        self._text: list[str] = []

    def add(self, chunk: Any) -> None:
        self._answer = getattr(chunk, "response", None) or self._answer
        if chunk.type == "response.output_text.delta":
            self._text.append(chunk.delta)

    def put_into(self, call: LLMCall) -> None:
        if self._answer is not None:
            _response(call, self._answer)
        call.output = call.output or "".join(self._text)
