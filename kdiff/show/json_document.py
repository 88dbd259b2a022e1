"""A verdict as one JSON document; docs/kdiff.md holds the contract. Pure."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson

from agentlog.event import capture, codec
from agentlog.event.event import timestamp_text
from agentlog.session.coverage import as_json

from ..align.payload_diff import ABSENT, Change
from ..align.step_groups import Move
from ..judge.divergence import Divergence
from ..reading.session import Session
from .phrases import Words
from .result import Result

WEIGHTS = {0: "text", 1: "answer", 2: "may_explain", 3: "explains"}


def document(result: Result) -> Iterator[bytes]:
    """The verdict and how far it can be trusted, then all divergences, one after the other: there may be many."""
    yield dumped(_verdict(result))[:-1] + b',"divergences":['
    for number, each in enumerate(result.compared.divergences):
        yield (b"," if number else b"") + dumped(divergence(each))
    yield b"]}\n"


def _verdict(result: Result) -> dict[str, Any]:
    found, words = result.verdict, result.words
    root = found.root
    side = "b" if root is not None and root.b is not None else "a"
    named = (root.b or root.a) if root is not None else None
    return {
        "verdict": found.answer.value,
        "note": found.note or None,
        "doubts": result.doubts,
        "a": session(result.a),
        "b": session(result.b),
        "decisive": divergence(found.decisive) if found.decisive else None,
        "root": None
        if named is None or root is None
        else {
            "side": side,
            "event": event(named),
            "text": words.payloads.text(named),
            "reasoning": words.because(named) or None,
            "other": _other(root.a if side == "b" else None, words),
        },
        "chain": [event(move) for move in found.chain],
        "first": divergence(found.first) if found.first else None,
        "worded_otherwise": result.compared.worded_otherwise,
    }


def dumped(value: Any) -> bytes:
    """JSON in which no control or steering character is left as it is."""
    return codec.one_line(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=_large))


def _large(value: object) -> Any:
    return str(value)  # whole numbers beyond 64 bits


def _other(move: Move | None, words: Words) -> dict[str, Any] | None:
    if move is None:
        return None
    return {"event": event(move), "text": words.payloads.text(move), "reasoning": words.because(move) or None}


def session(own: Session) -> dict[str, Any]:
    """A session: its outcome, its totals, and what was read."""
    line = own.timeline
    return {
        "session_id": line.session_id,
        "outcome": line.outcome,
        "events": line.totals.events,
        "steps": len(line.steps),
        "goal": line.goal or None,
        "duration_ms": (line.ended - line.began) / 1000,
        "totals": asdict(line.totals),
        "searched": as_json(own.found, own.unreadable),
    }


def event(move: Move) -> dict[str, Any]:
    """What names an event, and where it lies."""
    own = move.step.event
    return {
        "event_id": own.event_id,
        "event_type": own.event_type,
        "agent_id": own.agent_id,
        "label": move.label,
        "index": move.index,
        "timestamp": timestamp_text(own.timestamp),
        "record": orjson.Fragment(codec.one_line(capture.lay(move.sketch.place))),
    }


def divergence(found: Divergence) -> dict[str, Any]:
    """A divergence."""
    move = found.b if found.b is not None and found.b.is_call else found.a
    return {
        "kind": found.kind,
        "label": found.label,
        "why": found.why,
        "weight": WEIGHTS[int(found.weight)],
        "effect": move.sketch.effect.name.lower() if move is not None and move.is_call else None,
        "effect_rule": move.sketch.rule if move is not None and move.is_call else None,
        "count": found.count,
        "times": {"a": found.a.times if found.a else 0, "b": found.b.times if found.b else 0},
        "a": event(found.a) if found.a else None,
        "b": event(found.shown_b) if found.shown_b else None,
        "also": [each.step.event.event_id for each in found.also],
        "changes": [_change(each) for each in found.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    sides = {"a": change.a, "b": change.b}
    return {"path": change.path, **{side: value for side, value in sides.items() if value is not ABSENT}}
