"""The options of `kshark clusters`."""

from typing import Annotated, Literal

import typer

from agentlog.terminal.options import PropertiesOption, TerminalOptions, TopicOption


def clusters(
    topic: TopicOption = None,
    properties: PropertiesOption = (),
    output_format: Annotated[Literal["text", "ndjson"], typer.Option("--format")] = "text",
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, metavar="SECONDS")] = 10.0,
    *,
    terminal: TerminalOptions,
) -> None:
    """List the clusters of the settings, and whether they answer.

    Of one that doesn't it says why not.

    \b
    kshark clusters
    kshark clusters --topic payments-events
    """
    from ..live.cluster_check import check_clusters

    terminal.apply()
    raise typer.Exit(check_clusters(topic, properties, output_format, timeout))
