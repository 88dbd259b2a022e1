"""The adapter for OpenAI's client. It records chat completions and responses, sync and async, streamed or not.

client = record_openai(OpenAI(), tracer)
"""

from typing import Any, TypeVar

from openai import AsyncStream, Stream

from ..recording.prepare.finish import describe_error
from ..recording.prepare.token_usage import find_service_tier, parse_usage
from ..recording.spans.call_spans import LLMCall
from ..recording.spans.methods import RecordingMethods
from .answer_parts import join_pieces, merge_delta, merge_tool_call
from .background_responses import UNFINISHED, BackgroundResponses
from .method_wrapper import MethodKind, RecordedMethod, dump_model, make_begin, record_method

Client = TypeVar("Client")

STREAM_CLASSES = (Stream, AsyncStream)


def record_openai(client: Client, tracer: RecordingMethods) -> Client:
    """Record each ``chat.completions`` and ``responses`` call of a client, also of ``client.beta``.

    A streamed chat reports its tokens only if ``stream_options={"include_usage": True}`` asks for them.

    Args:
        client: an ``OpenAI`` or ``AsyncOpenAI``.
        tracer: the tracer that records the calls; ``agentlog.current()`` for a client that several sessions share.

    Returns:
        the same client.

    Raises:
        UsageError: another tracer records the client already.
    """
    untyped_client: Any = client
    chat = MethodKind(make_begin("messages"), _set_chat_answer, _ChatCollector, STREAM_CLASSES)
    background = BackgroundResponses(tracer)
    response = MethodKind(
        make_begin("input", "instructions"),
        lambda call, answer: _set_response_answer(call, answer, background),
        lambda: _ResponseCollector(background),
        STREAM_CLASSES,
    )
    for namespace in (untyped_client, untyped_client.beta):
        for name in ("create", "parse"):
            record_method(namespace.chat.completions, name, tracer, lambda method: RecordedMethod(method, tracer, chat))
            responses = getattr(namespace, "responses", None)
            record_method(responses, name, tracer, lambda method: RecordedMethod(method, tracer, response))
    for name in ("retrieve", "cancel"):
        record_method(untyped_client.responses, name, tracer, lambda method: background.record_fetch(method, response))
    return client


def _set_model_and_usage(call: LLMCall, answer: Any) -> None:
    call.model = getattr(answer, "model", None) or call.model
    if (usage := parse_usage(getattr(answer, "usage", None), find_service_tier(answer))) is not None:
        call.set_usage(usage)


def _set_chat_answer(call: LLMCall, answer: Any) -> None:
    _set_model_and_usage(call, answer)
    call.set_finish(answer)
    messages = [simplify_message(dump_model(choice.message)) for choice in getattr(answer, "choices", None) or []]
    call.output = messages[0] if len(messages) == 1 else messages or dump_model(answer)


def simplify_message(message: dict[str, Any]) -> Any:
    """Return a chat message as text if it holds only text; else the message."""
    other_fields = {name: value for name, value in message.items() if name not in ("role", "content") and value}
    return message if other_fields else message.get("content")


def _set_response_answer(call: LLMCall, answer: Any, background: BackgroundResponses) -> None:
    background.remember(call, answer)
    _set_model_and_usage(call, answer)
    call.set_finish(answer)
    call.output = extract_response_output(answer)


def extract_response_output(answer: Any) -> Any:
    """Return a response's output as text if it holds only text; else its items."""
    output = dump_model(answer).get("output") if hasattr(answer, "output") else dump_model(answer)
    return simplify_items(output) if isinstance(output, list) else output


def simplify_items(items: list[Any]) -> Any:
    """Return a response's items as text if they hold only text; else the items."""
    if not items or not all(isinstance(item, dict) and item.get("type") == "message" for item in items):
        return items
    parts = [part for item in items for part in item.get("content") or ()]
    has_only_text = all(part.get("type") == "output_text" and not part.get("annotations") for part in parts)
    return "".join(part.get("text") or "" for part in parts) if has_only_text else items


