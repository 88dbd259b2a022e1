"""References to a step of a timeline: its number, its ``event_id``, or a time. Pure."""

from dataclasses import replace
from datetime import timedelta

from agentlog.errors import NothingToShow, PositionError, UsageError
from agentlog.event.event import to_datetime
from agentlog.event.position import Moment
from agentlog.formatting import format_count
from agentlog.session.timeline import Step, Timeline
from agentlog.settings.time_expression import parse_position
from agentlog.text.coverage_text import find_nearest_ids

MAX_DIGITS = 20
"""The most digits of a step's number. Python refuses to read a number of thousands of digits."""
MAX_MATCHES_NAMED = 5
"""The most events that are named for an ambiguous reference."""


def resolve_reference(timeline: Timeline, text: str) -> Step | Moment:
    """Return the step or the time that ``text`` refers to.

    The first match counts: a step's number, a whole ``event_id``, the beginning of an ``event_id``, a time. A time of
    day is one of the session's last day, in UTC.

    Raises:
        UsageError: ``text`` is the ``event_id`` of several events, or the beginning of several ``event_id``.
        NothingToShow: there is no such step.
    """
    if text.isdecimal() and len(text) <= MAX_DIGITS and 1 <= int(text) <= len(timeline.steps):
        return timeline.steps[int(text) - 1]
    ids = {event_id: step for step in timeline.steps for event_id in _list_ids(step)}
    if text in ids:
        _check_unambiguous(timeline, text)
        return ids[text]
    matches = sorted(event_id for event_id in ids if text and event_id.startswith(text))
    if len({ids[event_id] for event_id in matches}) == 1:
        _check_unambiguous(timeline, matches[0])
        return ids[matches[0]]
    if matches:
        more = f" and {len(matches) - MAX_MATCHES_NAMED:,} more" if len(matches) > MAX_MATCHES_NAMED else ""
        raise UsageError(f"{text} is the beginning of {', '.join(matches[:MAX_MATCHES_NAMED])}{more}; write more of it")
    return _resolve_time(timeline, text, ids)


def _check_unambiguous(timeline: Timeline, event_id: str) -> None:
    numbers = [f"{step.number:,}" for step in timeline.steps if event_id in _list_ids(step)] if timeline.clashes else []
    if len(numbers) > 1:
        *shown, last = numbers if len(numbers) <= MAX_MATCHES_NAMED else [*numbers[:MAX_MATCHES_NAMED], "others"]
        raise UsageError(
            f"{event_id} is the event_id of {len(numbers):,} events, which are steps {', '.join(shown)} and {last}; "
            "name one by its number"
        )


def resolve_step(timeline: Timeline, text: str) -> Step:
    """Return the step that ``text`` refers to; for a time, the last step that had begun by then.

    Raises:
        UsageError: ``text`` is the ``event_id`` of several events, or the beginning of several ``event_id``.
        NothingToShow: there is no such step, or none had begun by then.
    """
    target = resolve_reference(timeline, text)
    if isinstance(target, Step):
        return target
    begun_steps = [step for step in timeline.steps if step.began <= target.microseconds]
    if not begun_steps:
        began = f"{to_datetime(timeline.began):%Y-%m-%d %H:%M:%S} UTC"
        raise NothingToShow(f"nothing had begun at {target.describe()}: session {timeline.session_id} begins {began}")
    return begun_steps[-1]


def _list_ids(step: Step) -> tuple[str, ...]:
    announced = tuple(record.event.event_id for record in step.announced)
    call_id = step.event.payload.get("call_id") if step.is_open else None
    return (step.event.event_id, *announced, *([call_id] if isinstance(call_id, str) else []))


def _resolve_time(timeline: Timeline, text: str, ids: dict[str, Step]) -> Moment:
    try:
        position = parse_position(text, to_datetime(timeline.ended))
    except PositionError:
        position = None
    if isinstance(position, Moment):
        return _place_in_session(position, timeline)
    near = find_nearest_ids(text, (event_id.encode() for event_id in ids))
    hint = f"\nNearest: {', '.join(near)}" if near else ""
    raise NothingToShow(
        f"no step {text} in session {timeline.session_id}: it has {format_count(len(timeline.steps), 'step')}, and no "
        f"event_id or time like that.{hint}"
    )


def _place_in_session(moment: Moment, timeline: Timeline) -> Moment:
    """Return the moment in words of the session, whose last day is the day that a time of day means."""
    if moment.note == "today":
        return replace(moment, note="")
    if not moment.note.startswith("yesterday, because"):
        return moment
    is_before = moment.microseconds < timeline.began
    return replace(moment, time=moment.time + timedelta(days=1) if is_before else moment.time, note="")
