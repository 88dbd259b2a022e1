"""Which step of a timeline a user means: by its number, its event, or a time. Pure."""

from agentlog.errors import NothingToShow, PositionError, UsageError
from agentlog.event.position import Moment
from agentlog.session.timeline import Step, Timeline
from agentlog.settings.time_expression import parse_position
from agentlog.text.coverage_text import nearest

from ..render import moment

NAMED = 5
"""So many of the events that a beginning fits are named."""


def pointed(timeline: Timeline, written: str) -> Step | Moment:
    """The step, or the time, that ``written`` means.

    A whole ``event_id`` goes before a number, a number before the beginning of an ``event_id``, that before a time. A
    time of day is one of the session's last day, in UTC, as kshark shows it.

    Raises:
        UsageError: several events begin so.
        NothingToShow: there is no such step.
    """
    ids = {event_id: step for step in timeline.steps for event_id in _ids(step)}
    if written in ids:
        return ids[written]
    if written.isdecimal() and 1 <= int(written) <= len(timeline.steps):
        return timeline.steps[int(written) - 1]
    fitting = sorted(event_id for event_id in ids if written and event_id.startswith(written))
    if len({ids[event_id] for event_id in fitting}) == 1:
        return ids[fitting[0]]
    if fitting:
        more = f" and {len(fitting) - NAMED:,} more" if len(fitting) > NAMED else ""
        raise UsageError(f"{written} is the beginning of {', '.join(fitting[:NAMED])}{more}; write more of it")
    return _time(timeline, written, ids)


def step_at(timeline: Timeline, written: str) -> Step:
    """The step that ``written`` means; of a time the last that had begun by then.

    Raises:
        UsageError: several events begin so.
        NothingToShow: there is no such step, or none had begun by then.
    """
    found = pointed(timeline, written)
    if isinstance(found, Step):
        return found
    begun = [step for step in timeline.steps if step.began <= found.microseconds]
    if not begun:
        began = f"{moment(timeline.began):%Y-%m-%d %H:%M:%S} UTC"
        raise NothingToShow(f"nothing had begun at {found.describe()}: session {timeline.session_id} begins {began}")
    return begun[-1]


def _ids(step: Step) -> tuple[str, ...]:
    announced = tuple(record.event.event_id for record in step.announced)
    call_id = step.event.payload.get("call_id") if step.is_open else None
    return (step.event.event_id, *announced, *([call_id] if isinstance(call_id, str) else []))


def _time(timeline: Timeline, written: str, ids: dict[str, Step]) -> Moment:
    try:
        found = parse_position(written, moment(timeline.ended))
    except PositionError:
        found = None
    if isinstance(found, Moment):
        return found
    near = nearest(written, (event_id.encode() for event_id in ids))
    hint = f"\nNearest: {', '.join(near)}" if near else ""
    raise NothingToShow(
        f"no step {written} in session {timeline.session_id}: it has {len(timeline.steps):,} steps, and neither an "
        f"event_id nor a time is written like that.{hint}"
    )
