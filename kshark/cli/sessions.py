"""The options of `kshark sessions`."""

from enum import StrEnum
from typing import Annotated, Literal

import typer

from agentlog.errors import UsageError
from agentlog.log.open_source import parse_range
from agentlog.terminal.options import FromOption, PagerOption, SourceOptions, TerminalOptions, ToOption

from .options import NoCatalogOption


class Status(StrEnum):  # typer takes no list of a Literal
    """How a session ended."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    NEVER_ENDED = "never-ended"
    OTHER = "other"


def sessions(
    source: SourceOptions,
    start: FromOption = None,
    end: ToOption = None,
    agents: Annotated[
        tuple[str, ...],
        typer.Option("--agent", metavar="AGENT", help="In which this agent acted; may be repeated."),
    ] = (),
    tools: Annotated[
        tuple[str, ...], typer.Option("--tool", metavar="TOOL", help="That called this tool; may be repeated.")
    ] = (),
    statuses: Annotated[tuple[Status, ...], typer.Option("--status", help="That ended so; may be repeated.")] = (),
    text: Annotated[
        str | None, typer.Option("--text", metavar="WORDS", help="Whose goal has all of these words, in any case.")
    ] = None,
    min_cost: Annotated[
        float | None, typer.Option("--min-cost", min=0, metavar="DOLLARS", help="That cost at least so much.")
    ] = None,
    min_calls: Annotated[
        int | None, typer.Option("--min-calls", min=0, metavar="N", help="With at least so many tool calls.")
    ] = None,
    sort: Annotated[
        Literal["start", "duration", "events", "calls", "errors", "tokens", "cost"],
        typer.Option("--sort", help="The most first."),
    ] = "start",
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, metavar="N", help="[default: 40 as text, else all; 0 for all]"),
    ] = None,
    no_catalog: NoCatalogOption = False,
    output_format: Annotated[Literal["text", "ndjson", "json"], typer.Option("--format")] = "text",
    pager: PagerOption = True,
    *,
    terminal: TerminalOptions,
) -> None:
    """List sessions: what they did and cost, and how they ended.

    The newest come first.

    \b
    kshark sessions                          # the newest
    kshark sessions --sort calls --limit 10  # which one ran away?
    kshark sessions --from -24h --min-cost 1 --sort cost
    kshark sessions --status never-ended --agent invoice-generator-v2
    kshark sessions --text "acme milestone"  # what was asked for
    kshark sessions --tool stripe.create_invoice --format json
    kshark sessions --file run.ndjson        # without Kafka
    """
    from ..catalogue.query import Query
    from ..sessions.command import SessionsOptions, list_sessions

    terminal.apply()
    if text is not None and not text.strip():
        raise UsageError("--text is empty: is a variable of your shell not set?")
    query = Query(parse_range(start, end), agents, tools, statuses, min_cost, min_calls, text, sort)
    list_sessions(source, query, SessionsOptions(output_format, limit, pager), use_catalogue=not no_catalog)
