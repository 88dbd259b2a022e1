"""The writer of a story's sessions: a method for each thing an agent does, which records it on the session's clock."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

import orjson

from agentlog.event.event import EPOCH, Headers
from agentlog.event.partitioner import PARTITIONERS

from .agents import MODELS, Agent, Tokens, cost_usd

Fields = Mapping[str, object]

ANNOUNCE_AFTER_MS = 500
ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


class StoryRecord(NamedTuple):
    """A record as a client produces it.

    Attributes:
        partitioner: the client's partitioner, a name in ``agentlog.event.partitioner.PARTITIONERS``.
        value: the event as stored, or damaged bytes; None is a tombstone.
        timestamp: the event's time, in milliseconds since the epoch.
    """

    partitioner: str
    key: bytes
    value: bytes | None
    timestamp: int
    headers: Headers

    def partition(self, count: int) -> int:
        """Return the record's partition in a topic of ``count`` partitions."""
        return PARTITIONERS[self.partitioner](self.key, count)


class ToolCall(NamedTuple):
    """One of several parallel calls; ``ms`` is its duration in milliseconds."""

    tool: str
    arguments: Fields
    output: object
    ms: int


class OpenCall(NamedTuple):
    """A tool call that has a ``call_started`` and still runs; ``parent_id`` is the parent of the call."""

    call_id: str
    tool: str
    arguments: Fields
    began: int
    parent_id: str | None


class Scene(NamedTuple):
    """The state that all sessions of a story share.

    Attributes:
        began: the beginning of the story, in milliseconds since the epoch.
        arrivals: each record with its arrival in Kafka, in milliseconds since the epoch.
    """

    began: int
    seed: int
    arrivals: list[tuple[int, StoryRecord]]

    def open_session(self, session_id: str, agent: Agent, minute: float) -> "SessionWriter":
        """Return the writer of a session that begins ``minute`` minutes into the story."""
        now = self.began + round(minute * 60_000)
        rng = Random(f"{self.seed} {session_id}")  # noqa: S311 - a story, no secret
        return SessionWriter(self, session_id, agent, now, rng)


