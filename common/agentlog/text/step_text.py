"""A step in words, whatever it is then written as. Pure; the text is as recorded, so renderers must escape it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from ..event.event import number
from ..formatting import counted, dollars, duration
from ..session.timeline import CALL_TYPES, Step

WORDS = {
    "session_start": "start",
    "session_end": "end",
    "user_message": "user",
    "agent_message": "agent",
    "llm_call": "llm",
    "tool_call": "tool",
    "retrieval": "search",
    "delegation": "delegate",
    "delegation_result": "result",
    "memory_write": "memory",
}
FEWEST_FOLDED = 4
TELL_THEIR_ERROR = frozenset({"error", "session_end", "delegation_result"})
"""Steps whose headline says what went wrong."""


class Detail(NamedTuple):
    """A line below a step: ``because``, ``in``, ``out``, ``error`` and what they say.

    Attributes:
        behind: what stands behind the text, however much of that is cut.
    """

    key: str
    text: str
    behind: str = ""


class Run(NamedTuple):
    """Like calls in a row; the first is written as a step, the others as one line."""

    first: Step
    others: list[Step]


def word(step: Step) -> str:
    """What the step is, in one word; an event type that we don't know stands as it is."""
    return WORDS.get(step.kind, step.kind)


def shown(value: object) -> str:
    """A value of a payload as text: a text as it is, an object as its names and values, the rest as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _reference(value) or "  ".join(f"{name} {_inner(inner)}" for name, inner in value.items())
    return _json(value)


def _reference(value: dict[str, Any]) -> str:
    """What stands in the place of a large payload, as text; empty for any other object."""
    place = value.get("$ref", "")
    if isinstance(place, str) and place:
        where = f" in {place}"
    elif place is None and "sha256" in value:
        where = ", shortened"
    else:
        return ""
    return f"{shown(value.get('preview') or '')} [{shown(value.get('bytes', '?'))} bytes{where}]".strip()


def _inner(value: object) -> str:
    if isinstance(value, str):
        return value
    return (_reference(value) if isinstance(value, dict) else "") or _json(value)


def _json(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError:  # whole numbers beyond 64 bits
        return json.dumps(value, ensure_ascii=False)


def headline(step: Step) -> str:
    """The step in one line, behind its word."""
    took = duration(step.duration_us) if step.duration_us else ""
    return "  ".join(filter(None, [said(step), _price(step), took, *marks(step)]))


def said(step: Step) -> str:
    """What the step says of itself, without what it cost and how long it took."""
    return _HEADLINES.get(step.kind, _plainly)(step, step.event.payload)


def _price(step: Step) -> str:
    cost = number(step.event.payload.get("cost_usd")) if step.kind == "llm_call" else None
    return "" if cost is None else dollars(cost)


def marks(step: Step) -> list[str]:
    """What is remarkable about a step's time."""
    late = [f"[arrived {duration(step.late_us)} late]"] if step.late_us else []
    moved = [f"[its clock says {step.event.timestamp:%H:%M:%S}]"] if step.moved else []
    return late + moved + (["[still open]"] if step.is_open else [])


def _llm(step: Step, payload: dict[str, Any]) -> str:
    tokens = [(payload.get("input_tokens"), "in"), (payload.get("output_tokens"), "out")]
    counts = ", ".join(f"{round(count):,} {name}" for value, name in tokens if (count := number(value)) is not None)
    return "  ".join(filter(None, [step.label or "model unknown", counts]))


def _retrieval(_step: Step, payload: dict[str, Any]) -> str:
    documents = payload.get("documents")
    found = counted(len(documents), "document") if isinstance(documents, list) else ""
    return "  ".join(filter(None, [f'"{shown(payload.get("query", ""))}"', found]))


def _end(step: Step, payload: dict[str, Any]) -> str:
    came = _came(payload)
    status = shown(payload.get("status") or step.event.status or "ended")
    return f"{status}: {came}" if came else status


def _delegation(_step: Step, payload: dict[str, Any]) -> str:
    child = payload.get("child_session_id")
    session = f"  in session {child}" if isinstance(child, str) else ""
    task = payload.get("task")
    return _of_agent(payload.get("to_agent_id", "?"), "" if task is None else shown(task)) + session


def _result(_step: Step, payload: dict[str, Any]) -> str:
    return _of_agent(payload.get("from_agent_id", "?"), _came(payload))


def _of_agent(agent_id: object, what: str) -> str:
    return f"{shown(agent_id)}: {what}" if what else shown(agent_id)


def _came(payload: dict[str, Any]) -> str:
    """What came of a session or a delegation: what went wrong, and the result that there is all the same."""
    error, result = payload.get("error"), payload.get("result")
    if not error:
        return "" if result is None else shown(result)
    return f"{shown(error)}, with the result {shown(result)}" if result else shown(error)


def _plainly(_step: Step, payload: dict[str, Any]) -> str:
    return shown(payload)


