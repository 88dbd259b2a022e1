"""The text of a step, for every renderer. Pure; the text is as recorded, so renderers must escape it."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ..event.escape import settle_text, split_lines
from ..event.event import parse_amount, to_datetime
from ..event.json_text import to_json_text
from ..event.media import may_hold_media
from ..event.reference import is_reference
from ..formatting import format_count, format_dollars, format_duration, shorten_name
from ..session.failure import ANSWER_FIELDS
from ..session.failure_text import find_error_in_text
from ..session.timeline import CALL_TYPES, Step
from .condensed_value import condense_value, format_reference
from .pace import describe_pace

STEP_WORDS = {
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
ORDINARY_FINISHES = ("", "stop", "tool_calls")
"""The values of ``finish_reason`` of an answer that is whole."""
MIN_FOLDED_CALLS = 4
"""This many similar calls in a row are folded into a run."""
MIN_ALIKE = 3
"""Of this many answers, one can be unlike the others."""
MAX_FORM, MAX_ODD = 2_000, 80
"""So many characters of an answer are compared; only a short one is shown."""
MAX_ERROR_CHARACTERS = 120
"""The most characters of an error's line that stands for the error."""
MAX_MEMBER_CHARACTERS = 28
"""The most characters of a member's name before its value."""
MEMBER_INDENT = "    "
"""As wide as a tab, so that indented text keeps its tab stops."""
KINDS_WITH_ERROR_IN_HEADLINE = frozenset({"error", "session_end", "delegation_result"})
"""Kinds of steps whose headline states the error."""

PLAIN_ERRORS = frozenset({"error", "exception", "failed", "failure", "fatal", "err"})
"""Words before a colon that say no more than that it failed."""

_NUMBER = re.compile(r"-?\d[\d.,]*")
_ERROR_PREFIX = re.compile(r"^(?:error|exception|failed|fatal)\b[\s:]*", re.I)


class Detail(NamedTuple):
    """A detail below a step: its key (``because``, ``in``, ``out``, ``error`` or a field's name) and its text.

    Attributes:
        suffix: a text behind ``text`` that is never shortened.
        parts: the parts of an object on several lines: a row of short members, or one member with its lines.
    """

    key: str
    text: str
    suffix: str = ""
    parts: Sequence[str] = ()


class CallRun(NamedTuple):
    """Similar calls in a row. The first is written as a step, the others as one line."""

    first: Step
    others: list[Step]


def get_step_word(step: Step) -> str:
    """Return the word for the step's kind; an unknown event type is its own word."""
    return STEP_WORDS.get(step.kind, step.kind)


def get_step_name(step: Step) -> str:
    """Return the step's label, or its word if it has none; a long one is cut in its middle."""
    return shorten_name(step.label or get_step_word(step))


def format_payload_value(value: object) -> str:
    """Format a value of a payload: a text as it is, an object as names and values, anything else as JSON.

    Media in base64 are replaced by their kinds and sizes. An object stands on one line. If a text in it has several
    lines, they stand indented below its name, and the members before and after it have their own lines.
    """
    value = condense_value(value)
    if isinstance(value, str):
        return settle_text(value)
    if isinstance(value, dict):
        return format_reference(value) if is_reference(value) else "\n".join(_format_members(value))
    return to_json_text(value)


def _make_detail(key: str, value: object, suffix: str = "", *, is_full: bool = False) -> Detail:
    value = condense_value(value)
    if not isinstance(value, dict) or is_reference(value):
        return Detail(key, format_payload_value(value), suffix)
    parts = _format_members(value, None if is_full else MAX_MEMBER_CHARACTERS)
    return Detail(key, "\n".join(parts), suffix, parts if len(parts) > 1 else ())


