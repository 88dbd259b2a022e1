"""What the page's script knows of every step without its event: a column for each thing said in the list. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.event.escape import escaped
from agentlog.event.event import number
from agentlog.session.timeline import CALL_TYPES, Lane, Step, Timeline
from agentlog.text.step_text import Detail, Run, details, folded, marks, run_text, said, word

LONGEST = 240
FIRST = ("error", "because", "in", "out")
"""Of what stands below a step elsewhere, the first of these stands beside it here."""


def columns(timeline: Timeline) -> bytes:
    """The session's lanes, its steps in columns, and which of them are folded."""
    steps = timeline.steps
    lanes = {lane: place for place, lane in enumerate(timeline.lanes)}
    index = {step: place for place, step in enumerate(steps)}
    return orjson.dumps(
        {
            "session": timeline.session_id,
            "began": timeline.began,
            "ended": timeline.ended,
            "lanes": [_lane(lane) for lane in timeline.lanes],
            "runs": [_run(item, index) for item in folded(steps) if isinstance(item, Run)],
            "steps": {
                "id": [step.event.event_id for step in steps],
                "word": [clipped(word(step), 40) for step in steps],
                "agent": [clipped(step.event.agent_id, 80) for step in steps],
                "label": [clipped(step.label or step.kind, 80) for step in steps],
                "lane": [lanes[step.lane] for step in steps],
                "parent": [index[step.parent] if step.parent else -1 for step in steps],
                "began": [step.began - timeline.began for step in steps],
                "took": [step.duration_us for step in steps],
                "call": [int(step.kind in CALL_TYPES) for step in steps],
                "open": [int(step.is_open) for step in steps],
                "bad": [int(step.error is not None) for step in steps],
                "cost": [number(step.event.payload.get("cost_usd")) for step in steps],
                "lines": [len(step.announced) + (not step.is_open) for step in steps],
                "said": [clipped("  ".join([said(step), *marks(step)])) for step in steps],
                "beside": _beside(steps),
            },
        }
    )


def clipped(text: str, length: int = LONGEST) -> str:
    """As much of a text as a line of the page holds."""
    return escaped(text[:length]) + ("..." if len(text) > length else "")


def _lane(lane: Lane) -> dict[str, Any]:
    return {"agent": clipped(lane.agent_id, 80), "depth": lane.depth}


def _run(run: Run, index: dict[Step, int]) -> tuple[int, int, str]:
    """Where its folded steps begin, how many they are, and what can be said of them."""
    return index[run.others[0]], len(run.others), clipped(run_text(run))


def _beside(steps: Sequence[Step]) -> list[tuple[str, str] | None]:
    """What stands beside each step; its reasoning only where it isn't that of the step before in its lane."""
    reasons: dict[Lane, object] = {}
    found = []
    for step in steps:
        known = reasons.get(step.lane)
        found.append(_first({each.key: each for each in details(step, full=False, known=known)}))
        reasons[step.lane] = step.event.context.get("reasoning")
    return found


def _first(given: dict[str, Detail]) -> tuple[str, str] | None:
    """An error, a reason, an input or an output, whatever of it there is."""
    key = next((key for key in FIRST if key in given), None)
    return (key, clipped(given[key].text + given[key].behind)) if key else None
