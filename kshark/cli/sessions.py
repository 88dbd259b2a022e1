"""The options of `kshark sessions`."""

import click

from agentlog.log.open_source import parse_range
from agentlog.terminal.options import SourceOptions, color_option, from_option, to_option, verbose_option, where_options
from agentlog.terminal.run import log_to_stderr

from .options import no_catalog_option

SORTS = ("start", "duration", "events", "calls", "errors", "tokens", "cost")
STATUSES = ("running", "succeeded", "failed", "cancelled", "never-ended", "other")


@click.command(short_help="List sessions: what they did and cost, and how they ended.")
@where_options
@from_option
@to_option
@click.option("--agent", "agents", multiple=True, metavar="AGENT", help="In which this agent acted; may be repeated.")
@click.option("--tool", "tools", multiple=True, metavar="TOOL", help="That called this tool; may be repeated.")
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="That ended so; may be repeated."
)
@click.option("--text", metavar="WORDS", help="Whose goal has all of these words, in any case.")
@click.option("--min-cost", type=click.FloatRange(min=0), metavar="DOLLARS", help="That cost at least so much.")
@click.option("--min-calls", type=click.IntRange(min=0), metavar="N", help="With at least so many tool calls.")
@click.option("--sort", type=click.Choice(SORTS), default="start", help="The most first. [default: start]")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="[default: 40 as text, else all; 0 for all]")
@no_catalog_option
@click.option(
    "--format", "shape", type=click.Choice(("text", "ndjson", "json")), default="text", help="[default: text]"
)
@click.option("--pager/--no-pager", default=True, help="Page long output on a terminal.")
@color_option
@verbose_option
def sessions(
    where: SourceOptions,
    start: str | None,
    end: str | None,
    agents: tuple[str, ...],
    tools: tuple[str, ...],
    statuses: tuple[str, ...],
    text: str | None,
    min_cost: float | None,
    min_calls: int | None,
    sort: str,
    limit: int | None,
    no_catalog: bool,
    shape: str,
    pager: bool,
    verbose: bool,
) -> None:
    """List sessions, the newest first: what each did and cost, and how it ended.

    \b
    kshark sessions                                  the newest
    kshark sessions --sort calls --limit 10          which one ran away?
    kshark sessions --from -24h --min-cost 1 --sort cost
    kshark sessions --status never-ended --agent invoice-generator-v2
    kshark sessions --text "acme milestone"          what was asked for
    kshark sessions --tool stripe.create_invoice --format json
    kshark sessions --file run.ndjson                without Kafka
    """
    from ..catalogue.query import Query
    from ..sessions.command import SessionsOptions, list_sessions

    log_to_stderr(verbose)
    if text is not None and not text.strip():
        raise click.UsageError("--text is empty: is a variable of your shell not set?")
    query = Query(parse_range(start, end), agents, tools, statuses, min_cost, min_calls, text, sort)
    list_sessions(where, query, SessionsOptions(shape, limit, pager), use_catalogue=not no_catalog)
