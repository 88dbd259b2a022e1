"""The options of `kshark tail`."""

from typing import Annotated

import typer

from agentlog.terminal.options import SourceOptions, TerminalOptions, TopicOptions

from .options import AgentsOption, ErrorsOption, EventFormatOption, TypesOption


def tail(
    topic: TopicOptions,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="WHEN", help="Begin with what was recorded from then on: -5m, 14:00."),
    ] = None,
    output_format: EventFormatOption = None,
    types: TypesOption = (),
    agents: AgentsOption = (),
    errors: ErrorsOption = False,
    *,
    terminal: TerminalOptions,
) -> None:
    """Show the events of all sessions as they come.

    Each is a line. It goes on until Ctrl-C.

    \b
    kshark tail
    kshark tail --errors --from -5m    # what went wrong, and five minutes back
    kshark tail --agent invoice-agent --type decision
    kshark tail | jq -r .payload.tool  # a line of JSON an event
    """
    from ..live.tail import tail_events
    from ..view.output_format import choose_format
    from ..view.replay_options import ReplayOptions

    terminal.apply()
    tail_events(SourceOptions(*topic), start, ReplayOptions(types, agents, errors, choose_format(output_format)))
