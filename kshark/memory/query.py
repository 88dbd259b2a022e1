"""What `kshark memory` is asked for: whose knowledge, at which point, and since when. Pure."""

from dataclasses import dataclass

from agentlog.analysis.causality import Causes
from agentlog.errors import NothingToShow, UsageError
from agentlog.event.position import Moment
from agentlog.session.timeline import Step, Timeline

from ..view.step_reference import pointed
from .agent_state import Change, Knowledge, Point, change, known, lanes_at
from .chat_export import Conversation, conversation


@dataclass(frozen=True, slots=True)
class Recall:
    """What agents knew at a point.

    Attributes:
        at: the point.
        since: the earlier point from which on what changed is wanted, or None.
        minds: what each lane knew; the session's own first.
        changes: what came to each since then; empty without ``since``.
    """

    timeline: Timeline
    causes: Causes
    at: Point
    since: Point
    minds: list[Knowledge]
    changes: list[Change]

    def messages(self, mind: Knowledge) -> Conversation:
        """What one lane knew, as messages."""
        before: list[Step] = []
        if mind.given is not None:
            before = known(self.timeline, self.causes, [mind.lane], mind.given)[0].seen
        return conversation(mind, before, self.causes.number)


def recall(timeline: Timeline, at: str | None, since: str | None, agent: str | None) -> Recall:
    """What the agents that are meant knew at ``at``, or at the session's end.

    Raises:
        NothingToShow: there is no such step, or no such agent had begun.
        UsageError: a point is written ambiguously, or ``since`` lies behind ``at``.
    """
    causes = Causes(timeline)
    point = pointed(timeline, at) if at is not None else None
    earlier = pointed(timeline, since) if since is not None else None
    if earlier is not None and _time(earlier, timeline) > _time(point, timeline):
        raise UsageError(
            f"--since {since} lies behind {f'--at {at}' if at is not None else 'the end'}; turn them round"
        )
    lanes = lanes_at(timeline, causes, point, agent)
    if not lanes:
        agents = ", ".join(dict.fromkeys(lane.agent_id for lane in timeline.lanes))
        raise NothingToShow(f"no agent {agent} had begun in session {timeline.session_id} by then; it has: {agents}")
    minds = known(timeline, causes, lanes, point)
    if earlier is None:
        return Recall(timeline, causes, point, earlier, minds, [])
    before = known(timeline, causes, lanes, earlier)
    changes = [change(one, other) for one, other in zip(before, minds, strict=True)]
    return Recall(timeline, causes, point, earlier, minds, changes)


def _time(point: Point, timeline: Timeline) -> int:
    match point:
        case Step():
            return point.began
        case Moment():
            return point.microseconds
    return timeline.ended
