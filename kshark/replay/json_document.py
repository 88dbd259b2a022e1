"""A timeline as one JSON document; docs/kshark.md specifies the fields. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from agentlog.capture_format import capture
from agentlog.event import codec
from agentlog.event.event import Unreadable, format_timestamp, to_datetime
from agentlog.session.coverage import Coverage, coverage_to_json
from agentlog.session.timeline import Lane, Step, Timeline
from agentlog.text.step_text import format_payload_value


def render_json(
    timeline: Timeline, steps: Sequence[Step], coverage: Coverage, unreadable: Sequence[Unreadable]
) -> bytes:
    """Return the session, the chosen ``steps`` with their events as stored, and the coverage."""
    step_index = {step: number for number, step in enumerate(timeline.steps)}
    lane_index = {lane: number for number, lane in enumerate(timeline.lanes)}
    encoded = orjson.dumps(
        {
            "session_id": timeline.session_id,
            "agent_id": timeline.lanes[0].agent_id,
            "goal": timeline.goal,
            "outcome": timeline.outcome,
            "began": _format_time(timeline.began),
            "ended": _format_time(timeline.ended),
            "duration_ms": (timeline.ended - timeline.began) / 1000,
            "totals": asdict(timeline.totals),
            "lanes": [_build_lane(lane, lane_index, step_index) for lane in timeline.lanes],
            "steps": [_build_step(step, lane_index, step_index, timeline.began) for step in steps],
            "searched": coverage_to_json(coverage, unreadable),
        }
    )
    return codec.flatten_json(encoded)


def _format_time(microseconds: int) -> str:
    return format_timestamp(to_datetime(microseconds))


def _build_lane(lane: Lane, lane_index: dict[Lane, int], step_index: dict[Step, int]) -> dict[str, Any]:
    return {
        "lane": lane_index[lane],
        "agent_id": lane.agent_id,
        "depth": lane.depth,
        "parent": lane_index[lane.parent] if lane.parent else None,
        "delegation": step_index[lane.delegation] if lane.delegation else None,
        "result": step_index[lane.result] if lane.result else None,
    }


def _build_step(step: Step, lane_index: dict[Lane, int], step_index: dict[Step, int], began: int) -> dict[str, Any]:
    return {
        "index": step_index[step],
        "step": step.number,
        "kind": step.kind,
        "label": step.label,
        "lane": lane_index[step.lane],
        "parent": step_index[step.parent] if step.parent else None,
        "began": _format_time(step.began),
        "since_start_ms": (step.began - began) / 1000,
        "duration_ms": None if (duration_us := step.duration_us) is None else duration_us / 1000,
        "open": step.is_open,
        "late_ms": step.late_us / 1000,
        "moved": step.was_moved,
        "odd_clock": step.has_odd_clock,
        "failed": step.error is not None,
        "error": None if step.error is None else format_payload_value(step.error),
        "event": orjson.Fragment(step.record.value),
        "record": orjson.Fragment(capture.encode_place(step.record.place)),
        "announced": [orjson.Fragment(record.value) for record in step.announced],
    }
