"""kshark's command line: parse, call, render."""

import click

from agentlog.cli import (
    Where,
    cluster_option,
    from_option,
    log_to_stderr,
    new_app,
    property_option,
    run,
    span,
    to_option,
    topic_option,
    verbose_option,
    where_options,
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

FORMATS = ("text", "tree", "ndjson", "json", "markdown")

app = new_app(HELP)


@app.command()
@click.argument("session")
@where_options
@from_option
@to_option
@click.option("--follow", is_flag=True, help="Go on with new events as they come, until the session ends.")
@click.option("--format", "shape", type=click.Choice(FORMATS), help="[default: text; ndjson into a pipe]")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; may be repeated.")
@click.option("--agent", "agents", multiple=True, metavar="AGENT", help="Only of this agent; may be repeated.")
@click.option("--errors", is_flag=True, help="Only what went wrong.")
@click.option("--full", is_flag=True, help="Every step on its own, with all that it recorded, nothing cut.")
@click.option(
    "--max-chars", type=click.IntRange(min=0), metavar="N", help="This much of each value, wrapped; 0 for all."
)
@click.option("--pager/--no-pager", default=True, help="Page long output on a terminal.")
@verbose_option
def replay(
    session: str,
    where: Where,
    start: str | None,
    end: str | None,
    follow: bool,
    shape: str | None,
    types: tuple[str, ...],
    agents: tuple[str, ...],
    errors: bool,
    full: bool,
    max_chars: int | None,
    pager: bool,
    verbose: bool,
) -> None:
    """Replay a session step by step.

    \b
    kshark replay sess_a1b2c3                        from the default cluster
    kshark replay sess_a1b2c3 --from "yesterday 14:00" --to "yesterday 15:30"
    kshark replay sess_a1b2c3 --errors               only what went wrong
    kshark replay sess_a1b2c3 --type tool_call --type decision
    kshark replay sess_a1b2c3 --follow               go on as it happens
    kshark replay sess_a1b2c3 > run.ndjson           keep it as a capture file
    kshark replay sess_a1b2c3 --file run.ndjson      and replay it without Kafka
    kshark replay sess_a1b2c3 --cluster broker:9093 -X security.protocol=SASL_SSL
    """
    from .replay import Choice, chosen_format
    from .replay import replay as replay_session

    log_to_stderr(verbose)
    if not session:
        raise click.UsageError("SESSION is empty: is a variable of your shell not set?")
    choice = Choice(types, agents, errors, chosen_format(shape), full, max_chars, pager)
    if follow:
        from .follow import follow as follow_session

        follow_session(session, where, span(start, end), choice)
    else:
        replay_session(session, where, span(start, end), choice)


@app.command(short_help="Write a story to try the tools on.")
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
    log_to_stderr(verbose=False)
    into_topic = bool(cluster or topic or properties)
    if into_topic is (file is not None):
        raise click.UsageError("Where to? kshark demo story.ndjson, or kshark demo --cluster NAME, and not both.")
    if file is not None:
        from .demo import write_file

        write_file(file, began)
    else:
        from .demo_topic import write_topic

        write_topic(Where(cluster, topic, properties), began)


@app.command(short_help="List the clusters of the settings, and whether they answer.")
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
    from .clusters import clusters as list_clusters
    from .replay import chosen_format

    log_to_stderr(verbose)
    context.exit(list_clusters(topic, properties, chosen_format(shape), timeout))


def main() -> None:
    """Run kshark."""
    run(app)
