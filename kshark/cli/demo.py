"""The options of `kshark demo`."""

import click

from agentlog.terminal.options import SourceOptions, cluster_option, property_option, topic_option
from agentlog.terminal.run import log_to_stderr


@click.command(short_help="Write a story to try the tools on.")
@click.argument("file", required=False)
@cluster_option
@topic_option
@property_option
@click.option("--began", metavar="WHEN", help="Let the story begin then. [default: 2026-01-15T13:00Z]")
def demo(
    file: str | None, cluster: str | None, topic: str | None, properties: tuple[str, ...], began: str | None
) -> None:
    """Write a story to try the tools on: forty-odd sessions, one of which made 847 calls for one invoice.

    FILE is the capture file to write; - is standard output.

    \b
    kshark demo story.ndjson
    kshark demo --cluster us-east-1                  into agent-events, made when it isn't there
    kshark demo --cluster us-east-1 --began -3h      into a topic with retention
    """
    log_to_stderr(is_verbose=False)
    into_topic = bool(cluster or topic or properties)
    if into_topic is (file is not None):
        raise click.UsageError("Where to? kshark demo story.ndjson, or kshark demo --cluster NAME, and not both.")
    if file is not None:
        from ..transfer.demo import write_file

        write_file(file, began)
    else:
        from ..transfer.demo_topic import write_topic

        write_topic(SourceOptions(cluster, topic, properties), began)
