"""A verdict as one JSON document. docs/kdiff.md describes its members. Pure."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import msgspec
import orjson

from agentlog.capture_format import capture
from agentlog.event import codec
from agentlog.event.event import format_timestamp
from agentlog.event.media import mark_media_in_text, may_hold_media, replace_media
from agentlog.session.coverage import coverage_to_json

from ..align.payload_diff import ABSENT, Change
from ..align.step_groups import StepGroup
from ..judge.divergence import Divergence
from ..reading.normalize import to_text
from ..reading.session import Session
from .phrases import StepDescriber
from .result import Result

WEIGHTS = {0: "text", 1: "answer", 2: "may_explain", 3: "explains"}


def render_json(result: Result) -> Iterator[bytes]:
    """Yield the verdict, then the divergences one by one, because there may be many."""
    yield dump_json(_encode_verdict(result))[:-1] + b',"divergences":['
    for number, divergence in enumerate(result.comparison.divergences):
        yield (b"," if number else b"") + dump_json(encode_divergence(divergence))
    yield b"]}\n"


def _encode_verdict(result: Result) -> dict[str, Any]:
    verdict, describer = result.verdict, result.describer
    root_cause = verdict.root_cause
    side = "b" if root_cause is not None and root_cause.b is not None else "a"
    root_group = (root_cause.b or root_cause.a) if root_cause is not None else None
    return {
        "verdict": verdict.kind.value,
        "note": result.note or None,
        "doubts": result.limitations,
        "a": encode_session(result.a),
        "b": encode_session(result.b),
        "decisive": encode_divergence(verdict.decisive) if verdict.decisive else None,
        "root": None
        if root_group is None or root_cause is None
        else {
            "side": side,
            "event": encode_event(root_group),
            "text": describer.payloads.read_text(root_group),
            "reasoning": describer.describe_reasoning(root_group) or None,
            "other": _encode_step(root_cause.a if side == "b" else None, describer),
        },
        "chain": [encode_event(group) for group in verdict.chain],
        "first": encode_divergence(verdict.first) if verdict.first else None,
        "worded_otherwise": result.comparison.reworded_count,
    }


def dump_json(value: Any) -> bytes:
    """Encode a value as JSON. Control characters and characters that steer a terminal are escaped."""
    return codec.flatten_json(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS))


def _encode_step(group: StepGroup | None, describer: StepDescriber) -> dict[str, Any] | None:
    if group is None:
        return None
    return {
        "event": encode_event(group),
        "text": describer.payloads.read_text(group),
        "reasoning": describer.describe_reasoning(group) or None,
    }


def encode_session(session: Session) -> dict[str, Any]:
    """Encode a session: its outcome, its totals, and what was read."""
    timeline = session.timeline
    return {
        "session_id": timeline.session_id,
        "outcome": timeline.outcome,
        "events": timeline.totals.events,
        "steps": len(timeline.steps),
        "goal": timeline.goal or None,
        "duration_ms": (timeline.ended - timeline.began) / 1000,
        "totals": asdict(timeline.totals),
        "searched": coverage_to_json(session.coverage, session.unreadable),
    }


def encode_event(group: StepGroup) -> dict[str, Any]:
    """Encode the names of an event, and the place of its record."""
    event = group.step.event
    return {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "agent_id": event.agent_id,
        "label": group.label,
        "index": group.index,
        "timestamp": format_timestamp(event.timestamp),
        "record": orjson.Fragment(codec.flatten_json(capture.encode_place(group.signature.place))),
    }


def encode_divergence(divergence: Divergence) -> dict[str, Any]:
    """Encode a divergence."""
    group = divergence.b if divergence.b is not None and divergence.b.is_call else divergence.a
    return {
        "kind": divergence.kind,
        "label": divergence.label,
        "why": divergence.why,
        "weight": WEIGHTS[int(divergence.weight)],
        "effect": group.signature.effect.name.lower() if group is not None and group.is_call else None,
        "effect_rule": group.signature.rule if group is not None and group.is_call else None,
        "count": divergence.count,
        "times": {"a": divergence.a.times if divergence.a else 0, "b": divergence.b.times if divergence.b else 0},
        "a": encode_event(divergence.a) if divergence.a else None,
        "b": encode_event(divergence.shown_b) if divergence.shown_b else None,
        "instead": encode_event(divergence.alternative) if divergence.alternative else None,
        "also": [each.step.event.event_id for each in divergence.further_groups],
        "changes": [_encode_change(each) for each in divergence.changes],
    }


def _encode_change(change: Change) -> dict[str, Any]:
    sides = {"a": change.a, "b": change.b}
    return {"path": change.path, **{side: _encode_value(value) for side, value in sides.items() if value is not ABSENT}}


def _encode_value(value: Any) -> orjson.Fragment:
    if isinstance(value, str):
        value = mark_media_in_text(value)
    elif isinstance(value, dict | list) and may_hold_media(to_text(value)):
        value = replace_media(value, lambda _, marked, __: marked)
    try:
        return orjson.Fragment(orjson.dumps(value))
    except TypeError:  # a number of more than 64 bits, or more than 254 levels
        return orjson.Fragment(msgspec.json.encode(value))
