"""The options of `kshark import`."""

from typing import Annotated

import typer

from agentlog.terminal.options import SourceOptions, TopicOptions, VerboseOption
from agentlog.terminal.run import log_to_stderr


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A capture file; - is standard input.")],
    topic: TopicOptions,
    shift_to: Annotated[
        str | None,
        typer.Option("--shift-to", metavar="WHEN", help="Move all events in time, so that the last one is of then."),
    ] = None,
    create: Annotated[
        int | None,
        typer.Option("--create", min=1, metavar="N", help="Make the topic, with N partitions, when it isn't there."),
    ] = None,
    verbose: VerboseOption = False,
) -> None:
    """Write a capture file's events into a topic.

    Each event is there once, however often it is imported. FILE is what `kshark export` or `kshark replay` wrote, or
    what an AgentTracer spooled.

    \b
    kshark import run.ndjson.gz --cluster us-east-1
    kshark import run.ndjson.gz --topic incident-42 --create 6
    kshark import run.ndjson.gz --shift-to now  # into a topic with retention
    """
    from ..transfer.import_events import import_file

    log_to_stderr(verbose)
    import_file(file, SourceOptions(*topic), shift_to, create)