class _ChatCollector:
    """A collector that puts a chat completion together from its chunks."""

    def __init__(self) -> None:
        self._messages: dict[int, dict[str, Any]] = {}
        self._finish: dict[int, str] = {}
        self._last: Any = None
        self._usage: Any = None
        self._service_tier: Any = None

    def add(self, chunk: Any) -> None:
        self._last = chunk
        self._service_tier = find_service_tier(chunk) or self._service_tier
        self._usage = getattr(chunk, "usage", None) or self._usage
        for choice in chunk.choices or ():
            index = choice.index or 0
            self._usage = getattr(choice, "usage", None) or self._usage
            if choice.finish_reason:
                self._finish[index] = choice.finish_reason
            delta = dump_model(choice.delta) or {}
            message = self._messages.setdefault(index, {"role": "assistant"})
            for part in delta.pop("tool_calls", None) or ():
                merge_tool_call(message.setdefault("tool_calls", []), part)
            merge_delta(message, delta)

    def apply_to(self, call: LLMCall) -> None:
        call.model = getattr(self._last, "model", None) or call.model
        if (usage := parse_usage(self._usage, self._service_tier)) is not None:
            call.set_usage(usage)
        messages = {index: join_pieces(message) for index, message in sorted(self._messages.items())}
        choices = [
            {"message": message, "finish_reason": self._finish.get(index)} for index, message in messages.items()
        ]
        call.set_finish({"choices": choices})
        for message in messages.values():
            for tool_call in message.get("tool_calls", ()):
                tool_call.pop("index", None)
        outputs = [simplify_message(message) for message in messages.values()]
        call.output = outputs[0] if len(outputs) == 1 else outputs or ""


_TEXT_DELTAS = {
    "response.output_text.delta": ("content", "output_text", "text"),
    "response.refusal.delta": ("content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("summary", "summary_text", "text"),
}
"""The list, the type of part and the field that a delta's text belongs to, by the event's type."""
_FIELD_DELTAS = {
    "response.function_call_arguments.delta": "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.code_interpreter_call_code.delta": "code",
}
"""The field of an item that a delta's text belongs to, by the event's type."""


class _ResponseCollector:
    """A collector that takes a response from its events. The last event holds the whole response.

    If that doesn't come, or has no output, the output is put together from the items.
    """

    def __init__(self, background: BackgroundResponses) -> None:
        self._background = background
        self._answer: Any = None
        self._items: dict[int, dict[str, Any]] = {}
        self._error: Any = None

    def add(self, chunk: Any) -> None:
        self._answer = getattr(chunk, "response", None) or self._answer
        if chunk.type == "response.output_item.added":
            self._items[chunk.output_index] = {
                name: value for name, value in dump_model(chunk.item).items() if value not in ("", [])
            }
        elif chunk.type == "response.output_item.done":
            self._items[chunk.output_index] = dump_model(chunk.item)
        elif (place := _TEXT_DELTAS.get(chunk.type)) is not None:
            self._add_text(chunk, *place)
        elif (name := _FIELD_DELTAS.get(chunk.type)) is not None:
            merge_delta(self._items.setdefault(chunk.output_index, {}), {name: chunk.delta})
        elif chunk.type == "error":
            self._error = chunk

    def _add_text(self, chunk: Any, list_name: str, kind: str, field: str) -> None:
        item = self._items.setdefault(chunk.output_index, {"type": "message", "role": "assistant"})
        index = getattr(chunk, "content_index", None) or getattr(chunk, "summary_index", None) or 0
        merge_delta(item, {list_name: [{"index": index, "type": kind, field: chunk.delta}]})

    def apply_to(self, call: LLMCall) -> None:
        items = [_drop_part_indices(join_pieces(item)) for _, item in sorted(self._items.items())]
        if self._answer is not None:
            _set_response_answer(call, self._answer, self._background)
            if not call.output and items:
                call.output = simplify_items(items)
                if call.finish_reason == "stop":  # the last event leaves out the output, which may ask for a tool
                    call.set_finish({"object": "response", "status": "completed", "output": items})
            if call.finish_reason in UNFINISHED and not getattr(self._answer, "background", None):
                call.finish_reason = None  # the stream was left before it said how the answer ended
        if self._error is not None:
            call.finish_reason, call.error = "failed", describe_error(self._error)
        call.output = call.output or ""


def _drop_part_indices(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item without the indices by which its parts were put together."""
    for part in (*(item.get("content") or ()), *(item.get("summary") or ())):
        part.pop("index", None)
    return item
