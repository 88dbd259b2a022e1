"""A request for a session."""

from typing import TYPE_CHECKING, NamedTuple

from agentlog.terminal.options import SourceOptions

if TYPE_CHECKING:
    from agentlog.event.position import PositionRange


class SessionRequest(NamedTuple):
    """A session's id, its source, the range to read, and whether to look up its offsets in a catalogue."""

    session_id: str
    source: SourceOptions
    span: "PositionRange"
    use_catalogue: bool = True
