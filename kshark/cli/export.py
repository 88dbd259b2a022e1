"""The options of `kshark export`."""

from typing import Annotated

import typer

from agentlog.log.open_source import parse_range
from agentlog.terminal.options import FromOption, SourceOptions, ToOption, VerboseOption, expand_path
from agentlog.terminal.run import log_to_stderr

from ..source.session_request import SessionRequest
from .options import NoCatalogOption, complete_session


def export(
    sessions: Annotated[
        tuple[str, ...],
        typer.Argument(metavar="SESSION...", help="The sessions' ids.", autocompletion=complete_session),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            parser=expand_path,
            help="The file to write; packed as .gz or .zst; - is a pipe.",
        ),
    ],
    source: SourceOptions,
    start: FromOption = None,
    end: ToOption = None,
    no_catalog: NoCatalogOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write sessions to a capture file.

    That is every record as stored, copies and announcements too. A session that isn't there is named, the others are
    written, and the exit code is 4.

    \b
    kshark export sess_a1b2c3 -o run.ndjson
    kshark export sess_a1b2c3 sess_b4c5d6 -o both.ndjson.gz
    kshark export sess_a1b2c3 --file story.ndjson -o - | jq .payload
    """
    from ..transfer.export import export_sessions

    log_to_stderr(verbose)
    bounds = parse_range(start, end)
    export_sessions([SessionRequest(each, source, bounds, not no_catalog) for each in dict.fromkeys(sessions)], output)
