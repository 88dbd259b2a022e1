"""Options that several commands of kshark share: the session, which events, how much of a value, and the format."""

from typing import Annotated, Literal, NamedTuple

import typer

from agentlog.errors import UsageError
from agentlog.log.open_source import parse_range
from agentlog.terminal.options import FromOption, SourceOptions, TerminalOptions, ToOption

from ..source.session_request import SessionRequest

MaxCharsOption = Annotated[
    int | None,
    typer.Option("--max-chars", min=0, metavar="N", help="This much of each value, in all its lines; 0 for all."),
]
NoCatalogOption = Annotated[
    bool, typer.Option("--no-catalog", help="Read the log alone, neither using nor keeping a catalogue.")
]
EventFormatOption = Annotated[
    Literal["text", "ndjson"] | None, typer.Option("--format", help="[default: text; ndjson into a pipe]")
]
TypesOption = Annotated[
    tuple[str, ...], typer.Option("--type", metavar="TYPE", help="Only events of this type; may be repeated.")
]
AgentsOption = Annotated[
    tuple[str, ...], typer.Option("--agent", metavar="AGENT", help="Only of this agent; may be repeated.")
]
ErrorsOption = Annotated[bool, typer.Option("--errors", help="Only what went wrong.")]


def complete_session(context: typer.Context, incomplete: str) -> list[str]:
    """Return the ids to which a shell completes SESSION."""
    from .completion import complete_session_id

    options = {name: context.params[name] for name in SourceOptions._fields if context.params.get(name) is not None}
    return complete_session_id(SourceOptions(**options), incomplete)


class SessionOptions(NamedTuple):
    """The options for one session: its id, its source, and the part that is read."""

    session: Annotated[
        str | None, typer.Argument(metavar="SESSION", help="The session's id.", autocompletion=complete_session)
    ] = None
    last: Annotated[bool, typer.Option("--last", help="The newest session, in place of SESSION.")] = False
    source: SourceOptions = SourceOptions()
    start: FromOption = None
    end: ToOption = None
    no_catalog: NoCatalogOption = False
    terminal: TerminalOptions = TerminalOptions()

    def make_request(self) -> SessionRequest:
        """Set up the terminal and return the request; without SESSION for the newest session, or the picked one.

        Raises:
            UsageError: SESSION or a bound can't be meant.
            AgentlogError: the source can't be read.
        """
        self.terminal.apply()
        bounds = parse_range(self.start, self.end)
        request = SessionRequest(self.session or "", self.source, bounds, use_catalogue=not self.no_catalog)
        if self.session is None:
            from ..sessions.choose_session import choose_session

            return choose_session(request, is_newest=self.last)
        if self.last:
            raise UsageError(f"--last takes the place of SESSION, and {self.session} was given; leave out one")
        return request
