"""The options of `kshark why`."""

from typing import Annotated, Literal

import typer

from agentlog.terminal.options import PagerOption

from .options import MaxCharsOption, SessionOptions


def why(
    session: SessionOptions,
    event: Annotated[
        str | None,
        typer.Argument(metavar="EVENT", help="A step's number, an event_id or the beginning of one, or a time."),
    ] = None,
    output_format: Annotated[Literal["text", "json", "markdown"], typer.Option("--format")] = "text",
    full: Annotated[
        bool, typer.Option("--full", help="Every step of the chain, with all that it recorded, nothing cut.")
    ] = False,
    max_chars: MaxCharsOption = None,
    pager: PagerOption = True,
) -> None:
    """Say why a step was taken, or where a session went wrong.

    With EVENT the answer is the chain that led to it, from the session's goal down, and what came of it. Without it:
    where the session went wrong, found by rules, with the evidence.

    \b
    kshark why sess_a1b2c3           # where it went wrong
    kshark why --last                # of the newest session
    kshark why sess_a1b2c3 13        # why step 13
    kshark why sess_a1b2c3 evt_9x7k  # why this event
    kshark why sess_a1b2c3 14:23:16  # why what it was at then
    kshark why sess_a1b2c3 --file run.ndjson --format markdown
    """
    from ..why.command import WhyOptions, explain_session

    explain_session(session.make_request(), event, WhyOptions(output_format, full, max_chars, pager))
