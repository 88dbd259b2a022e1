"""What an agent knew as messages in the form of OpenAI's chat completions, to be given to a model again. Pure.

Where a model call recorded its input as such messages, these are what the model really saw, and stand as recorded; what
came after them, or all where none are recorded, is put together from the events.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from agentlog.session.timeline import Step
from agentlog.text.step_text import shown

from ..view.chat_messages import Message, as_messages
from .agent_state import Knowledge

NO_ANSWER = "(no answer by then)"
LONGEST_NAME = 64


class Conversation(NamedTuple):
    """Messages, and where they come from.

    Attributes:
        recorded: how many of the first are what the model was given, as recorded with the step ``given``.
        left_out: steps that no message stands for.
    """

    messages: list[Message]
    recorded: int
    given: Step | None
    left_out: list[Step]


def conversation(knowledge: Knowledge, seen_before: Sequence[Step], number: dict[Step, int]) -> Conversation:
    """The messages for ``knowledge``; ``seen_before`` is what had been seen when its ``given`` call was made."""
    given = knowledge.given
    recorded = as_messages(given.event.payload.get("input")) if given is not None else None
    if recorded is None:
        builder = _Builder(number, _opening(knowledge))
        steps = knowledge.seen
    else:
        builder = _Builder(number, list(recorded))
        before = set(seen_before)
        steps = [step for step in knowledge.seen if step not in before]
    for step in steps:
        builder.add(step, knowledge)
    for step in knowledge.open:
        if recorded is None or step is not given:
            builder.add_open(step)
    return Conversation(builder.messages, len(recorded or ()), given if recorded else None, builder.left_out)


def _opening(knowledge: Knowledge) -> list[Message]:
    """The goal, and what stands in memory; of a sub-agent its task."""
    delegation = knowledge.lane.delegation
    starts = knowledge.of(lambda step: step.kind == "session_start" and "goal" in step.event.payload)
    lines = [f"Goal: {shown(step.event.payload['goal'])}" for step in starts[:1]]
    if knowledge.memory:
        keys = (f"- {key}: {shown(step.event.payload.get('value'))}" for key, step in knowledge.memory.items())
        lines += ["In memory:", *keys]
    opening = [{"role": "system", "content": "\n".join(lines)}] if lines else []
    if delegation is not None:
        opening.append({"role": "user", "content": shown(delegation.event.payload.get("task", ""))})
    return opening


class _Builder:
    """Appends to messages so that they stay valid."""

    def __init__(self, number: dict[Step, int], messages: list[Message]) -> None:
        self.messages = messages
        self.left_out: list[Step] = []
        self._number = number
        self._ids = {call["id"] for each in messages for call in each.get("tool_calls") or []}
        self._names: dict[str, str] = {}
        self._together_until = 0
        self._own = len(messages)

    def add(self, step: Step, knowledge: Knowledge) -> None:
        payload = step.event.payload
        match step.kind:
            case "user_message":
                self._say("user", shown(payload.get("text", payload)))
            case "agent_message":
                self._say("assistant", shown(payload.get("text", payload)))
            case "llm_call":
                self._say("assistant", _said(payload.get("output")))
            case "decision":
                reason = step.event.context.get("reasoning")
                told = [shown(payload.get("action", payload)), *([shown(reason)] if reason else [])]
                self._say("assistant", "\n".join(told))
            case "error":
                self._say("user", f"Error: {shown(payload)}")
            case "tool_call" | "retrieval":
                self._call(step, _result(step))
            case "delegation_result":
                self._call(
                    knowledge.answers.get(step, step), shown(payload.get("error") or payload.get("result") or "")
                )
            case "delegation" | "memory_write" | "session_start" | "session_end":
                pass  # said with what comes back, and at the beginning
            case _:
                self.left_out.append(step)

    def add_open(self, step: Step) -> None:
        if step.kind != "llm_call":
            self._call(step, NO_ANSWER)

    def _say(self, role: str, text: str) -> None:
        """A message; what an agent tells the user in its model's own words is said once."""
        if text and self.messages[-1:] != [{"role": role, "content": text}]:
            self.messages.append({"role": role, "content": text})
            self._together_until = 0

    def _call(self, step: Step, answer: str) -> None:
        """A call and its answer; calls that ran at the same time are one message's."""
        call_id = self._new_id(step)
        call = {
            "id": call_id,
            "type": "function",
            "function": {"name": self._name(step), "arguments": _arguments(step)},
        }
        asking = self._asking(step)
        asking.setdefault("tool_calls", []).append(call)
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": answer})
        self._together_until = max(self._together_until, step.recorded)

    def _asking(self, step: Step) -> Message:
        """The message that a call belongs to: of a call beside it, or what the agent said before it, or a new one."""
        if step.began < self._together_until:
            return next(message for message in reversed(self.messages) if message["role"] == "assistant")
        self._together_until = 0
        last = self.messages[-1] if len(self.messages) > self._own else {}
        if last.get("role") == "assistant":
            return last
        self.messages.append({"role": "assistant", "content": None})
        return self.messages[-1]

    def _new_id(self, step: Step) -> str:
        call_id = f"step_{self._number[step]}"
        while call_id in self._ids:
            call_id += "_"
        self._ids.add(call_id)
        return call_id

    def _name(self, step: Step) -> str:
        """A name that providers take; tools whose names differ keep different ones."""
        named = {"retrieval": "retrieval", "delegation": "delegate", "delegation_result": "delegate"}
        label = named.get(step.kind, step.label)
        if label not in self._names:
            name = base = re.sub(r"[^a-zA-Z0-9_-]", "_", label)[: LONGEST_NAME - 6] or "tool"
            taken = set(self._names.values())
            for count in range(2, len(taken) + 3):
                if name not in taken:
                    break
                name = f"{base}_{count}"
            self._names[label] = name
        return self._names[label]


def _said(output: object) -> str:
    """What a model said, without the calls that it asked for: these have events of their own."""
    if isinstance(output, dict) and "role" in output:
        return shown(output.get("content") or "")
    return shown(output) if output not in (None, "", [], {}) else ""


def _result(step: Step) -> str:
    payload = step.event.payload
    if payload.get("error"):
        return f"Error: {shown(payload['error'])}"
    said = next((payload[name] for name in ("output", "documents", "result") if name in payload), "")
    return _text("" if said is None else said)


def _arguments(step: Step) -> str:
    """A call's arguments as a JSON object in text."""
    payload = step.event.payload
    match step.kind:
        case "retrieval":
            given: object = {"query": payload.get("query")}
        case "delegation":
            given = {name: payload.get(name) for name in ("to_agent_id", "task")}
        case "delegation_result":
            given = {"to_agent_id": payload.get("from_agent_id")}
        case _:
            given = payload.get("input")
    return _text(given if isinstance(given, dict) else {} if given is None else {"input": given})


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
