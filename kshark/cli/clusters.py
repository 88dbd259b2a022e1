"""The options of `kshark clusters`."""

import click

from agentlog.terminal.options import color_option, property_option, topic_option, verbose_option
from agentlog.terminal.run import log_to_stderr


@click.command(short_help="List the clusters of the settings, and whether they answer.")
@topic_option
@property_option
@click.option("--format", "shape", type=click.Choice(("text", "ndjson")), default="text", help="[default: text]")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=10.0, metavar="SECONDS", help="[default: 10]")
@color_option
@verbose_option
@click.pass_context
def clusters(
    context: click.Context,
    topic: str | None,
    properties: tuple[str, ...],
    shape: str,
    timeout: float,
    verbose: bool,
) -> None:
    """List the clusters of the settings, and say for each whether it answers, and why not.

    \b
    kshark clusters
    kshark clusters --topic payments-events
    """
    from ..live.cluster_check import check_clusters as list_clusters

    log_to_stderr(verbose)
    context.exit(list_clusters(topic, properties, shape, timeout))
