"""The options of `kshark memory`."""

from typing import Annotated, Literal

import typer

from agentlog.terminal.options import PagerOption

from .options import MaxCharsOption, SessionOptions


def memory(
    session: SessionOptions,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="EVENT|WHEN", help="Right before this step, or at this time. [default: the end]"),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="EVENT|WHEN", help="Only what changed since then.")
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option("--agent", metavar="AGENT", help="What this agent knew. [default: the step's, or all]"),
    ] = None,
    output_format: Annotated[Literal["text", "json", "messages"], typer.Option("--format")] = "text",
    full: Annotated[bool, typer.Option("--full", help="All of it, nothing cut; large payloads fetched.")] = False,
    max_chars: MaxCharsOption = None,
    pager: PagerOption = True,
) -> None:
    """Say what an agent knew at a point of its session.

    That is its conversation, documents, results, decisions and memory, and what was still open. A point is a step's
    number, an event_id or the beginning of one, or a time.

    \b
    kshark memory sess_a1b2c3                      # at the end, all its agents
    kshark memory sess_a1b2c3 --at 12              # when it took step 12
    kshark memory sess_a1b2c3 --at 14:23:16
    kshark memory sess_a1b2c3 --at 176 --since 12  # what it learnt in between
    kshark memory sess_a1b2c3 --at 12 --format messages > messages.json
    """
    from ..memory.command import MemoryOptions, show_memory

    options = MemoryOptions(at, since, agent, output_format, full, max_chars, pager)
    show_memory(session.make_request(), options)
