"""The steps of a session and the lanes that they run in."""

from collections.abc import Callable
from dataclasses import dataclass, field

from ..event.event import Event, Record, parse_amount
from .failure import find_answer_error


@dataclass(slots=True, eq=False)
class Lane:
    """The part of a timeline that one agent, or one run of a sub-agent, owns.

    Attributes:
        delegation: the step that called the sub-agent; None in the session's own lane.
        depth: the number of delegations between it and the session's own lane.
        result: the step with the sub-agent's result, or None.
    """

    agent_id: str
    delegation: "Step | None" = None
    parent: "Lane | None" = None
    depth: int = 0
    result: "Step | None" = None


UNASSIGNED_LANE = Lane("")
"""The lane of a step that has none yet."""

_NOT_LOOKED_FOR = "?"
_LABEL_FIELDS = ("tool", "model", "to_agent_id", "from_agent_id", "key", "action")


def find_label(get_field: Callable[[str], object], model: object) -> str:
    """Return a step's label, from the fields of its payload (``get_field``) or the ``model`` of its context.

    The label tells steps of a kind apart: the tool, the model, the agent. It is empty if there is none.
    """
    for name in _LABEL_FIELDS:
        if isinstance(label := get_field(name), str):
            return label
    return str(model or "")


@dataclass(slots=True, eq=False)
class Step:
    """An event in its timeline; a call together with the ``call_started`` that announced it.

    Attributes:
        record: the event's record; for an open call, that of its ``call_started``.
        announced: the ``call_started`` records that belong to this step.
        kind: the event type; for an open call, the type of the call.
        began: microseconds since the epoch, not before the beginning of a step that it had to wait for.
        recorded: microseconds since the epoch, raised if the clock of its process was set back.
        late_us: how much later it arrived than its time says, in microseconds; 0 if that is less than ten seconds.
        was_moved: it was moved behind its parent, or behind an earlier step of its process, against its own time.
        has_odd_clock: its time lies years from those of the session, so it has the time of a record beside it.
        number: its number in the session's timeline, from 1; 0 if that isn't known.
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
    has_odd_clock: bool = False
    event: Event = field(init=False)
    _answer_error: str | None = field(default=_NOT_LOOKED_FOR, init=False, repr=False)

    def __post_init__(self) -> None:
        self.event = self.record.event

    @property
    def is_open(self) -> bool:
        """Whether it is a call that was announced and has no event of its own yet."""
        return self.event.event_type == "call_started"

    @property
    def label(self) -> str:
        """The name of the tool, the model or the agent that the step is about; or an empty text."""
        return find_label(self.event.payload.get, self.event.context.get("model"))

    @property
    def error(self) -> object:
        """The error as recorded, else the piece of the answer that says that the call failed, or None."""
        if self.kind == "error":
            return self.event.payload
        if error := self.event.payload.get("error"):
            return error
        if self._answer_error == _NOT_LOOKED_FOR:
            self._answer_error = find_answer_error(self.event.event_type, self.event.payload)
        return self._answer_error

    @property
    def duration_us(self) -> int | None:
        """The step's duration in microseconds: its latency, else the time from announcement to record, else None."""
        if self.is_open:
            return None
        if parse_amount(self.event.payload.get("latency_ms")) is not None:
            return self.event.latency_us
        return self.recorded - self.began if self.announced and not self.was_moved else None
