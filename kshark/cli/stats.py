"""The options of `kshark stats`."""

from typing import Annotated, Literal

import typer

from agentlog.terminal.options import SourceOptions, TerminalOptions, ToOption, TopicOptions


def stats(
    topic: TopicOptions,
    start: Annotated[str, typer.Option("--from", metavar="WHEN", help="Count from then on.")] = "-10m",
    end: ToOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with what comes in, over as long a time, until Ctrl-C.")
    ] = False,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="So many sessions.")] = 5,
    output_format: Annotated[Literal["text", "ndjson"], typer.Option("--format")] = "text",
    *,
    terminal: TerminalOptions,
) -> None:
    """Show what comes in: events, sessions, cost, sizes.

    That is events a second, sessions, cost an hour, sizes, the busiest sessions and errors.

    \b
    kshark stats                      # of the last ten minutes
    kshark stats --from "yesterday 14:00" --to "yesterday 15:00"
    kshark stats --follow --from -1m  # a view that goes on, of the last minute
    kshark stats --format ndjson | jq .cost_usd_per_hour
    """
    from ..live.stats import StatsOptions, show_stats

    terminal.apply()
    show_stats(SourceOptions(*topic), StatsOptions(start, end, follow, top, output_format))
