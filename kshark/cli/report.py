"""The options of `kshark report`."""

import click

from agentlog.cli import Where, from_option, log_to_stderr, span, to_option, verbose_option, where_options

from .options import check_session


@click.command(short_help="Write a session as a page to send or attach.")
@click.argument("session")
@click.option("--output", "-o", metavar="FILE", help="The page to write; - is standard output. [default: SESSION.html]")
@where_options
@from_option
@to_option
@click.option("--full", is_flag=True, help="Fetch large payloads from their store into the page.")
@verbose_option
def report(
    session: str,
    output: str | None,
    where: Where,
    start: str | None,
    end: str | None,
    full: bool,
    verbose: bool,
) -> None:
    """Write a session as one HTML page that needs nothing else: to send to a colleague, to attach to an incident.

    Without -o, a pipe gets the page, and a terminal a file named after the session; a file that is there already
    is overwritten only when -o names it.

    \b
    kshark report sess_a1b2c3                        writes sess_a1b2c3.html
    kshark report sess_a1b2c3 -o incident-4711.html
    kshark report sess_a1b2c3 --file run.ndjson --full
    """
    from ..report import report as write_report

    log_to_stderr(verbose)
    check_session(session)
    write_report(session, output, where, span(start, end), full)
