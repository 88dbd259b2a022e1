"""The options of `kshark memory`."""

import click

from ..source.session_request import SessionRequest
from .options import max_chars_option, pager_option, session_options

FORMATS = ("text", "json", "messages")


@click.command(short_help="Say what an agent knew at a point of its session.")
@session_options
@click.option("--at", metavar="EVENT|WHEN", help="Right before this step, or at this time. [default: the end]")
@click.option("--since", metavar="EVENT|WHEN", help="Only what changed since then.")
@click.option("--agent", metavar="AGENT", help="What this agent knew. [default: the step's, or all]")
@click.option("--format", "shape", type=click.Choice(FORMATS), default="text", help="[default: text]")
@click.option("--full", is_flag=True, help="All of it, nothing cut; large payloads fetched.")
@max_chars_option
@pager_option
def memory(
    wanted: SessionRequest,
    at: str | None,
    since: str | None,
    agent: str | None,
    shape: str,
    full: bool,
    max_chars: int | None,
    pager: bool,
) -> None:
    """Say what an agent knew: conversation, documents, results, decisions, memory, and what was still open.

    A point is a step's number, an event_id or the beginning of one, or a time.

    \b
    kshark memory sess_a1b2c3                        at the end, all its agents
    kshark memory sess_a1b2c3 --at 12                what it had in mind when it took step 12
    kshark memory sess_a1b2c3 --at 14:23:16
    kshark memory sess_a1b2c3 --at 176 --since 12    what it learnt between the two
    kshark memory sess_a1b2c3 --at 12 --format messages > messages.json     to ask a model again
    """
    from ..memory.command import MemoryOptions
    from ..memory.command import show_memory as say_memory

    choice = MemoryOptions(at, since, agent, shape, full, max_chars, pager)
    say_memory(wanted, choice)
