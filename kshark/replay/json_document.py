"""A timeline as one JSON document; docs/kshark.md holds the contract. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from agentlog.event import capture, codec
from agentlog.event.event import Unreadable, timestamp_text
from agentlog.session.coverage import Coverage, as_json
from agentlog.session.timeline import Lane, Step, Timeline

from ..render import moment


def document(timeline: Timeline, steps: Sequence[Step], found: Coverage, unreadable: Sequence[Unreadable]) -> bytes:
    """The session, the chosen ``steps`` with their events as stored, and how far all of it can be trusted."""
    index = {step: number for number, step in enumerate(timeline.steps)}
    lanes = {lane: number for number, lane in enumerate(timeline.lanes)}
    written = orjson.dumps(
        {
            "session_id": timeline.session_id,
            "agent_id": timeline.lanes[0].agent_id,
            "goal": timeline.goal,
            "outcome": timeline.outcome,
            "began": _time(timeline.began),
            "ended": _time(timeline.ended),
            "duration_ms": (timeline.ended - timeline.began) / 1000,
            "totals": asdict(timeline.totals),
            "lanes": [_lane(lane, lanes, index) for lane in timeline.lanes],
            "steps": [_step(step, lanes, index, timeline.began) for step in steps],
            "searched": as_json(found, unreadable),
        }
    )
    return codec.one_line(written)


def _time(microseconds: int) -> str:
    return timestamp_text(moment(microseconds))


def _lane(lane: Lane, lanes: dict[Lane, int], index: dict[Step, int]) -> dict[str, Any]:
    return {
        "lane": lanes[lane],
        "agent_id": lane.agent_id,
        "depth": lane.depth,
        "parent": lanes[lane.parent] if lane.parent else None,
        "delegation": index[lane.delegation] if lane.delegation else None,
        "result": index[lane.result] if lane.result else None,
    }


def _step(step: Step, lanes: dict[Lane, int], index: dict[Step, int], began: int) -> dict[str, Any]:
    return {
        "index": index[step],
        "kind": step.kind,
        "label": step.label,
        "lane": lanes[step.lane],
        "parent": index[step.parent] if step.parent else None,
        "began": _time(step.began),
        "since_start_ms": (step.began - began) / 1000,
        "duration_ms": step.duration_us / 1000,
        "open": step.is_open,
        "late_ms": step.late_us / 1000,
        "moved": step.moved,
        "event": orjson.Fragment(step.record.value),
        "record": orjson.Fragment(capture.lay(step.record.place)),
        "announced": [orjson.Fragment(record.value) for record in step.announced],
    }
