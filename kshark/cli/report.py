"""The options of `kshark report`."""

from typing import Annotated

import typer

from agentlog.terminal.options import expand_path

from .options import SessionOptions


def report(
    session: SessionOptions,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            parser=expand_path,
            help="The page to write; - is standard output. [default: SESSION.html]",
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Fetch large payloads from their store into the page.")] = False,
) -> None:
    """Write a session as a page to send or attach.

    It is one HTML page that needs nothing else: to send to a colleague, to attach to an incident.

    Without -o, a pipe gets the page, and a terminal a file named after the session; a file that is there already
    is overwritten only when -o names it.

    \b
    kshark report sess_a1b2c3  # writes sess_a1b2c3.html
    kshark report sess_a1b2c3 -o incident-4711.html
    kshark report sess_a1b2c3 --file run.ndjson --full
    """
    from ..report.command import write_report

    write_report(session.make_request(), output, full)
