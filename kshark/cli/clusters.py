"""The options of `kshark clusters`."""

import click

from agentlog.cli import log_to_stderr, property_option, topic_option, verbose_option


@click.command(short_help="List the clusters of the settings, and whether they answer.")
@topic_option
@property_option
@click.option("--format", "shape", type=click.Choice(("text", "ndjson")), help="[default: text; ndjson into a pipe]")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=10.0, metavar="SECONDS", help="[default: 10]")
@verbose_option
@click.pass_context
def clusters(
    context: click.Context,
    topic: str | None,
    properties: tuple[str, ...],
    shape: str | None,
    timeout: float,
    verbose: bool,
) -> None:
    """List the clusters of the settings, and say for each whether it answers, and why not.

    \b
    kshark clusters
    kshark clusters --topic payments-events
    """
    from ..live.cluster_check import check_clusters as list_clusters
    from ..replay.command import choose_format

    log_to_stderr(verbose)
    context.exit(list_clusters(topic, properties, choose_format(shape), timeout))