_HEADLINES: dict[str, Callable[[Step, dict[str, Any]], str]] = {
    "session_start": lambda _, payload: shown(payload.get("goal", payload)),
    "session_end": _end,
    "user_message": lambda _, payload: shown(payload.get("text", payload)),
    "agent_message": lambda _, payload: shown(payload.get("text", payload)),
    "llm_call": _llm,
    "tool_call": lambda step, _: step.label or "tool unknown",
    "retrieval": _retrieval,
    "decision": lambda _, payload: shown(payload.get("action", payload)),
    "delegation": _delegation,
    "delegation_result": _result,
    "memory_write": lambda _, payload: f"{shown(payload.get('key', '?'))} = {shown(payload.get('value', ''))}",
    "error": lambda _, payload: ": ".join(shown(payload[name]) for name in ("type", "message") if payload.get(name)),
}
_SAID = {
    "session_start": {"goal"},
    "session_end": {"status", "result", "error"},
    "user_message": {"text"},
    "agent_message": {"text"},
    "llm_call": {"model", "input_tokens", "output_tokens", "cost_usd", "latency_ms"},
    "tool_call": {"tool", "latency_ms"},
    "retrieval": {"query", "latency_ms"},
    "decision": {"action"},
    "delegation": {"to_agent_id", "task", "child_session_id"},
    "delegation_result": {"from_agent_id", "result", "error"},
    "memory_write": {"key", "value"},
    "error": {"type", "message"},
}
_KEYS = {"input": "in", "output": "out", "alternatives": "over"}
_ALWAYS = ("input", "output", "alternatives", "error")


def details(step: Step, full: bool, known: object = None) -> Iterator[Detail]:
    """The lines below a step: its reasoning unless ``known``, input, output, error; with ``full`` all it recorded."""
    reasoning = step.event.context.get("reasoning")
    if reasoning not in (None, "") and (full or reasoning != known):
        yield Detail("because", shown(reasoning), _sureness(step))
    payload, said = step.event.payload, _SAID.get(step.kind, set(step.event.payload))
    others = [name for name in payload if name not in _ALWAYS and name not in ("call_id", "call_type")] if full else []
    for name in [*_ALWAYS, *others]:
        value = payload.get(name)
        if name not in said and value not in (None, "", {}, []) and (name != "error" or value):
            yield Detail(_KEYS.get(name, name), shown(value))
    for name, value in step.event.context.items() if full else ():
        if name not in ("reasoning", "model", "confidence", "parent_event_id"):
            yield Detail(name, shown(value))
    if full:
        yield Detail("event", step.event.event_id)


def _sureness(step: Step) -> str:
    confidence, model = step.event.context.get("confidence"), step.event.context.get("model")
    parts = [model] if isinstance(model, str) and step.kind != "llm_call" else []
    parts += [f"confidence {confidence:g}"] if number(confidence) is not None else []
    return f" ({', '.join(parts)})" if parts else ""


def error_name(error: object) -> str:
    """An error in a word or two: its type or code, else what stands before the first colon."""
    if isinstance(error, dict):
        named = next((error[name] for name in ("type", "code", "name", "message", "preview") if error.get(name)), None)
        return error_name(named) if named is not None else "error"
    text = shown(error)
    code = re.match(r"[\w.\- ]{1,40}(?=:)", text)
    return code[0] if code else text


def folded(steps: Iterable[Step]) -> Iterator[Step | Run]:
    """Steps, of which four or more like calls in a row (one lane, one tool, one outcome) stand as a run."""
    row: list[Step] = []
    likeness: object = None
    for step in steps:
        kind = _likeness(step)
        if row and kind != likeness:
            yield from _row(row)
            row = []
        if kind is None:
            yield step
        else:
            row.append(step)
        likeness = kind
    yield from _row(row)


def _row(row: list[Step]) -> Iterator[Step | Run]:
    if len(row) < FEWEST_FOLDED:
        yield from row
    else:
        yield Run(row[0], row[1:])


def _likeness(step: Step) -> object:
    if step.kind not in CALL_TYPES or step.is_open:
        return None
    return step.kind, id(step.lane), step.label, error_name(step.error) if step.error is not None else None


def run_text(run: Run) -> str:
    """The others of a run in one line."""
    steps = [run.first, *run.others]
    spans = steps[-1].began - steps[0].began
    outcome = f"all {error_name(run.first.error)}" if run.first.error is not None else "all done"
    inputs = len({repr(step.event.payload.get("input", step.event.payload.get("query"))) for step in steps})
    asked = "one input" if inputs == 1 else f"{inputs:,} inputs"
    reasons = {shown(step.event.context.get("reasoning") or "") for step in steps} - {""}
    why = f", {len(reasons):,} reasons" if len(reasons) > 1 else ""
    pace = f"every {duration(spans // len(run.others))}, for {duration(spans)}" if spans else "at once"
    return f"{run.first.label or word(run.first)}  {outcome}, {pace}, {asked}{why}"
