"""The steps of a session and the lanes that they run in."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..event.event import Event, Record


@dataclass(slots=True, eq=False)
class Lane:
    """The part of a timeline that one agent, or one run of a sub-agent, owns.

    Attributes:
        delegation: the step that called the sub-agent; None in the session's own lane.
        depth: how many delegations lie between it and the session's own lane.
        result: the step that holds what the sub-agent came back with, or None.
    """

    agent_id: str
    delegation: "Step | None" = None
    parent: "Lane | None" = None
    depth: int = 0
    result: "Step | None" = None


UNASSIGNED_LANE = Lane("")
"""The lane of a step that hasn't been given one."""

_LABEL_FIELDS = ("tool", "model", "to_agent_id", "from_agent_id", "key", "action")


def find_label(get_field: Callable[[str], object], model: object) -> str:
    """What names a step among its kind, by what its payload ``field`` and the ``model`` of its context."""
    for name in _LABEL_FIELDS:
        if isinstance(label := get_field(name), str):
            return label
    return str(model or "")


@dataclass(slots=True, eq=False)
class Step:
    """An event in its timeline; a call together with the ``call_started`` that announced it.

    Attributes:
        record: the event's own; of a call that is still open, its ``call_started``.
        announced: the ``call_started`` records that are folded into this step.
        kind: the event type; of an open call that of the call.
        began: microseconds since the epoch, never before the beginning of the step it stands behind.
        recorded: microseconds since the epoch, raised where its process's clock was set back.
        late_us: how much later it arrived than its time says, in microseconds; 0 when it isn't worth a mark.
        was_moved: it stands behind its parent, or behind its process's earlier step, though its clock says otherwise.
        number: its place in the session's timeline, the first being 1; 0 where that isn't known.
    """

    record: Record
    announced: tuple[Record, ...]
    kind: str
    began: int
    recorded: int
    late_us: int = 0
    was_moved: bool = False
    parent: "Step | None" = None
    lane: Lane = UNASSIGNED_LANE
    number: int = 0
    event: Event = field(init=False)

    def __post_init__(self) -> None:
        self.event = self.record.event

    @property
    def is_open(self) -> bool:
        """A call that was announced and has no event of its own yet."""
        return self.event.event_type == "call_started"

    @property
    def label(self) -> str:
        """What names the step among its kind: the tool, the model, the agent delegated to; or an empty text."""
        return find_label(self.event.payload.get, self.event.context.get("model"))

    @property
    def error(self) -> object:
        """What went wrong, as recorded; None when nothing did."""
        if self.kind == "error":
            return self.event.payload
        return self.event.payload.get("error") or None

    @property
    def duration_us(self) -> int:
        """How long the step took, in microseconds: what the event says, else from its announcement to its record."""
        if self.is_open:
            return 0
        return self.event.latency_us or (self.recorded - self.began if self.announced and not self.was_moved else 0)
