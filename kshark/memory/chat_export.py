"""An agent's state as messages in the form of OpenAI's chat completions, as input for a model. Pure.

If a model call recorded its input as such messages, they are exported as recorded, because the model really saw them.
The messages after them, or all messages if none were recorded, are built from events.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from agentlog.session.timeline import Step
from agentlog.text.step_text import format_payload_value

from ..view.chat_messages import Message, parse_messages
from .agent_state import AgentState

NO_ANSWER = "(no answer by then)"
MAX_NAME_LENGTH = 64


class Conversation(NamedTuple):
    """Messages, and where they come from.

    Attributes:
        messages: the messages.
        recorded_count: the number of messages, from the first on, that were recorded as a model's input.
        last_model_call: the step that recorded them, or None.
        left_out: the steps that no message contains.
    """

    messages: list[Message]
    recorded_count: int
    last_model_call: Step | None
    left_out: list[Step]


def build_conversation(state: AgentState, seen_before: Sequence[Step], number: dict[Step, int]) -> Conversation:
    """Build the messages for ``state``; ``seen_before`` are the steps seen when its ``last_model_call`` began."""
    last_model_call = state.last_model_call
    recorded = parse_messages(last_model_call.event.payload.get("input")) if last_model_call is not None else None
    if recorded is None:
        builder = _ConversationBuilder(number, _build_opening(state))
        steps = state.seen
    else:
        builder = _ConversationBuilder(number, list(recorded))
        before = set(seen_before)
        steps = [step for step in state.seen if step not in before]
    for step in steps:
        builder.add(step, state)
    for step in state.open:
        if recorded is None or step is not last_model_call:
            builder.add_open(step)
    return Conversation(builder.messages, len(recorded or ()), last_model_call if recorded else None, builder.left_out)


def _build_opening(state: AgentState) -> list[Message]:
    """Return messages with the goal and the memory, and for a sub-agent its task."""
    delegation = state.lane.delegation
    starts = state.filter_seen(lambda step: step.kind == "session_start" and "goal" in step.event.payload)
    lines = [f"Goal: {format_payload_value(step.event.payload['goal'])}" for step in starts[:1]]
    if state.memory:
        keys = (
            f"- {key}: {format_payload_value(step.event.payload.get('value'))}" for key, step in state.memory.items()
        )
        lines += ["In memory:", *keys]
    opening = [{"role": "system", "content": "\n".join(lines)}] if lines else []
    if delegation is not None:
        opening.append({"role": "user", "content": format_payload_value(delegation.event.payload.get("task", ""))})
    return opening


class _ConversationBuilder:
    """A builder that appends to messages and keeps them valid."""

    def __init__(self, number: dict[Step, int], messages: list[Message]) -> None:
        self.messages = messages
        self.left_out: list[Step] = []
        self._number = number
        self._ids = {call["id"] for each in messages for call in each.get("tool_calls") or []}
        self._names: dict[str, str] = {}
        self._parallel_until = 0
        self._initial_count = len(messages)

    def add(self, step: Step, state: AgentState) -> None:
        payload = step.event.payload
        match step.kind:
            case "user_message":
                self._add_message("user", format_payload_value(payload.get("text", payload)))
            case "agent_message":
                self._add_message("assistant", format_payload_value(payload.get("text", payload)))
            case "llm_call":
                self._add_message("assistant", _extract_text(payload.get("output")))
            case "decision":
                reason = step.event.context.get("reasoning")
                lines = [
                    format_payload_value(payload.get("action", payload)),
                    *([format_payload_value(reason)] if reason else []),
                ]
                self._add_message("assistant", "\n".join(lines))
            case "error":
                self._add_message("user", f"Error: {format_payload_value(payload)}")
            case "tool_call" | "retrieval":
                self._add_call(step, _format_result(step))
            case "delegation_result":
                self._add_call(
                    state.answers.get(step, step),
                    format_payload_value(payload.get("error") or payload.get("result") or ""),
                )
            case "delegation" | "memory_write" | "session_start" | "session_end":
                pass  # in the message of the result, or in the opening
            case _:
                self.left_out.append(step)

    def add_open(self, step: Step) -> None:
        if step.kind != "llm_call":
            self._add_call(step, NO_ANSWER)

    def _add_message(self, role: str, text: str) -> None:
        """Append a message unless it repeats the last: agents pass their model's words on to the user."""
        if text and self.messages[-1:] != [{"role": role, "content": text}]:
            self.messages.append({"role": role, "content": text})
            self._parallel_until = 0

    def _add_call(self, step: Step, answer: str) -> None:
        """Append a call and its answer; parallel calls belong to one message."""
        call_id = self._make_call_id(step)
        call = {
            "id": call_id,
            "type": "function",
            "function": {"name": self._make_tool_name(step), "arguments": _encode_arguments(step)},
        }
        calling_message = self._find_calling_message(step)
        calling_message.setdefault("tool_calls", []).append(call)
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": answer})
        self._parallel_until = max(self._parallel_until, step.recorded)

    def _find_calling_message(self, step: Step) -> Message:
        """Return the message for a call: that of a parallel call, the agent's last message, or a new one."""
        if step.began < self._parallel_until:
            return next(message for message in reversed(self.messages) if message["role"] == "assistant")
        self._parallel_until = 0
        last = self.messages[-1] if len(self.messages) > self._initial_count else {}
        if last.get("role") == "assistant":
            return last
        self.messages.append({"role": "assistant", "content": None})
        return self.messages[-1]

    def _make_call_id(self, step: Step) -> str:
        call_id = f"step_{self._number[step]}"
        while call_id in self._ids:
            call_id += "_"
        self._ids.add(call_id)
        return call_id

    def _make_tool_name(self, step: Step) -> str:
        """Return a tool name that providers accept; different tools get different names."""
        names_by_kind = {"retrieval": "retrieval", "delegation": "delegate", "delegation_result": "delegate"}
        label = names_by_kind.get(step.kind, step.label)
        if label not in self._names:
            name = base = re.sub(r"[^a-zA-Z0-9_-]", "_", label)[: MAX_NAME_LENGTH - 6] or "tool"
            taken = set(self._names.values())
            for count in range(2, len(taken) + 3):
                if name not in taken:
                    break
                name = f"{base}_{count}"
            self._names[label] = name
        return self._names[label]


def _extract_text(output: object) -> str:
    """Return a model's text without its tool calls, which have events of their own."""
    if isinstance(output, dict) and "role" in output:
        return format_payload_value(output.get("content") or "")
    return format_payload_value(output) if output not in (None, "", [], {}) else ""


def _format_result(step: Step) -> str:
    payload = step.event.payload
    if payload.get("error"):
        return f"Error: {format_payload_value(payload['error'])}"
    output = next((payload[name] for name in ("output", "documents", "result") if name in payload), "")
    return _encode_text("" if output is None else output)


def _encode_arguments(step: Step) -> str:
    """Return a call's arguments as the text of a JSON object."""
    payload = step.event.payload
    match step.kind:
        case "retrieval":
            arguments: object = {"query": payload.get("query")}
        case "delegation":
            arguments = {name: payload.get(name) for name in ("to_agent_id", "task")}
        case "delegation_result":
            arguments = {"to_agent_id": payload.get("from_agent_id")}
        case _:
            arguments = payload.get("input")
    return _encode_text(arguments if isinstance(arguments, dict) else {} if arguments is None else {"input": arguments})


def _encode_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
