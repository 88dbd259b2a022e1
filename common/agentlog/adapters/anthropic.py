"""Anthropic's client, recorded: messages, those of beta too, sync and async, streamed in either of its two ways or not.

client = record_anthropic(Anthropic(), tracer)
"""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from anthropic import AsyncStream, Stream

from ..recording.prepare.token_usage import counted
from ..recording.prices import Usage
from ..recording.spans.call_spans import LLMCall
from ..tracer import AgentTracer
from .method_wrapper import Asking, Kind, begin_with, dumped, record_method
from .recorded_stream import failing, quiet

Client = TypeVar("Client")

_begin = begin_with("messages", "system")


def record_anthropic(client: Client, tracer: AgentTracer) -> Client:
    """Record each ``messages`` and ``beta.messages`` call of ``client``, an ``Anthropic`` or ``AsyncAnthropic``.

    Returns:
        the same client.
    """
    own: Any = client
    kind = Kind(_begin, _message, _Message, (Stream, AsyncStream))
    for messages in (own.messages, getattr(getattr(own, "beta", None), "messages", None)):
        for name in ("create", "parse"):
            record_method(messages, name, lambda method: Asking(method, tracer, kind))
        record_method(messages, "stream", lambda method: _streaming(method, tracer))
    return client


def _streaming(method: Callable[..., Any], tracer: AgentTracer) -> Callable[..., Any]:
    return lambda *args, **kwargs: _Manager(method(*args, **kwargs), _begin(tracer, kwargs))


def _message(call: LLMCall, answer: Any) -> None:
    call.model = getattr(answer, "model", None) or call.model
    if (usage := counted(getattr(answer, "usage", None))) is not None:
        call.used(usage)
    call.output = _plainest([dumped(block) for block in answer.content])


def _plainest(blocks: Any) -> Any:
    """Content as its text, where it is one block of text."""
    return blocks[0].get("text") if len(blocks) == 1 and blocks[0].get("type") == "text" else blocks


class _Manager:
    """What ``messages.stream`` returns: a ``with`` block around the stream that the library puts together."""

    def __init__(self, manager: Any, call: LLMCall) -> None:
        self._manager, self._call = manager, call
        self._stream: Any = None

    def __enter__(self) -> Any:
        self._call.begin()
        with failing(self._call):
            self._stream = self._manager.__enter__()
        return self._stream

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._manager.__exit__(kind, error, trace)
        self._end(error)

    async def __aenter__(self) -> Any:
        self._call.begin()
        with failing(self._call):
            self._stream = await self._manager.__aenter__()
        return self._stream

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        await self._manager.__aexit__(kind, error, trace)
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        with quiet():  # a stream that was left before its first event has no message
            _message(self._call, self._stream.current_message_snapshot)
        self._call.finish(error)


class _Message:
    """A message from its events."""

    def __init__(self) -> None:
        self._model: str | None = None
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Any) -> None:
        match chunk.type:
            case "message_start":
                self._model = chunk.message.model
                self._usage |= dumped(chunk.message.usage)
            case "content_block_start":
                self._blocks[chunk.index] = dumped(chunk.content_block)
            case "content_block_delta":
                self._grow(self._blocks.setdefault(chunk.index, {}), chunk.delta)
            case "message_delta":
                self._usage |= dumped(chunk.usage)

    def _grow(self, block: dict[str, Any], delta: Any) -> None:
        for name in ("text", "thinking", "partial_json"):
            if (part := getattr(delta, name, None)) is not None:
                block[name] = block.get(name, "") + part

    def put_into(self, call: LLMCall) -> None:
        call.model = self._model or call.model
        usage: Usage | None = counted(self._usage)
        if usage is not None:
            call.used(usage)
        for block in self._blocks.values():
            if "partial_json" in block:
                block["input"] = _read(block.pop("partial_json"))
        call.output = _plainest(list(self._blocks.values()))


def _read(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
