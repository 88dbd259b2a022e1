"""Sessions to compare: built step by step, or those of the story; and what kdiff says of two of them."""

import copy
import itertools
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import orjson
import pytest

from agentlog.event import codec
from agentlog.event.event import Place, Record
from agentlog.session.timeline import timeline
from kdiff.align.payload_compare import Payloads
from kdiff.align.step_groups import moves
from kdiff.judge.compare import Comparison, compare
from kdiff.judge.divergence import Divergence
from kdiff.judge.verdict import Verdict, verdict
from kdiff.reading.normalize import Rules
from kdiff.reading.side_effects import Declared
from kdiff.reading.signature import Sketcher
from kdiff.reading.spill import shelf
from kshark.story import story

Events = list[dict[str, Any]]
NO_RULES, NOTHING_DECLARED = Rules(), Declared()
BEGAN = datetime(2026, 1, 15, 14, tzinfo=UTC)


class Outcome(NamedTuple):
    """What came of a comparison."""

    compared: Comparison
    verdict: Verdict
    payloads: Payloads

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.compared.divergences]

    @property
    def decisive(self) -> Divergence:
        assert self.verdict.decisive is not None
        return self.verdict.decisive


Compare = Callable[..., Outcome]


@pytest.fixture
def compared() -> Iterator[Compare]:
    """A function that compares two lists of events."""
    with shelf() as kept:

        def run(a: Events, b: Events, rules: Rules = NO_RULES, declared: Declared = NOTHING_DECLARED) -> Outcome:
            own = [moves(timeline("s", _sketches(each, Sketcher(kept, rules, declared))), kept) for each in (a, b)]
            payloads = Payloads(rules, *own)
            found = compare(*own, payloads)
            return Outcome(found, verdict(found, payloads), payloads)

        yield run


def _sketches(events: Events, sketcher: Sketcher) -> list[Record]:
    found = []
    for line, event in enumerate(events, 1):
        record = codec.decode(orjson.dumps(event), Place(None, -1, line), str(line))
        assert isinstance(record, Record), record
        found.append(sketcher.sketch(record))
    return found


class Script:
    """Writes a session, an event a second."""

    def __init__(self, name: str = "s") -> None:
        self.name = name
        self.events: Events = []
        self.count = itertools.count(1)

    def add(self, event_type: str, payload: dict[str, Any], agent: str = "agent", **context: Any) -> "Script":
        number = next(self.count)
        self.events.append(
            {
                "event_id": f"{self.name}_evt_{number}",
                "session_id": self.name,
                "agent_id": agent,
                "timestamp": (BEGAN + timedelta(seconds=number)).isoformat(),
                "event_type": event_type,
                "payload": payload,
                "context": context,
            }
        )
        return self

    def calls(self, tool: str, given: Any, output: Any = "ok", error: str | None = None, **context: Any) -> "Script":
        failed = {"error": error} if error else {"output": output}
        return self.add("tool_call", {"tool": tool, "input": given, **failed}, **context)

    def says(self, text: str) -> "Script":
        return self.add("agent_message", {"text": text})

    def decides(self, action: str, why: str) -> "Script":
        return self.add("decision", {"action": action}, reasoning=why)

    def ends(self, status: str = "succeeded") -> "Script":
        return self.add("session_end", {"status": status})


@pytest.fixture
def script() -> Callable[[str], Script]:
    """Makes a session to write into."""
    return Script


@pytest.fixture(scope="session")
def told() -> dict[str, Events]:
    """The story's sessions by name, but for those that are made of broken records."""
    sessions: dict[str, Events] = {}
    for record in story():
        if isinstance(codec.decode(record.value, Place(None, -1, 1), ""), Record):
            event = orjson.loads(record.value or b"")
            sessions.setdefault(event["session_id"], []).append(event)
    return sessions


@pytest.fixture
def renamed() -> Callable[[Sequence[dict[str, Any]]], Events]:
    """A copy of a session with fresh ids, another name and another day."""
    return fresh


def fresh(events: Sequence[dict[str, Any]]) -> Events:
    own = copy.deepcopy(list(events))
    names = {event["event_id"]: f"evt_{uuid5(UUID(int=7), event['event_id']).hex[:12]}" for event in own}
    for event in own:
        event["event_id"], event["session_id"] = names[event["event_id"]], "sess_renamed"
        context, payload = event.get("context") or {}, event.get("payload") or {}
        if context.get("parent_event_id") in names:
            context["parent_event_id"] = names[context["parent_event_id"]]
        if payload.get("call_id") in names:
            payload["call_id"] = names[payload["call_id"]]
        moment = datetime.fromisoformat(event["timestamp"]) + timedelta(days=3, seconds=77)
        event["timestamp"] = moment.isoformat()
    return own
