"""The options of `kshark report`."""

import click

from ..source.session_request import SessionRequest
from .options import session_options


@click.command(short_help="Write a session as a page to send or attach.")
@session_options
@click.option("--output", "-o", metavar="FILE", help="The page to write; - is standard output. [default: SESSION.html]")
@click.option("--full", is_flag=True, help="Fetch large payloads from their store into the page.")
def report(wanted: SessionRequest, output: str | None, full: bool) -> None:
    """Write a session as one HTML page that needs nothing else: to send to a colleague, to attach to an incident.

    Without -o, a pipe gets the page, and a terminal a file named after the session; a file that is there already
    is overwritten only when -o names it.

    \b
    kshark report sess_a1b2c3                        writes sess_a1b2c3.html
    kshark report sess_a1b2c3 -o incident-4711.html
    kshark report sess_a1b2c3 --file run.ndjson --full
    """
    from ..report.command import write_report

    write_report(wanted, output, full)
