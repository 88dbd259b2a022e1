"""The data of the page's list of steps, by column; the script needs no event for it. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.event.escape import escape_controls, join_lines
from agentlog.event.event import parse_amount
from agentlog.formatting import shorten_name
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline
from agentlog.text.step_text import (
    CallRun,
    Detail,
    describe_content,
    describe_folded_steps,
    fold_runs,
    format_time_marks,
    get_step_word,
    list_details,
)

MAX_TEXT_LENGTH = 240
DETAIL_PRIORITY = ("error", "because", "in", "out")
"""The page shows one detail beside a step: the first of these that it has."""


def render_step_columns(timeline: Timeline) -> bytes:
    """Return the session's lanes, its steps in columns, and the folded runs as JSON."""
    steps = timeline.steps
    lane_index = {lane: place for place, lane in enumerate(timeline.lanes)}
    step_index = {step: place for place, step in enumerate(steps)}
    return orjson.dumps(
        {
            "session": timeline.session_id,
            "began": timeline.began,
            "ended": timeline.ended,
            "lanes": [_build_lane(lane) for lane in timeline.lanes],
            "runs": [_build_run(item, step_index) for item in fold_runs(steps) if isinstance(item, CallRun)],
            "steps": {
                "id": list(find_anchors(steps).values()),
                "word": [clip_text(get_step_word(step), 40) for step in steps],
                "agent": [clip_text(shorten_name(step.event.agent_id), 80) for step in steps],
                "label": [clip_text(shorten_name(step.label or step.kind), 80) for step in steps],
                "lane": [lane_index[step.lane] for step in steps],
                "parent": [step_index[step.parent] if step.parent else -1 for step in steps],
                "began": [step.began - timeline.began for step in steps],
                "took": [step.duration_us for step in steps],
                "call": [int(step.kind in CALL_TYPES) for step in steps],
                "open": [int(step.is_open) for step in steps],
                "bad": [int(step.error is not None) for step in steps],
                "cost": [parse_amount(step.event.payload.get("cost_usd")) for step in steps],
                "lines": [len(step.announced) + (not step.is_open) for step in steps],
                "said": [clip_text("  ".join([describe_content(step), *format_time_marks(step)])) for step in steps],
                "beside": _choose_details(steps),
            },
        }
    )


def find_anchors(steps: Sequence[Step]) -> dict[Step, str]:
    """Return the name of each step in an address: its ``event_id``, with its number if an earlier step has the same."""
    seen: set[str] = set()
    anchors = {}
    for step in steps:
        event_id = step.event.event_id
        anchors[step] = f"{event_id}@{step.number}" if event_id in seen else event_id
        seen.add(event_id)
    return anchors


def clip_text(text: str, length: int = MAX_TEXT_LENGTH) -> str:
    """Return a text, cut to ``length`` characters, on one line."""
    return escape_controls(join_lines(text[:length])) + ("..." if len(text) > length else "")


def _build_lane(lane: Lane) -> dict[str, Any]:
    return {"agent": clip_text(shorten_name(lane.agent_id), 80), "depth": lane.depth}


def _build_run(run: CallRun, step_index: dict[Step, int]) -> tuple[int, int, str]:
    """Return the index of the first folded step, the number of folded steps, and their description."""
    return step_index[run.others[0]], len(run.others), clip_text(describe_folded_steps(run))


def _choose_details(steps: Sequence[Step]) -> list[tuple[str, str] | None]:
    """Return the detail beside each step; reasoning that repeats the lane's last step is left out."""
    reasons: dict[Lane, object] = {}
    chosen = []
    for step in steps:
        known_reasoning = reasons.get(step.lane)
        chosen.append(
            _choose_detail(
                {each.key: each for each in list_details(step, is_full=False, known_reasoning=known_reasoning)}
            )
        )
        reasons[step.lane] = step.event.context.get("reasoning")
    return chosen


def _choose_detail(details_by_key: dict[str, Detail]) -> tuple[str, str] | None:
    """Return the first detail of ``DETAIL_PRIORITY`` with its text, or None."""
    key = next((key for key in DETAIL_PRIORITY if key in details_by_key), None)
    return (key, clip_text(details_by_key[key].text + details_by_key[key].suffix)) if key else None
