"""The options of `kshark export`."""

import click

from agentlog.cli import Where, from_option, log_to_stderr, span, to_option, verbose_option, where_options


@click.command(short_help="Write sessions to a capture file.")
@click.argument("sessions", nargs=-1, required=True, metavar="SESSION...")
@click.option(
    "--output", "-o", required=True, metavar="FILE", help="The file to write; packed as .gz or .zst; - is a pipe."
)
@where_options
@from_option
@to_option
@verbose_option
def export(
    sessions: tuple[str, ...], output: str, where: Where, start: str | None, end: str | None, verbose: bool
) -> None:
    """Write sessions to a capture file: every record as stored, copies and announcements too.

    A session that isn't there is named, the others are written, and the exit code is 4.

    \b
    kshark export sess_a1b2c3 -o run.ndjson
    kshark export sess_a1b2c3 sess_b4c5d6 -o both.ndjson.gz
    kshark export sess_a1b2c3 --file story.ndjson -o - | jq .payload
    """
    from ..export import export as export_sessions

    log_to_stderr(verbose)
    if not all(sessions):
        raise click.UsageError("a SESSION is empty: is a variable of your shell not set?")
    export_sessions(list(dict.fromkeys(sessions)), where, span(start, end), output)
