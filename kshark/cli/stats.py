"""The options of `kshark stats`."""

import click

from agentlog.terminal.options import (
    SourceOptions,
    cluster_option,
    color_option,
    property_option,
    to_option,
    topic_option,
    verbose_option,
)
from agentlog.terminal.run import log_to_stderr


@click.command(short_help="Show what comes in: events, sessions, cost, sizes.")
@cluster_option
@topic_option
@property_option
@click.option("--from", "start", default="-10m", metavar="WHEN", help="Count from then on.  [default: -10m]")
@to_option
@click.option("--follow", is_flag=True, help="Go on with what comes in, over as long a time, until Ctrl-C.")
@click.option("--top", type=click.IntRange(min=1), default=5, metavar="N", help="So many sessions.  [default: 5]")
@click.option("--format", "shape", type=click.Choice(("text", "ndjson")), default="text", help="[default: text]")
@color_option
@verbose_option
def stats(
    cluster: str | None,
    topic: str | None,
    properties: tuple[str, ...],
    start: str,
    end: str | None,
    follow: bool,
    top: int,
    shape: str,
    verbose: bool,
) -> None:
    """Show what comes in: events a second, sessions, cost an hour, sizes, the busiest sessions, errors.

    \b
    kshark stats                                     of the last ten minutes
    kshark stats --from "yesterday 14:00" --to "yesterday 15:00"
    kshark stats --follow --from -1m                 a view that goes on, of the last minute
    kshark stats --format ndjson | jq .cost_usd_per_hour
    """
    from ..live.stats import StatsOptions, show_stats

    log_to_stderr(verbose)
    show_stats(SourceOptions(cluster, topic, properties), StatsOptions(start, end, follow, top, shape))