def _format_members(value: dict[str, Any], max_name: int | None = MAX_MEMBER_CHARACTERS) -> list[str]:
    """Format the members of an object: short ones in a row, each of several lines by itself.

    Args:
        max_name: the most characters of a name; None for all.
    """
    members = [(name if max_name is None else shorten_name(name, max_name), inner) for name, inner in value.items()]
    all_in_a_row = "  ".join(f"{name} {_format_inner_value(inner)}" for name, inner in members)
    if "\n" not in all_in_a_row:
        return [all_in_a_row]
    parts: list[str] = []
    row: list[str] = []
    for name, inner in members:
        name_line, text = name.replace("\n", "\\n"), _format_inner_value(inner).strip("\r\n")
        if "\n" not in text:
            row.append(f"{name_line} {text}")
            continue
        parts += ["  ".join(row)] if row else []
        parts.append(f"{name_line}\n{text}".replace("\n", f"\n{MEMBER_INDENT}"))
        row = []
    return [*parts, "  ".join(row)] if row else parts


def _format_inner_value(value: object) -> str:
    if isinstance(value, str):
        return settle_text(value)
    return format_reference(value) if is_reference(value) else to_json_text(value)


def format_headline(step: Step) -> str:
    """Format the step behind its word: its content, cost, duration and time marks. A text keeps its lines."""
    return "  ".join(filter(None, [describe_content(step), format_remarks(step)]))


def format_remarks(step: Step) -> str:
    """Format a step's cost, duration, finish and time marks."""
    duration = format_duration(step.duration_us) if step.duration_us else ""
    return "  ".join(filter(None, [_format_price(step), duration, _format_finish(step), *format_time_marks(step)]))


def describe_content(step: Step) -> str:
    """Describe the step's content, without its cost and duration."""
    return _CONTENT_WRITERS.get(step.kind, _describe_payload)(step, step.event.payload)


def _format_price(step: Step) -> str:
    cost = parse_amount(step.event.payload.get("cost_usd")) if step.kind == "llm_call" else None
    return "" if cost is None else format_dollars(cost)


def _format_finish(step: Step) -> str:
    """Format how a call ended, unless it said all it had to say."""
    reason = step.event.payload.get("finish_reason")
    if not isinstance(reason, str) or not reason.isprintable() or reason in ORDINARY_FINISHES:
        return ""
    return f"[{reason[:40].replace('_', ' ')}]"


def format_time_marks(step: Step) -> list[str]:
    """Return the marks of a step's time: late, moved by the order, still open."""
    late = [f"[arrived {format_duration(step.late_us)} late]"] if step.late_us else []
    if step.has_odd_clock:
        clock = [f"[its clock says {step.event.timestamp.replace(tzinfo=None).isoformat(' ', 'seconds')}]"]
    else:
        clock = [f"[its clock says {_format_clock(step)}]"] if step.was_moved else []
    return late + clock + (["[still open]"] if step.is_open else [])


def _format_clock(step: Step) -> str:
    """Return the time of day that a step's clock says; with milliseconds where seconds alone are the step's own."""
    said, began = step.event.timestamp, to_datetime(step.began)
    has_same_second = said.replace(microsecond=0) == began.replace(microsecond=0)
    return f"{said:%H:%M:%S.%f}"[:-3] if has_same_second else f"{said:%H:%M:%S}"


def _describe_llm_call(step: Step, payload: dict[str, Any]) -> str:
    tokens = [(payload.get("input_tokens"), "in"), (payload.get("output_tokens"), "out")]
    counts = ", ".join(
        f"{round(count):,} {name}" for value, name in tokens if (count := parse_amount(value)) is not None
    )
    return "  ".join(filter(None, [shorten_name(step.label) or "model unknown", counts]))


def _describe_retrieval(_step: Step, payload: dict[str, Any]) -> str:
    documents = payload.get("documents")
    document_count = format_count(len(documents), "document") if isinstance(documents, list) else ""
    return "  ".join(filter(None, [f'"{format_payload_value(payload.get("query", ""))}"', document_count]))


def _describe_session_end(step: Step, payload: dict[str, Any]) -> str:
    result_text = _describe_result(payload)
    status = format_payload_value(payload.get("status") or step.event.status or "ended")
    return f"{status}: {result_text}" if result_text else status


def _describe_delegation(_step: Step, payload: dict[str, Any]) -> str:
    child = payload.get("child_session_id")
    session = f"  in session {shorten_name(child)}" if isinstance(child, str) else ""
    task = payload.get("task")
    return _prefix_agent(payload.get("to_agent_id", "?"), "" if task is None else format_payload_value(task)) + session


