"""The phrases of `kshark memory` for points and lanes; recorded text isn't escaped yet. Pure."""

from agentlog.analysis.causality import CauseGraph
from agentlog.event.escape import join_lines
from agentlog.formatting import format_count, format_duration
from agentlog.session.timeline import Step
from agentlog.text.step_text import format_headline, format_payload_value, get_step_word

from ..view.chat_messages import parse_messages
from .agent_state import AgentState, KeyChange, Point


def describe_point(point: Point, began: int, causes: CauseGraph) -> str:
    """Return a point in words."""
    if isinstance(point, Step):
        since = format_duration(max(point.began - began, 0))
        headline = join_lines(format_headline(point)[:80])
        return f"right before step {causes.step_numbers[point]}, {get_step_word(point)}: {headline}  ({since} in)"
    return f"at {point.describe()}" if point is not None else "at the end"


def describe_caller(state: AgentState) -> str:
    """Return which agent gave a sub-agent its task; empty for the session's own agent."""
    delegation = state.lane.delegation
    return f"asked by {delegation.event.agent_id}" if delegation is not None else ""


def describe_task(state: AgentState, goal: str) -> str:
    """Return the agent's task: the session's goal, or the task of the delegation."""
    delegation = state.lane.delegation
    return format_payload_value(delegation.event.payload.get("task", "")) if delegation is not None else goal


def describe_model_input(state: AgentState, causes: CauseGraph) -> str:
    """Return what is known of the model's last input."""
    step = state.last_model_call
    if step is None:
        return "no model call recorded its input; all below is put together from events"
    value = step.event.payload.get("input")
    messages = parse_messages(value)
    size_text = (
        format_count(len(messages), "message") if messages else f"{len(format_payload_value(value)):,} characters"
    )
    return f"recorded with step {causes.step_numbers[step]}: {size_text}; all below is put together from events"


def describe_key_change(key: KeyChange) -> str:
    """Return a key in memory with its value and its old value."""
    value_text = format_payload_value(key.after.event.payload.get("value", ""))
    if key.before is None:
        return f"{key.key} = {value_text}"
    return f"{key.key} = {value_text}, was {format_payload_value(key.before.event.payload.get('value', ''))}"
