"""The options of `kshark why`."""

import click

from ..source.session_request import SessionRequest
from .options import max_chars_option, pager_option, session_options

FORMATS = ("text", "json", "markdown")


@click.command(short_help="Say why a step was taken, or where a session went wrong.")
@session_options
@click.argument("event", required=False)
@click.option("--format", "shape", type=click.Choice(FORMATS), default="text", help="[default: text]")
@click.option("--full", is_flag=True, help="Every step of the chain, with all that it recorded, nothing cut.")
@max_chars_option
@pager_option
def why(
    wanted: SessionRequest,
    event: str | None,
    shape: str,
    full: bool,
    max_chars: int | None,
    pager: bool,
) -> None:
    """Say why a step was taken: the chain that led to it, from the session's goal down, and what came of it.

    EVENT is a step's number, an event_id or the beginning of one, or a time. Without it: where the session went wrong,
    found by rules, with the evidence.

    \b
    kshark why sess_a1b2c3                           where it went wrong
    kshark why --last                                of the newest session
    kshark why sess_a1b2c3 13                        why step 13
    kshark why sess_a1b2c3 evt_9x7k                  why this event
    kshark why sess_a1b2c3 14:23:16                  why what it was at then
    kshark why sess_a1b2c3 --file run.ndjson --format markdown
    """
    from ..why.command import WhyOptions
    from ..why.command import explain_session as say_why

    say_why(wanted, event, WhyOptions(shape, full, max_chars, pager))
