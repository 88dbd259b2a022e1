"""The options of `kshark tail`."""

import click

from agentlog.terminal.options import (
    SourceOptions,
    cluster_option,
    color_option,
    property_option,
    topic_option,
    verbose_option,
)
from agentlog.terminal.run import log_to_stderr


@click.command(short_help="Show the events of all sessions as they come.")
@cluster_option
@topic_option
@property_option
@click.option("--from", "start", metavar="WHEN", help="Begin with what was recorded from then on: -5m, 14:00.")
@click.option("--format", "shape", type=click.Choice(("text", "ndjson")), help="[default: text; ndjson into a pipe]")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; may be repeated.")
@click.option("--agent", "agents", multiple=True, metavar="AGENT", help="Only of this agent; may be repeated.")
@click.option("--errors", is_flag=True, help="Only what went wrong.")
@color_option
@verbose_option
def tail(
    cluster: str | None,
    topic: str | None,
    properties: tuple[str, ...],
    start: str | None,
    shape: str | None,
    types: tuple[str, ...],
    agents: tuple[str, ...],
    errors: bool,
    verbose: bool,
) -> None:
    """Show the events of all sessions as they come, a line each, until Ctrl-C.

    \b
    kshark tail
    kshark tail --errors --from -5m                  what went wrong, and five minutes back
    kshark tail --agent invoice-agent --type decision
    kshark tail | jq -r .payload.tool                a line of JSON an event
    """
    from ..live.tail import tail_events as show_events
    from ..view.output_format import choose_format
    from ..view.replay_options import ReplayOptions

    log_to_stderr(verbose)
    show_events(
        SourceOptions(cluster, topic, properties), start, ReplayOptions(types, agents, errors, choose_format(shape))
    )
