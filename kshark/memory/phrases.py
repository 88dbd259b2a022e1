"""What `kshark memory` says of a point and of a lane, in words. Pure; the text is as recorded."""

from agentlog.analysis.causality import Causes
from agentlog.formatting import counted, duration
from agentlog.session.timeline import Step
from agentlog.text.step_text import headline, shown, word

from ..view.chat_messages import as_messages
from .agent_state import Keys, Knowledge, Point


def when(point: Point, began: int, causes: Causes) -> str:
    """A point in words."""
    if isinstance(point, Step):
        since = duration(max(point.began - began, 0))
        return f"right before step {causes.number[point]}, {word(point)}: {headline(point)[:80]}  ({since} in)"
    return f"at {point.describe()}" if point is not None else "at the end"


def asked_by(mind: Knowledge) -> str:
    """Who gave a sub-agent its task; empty for the session's own agent."""
    delegation = mind.lane.delegation
    return f"asked by {delegation.event.agent_id}" if delegation is not None else ""


def task(mind: Knowledge, goal: str) -> str:
    """What the agent was to do: the session's goal, or the task that a sub-agent was given."""
    delegation = mind.lane.delegation
    return shown(delegation.event.payload.get("task", "")) if delegation is not None else goal


def given(mind: Knowledge, causes: Causes) -> str:
    """What is known of what the model was given last."""
    step = mind.given
    if step is None:
        return "no model call recorded its input; all below is put together from events"
    value = step.event.payload.get("input")
    messages = as_messages(value)
    what = counted(len(messages), "message") if messages else f"{len(shown(value)):,} characters"
    return f"recorded with step {causes.number[step]}: {what}; all below is put together from events"


def key_change(key: Keys) -> str:
    """A key in memory, its value, and the one that it had."""
    now = shown(key.after.event.payload.get("value", ""))
    if key.before is None:
        return f"{key.key} = {now}"
    return f"{key.key} = {now}, was {shown(key.before.event.payload.get('value', ''))}"
