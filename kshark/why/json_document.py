"""The answer of `kshark why` as one JSON document; docs/kshark.md holds the contract. Pure."""

from collections.abc import Sequence
from typing import Any

import orjson

from agentlog.analysis.causality import Causes
from agentlog.analysis.failures import is_failure
from agentlog.event import codec
from agentlog.event.event import Unreadable, timestamp_text
from agentlog.session.coverage import Coverage, as_json
from agentlog.session.timeline import Step

from ..render import moment
from ..view.numbered_steps import named_step
from .consequences import Aftermath
from .diagnosis import Wrong
from .explanation import Answer
from .phrases import verdict


def document(answer: Answer, covered: Coverage, unreadable: Sequence[Unreadable]) -> bytes:
    """The finding, the chain with its events as stored, what came of it, and how far all of it can be trusted."""
    timeline, causes = answer.timeline, answer.causes
    written = orjson.dumps(
        {
            "session_id": timeline.session_id,
            "goal": timeline.goal,
            "outcome": timeline.outcome,
            "steps": len(timeline.steps),
            "wrong": _wrong(answer.found, answer) if answer.found is not None else None,
            "step": _step(answer.step, causes) if answer.step is not None else None,
            "chain": [
                {**_step(link.step, causes), "tie": link.tie, "lost_parent": link.lost, **_event(link.step)}
                for link in answer.chain
            ],
            "came_of_it": _after(answer.after, causes) if answer.after is not None else None,
            "searched": as_json(covered, unreadable),
        }
    )
    return codec.one_line(written)


def _wrong(found: Wrong, answer: Answer) -> dict[str, Any]:
    number, loop = answer.causes.number, found.loop
    return {
        "kind": found.kind,
        "sure": found.is_sure,
        "says": verdict(found, answer.timeline),
        "step": number[found.step] if found.step is not None else None,
        "decision": number[found.decision] if found.decision is not None else None,
        "evidence": [number[step] for step in found.evidence],
        "loop": {
            "calls": len(loop.calls),
            "group": loop.group,
            "failing": loop.failing,
            "between": loop.between,
            "overcome": loop.overcome,
        }
        if loop is not None
        else None,
        "failures": [number[step] for step in found.failures],
    }


def _step(step: Step, causes: Causes) -> dict[str, Any]:
    return {
        **named_step(step, causes.number),
        "agent_id": step.event.agent_id,
        "began": timestamp_text(moment(step.began)),
        "duration_ms": step.duration_us / 1000,
        "open": step.is_open,
        "failed": is_failure(step),
    }


def _event(step: Step) -> dict[str, Any]:
    return {"event": orjson.Fragment(step.record.value)}


def _after(after: Aftermath, causes: Causes) -> dict[str, Any]:
    run = after.run
    return {
        "children": [_step(step, causes) for step in after.children],
        "retries": [causes.number[step] for step in after.retries],
        "retry_succeeded": not is_failure(after.retries[-1]) if after.retries else None,
        "sub_agent": run.agent_id if run is not None else None,
        "result": causes.number[run.result] if run is not None and run.result is not None else None,
        "steps": after.steps,
        "lasted_ms": after.lasted / 1000,
        "cost_usd": round(after.cost_usd, 9),
        "total_cost_usd": after.total_usd,
    }
