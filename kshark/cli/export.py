"""The options of `kshark export`."""

import click

from agentlog.log.open_source import parse_range
from agentlog.terminal.options import SourceOptions, from_option, to_option, verbose_option, where_options
from agentlog.terminal.run import log_to_stderr

from ..source.session_request import SessionRequest
from .options import check_session, no_catalog_option, session_ids


@click.command(short_help="Write sessions to a capture file.")
@click.argument("sessions", nargs=-1, required=True, metavar="SESSION...", shell_complete=session_ids)
@click.option(
    "--output", "-o", required=True, metavar="FILE", help="The file to write; packed as .gz or .zst; - is a pipe."
)
@where_options
@from_option
@to_option
@no_catalog_option
@verbose_option
def export(
    sessions: tuple[str, ...],
    output: str,
    where: SourceOptions,
    start: str | None,
    end: str | None,
    no_catalog: bool,
    verbose: bool,
) -> None:
    """Write sessions to a capture file: every record as stored, copies and announcements too.

    A session that isn't there is named, the others are written, and the exit code is 4.

    \b
    kshark export sess_a1b2c3 -o run.ndjson
    kshark export sess_a1b2c3 sess_b4c5d6 -o both.ndjson.gz
    kshark export sess_a1b2c3 --file story.ndjson -o - | jq .payload
    """
    from ..transfer.export import export_sessions

    log_to_stderr(verbose)
    for session in sessions:
        check_session(session)
    bounds = parse_range(start, end)
    export_sessions([SessionRequest(each, where, bounds, not no_catalog) for each in dict.fromkeys(sessions)], output)
