"""The options of `kshark import`."""

import click

from agentlog.terminal.options import SourceOptions, cluster_option, property_option, topic_option, verbose_option
from agentlog.terminal.run import log_to_stderr


@click.command("import", short_help="Write a capture file's events into a topic.")
@click.argument("file")
@cluster_option
@topic_option
@property_option
@click.option("--shift-to", metavar="WHEN", help="Move all events in time, so that the last one is of then.")
@click.option(
    "--create", type=click.IntRange(min=1), metavar="N", help="Make the topic, with N partitions, when it isn't there."
)
@verbose_option
def import_(
    file: str,
    cluster: str | None,
    topic: str | None,
    properties: tuple[str, ...],
    shift_to: str | None,
    create: int | None,
    verbose: bool,
) -> None:
    """Write a capture file's events into a topic, each once, however often it is imported.

    FILE is what `kshark export` or `kshark replay` wrote, or what an AgentTracer spooled; - is standard input.

    \b
    kshark import run.ndjson.gz --cluster us-east-1
    kshark import run.ndjson.gz --topic incident-42 --create 6
    kshark import run.ndjson.gz --shift-to now       into a topic with retention
    """
    from ..transfer.import_events import import_file

    log_to_stderr(verbose)
    import_file(file, SourceOptions(cluster, topic, properties), shift_to, create)
