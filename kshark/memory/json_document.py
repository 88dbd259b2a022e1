"""The states of agents as one JSON document; docs/kshark.md specifies the fields. Pure."""

import json
from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.analysis.causality import CauseGraph
from agentlog.analysis.failures import is_failure
from agentlog.event import codec
from agentlog.event.event import Unreadable, format_timestamp, to_datetime
from agentlog.event.position import Moment
from agentlog.session.coverage import Coverage, coverage_to_json
from agentlog.session.timeline import Step

from ..view.numbered_steps import build_step_reference
from .agent_state import SECTIONS, AgentState, KeyChange, Point, StateChange
from .phrases import describe_task
from .query import MemoryReport


def render_json(report: MemoryReport, coverage: Coverage, unreadable: Sequence[Unreadable]) -> bytes:
    """Return the state of each lane, with its events as stored, and the coverage."""
    timeline, causes = report.timeline, report.causes
    changes: Sequence[StateChange | None] = report.changes or [None] * len(report.states)
    encoded = orjson.dumps(
        {
            "session_id": timeline.session_id,
            "goal": timeline.goal,
            "outcome": timeline.outcome,
            "at": _build_point(report.point, causes),
            "since": _build_point(report.since, causes),
            "lanes": [
                _build_state(state, change, report) for state, change in zip(report.states, changes, strict=True)
            ],
            "searched": coverage_to_json(coverage, unreadable),
        }
    )
    return codec.flatten_json(encoded)


def _build_point(point: Point, causes: CauseGraph) -> dict[str, Any] | None:
    if isinstance(point, Step):
        return {
            "step": causes.step_numbers[point],
            "event_id": point.event.event_id,
            "time": format_timestamp(to_datetime(point.began)),
        }
    return {"step": None, "event_id": None, "time": format_timestamp(point.time)} if isinstance(point, Moment) else None


def _build_state(state: AgentState, change: StateChange | None, report: MemoryReport) -> dict[str, Any]:
    causes, delegation = report.causes, state.lane.delegation
    keys = [KeyChange(key, None, step) for key, step in state.memory.items()]
    return {
        "agent_id": state.lane.agent_id,
        "depth": state.lane.depth,
        "delegation": causes.step_numbers[delegation] if delegation is not None else None,
        "task": describe_task(state, report.timeline.goal),
        "model_input": _build_model_input(state, causes),
        "memory": [_build_key(key, causes) for key in keys],
        **{title: [_build_step(step, causes) for step in state.filter_seen(chosen)] for title, chosen in SECTIONS},
        "open": [_build_open_step(step, causes) for step in state.open],
        "changed": _build_change(change, causes) if change is not None else None,
    }


def _build_model_input(state: AgentState, causes: CauseGraph) -> dict[str, Any] | None:
    """Return the model's last recorded input, or None."""
    if state.last_model_call is None:
        return None
    return {
        "step": causes.step_numbers[state.last_model_call],
        "input": _encode_value(state.last_model_call.event.payload["input"]),
    }


def _build_change(change: StateChange, causes: CauseGraph) -> dict[str, Any]:
    number = causes.step_numbers
    return {
        "seen": [number[step] for step in change.seen],
        "opened": [number[step] for step in change.opened],
        "closed": [number[step] for step in change.closed],
        "memory": [_build_key(key, causes) for key in change.memory],
    }


def _build_key(key: KeyChange, causes: CauseGraph) -> dict[str, Any]:
    old_value = key.before.event.payload.get("value") if key.before is not None else None
    return {
        "key": key.key,
        "value": _encode_value(key.after.event.payload.get("value")),
        "step": causes.step_numbers[key.after],
        "before": _encode_value(old_value),
    }


def _encode_value(value: object) -> orjson.Fragment:
    """Return a payload's value as JSON; whole numbers of any size stay as stored."""
    return orjson.Fragment(json.dumps(value, ensure_ascii=False))


def _build_open_step(step: Step, causes: CauseGraph) -> dict[str, Any]:
    """Return a call or a delegation with its input, without its later answer."""
    payload = step.event.payload
    call_input = next((payload[name] for name in ("input", "query", "task") if name in payload), None)
    return {
        **build_step_reference(step, causes.step_numbers),
        "began": format_timestamp(to_datetime(step.began)),
        "input": _encode_value(call_input),
    }


def _build_step(step: Step, causes: CauseGraph) -> dict[str, Any]:
    return {
        **build_step_reference(step, causes.step_numbers),
        "failed": is_failure(step),
        "event": orjson.Fragment(step.record.value),
    }
