"""The adapter for Anthropic's client. It records messages, also of ``beta``, sync and async, streamed or not.

client = record_anthropic(Anthropic(), tracer)
"""

from collections.abc import Callable
from typing import Any, TypeVar

from anthropic import AsyncStream, Stream

from ..recording.prepare.token_usage import parse_usage
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.methods import RecordingMethods
from .answer_parts import join_pieces, merge_delta, parse_arguments
from .method_wrapper import MethodKind, RecordedMethod, dump_model, make_begin, record_method
from .recorded_stream import CLOSED_EARLY, finish_on_error, ignore_read_errors

Client = TypeVar("Client")

_begin = make_begin("messages", "system")


def record_anthropic(client: Client, tracer: RecordingMethods) -> Client:
    """Record each ``messages`` and ``beta.messages`` call of a client.

    Args:
        client: an ``Anthropic`` or ``AsyncAnthropic``.
        tracer: the tracer that records the calls; ``agentlog.current()`` for a client that several sessions share.

    Returns:
        the same client.

    Raises:
        UsageError: another tracer records the client already.
    """
    untyped_client: Any = client
    kind = MethodKind(_begin, _set_answer, _MessageCollector, (Stream, AsyncStream))
    for messages in (untyped_client.messages, getattr(getattr(untyped_client, "beta", None), "messages", None)):
        for name in ("create", "parse"):
            record_method(messages, name, tracer, lambda method: RecordedMethod(method, tracer, kind))
        record_method(messages, "stream", tracer, lambda method: _record_stream_method(method, tracer))
    return client


def _record_stream_method(method: Callable[..., Any], tracer: RecordingMethods) -> Callable[..., Any]:
    return lambda *args, **kwargs: _RecordedStreamManager(method(*args, **kwargs), _begin(tracer, kwargs))


def _set_answer(call: LLMCall, answer: Any) -> None:
    call.model = getattr(answer, "model", None) or call.model
    _set_usage(call, getattr(answer, "usage", None), is_final=getattr(answer, "stop_reason", None) is not None)
    call.set_finish(answer)
    call.output = _simplify_content([dump_model(block) for block in answer.content])


def _set_usage(call: LLMCall, usage: Any, *, is_final: bool) -> None:
    """Set the tokens. Only the end of a stream says how many the answer had, so until then they are unknown."""
    if (token_usage := parse_usage(usage)) is not None:
        call.set_usage(token_usage)
        if not is_final:
            call.output_tokens = None


def _simplify_content(blocks: Any) -> Any:
    """Return content as text if it is a single block of text without citations; else the blocks."""
    is_text = len(blocks) == 1 and blocks[0].get("type") == "text" and not blocks[0].get("citations")
    return blocks[0].get("text") if is_text else blocks


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
        if error is None and self._call.finish_reason is None:
            self._call.finish_reason = CLOSED_EARLY
        self._call.finish(error)


class _MessageCollector:
    """A collector that puts a message together from its stream events."""

    def __init__(self) -> None:
        self._model: str | None = None
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._stop_reason: str | None = None

    def add(self, chunk: Any) -> None:
        match chunk.type:
            case "message_start":
                self._model = chunk.message.model
                self._usage |= dump_model(chunk.message.usage)
            case "content_block_start":
                block = self._blocks[chunk.index] = {}
                merge_delta(block, dump_model(chunk.content_block))
            case "content_block_delta":
                _extend_block(self._blocks.setdefault(chunk.index, {}), dump_model(chunk.delta))
            case "message_delta":
                self._stop_reason = chunk.delta.stop_reason or self._stop_reason
                self._usage |= {
                    name: value for name, value in dump_model(chunk.usage).items() if value or not self._usage.get(name)
                }

    def apply_to(self, call: LLMCall) -> None:
        call.model = self._model or call.model
        _set_usage(call, self._usage, is_final=self._stop_reason is not None)
        call.set_finish({"stop_reason": self._stop_reason})
        blocks = [join_pieces(block) for _, block in sorted(self._blocks.items())]
        for block in blocks:
            if text := block.pop("partial_json", ""):
                block["input"] = parse_arguments(text)
        call.output = _simplify_content(blocks)


def _extend_block(block: dict[str, Any], delta: dict[str, Any]) -> None:
    """Add a delta to its block: a citation to the list, a signature in place of an earlier one, a text behind it."""
    kind = delta.pop("type", None)
    if kind == "citations_delta":
        block.setdefault("citations", []).append(delta["citation"])
    elif kind == "signature_delta":
        block["signature"] = delta["signature"]
    else:
        merge_delta(block, delta)
