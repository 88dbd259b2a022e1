"""Which session a user wants, and how it is to be found."""

from typing import TYPE_CHECKING, NamedTuple

from agentlog.terminal.options import SourceOptions

if TYPE_CHECKING:
    from agentlog.event.position import PositionRange


class SessionRequest(NamedTuple):
    """A session: its id, where it is, which part of it; and whether a catalogue is asked where in the log it lies."""

    session_id: str
    source: SourceOptions
    span: "PositionRange"
    use_catalogue: bool = True
