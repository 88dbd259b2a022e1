"""The lanes of a session: which agent, or which run of a sub-agent, each step belongs to. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from .step import Lane, Step


class Lanes:
    """The lanes of a session. Each added step gets its lane; parents must be added before their children.

    A step that follows from a delegation belongs to the sub-agent's run. A step without a known parent belongs to the
    newest lane of its agent.

    Attributes:
        lanes: the session's own lane, then the others in the order of their beginning; empty without steps.
    """

    def __init__(self, steps: Iterable[Step]) -> None:
        self.lanes: list[Lane] = []
        self._newest_lanes: dict[str, Lane] = {}
        self._run_lanes: dict[Step, Lane] = {}
        self._unfinished_lanes: dict[tuple[str, str], list[Lane]] = defaultdict(list)
        steps = list(steps)
        starts = [step for step in steps if step.kind == "session_start" and step.parent is None]
        for first in (starts or steps)[:1]:
            self._open(Lane(first.event.agent_id))
        for step in steps:
            self.add(step)

    def add(self, step: Step) -> None:
        """Give ``step`` its lane."""
        agent, parent = step.event.agent_id, step.parent
        if not self.lanes:
            self._open(Lane(agent))
        if parent is None:
            step.lane = self._newest_lanes.get(agent, self.lanes[0])
        elif _is_in_sub_agent_run(step, parent):
            step.lane = self._run_lanes.get(parent) or self._open_run_lane(agent, parent)
        else:
            step.lane = _find_agent_lane(agent, parent.lane)
        if step.kind == "delegation_result":
            self._note_result(step)

    def _open(self, lane: Lane) -> Lane:
        self.lanes.append(lane)
        self._newest_lanes[lane.agent_id] = lane
        return lane

    def _open_run_lane(self, agent_id: str, delegation: Step) -> Lane:
        outer = delegation.lane
        lane = self._run_lanes[delegation] = self._open(Lane(agent_id, delegation, outer, outer.depth + 1))
        self._unfinished_lanes[delegation.event.agent_id, agent_id].append(lane)
        return lane

    def _note_result(self, result: Step) -> None:
        """Give a result to its run: that of its parent, else the newest unfinished run of the agent that it names."""
        parent, named = result.parent, result.event.payload.get("from_agent_id")
        lane = self._run_lanes.get(parent) if parent is not None else None
        if lane is None and parent is not None and parent.lane.agent_id == named:
            lane = parent.lane if parent.lane.delegation is not None else None
        if lane is None and isinstance(named, str):
            lane = self._find_unfinished_lane(result.event.agent_id, named)
        if lane is not None and lane.result is None:
            lane.result = result

    def _find_unfinished_lane(self, delegator: str, agent_id: str) -> Lane | None:
        lanes = self._unfinished_lanes[delegator, agent_id]
        while lanes and lanes[-1].result is not None:
            lanes.pop()
        return lanes[-1] if lanes else None


def _is_in_sub_agent_run(step: Step, parent: Step) -> bool:
    """Whether a child of a delegation runs in the sub-agent's lane, and isn't the delegator's own next event."""
    if parent.kind != "delegation" or step.kind == "delegation_result":
        return False
    to_agent = parent.event.payload.get("to_agent_id")
    return step.event.agent_id != parent.event.agent_id or step.event.agent_id == to_agent


def _find_agent_lane(agent_id: str, lane: Lane) -> Lane:
    """Return the nearest outer lane of the agent, starting at ``lane``; ``lane`` itself if the agent has none."""
    current: Lane | None = lane
    while current is not None:
        if current.agent_id == agent_id:
            return current
        current = current.parent
    return lane
