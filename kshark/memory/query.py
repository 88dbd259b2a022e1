"""The query of `kshark memory`: the states of agents at a point, and their changes since an earlier one. Pure."""

from dataclasses import dataclass

from agentlog.analysis.causality import CauseGraph
from agentlog.errors import NothingToShow, UsageError
from agentlog.event.position import Moment
from agentlog.session.timeline import Step, Timeline
from agentlog.text.coverage_text import find_nearest_ids

from ..view.step_reference import resolve_reference
from ..view.unknown_choice import list_names
from .agent_state import AgentState, Point, StateChange, compare_states, find_lanes, find_states
from .chat_export import Conversation, build_conversation


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """The states of agents at a point.

    Attributes:
        point: the point.
        since: the earlier point to compare with, or None.
        states: the state of each lane; the session's own lane is first.
        changes: the change of each lane since then; empty without ``since``.
    """

    timeline: Timeline
    causes: CauseGraph
    point: Point
    since: Point
    states: list[AgentState]
    changes: list[StateChange]

    def build_messages(self, state: AgentState) -> Conversation:
        """Return the state of one lane as messages."""
        seen_before: list[Step] = []
        if state.last_model_call is not None:
            seen_before = find_states(self.timeline, self.causes, [state.lane], state.last_model_call)[0].seen
        return build_conversation(state, seen_before, self.causes.step_numbers)


def build_report(timeline: Timeline, point_text: str | None, since_text: str | None, agent: str | None) -> MemoryReport:
    """Build the report for the points and the agent as the user wrote them; None means the end, or no choice of agent.

    Raises:
        NothingToShow: there is no such step, or no such agent had begun.
        UsageError: a point is ambiguous, or ``since_text`` is later than ``point_text``.
    """
    causes = CauseGraph(timeline)
    point = resolve_reference(timeline, point_text) if point_text is not None else None
    earlier_point = resolve_reference(timeline, since_text) if since_text is not None else None
    if earlier_point is not None and _get_time(earlier_point, timeline) > _get_time(point, timeline):
        end = f"--at {point_text}" if point_text is not None else "the end"
        raise UsageError(f"--since {since_text} is later than {end}; swap the two")
    lanes = find_lanes(timeline, causes, point, agent)
    if not lanes:
        agents = list(dict.fromkeys(lane.agent_id for lane in timeline.lanes))
        nearest = find_nearest_ids(agent or "", (name.encode() for name in agents))
        raise NothingToShow(
            f"no agent {agent} had begun in session {timeline.session_id} by then; it has: {list_names(agents)}"
            + (f". Perhaps: {list_names(nearest)}" if nearest and agent not in agents else "")
        )
    states = find_states(timeline, causes, lanes, point)
    if earlier_point is None:
        return MemoryReport(timeline, causes, point, earlier_point, states, [])
    earlier_states = find_states(timeline, causes, lanes, earlier_point)
    changes = [compare_states(before, after) for before, after in zip(earlier_states, states, strict=True)]
    return MemoryReport(timeline, causes, point, earlier_point, states, changes)


def _get_time(point: Point, timeline: Timeline) -> int:
    match point:
        case Step():
            return point.began
        case Moment():
            return point.microseconds
    return timeline.ended