def _describe_delegation_result(_step: Step, payload: dict[str, Any]) -> str:
    return _prefix_agent(payload.get("from_agent_id", "?"), _describe_result(payload))


def _prefix_agent(agent_id: object, text: str) -> str:
    name = shorten_name(format_payload_value(agent_id))
    return f"{name}: {text}" if text else name


def _describe_result(payload: dict[str, Any]) -> str:
    """Describe the result of a session or a delegation: the error, and the result even if there is an error."""
    error, result = payload.get("error"), payload.get("result")
    if not error:
        return "" if result is None else format_payload_value(result)
    return (
        f"{format_payload_value(error)}, with the result {format_payload_value(result)}"
        if result
        else format_payload_value(error)
    )


def _describe_payload(_step: Step, payload: dict[str, Any]) -> str:
    return format_payload_value(payload)


def _describe_memory(payload: dict[str, Any]) -> str:
    key, value = format_payload_value(payload.get("key", "?")), format_payload_value(payload.get("value", ""))
    return f"{shorten_name(key)} = {value}"


def _describe_error(payload: dict[str, Any]) -> str:
    texts = [format_payload_value(payload[name]) for name in ("type", "message") if payload.get(name)]
    return ": ".join([*map(shorten_name, texts[:-1]), *texts[-1:]])


