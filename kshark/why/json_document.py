"""The answer of `kshark why` as one JSON document; docs/kshark.md specifies the fields. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.analysis.causality import CauseGraph
from agentlog.analysis.failures import is_failure
from agentlog.event import codec
from agentlog.event.event import Unreadable, format_timestamp, to_datetime
from agentlog.session.coverage import Coverage, coverage_to_json
from agentlog.session.timeline import Step

from ..view.numbered_steps import build_step_reference
from .consequences import Consequences
from .diagnosis.diagnosis import Diagnosis
from .explanation import Explanation
from .phrases import describe_candidate, describe_diagnosis


def render_json(explanation: Explanation, coverage: Coverage, unreadable: Sequence[Unreadable]) -> bytes:
    """Return the diagnosis, the chain with its events as stored, the consequences and the coverage."""
    timeline, causes = explanation.timeline, explanation.causes
    encoded = orjson.dumps(
        {
            "session_id": timeline.session_id,
            "goal": timeline.goal,
            "outcome": timeline.outcome,
            "steps": len(timeline.steps),
            "wrong": _build_diagnosis(explanation.diagnosis, explanation)
            if explanation.diagnosis is not None
            else None,
            "step": _build_step(explanation.step, causes) if explanation.step is not None else None,
            "chain": [
                {**_build_step(link.step, causes), "tie": link.tie, "lost_parent": link.lost, **_embed_event(link.step)}
                for link in explanation.chain
            ],
            "came_of_it": _build_consequences(explanation.consequences, causes)
            if explanation.consequences is not None
            else None,
            "searched": coverage_to_json(coverage, unreadable),
        }
    )
    return codec.flatten_json(encoded)


def _build_diagnosis(diagnosis: Diagnosis, explanation: Explanation) -> dict[str, Any]:
    number, loop = explanation.causes.step_numbers, diagnosis.loop
    return {
        "kind": diagnosis.kind,
        "sure": diagnosis.is_sure,
        "doubt": diagnosis.doubt,
        "says": describe_diagnosis(diagnosis, explanation.timeline),
        "step": number[diagnosis.step] if diagnosis.step is not None else None,
        "decision": number[diagnosis.decision] if diagnosis.decision is not None else None,
        "evidence": [number[step] for step in diagnosis.evidence],
        "loop": {
            "calls": len(loop.calls),
            "group": loop.group_size,
            "failing": loop.is_failing,
            "between": loop.successes_between,
            "overcome": loop.is_overcome,
        }
        if loop is not None
        else None,
        "failures": [number[step] for step in diagnosis.failures],
        "candidates": [
            {
                "kind": candidate.kind,
                "step": number[candidate.step],
                "event_id": candidate.step.event.event_id,
                "label": candidate.step.label,
                "reason": describe_candidate(candidate),
            }
            for candidate in diagnosis.candidates
        ],
    }


def _build_step(step: Step, causes: CauseGraph) -> dict[str, Any]:
    return {
        **build_step_reference(step, causes.step_numbers),
        "agent_id": step.event.agent_id,
        "began": format_timestamp(to_datetime(step.began)),
        "duration_ms": None if (duration_us := step.duration_us) is None else duration_us / 1000,
        "open": step.is_open,
        "failed": is_failure(step),
    }


def _embed_event(step: Step) -> dict[str, Any]:
    return {"event": orjson.Fragment(step.record.value)}


def _build_consequences(consequences: Consequences, causes: CauseGraph) -> dict[str, Any]:
    sub_agent_lane = consequences.sub_agent_lane
    return {
        "children": [_build_step(step, causes) for step in consequences.children],
        "retries": [causes.step_numbers[step] for step in consequences.retries],
        "retry_succeeded": not is_failure(consequences.retries[-1]) if consequences.retries else None,
        "sub_agent": sub_agent_lane.agent_id if sub_agent_lane is not None else None,
        "result": causes.step_numbers[sub_agent_lane.result]
        if sub_agent_lane is not None and sub_agent_lane.result is not None
        else None,
        "steps": consequences.step_count,
        "lasted_ms": consequences.duration_us / 1000,
        "cost_usd": None if consequences.cost_usd is None else round(consequences.cost_usd, 9),
        "total_cost_usd": consequences.total_usd,
    }
