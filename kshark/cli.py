"""kshark's command line: parse, call, render."""

from typing import Annotated

import typer

from agentlog.cli import (
    AllPartitionsOption,
    ClusterOption,
    FileOption,
    FromOption,
    PropertyOption,
    ToOption,
    TopicOption,
    VerboseOption,
    Where,
    log_everything,
    new_app,
    run,
    span,
)

HELP = """\
What did a session do, step by step, and why?

\b
  kshark demo story.ndjson                            a story to try it on, no Kafka needed
  kshark replay sess_invoice_847 --file story.ndjson  what the runaway agent did
  kshark replay sess_a1b2c3 --cluster us-east-1       a session of your own
  kshark clusters                                     which clusters answer, and why not

Settings, clusters and credentials live in agentlog.toml; docs/settings.md tells all of it.

Exit codes: 0 done, 2 usage or settings, 3 the cluster can't be reached or refused, 4 no such session,
130 and 143 ended by a signal.
"""

app = new_app(HELP)

FormatOption = Annotated[
    str | None,
    typer.Option("--format", help="text, tree, ndjson, json or markdown. [default: text; ndjson into a pipe]"),
]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", help="Only events of this type; may be repeated.", metavar="TYPE")
]

AgentOption = Annotated[
    list[str] | None,
    typer.Option("--agent", help="Only what this agent recorded; may be repeated.", metavar="AGENT"),
]

MaxCharsOption = Annotated[
    int | None,
    typer.Option("--max-chars", min=0, help="Show this much of each value, wrapped; 0 for all.", metavar="N"),
]

BeganOption = Annotated[
    str | None,
    typer.Option("--began", metavar="WHEN", help="Let the story begin then. [default: 2026-01-15T13:00Z]"),
]


@app.command(name="replay")
def replay_command(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The session's id.")],
    cluster: ClusterOption = None,
    topic: TopicOption = None,
    properties: PropertyOption = None,
    file: FileOption = None,
    start: FromOption = None,
    end: ToOption = None,
    all_partitions: AllPartitionsOption = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on with new events as they come, until the session ends.")
    ] = False,
    output_format: FormatOption = None,
    types: TypeOption = None,
    agents: AgentOption = None,
    errors: Annotated[bool, typer.Option("--errors", help="Only what went wrong.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Every step on its own, with all that it recorded, nothing cut.")
    ] = False,
    max_chars: MaxCharsOption = None,
    pager: Annotated[bool, typer.Option("--pager/--no-pager", help="Page long output on a terminal.")] = True,
    verbose: VerboseOption = False,
) -> None:
    """Replay a session step by step.

    \b
      kshark replay sess_a1b2c3                          from the default cluster
      kshark replay sess_a1b2c3 --from "yesterday 14:00" --to 15:30
      kshark replay sess_a1b2c3 --errors                 only what went wrong
      kshark replay sess_a1b2c3 --type tool_call --type decision
      kshark replay sess_a1b2c3 --follow                 go on as it happens
      kshark replay sess_a1b2c3 > run.ndjson             keep it as a capture file
      kshark replay sess_a1b2c3 --file run.ndjson        and replay it without Kafka
      kshark replay sess_a1b2c3 --cluster broker:9093 -X security.protocol=SASL_SSL -X sasl.mechanism=SCRAM-SHA-512
    """
    from .replay import Choice, chosen_format, replay

    if verbose:
        log_everything()
    where = Where(cluster, topic, properties or (), file, all_partitions)
    chosen = chosen_format(output_format)
    choice = Choice(types or (), agents or (), errors, chosen, full, max_chars, pager)
    if follow:
        from .follow import follow as follow_session

        follow_session(session, where, span(start, end), choice)
    else:
        replay(session, where, span(start, end), choice)


@app.command(name="demo")
def demo_command(
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="The capture file to write; - is standard output.")
    ] = None,
    cluster: ClusterOption = None,
    topic: TopicOption = None,
    properties: PropertyOption = None,
    began: BeganOption = None,
) -> None:
    """Write a story to try the tools on: forty-odd sessions, one of which made 847 calls for one invoice.

    \b
      kshark demo story.ndjson
      kshark demo --cluster us-east-1                    into the topic agent-events, made when missing
      kshark demo --cluster us-east-1 --began -3h        into a topic with retention
    """
    from agentlog.errors import UsageError

    if file is not None and (cluster or topic or properties):
        raise UsageError("give a FILE or a --cluster, not both")
    if file is None and not (cluster or topic or properties):
        raise UsageError("where to? kshark demo story.ndjson, or kshark demo --cluster NAME")
    if file is not None:
        from .demo import write_file

        write_file(file, began)
    else:
        from .demo_topic import write_topic

        write_topic(Where(cluster, topic, properties or ()), began)


@app.command(name="clusters")
def clusters_command(
    topic: TopicOption = None,
    properties: PropertyOption = None,
    output_format: Annotated[
        str | None, typer.Option("--format", help="text or ndjson. [default: text; ndjson into a pipe]")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for each.", metavar="S")] = 10.0,
    verbose: VerboseOption = False,
) -> None:
    """List the clusters of the settings, and say for each whether it answers, and why not.

    \b
      kshark clusters
      kshark clusters --topic payments-events
    """
    from .clusters import clusters
    from .replay import chosen_format

    if verbose:
        log_everything()
    code = clusters(topic, properties or (), chosen_format(output_format), timeout)
    raise typer.Exit(code)


def main() -> None:
    """Run kshark."""
    run(app)
