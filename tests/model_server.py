"""A local HTTP server that speaks the APIs of OpenAI and Anthropic, plain and streamed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

TEXT = ["The capital ", "of France ", "is Paris."]
CHAT = {"id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06"}
CHAT_USAGE = {
    "prompt_tokens": 20,
    "completion_tokens": 7,
    "total_tokens": 27,
    "prompt_tokens_details": {"cached_tokens": 8},
}
RESPONSE_USAGE = {
    "input_tokens": 30,
    "output_tokens": 9,
    "total_tokens": 39,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens_details": {"reasoning_tokens": 0},
}
CLAUDE = {
    "id": "m1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "stop_sequence": None,
}
CLAUDE_USAGE = {
    "input_tokens": 12,
    "output_tokens": 6,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 0,
}
TOOL = {"name": "lookup", "arguments": '{"city": "Paris"}'}

Events = list[tuple[str | None, dict[str, Any]]]
SCRIPTED: dict[str, list[dict[str, Any] | Events]] = {}
"""Answers that a test has written, by the model that is asked, or by the id of the response that is fetched. They come
one after the other, and the last one stays."""


def script_answers(key: str, *answers: dict[str, Any] | Events) -> None:
    """Let the server give these answers for a model, or for the id of a response."""
    SCRIPTED[key] = list(answers)


def _take_scripted(key: str) -> dict[str, Any] | Events | None:
    left = SCRIPTED.get(key)
    return None if not left else left.pop(0) if len(left) > 1 else left[0]


def name_events(*events: dict[str, Any]) -> Events:
    """Return stream events with their types as names."""
    return [(event["type"], event) for event in events]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self._answer(_take_scripted(self.path.partition("?")[0].rpartition("/")[2]) or {})

    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["content-length"] or 0)) or b"{}")
        key = body.get("model") or self.path.split("/")[3]  # a response that is cancelled has its id in the path
        if (scripted := _take_scripted(key)) is not None:
            self._answer(scripted)
            return
        if "fail" in str(body.get("messages") or body.get("input")):
            self._send(
                400, "application/json", orjson.dumps({"error": {"message": "no such thing", "type": "invalid"}})
            )
            return
        path = self.path.partition("?")[0]  # Anthropic's beta is a query
        answer = {
            "/v1/chat/completions": _answer_chat,
            "/v1/responses": _answer_responses,
            "/v1/messages": _answer_messages,
        }[path](body)
        self._answer(answer)

    def _answer(self, answer: dict[str, Any] | Events) -> None:
        if isinstance(answer, dict):
            self._send(200, "application/json", orjson.dumps(answer))
        else:
            lines = [
                (f"event: {name}\n" if name else "") + f"data: {orjson.dumps(data).decode()}\n\n"
                for name, data in answer
            ]
            done = "data: [DONE]\n\n" if "chat" in self.path else ""
            self._send(200, "text/event-stream", ("".join(lines) + done).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _answer_chat(body: dict[str, Any]) -> dict[str, Any] | Events:
    wants_tool = bool(body.get("tools")) and body["messages"][-1]["role"] == "user"
    call = {"id": "t1", "type": "function", "function": TOOL}
    if not body.get("stream"):
        message = {"role": "assistant", "content": None, "tool_calls": [call]} if wants_tool else _make_text_message()
        reason = "length" if "max_tokens" in body else "stop"
        return CHAT | {"choices": [{"index": 0, "finish_reason": reason, "message": message}], "usage": CHAT_USAGE}
    deltas: list[dict[str, Any]] = [{"content": part} for part in TEXT]
    if wants_tool:
        first, second = TOOL["arguments"][:8], TOOL["arguments"][8:]
        deltas = [
            {"tool_calls": [{"index": 0, **call, "function": {"name": TOOL["name"], "arguments": first}}]},
            {"tool_calls": [{"index": 0, "function": {"arguments": second}}]},
        ]
    chunk = CHAT | {"object": "chat.completion.chunk"}
    events: Events = [(None, chunk | {"choices": [{"index": 0, "delta": delta}]}) for delta in deltas]
    return [*events, (None, chunk | {"choices": [], "usage": CHAT_USAGE})]


def _make_text_message() -> dict[str, Any]:
    return {"role": "assistant", "content": "".join(TEXT)}


def _answer_responses(body: dict[str, Any]) -> dict[str, Any] | Events:
    text = {"type": "output_text", "text": "".join(TEXT), "annotations": []}
    message = {"id": "o1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}
    tool_call = {
        "id": "f1",
        "type": "function_call",
        "call_id": f"t{len(body['input'])}",
        "status": "completed",
        **TOOL,
    }
    asked_last = body["input"] if isinstance(body["input"], str) else body["input"][-1].get("role")
    wants_tool = asked_last == "user" or body.get("instructions") == "Call your tool"
    output = tool_call if body.get("tools") and wants_tool else message
    response = {"id": "r1", "object": "response", "created_at": 1, "model": "gpt-4o", "status": "completed"}
    response |= {
        "output": [output],
        "usage": RESPONSE_USAGE,
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
    }
    if not body.get("stream"):
        return response
    text_position = {"item_id": "o1", "output_index": 0, "content_index": 0, "logprobs": []}
    opening_events: Events = [
        ("response.created", {"type": "response.created", "response": response | {"output": []}, "sequence_number": 0}),
        (
            "response.output_item.added",
            {
                "type": "response.output_item.added",
                "item": message | {"content": [], "status": "in_progress"},
                "output_index": 0,
                "sequence_number": 1,
            },
        ),
        (
            "response.content_part.added",
            {"type": "response.content_part.added", "part": text | {"text": ""}, "sequence_number": 2, **text_position},
        ),
    ]
    deltas: Events = [
        (
            "response.output_text.delta",
            {"type": "response.output_text.delta", "delta": part, "sequence_number": n, **text_position},
        )
        for n, part in enumerate(TEXT)
    ]
    return [
        *opening_events,
        *deltas,
        ("response.completed", {"type": "response.completed", "response": response, "sequence_number": 9}),
    ]


def _answer_messages(body: dict[str, Any]) -> dict[str, Any] | Events:
    if not body.get("stream"):
        content = [{"type": "text", "text": "".join(TEXT)}]
        return CLAUDE | {"content": content, "stop_reason": "end_turn", "usage": CLAUDE_USAGE}
    start = CLAUDE | {"content": [], "stop_reason": None, "usage": CLAUDE_USAGE | {"output_tokens": 1}}
    blocks: Events = [("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})]
    blocks += [("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": part}}) for part in TEXT]
    blocks += [("content_block_stop", {"index": 0})]
    if body.get("tools"):
        tool = {"type": "tool_use", "id": "t1", "name": "lookup", "input": {}}
        blocks += [("content_block_start", {"index": 1, "content_block": tool})]
        parts = TOOL["arguments"][:8], TOOL["arguments"][8:]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        blocks += [("content_block_delta", {"index": 1, "delta": delta}) for delta in deltas]
        blocks += [("content_block_stop", {"index": 1})]
    end = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 6}}
    events: Events = [("message_start", {"message": start}), *blocks, ("message_delta", end), ("message_stop", {})]
    return [(name, {"type": name, **data}) for name, data in events]


@contextmanager
def run_model_server() -> Iterator[str]:
    """Run the server, and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
