"""The adapter for Anthropic's client. It records messages, also of ``beta``, sync and async, streamed or not.

client = record_anthropic(Anthropic(), tracer)
"""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from anthropic import AsyncStream, Stream

from ..recording.prepare.token_usage import parse_usage
from ..recording.prices import Usage
from ..recording.spans.call_spans import LLMCall
from ..tracer import AgentTracer
from .method_wrapper import MethodKind, RecordedMethod, dump_model, make_begin, record_method
from .recorded_stream import finish_on_error, ignore_read_errors

Client = TypeVar("Client")

_begin = make_begin("messages", "system")


def record_anthropic(client: Client, tracer: AgentTracer) -> Client:
    """Record each ``messages`` and ``beta.messages`` call of a client.

    Args:
        client: an ``Anthropic`` or ``AsyncAnthropic``.
        tracer: the tracer that records the calls.

    Returns:
        the same client.
    """
    untyped_client: Any = client
    kind = MethodKind(_begin, _set_answer, _MessageCollector, (Stream, AsyncStream))
    for messages in (untyped_client.messages, getattr(getattr(untyped_client, "beta", None), "messages", None)):
        for name in ("create", "parse"):
            record_method(messages, name, lambda method: RecordedMethod(method, tracer, kind))
        record_method(messages, "stream", lambda method: _record_stream_method(method, tracer))
    return client


def _record_stream_method(method: Callable[..., Any], tracer: AgentTracer) -> Callable[..., Any]:
    return lambda *args, **kwargs: _RecordedStreamManager(method(*args, **kwargs), _begin(tracer, kwargs))


def _set_answer(call: LLMCall, answer: Any) -> None:
    call.model = getattr(answer, "model", None) or call.model
    if (usage := parse_usage(getattr(answer, "usage", None))) is not None:
        call.set_usage(usage)
    call.output = _simplify_content([dump_model(block) for block in answer.content])


def _simplify_content(blocks: Any) -> Any:
    """Return content as text if it is a single block of text; else the blocks."""
    return blocks[0].get("text") if len(blocks) == 1 and blocks[0].get("type") == "text" else blocks


class _RecordedStreamManager:
    """The recorded result of ``messages.stream``, a ``with`` block around the library's stream helper."""

    def __init__(self, manager: Any, call: LLMCall) -> None:
        self._manager, self._call = manager, call
        self._stream: Any = None

    def __enter__(self) -> Any:
        self._call.begin()
        with finish_on_error(self._call):
            self._stream = self._manager.__enter__()
        return self._stream

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._manager.__exit__(kind, error, trace)
        self._end(error)

    async def __aenter__(self) -> Any:
        self._call.begin()
        with finish_on_error(self._call):
            self._stream = await self._manager.__aenter__()
        return self._stream

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        await self._manager.__aexit__(kind, error, trace)
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        with ignore_read_errors():  # a stream that was closed before its first event has no message
            _set_answer(self._call, self._stream.current_message_snapshot)
        self._call.finish(error)


class _MessageCollector:
    """A collector that puts a message together from its stream events."""

    def __init__(self) -> None:
        self._model: str | None = None
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}

    def add(self, chunk: Any) -> None:
        match chunk.type:
            case "message_start":
                self._model = chunk.message.model
                self._usage |= dump_model(chunk.message.usage)
            case "content_block_start":
                self._blocks[chunk.index] = dump_model(chunk.content_block)
            case "content_block_delta":
                self._extend_block(self._blocks.setdefault(chunk.index, {}), chunk.delta)
            case "message_delta":
                self._usage |= dump_model(chunk.usage)

    def _extend_block(self, block: dict[str, Any], delta: Any) -> None:
        for name in ("text", "thinking", "partial_json"):
            if (part := getattr(delta, name, None)) is not None:
                block[name] = block.get(name, "") + part

    def apply_to(self, call: LLMCall) -> None:
        call.model = self._model or call.model
        usage: Usage | None = parse_usage(self._usage)
        if usage is not None:
            call.set_usage(usage)
        for block in self._blocks.values():
            if "partial_json" in block:
                block["input"] = _parse_json(block.pop("partial_json"))
        call.output = _simplify_content(list(self._blocks.values()))


def _parse_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