class SessionWriter:
    """The writer of one agent's events in one session.

    Each method writes what happens next, in the third person: ``session.decides("refund", ...)``.

    Attributes:
        now: the true time in milliseconds since the epoch; the machine's clock may differ.
        model: the name of the agent's model.
        parent_id: the ``event_id`` of the parent of the next event.
        delegation_id: the ``event_id`` of the delegation, for a sub-agent.
        buffered_until: the time until which the client keeps events in its buffer.
    """

    def __init__(self, scene: Scene, session_id: str, agent: Agent, now: int, rng: Random) -> None:
        self.scene, self.session_id, self.agent, self.now, self.rng = scene, session_id, agent, now, rng
        self.model = agent.model
        self.parent_id: str | None = None
        self.delegation_id: str | None = None
        self.buffered_until = 0
        self._sent: list[tuple[int, StoryRecord]] = []
        process = f"{agent.worker}-{rng.getrandbits(16):04x}"
        self._headers: Headers = (("agentlog.process", process.encode()),)
        self._transit_ms = rng.randint(4, 38)
        self._prompt_tokens, self._cached_tokens = agent.prompt_tokens, 0

    def starts(self, goal: str, **request: object) -> None:
        """The session starts."""
        self.parent_id = self._write("session_start", {"goal": goal, **request})

    def hears(self, text: str) -> None:
        """The user writes."""
        self.parent_id = self._write("user_message", {"text": text})

    def says(self, text: str) -> None:
        """The agent writes to the user."""
        self._write("agent_message", {"text": text})

    def ends(self, status: str, **outcome: object) -> None:
        """The session ends; ``outcome`` is its ``result`` or ``error``."""
        self._write("session_end", {"status": status, **outcome})

    def thinks(self, prompt: str, answer: str, tokens: Tokens | None = None) -> None:
        """The agent asks its model. Without ``tokens``, their number grows with the session."""
        thinking_tokens = self.between(20, 20 + 2 * self.agent.mean_thinking_tokens)
        tokens = tokens or Tokens(self._prompt_tokens, len(answer) // 4 + thinking_tokens, self._cached_tokens)
        ms = self.between(240, 520) + round(tokens.output * MODELS[self.model].ms_per_token)
        usage = {"input_tokens": tokens.input, "output_tokens": tokens.output, "cached_tokens": tokens.cached}
        call = {"model": self.model, "input": prompt, "output": answer}
        self.parent_id = self._call("llm_call", {**call, **usage, "cost_usd": cost_usd(self.model, tokens)}, ms)
        self._cached_tokens = tokens.input // 128 * 128
        self._prompt_tokens += tokens.output

    def gets_no_answer(self, prompt: str, error: str, ms: int) -> None:
        """The model fails; a failed call is not billed."""
        usage = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0, "cost_usd": 0}
        self._call("llm_call", {"model": self.model, "input": prompt, **usage, "error": error}, ms)

    def decides(self, action: str, because: str, confidence: float, *alternatives: str) -> None:
        """The agent decides, and says why."""
        why: Fields = {"reasoning": because, "model": self.model, "confidence": confidence}
        self.parent_id = self._write("decision", {"action": action, "alternatives": alternatives}, why)

    def calls(self, tool: str, arguments: Fields, output: object, ms: int = 0, because: str = "") -> None:
        """A tool is called and answers after ``ms`` milliseconds; 0 means a usual duration."""
        context: Fields = {"reasoning": because} if because else {}
        self._call("tool_call", {"tool": tool, "input": arguments, "output": output}, ms, context)

    def gets_error(self, tool: str, arguments: Fields, error: str, ms: int = 0) -> None:
        """A tool is called and fails."""
        self._call("tool_call", {"tool": tool, "input": arguments, "error": error}, ms)

    def calls_together(self, calls: Iterable[ToolCall]) -> None:
        """Several tools are called in parallel; the agent continues when the slowest has answered."""
        began = self.now
        for call in sorted(calls, key=lambda each: each.ms):
            self.now = began
            self.calls(*call)

    def opens_call(self, tool: str, arguments: Fields) -> OpenCall:
        """A tool is called that does several things; the call is their parent until ``closes_call``."""
        call = OpenCall(self._new_id(), tool, arguments, self.now, self.parent_id)
        self._announce(call.call_id, "tool_call", {"tool": tool, "input": arguments})
        self.parent_id = call.call_id
        self.now += self.between(2, 25)
        return call

    def closes_call(self, call: OpenCall, output: object) -> None:
        """The open tool call answers."""
        self.parent_id = call.parent_id
        payload = {"tool": call.tool, "input": call.arguments, "output": output, "latency_ms": self.now - call.began}
        self._write("tool_call", payload, event_id=call.call_id)

    def searches(self, query: str, documents: object, ms: int = 0) -> None:
        """The agent runs a vector search."""
        self._call("retrieval", {"query": query, "documents": documents}, ms)

    def remembers(self, key: str, value: object) -> None:
        """The agent writes into its memory."""
        self._write("memory_write", {"key": key, "value": value})

    def fails(self, kind: str, message: str) -> None:
        """An error happens outside of a call."""
        self._write("error", {"type": kind, "message": message})

    def delegates(self, agent: Agent, task: str, child_session_id: str | None = None) -> "SessionWriter":
        """Another agent gets a task. It writes into this session, or into ``child_session_id`` if that is given."""
        child = {"child_session_id": child_session_id} if child_session_id else {}
        began = self.now + self.between(30, 120)
        rng = Random(self.rng.getrandbits(64))  # noqa: S311 - a story, no secret
        child_writer = SessionWriter(self.scene, child_session_id or self.session_id, agent, began, rng)
        child_writer.parent_id = child_writer.delegation_id = self._write(
            "delegation", {"to_agent_id": agent.agent_id, "task": task, **child}
        )
        return child_writer

    def receives(self, child: "SessionWriter", **outcome: object) -> None:
        """The other agent is done; ``outcome`` is its ``result`` or ``error``."""
        self.now = max(self.now, child.now) + self.between(5, 30)
        self.parent_id = child.delegation_id
        self.parent_id = self._write("delegation_result", {"from_agent_id": child.agent.agent_id, **outcome})

    def waits(self, seconds: float) -> None:
        """Nothing happens for a while."""
        self.now += round(seconds * 1000)

    def between(self, low: int, high: int) -> int:
        """Return a random number from ``low`` to ``high``, both included."""
        return self.rng.randint(low, high)

    def sends_again(self, records: int, after_ms: int, partitioner: str | None = None) -> None:
        """The client sends its last ``records`` records again, because it got no acknowledgement."""
        for arrival, record in self._sent[-records:]:
            copy = record._replace(partitioner=partitioner or record.partitioner)
            self.scene.arrivals.append((arrival + after_ms, copy))

    def sends_torn(self) -> None:
        """The client sends its last record again, and it arrives cut off after two thirds."""
        arrival, record = self._sent[-1]
        value = record.value or b""
        self.scene.arrivals.append((arrival + 1, record._replace(value=value[: len(value) * 2 // 3])))

    def _call(self, event_type: str, payload: Fields, ms: int, context: Fields | None = None) -> str:
        event_id = self._new_id()
        ms = ms or self.between(60, 420)
        if self.agent.announces and ms > ANNOUNCE_AFTER_MS:
            self._announce(event_id, event_type, payload)
        self.now += ms
        return self._write(event_type, {**payload, "latency_ms": ms}, context, event_id)

    def _announce(self, call_id: str, call_type: str, payload: Fields) -> None:
        known_fields: Fields = {field: payload[field] for field in ("tool", "model", "input") if field in payload}
        now = self.now
        self._write("call_started", {"call_id": call_id, "call_type": call_type, **known_fields})
        self.now = now

    def _write(self, event_type: str, payload: Fields, context: Fields | None = None, event_id: str = "") -> str:
        event_id = event_id or self._new_id()
        stamp = self.now + self.agent.clock_ms
        event = {
            "event_id": event_id,
            "session_id": self.session_id,
            "agent_id": self.agent.agent_id,
            "timestamp": format_timestamp(stamp),
            "event_type": event_type,
            "payload": payload,
            "context": {**({"parent_event_id": self.parent_id} if self.parent_id else {}), **(context or {})},
        }
        self._produce(orjson.dumps(event), stamp)
        self.now += self.between(2, 25)
        return event_id

    def _produce(self, value: bytes, stamp: int) -> None:
        record = StoryRecord(self.agent.partitioner, self.session_id.encode(), value, stamp, self._headers)
        sent = max(self.now + self._transit_ms, self.buffered_until), record
        self._sent.append(sent)
        self.scene.arrivals.append(sent)
        self._prompt_tokens += len(value) // 3

    def _new_id(self) -> str:
        return "evt_" + "".join(self.rng.choices(ID_CHARACTERS, k=8))


def format_timestamp(milliseconds: int) -> str:
    """Return a time since the epoch as in an event, like ``2026-01-15T14:23:11.847Z``."""
    return (EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def to_milliseconds(moment: datetime) -> int:
    """Return the milliseconds since the epoch of a time with a time zone."""
    return (moment - EPOCH) // timedelta(milliseconds=1)
