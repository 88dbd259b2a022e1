"""Sessions to compare, written step by step or taken from the story; and their comparison."""

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
from agentlog.session.timeline import build_timeline
from kdiff.align.payload_compare import Payloads
from kdiff.align.step_groups import group_steps
from kdiff.judge.compare import Comparison, compare
from kdiff.judge.divergence import Divergence
from kdiff.judge.verdict import Verdict, reach_verdict
from kdiff.reading.normalize import IgnoreRules
from kdiff.reading.side_effects import ToolPatterns
from kdiff.reading.signature import SignatureBuilder
from kdiff.reading.spill import open_spill
from kshark.story import build_story

Events = list[dict[str, Any]]
NO_RULES, NOTHING_DECLARED = IgnoreRules(), ToolPatterns()
START_TIME = datetime(2026, 1, 15, 14, tzinfo=UTC)


class ComparisonOutcome(NamedTuple):
    """The result of a comparison, and its kinds of divergences."""

    comparison: Comparison
    verdict: Verdict
    payloads: Payloads

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.comparison.divergences]

    @property
    def decisive(self) -> Divergence:
        assert self.verdict.decisive is not None
        return self.verdict.decisive


Compare = Callable[..., ComparisonOutcome]


@pytest.fixture(scope="session")
def compare_events() -> Iterator[Compare]:
    """Return a function that compares two lists of events."""
    with open_spill() as spill:

        def run(
            a: Events, b: Events, rules: IgnoreRules = NO_RULES, declared: ToolPatterns = NOTHING_DECLARED
        ) -> ComparisonOutcome:
            groups_a, groups_b = (
                group_steps(
                    build_timeline("s", _make_signed_records(events, SignatureBuilder(spill, rules, declared))), spill
                )
                for events in (a, b)
            )
            payloads = Payloads(rules, groups_a, groups_b)
            comparison = compare(groups_a, groups_b, payloads)
            return ComparisonOutcome(comparison, reach_verdict(comparison, payloads), payloads)

        yield run


def _make_signed_records(events: Events, builder: SignatureBuilder) -> list[Record]:
    records = []
    for line, event in enumerate(events, 1):
        record = codec.decode(orjson.dumps(event), Place(None, -1, line), str(line))
        assert isinstance(record, Record), record
        records.append(builder.build_signature(record))
    return records


class SessionScript:
    """A session that is written step by step, with one event a second."""

    def __init__(self, name: str = "s") -> None:
        self.name = name
        self.events: Events = []
        self.count = itertools.count(1)

    def add(self, event_type: str, payload: dict[str, Any], agent: str = "agent", **context: Any) -> "SessionScript":
        number = next(self.count)
        self.events.append(
            {
                "event_id": f"{self.name}_evt_{number}",
                "session_id": self.name,
                "agent_id": agent,
                "timestamp": (START_TIME + timedelta(seconds=number)).isoformat(),
                "event_type": event_type,
                "payload": payload,
                "context": context,
            }
        )
        return self

    def calls(
        self, tool: str, arguments: Any, output: Any = "ok", error: str | None = None, **context: Any
    ) -> "SessionScript":
        failed = {"error": error} if error else {"output": output}
        return self.add("tool_call", {"tool": tool, "input": arguments, **failed}, **context)

    def says(self, text: str) -> "SessionScript":
        return self.add("agent_message", {"text": text})

    def decides(self, action: str, why: str) -> "SessionScript":
        return self.add("decision", {"action": action}, reasoning=why)

    def ends(self, status: str = "succeeded") -> "SessionScript":
        return self.add("session_end", {"status": status})


@pytest.fixture
def new_script() -> Callable[[str], SessionScript]:
    """Return a function that starts a session to write."""
    return SessionScript


@pytest.fixture(scope="session")
def story_sessions() -> dict[str, Events]:
    """The story's sessions by name, without unreadable records."""
    sessions: dict[str, Events] = {}
    for record in build_story():
        if isinstance(codec.decode(record.value, Place(None, -1, 1), ""), Record):
            event = orjson.loads(record.value or b"")
            sessions.setdefault(event["session_id"], []).append(event)
    return sessions


@pytest.fixture
def rename_session() -> Callable[[Sequence[dict[str, Any]]], Events]:
    """Return a function that copies a session with fresh ids, another name and another day."""
    return copy_with_fresh_ids


def copy_with_fresh_ids(events: Sequence[dict[str, Any]]) -> Events:
    copied_events = copy.deepcopy(list(events))
    names = {event["event_id"]: f"evt_{uuid5(UUID(int=7), event['event_id']).hex[:12]}" for event in copied_events}
    for event in copied_events:
        event["event_id"], event["session_id"] = names[event["event_id"]], "sess_renamed"
        context, payload = event.get("context") or {}, event.get("payload") or {}
        if context.get("parent_event_id") in names:
            context["parent_event_id"] = names[context["parent_event_id"]]
        if payload.get("call_id") in names:
            payload["call_id"] = names[payload["call_id"]]
        moment = datetime.fromisoformat(event["timestamp"]) + timedelta(days=3, seconds=77)
        event["timestamp"] = moment.isoformat()
    return copied_events
