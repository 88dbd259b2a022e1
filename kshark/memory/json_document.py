"""What agents knew, as one JSON document; docs/kshark.md holds the contract. Pure."""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.analysis.causality import Causes
from agentlog.analysis.failures import is_failure
from agentlog.event import codec
from agentlog.event.event import Unreadable, timestamp_text
from agentlog.event.position import Moment
from agentlog.session.coverage import Coverage, as_json
from agentlog.session.timeline import Step

from ..render import moment
from ..view.numbered_steps import named_step
from .agent_state import SECTIONS, Change, Keys, Knowledge, Point
from .phrases import task
from .query import Recall


def document(recalled: Recall, covered: Coverage, unreadable: Sequence[Unreadable]) -> bytes:
    """What each lane knew, with its events as stored, and how far all of it can be trusted."""
    timeline, causes = recalled.timeline, recalled.causes
    changes: Sequence[Change | None] = recalled.changes or [None] * len(recalled.minds)
    written = orjson.dumps(
        {
            "session_id": timeline.session_id,
            "goal": timeline.goal,
            "outcome": timeline.outcome,
            "at": _point(recalled.at, causes),
            "since": _point(recalled.since, causes),
            "lanes": [_mind(mind, change, recalled) for mind, change in zip(recalled.minds, changes, strict=True)],
            "searched": as_json(covered, unreadable),
        }
    )
    return codec.one_line(written)


def _point(point: Point, causes: Causes) -> dict[str, Any] | None:
    if isinstance(point, Step):
        return {
            "step": causes.number[point],
            "event_id": point.event.event_id,
            "time": timestamp_text(moment(point.began)),
        }
    return {"step": None, "event_id": None, "time": timestamp_text(point.time)} if isinstance(point, Moment) else None


def _mind(mind: Knowledge, change: Change | None, recalled: Recall) -> dict[str, Any]:
    causes, delegation = recalled.causes, mind.lane.delegation
    keys = [Keys(key, None, step) for key, step in mind.memory.items()]
    return {
        "agent_id": mind.lane.agent_id,
        "depth": mind.lane.depth,
        "delegation": causes.number[delegation] if delegation is not None else None,
        "task": task(mind, recalled.timeline.goal),
        "model_input": _given(mind, causes),
        "memory": [_key(key, causes) for key in keys],
        **{title: [_step(step, causes) for step in mind.of(chosen)] for title, chosen in SECTIONS},
        "open": [_open(step, causes) for step in mind.open],
        "changed": _changed(change, causes) if change is not None else None,
    }


def _given(mind: Knowledge, causes: Causes) -> dict[str, Any] | None:
    """What the model was given last, where that was recorded: that is no reconstruction."""
    if mind.given is None:
        return None
    return {"step": causes.number[mind.given], "input": _value(mind.given.event.payload["input"])}


def _changed(change: Change, causes: Causes) -> dict[str, Any]:
    number = causes.number
    return {
        "seen": [number[step] for step in change.seen],
        "opened": [number[step] for step in change.opened],
        "closed": [number[step] for step in change.closed],
        "memory": [_key(key, causes) for key in change.memory],
    }


def _key(key: Keys, causes: Causes) -> dict[str, Any]:
    had = key.before.event.payload.get("value") if key.before is not None else None
    return {
        "key": key.key,
        "value": _value(key.after.event.payload.get("value")),
        "step": causes.number[key.after],
        "before": _value(had),
    }


def _value(value: object) -> orjson.Fragment:
    """A value of a payload as JSON: whole numbers of any size, as stored."""
    return orjson.Fragment(json.dumps(value, ensure_ascii=False))


def _open(step: Step, causes: Causes) -> dict[str, Any]:
    """A call or a delegation while it ran: what it was given, and not what it answered later."""
    payload = step.event.payload
    given = next((payload[name] for name in ("input", "query", "task") if name in payload), None)
    return {
        **named_step(step, causes.number),
        "began": timestamp_text(moment(step.began)),
        "input": _value(given),
    }


def _step(step: Step, causes: Causes) -> dict[str, Any]:
    return {
        **named_step(step, causes.number),
        "failed": is_failure(step),
        "event": orjson.Fragment(step.record.value),
    }
