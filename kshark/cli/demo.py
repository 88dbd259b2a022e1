"""The options of `kshark demo`."""

from typing import Annotated

import typer

from agentlog.errors import UsageError
from agentlog.terminal.options import SourceOptions, TopicOptions
from agentlog.terminal.run import log_to_stderr


def demo(
    topic: TopicOptions,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="The capture file to write; - is standard output.")
    ] = None,
    began: Annotated[
        str | None,
        typer.Option("--began", metavar="WHEN", help="Let the story begin then. [default: 2026-01-15T13:00Z]"),
    ] = None,
) -> None:
    """Write a story to try the tools on.

    It has forty-odd sessions, one of which made 847 calls for one invoice.

    \b
    kshark demo story.ndjson
    kshark demo --cluster us-east-1  # into agent-events, made if missing
    kshark demo --cluster us-east-1 --began -3h  # into a topic with retention
    """
    log_to_stderr(is_verbose=False)
    if any(topic) is (file is not None):
        raise UsageError("Where to? kshark demo story.ndjson, or kshark demo --cluster NAME, and not both.")
    if file is not None:
        from ..transfer.demo import write_file

        write_file(file, began)
    else:
        from ..transfer.demo_topic import write_topic

        write_topic(SourceOptions(*topic), began)