_CONTENT_WRITERS: dict[str, Callable[[Step, dict[str, Any]], str]] = {
    "session_start": lambda _, payload: format_payload_value(payload.get("goal", payload)),
    "session_end": _describe_session_end,
    "user_message": lambda _, payload: format_payload_value(payload.get("text", payload)),
    "agent_message": lambda _, payload: format_payload_value(payload.get("text", payload)),
    "llm_call": _describe_llm_call,
    "tool_call": lambda step, _: shorten_name(step.label) or "tool unknown",
    "retrieval": _describe_retrieval,
    "decision": lambda _, payload: format_payload_value(payload.get("action", payload)),
    "delegation": _describe_delegation,
    "delegation_result": _describe_delegation_result,
    "memory_write": lambda _, payload: _describe_memory(payload),
    "error": lambda _, payload: _describe_error(payload),
}
_HEADLINE_FIELDS = {
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
_NAME_FIELDS = frozenset({"model", "tool", "to_agent_id", "from_agent_id", "child_session_id", "key", "type"})
_MESSAGE_KINDS = frozenset({"user_message", "agent_message"})
_NAMING_KINDS = frozenset({"delegation", "delegation_result", "memory_write"})
"""Kinds of steps whose headline begins with a name and goes on."""
_DETAIL_KEYS = {"input": "in", "output": "out", "alternatives": "over"}
_STANDARD_FIELDS = ("input", "output", "alternatives", "error")


def list_details(step: Step, is_full: bool, known_reasoning: object = None) -> Iterator[Detail]:
    """Yield the details below a step: reasoning, input, output, error, and with ``is_full`` all other fields.

    Reasoning that equals ``known_reasoning`` is left out, unless ``is_full``.
    """
    reasoning = step.event.context.get("reasoning")
    if reasoning not in (None, "") and (is_full or reasoning != known_reasoning):
        yield _make_detail("because", reasoning, _describe_confidence(step), is_full=is_full)
    payload, headline_fields = step.event.payload, _HEADLINE_FIELDS.get(step.kind, set(step.event.payload))
    other_fields = (
        [name for name in payload if name not in _STANDARD_FIELDS and name not in ("call_id", "call_type")]
        if is_full
        else []
    )
    if not is_full and step.kind in _MESSAGE_KINDS:
        other_fields = [name for name, value in payload.items() if name not in headline_fields and _holds_media(value)]
    answer_error = None if payload.get("error") else _get_error_in_answer(step)
    is_output_the_error = _begins_with_error(payload.get("output"), answer_error)
    for name in [*_STANDARD_FIELDS, *other_fields]:
        value = payload.get(name)
        if name == "error" and not value:
            value = None if is_output_the_error else answer_error
        elif name == "error" and not is_full:
            value = _get_line_of_copy(value, payload.get("output"))
        if name not in headline_fields and value not in (None, "", {}, []) and (name != "error" or value):
            key = "error" if name == "output" and is_output_the_error else _DETAIL_KEYS.get(name, name)
            yield _make_detail(key, value, is_full=is_full)
    for name, value in step.event.context.items() if is_full else ():
        if name not in ("reasoning", "model", "confidence", "parent_event_id"):
            yield _make_detail(name, value, is_full=is_full)
    if is_full:
        yield from _list_long_names(step)
        yield Detail("event", step.event.event_id)


def _holds_media(value: object) -> bool:
    return may_hold_media(to_json_text(value)) and condense_value(value) != value


def _get_error_in_answer(step: Step) -> object:
    """Return the error that a step's answer states."""
    return step.error if step.event.event_type in ANSWER_FIELDS else None


def _begins_with_error(output: object, error: object) -> bool:
    """Whether an output begins with the error that it states, so that the error needs no line of its own."""
    if error is None or not isinstance(output, str):
        return False
    return settle_text(output).lstrip().startswith(settle_text(str(error)))


def _get_line_of_copy(error: object, answer: object) -> object:
    """Return the line that tells what failed, of an error that only repeats the beginning of the answer."""
    if not isinstance(error, str) or not isinstance(answer, str) or "\n" not in error.strip():
        return error
    return (find_error_in_text(answer) if answer.lstrip().startswith(error.strip()) else None) or error


def has_long_name(step: Step) -> bool:
    """Whether a long name stands before what the headline says."""
    if step.kind not in _HEADLINE_FIELDS:
        return any(len(name) > MAX_MEMBER_CHARACTERS for name in step.event.payload)
    return step.kind in _NAMING_KINDS and len(step.label) > MAX_MEMBER_CHARACTERS


def _list_long_names(step: Step) -> Iterator[Detail]:
    """Yield the names that the headline doesn't show whole."""
    for name in sorted(_HEADLINE_FIELDS.get(step.kind, ())):
        value = step.event.payload.get(name)
        if name in _NAME_FIELDS and isinstance(value, str) and shorten_name(value) != value:
            yield Detail(name, value)
    if step.kind not in _HEADLINE_FIELDS:
        yield from (Detail("name", name) for name in step.event.payload if len(name) > MAX_MEMBER_CHARACTERS)
    if shorten_name(step.event.agent_id) != step.event.agent_id:
        yield Detail("agent", step.event.agent_id)


def _describe_confidence(step: Step) -> str:
    confidence, model = step.event.context.get("confidence"), step.event.context.get("model")
    parts = [shorten_name(model)] if isinstance(model, str) and step.kind != "llm_call" else []
    parts += [f"confidence {confidence:g}"] if parse_amount(confidence) is not None else []
    return f" ({', '.join(parts)})" if parts else ""


def strip_error_prefix(error: object) -> str:
    """Return an error as text, without "Error:" at its beginning."""
    return _ERROR_PREFIX.sub("", format_payload_value(error).lstrip())


def shorten_error(error: object) -> str:
    """Shorten an error to its type or code, else to the text before its first colon, else to its telling line.

    A plain word before the colon, such as "Error", doesn't stand for an error.
    """
    if isinstance(error, dict):
        first_field = next(
            (error[name] for name in ("type", "code", "name", "message", "preview") if error.get(name)), None
        )
        return shorten_error(first_field) if first_field is not None else "error"
    text = format_payload_value(error)
    code = re.match(r"[\w.\- ]{1,40}(?=:)", text)
    if code is not None and code[0].lower() not in PLAIN_ERRORS:
        return code[0]
    return shorten_name(_find_telling_line(text), MAX_ERROR_CHARACTERS)


def _find_telling_line(text: str) -> str:
    """Return the first line of an error that says something; of a traceback the last."""
    lines = [line.strip() for line in split_lines(text) if line.strip()] or [""]
    if len(lines) > 1 and lines[0].rstrip(":").lower() in PLAIN_ERRORS:
        return f"{lines[0].rstrip(':')}: {lines[1]}"
    if lines[0].startswith("Traceback (most recent call last)"):
        return lines[-1]
    return (find_error_in_text(text) if len(lines) > 1 else None) or lines[0]


def fold_runs(steps: Iterable[Step]) -> Iterator[Step | CallRun]:
    """Fold four or more similar calls in a row into a run, and yield all in order.

    They have the same lane, tool and outcome. Errors are the same if they differ only in numbers.
    """
    run: list[Step] = []
    previous_key: object = None
    for step in steps:
        key = _get_run_key(step)
        if run and key != previous_key:
            yield from _fold_row(run)
            run = []
        if key is None:
            yield step
        else:
            run.append(step)
        previous_key = key
    yield from _fold_row(run)


def _fold_row(steps: list[Step]) -> Iterator[Step | CallRun]:
    if len(steps) < MIN_FOLDED_CALLS:
        yield from steps
    else:
        yield CallRun(steps[0], steps[1:])


def _get_run_key(step: Step) -> object:
    if step.kind not in CALL_TYPES or step.is_open or step.has_odd_clock:
        return None
    error = None if step.error is None else _NUMBER.sub("0", shorten_error(step.error))
    return step.kind, id(step.lane), step.label, error


def describe_run(run: CallRun) -> str:
    """Describe a run in one line."""
    return f"{get_step_name(run.first)}  {_describe_outcomes([run.first, *run.others])}"


def describe_folded_steps(run: CallRun) -> str:
    """Describe the other calls of a run in one line, with their step numbers."""
    name = get_step_name(run.first)
    return f"{name}  {_describe_numbers(run.others)}: {_describe_outcomes(run.others)}"


def _describe_numbers(steps: Sequence[Step]) -> str:
    first, last = steps[0].number, steps[-1].number
    in_a_row = last - first + 1 == len(steps)
    return f"{'steps' if in_a_row else 'among steps'} {first} to {last}"


def _describe_outcomes(steps: Sequence[Step]) -> str:
    """Describe how like calls in a row ended, at which pace, and with how many inputs and reasons."""
    elapsed_us = steps[-1].began - steps[0].began
    outcome = f"all {shorten_error(steps[0].error)}" if steps[0].error is not None else "all done"
    inputs = len({repr(step.event.payload.get("input", step.event.payload.get("query"))) for step in steps})
    input_count = "one input" if inputs == 1 else f"{inputs:,} inputs"
    reasons = {format_payload_value(step.event.context.get("reasoning") or "") for step in steps} - {""}
    reason_count = f", {len(reasons):,} reasons" if len(reasons) > 1 else ""
    pace = describe_pace(steps) if elapsed_us > 0 else "at once"
    lasted = f"{', for' if pace else 'in'} {format_duration(elapsed_us)}" if elapsed_us > 0 else ""
    return f"{outcome}, {pace}{lasted}, {input_count}{reason_count}{_describe_answers(steps)}"


def _describe_answers(steps: Sequence[Step]) -> str:
    """Describe how many different answers like calls got, and the one answer that is unlike all others.

    Answers are alike if they differ only in numbers.
    """
    answers = [format_payload_value(answer) for step in steps if (answer := _get_answer(step)) not in (None, "")]
    if not answers:
        return ""
    count = len(set(answers))
    forms = Counter(_NUMBER.sub("0", answer[:MAX_FORM]) for answer in answers)
    unlike = [form for form, times in forms.items() if times == 1]
    if len(forms) != 2 or len(unlike) != 1 or len(answers) < MIN_ALIKE:
        return f", {count:,} answers" if count > 1 else ", one answer"
    odd = next(answer for answer in answers if _NUMBER.sub("0", answer[:MAX_FORM]) == unlike[0])
    return f", {count:,} answers" + (f", one unlike the others: {' '.join(odd.split())}" if len(odd) <= MAX_ODD else "")


def _get_answer(step: Step) -> object:
    return step.event.payload.get("output", step.event.payload.get("documents"))
