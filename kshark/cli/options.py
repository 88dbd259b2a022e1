"""Options that several commands of kshark share: the session, how much of a value is shown, and whether it is paged."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from agentlog.log.open_source import parse_range
from agentlog.terminal.options import SourceOptions, color_option, from_option, to_option, verbose_option, where_options
from agentlog.terminal.run import log_to_stderr

from ..source.session_request import SessionRequest

Command = Callable[..., Any]

max_chars_option = click.option(
    "--max-chars", type=click.IntRange(min=0), metavar="N", help="This much of each value, in all its lines; 0 for all."
)
pager_option = click.option("--pager/--no-pager", default=True, help="Page long output on a terminal.")
no_catalog_option = click.option(
    "--no-catalog", is_flag=True, help="Read the log alone, neither using nor keeping a catalogue."
)


def session_ids(context: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """What a shell completes a SESSION to."""
    from .completion import complete_session_id

    given = {
        name: value for name, value in context.params.items() if name in SourceOptions._fields and value is not None
    }
    return complete_session_id(SourceOptions(**given), incomplete)


def session_options(command: Command) -> Command:
    """SESSION, where it is and how much of it is read, and -v; the command gets them as one ``wanted``."""

    @wraps(command)
    def with_wanted(**options: Any) -> Any:
        log_to_stderr(options.pop("verbose"))
        session, last = options.pop("session"), options.pop("last")
        bounds = parse_range(options.pop("start"), options.pop("end"))
        wanted = SessionRequest(session or "", options.pop("where"), bounds, not options.pop("no_catalog"))
        return command(wanted=_named(wanted, session, last), **options)

    argument = click.argument("session", required=False, shell_complete=session_ids)
    last_option = click.option("--last", is_flag=True, help="The newest session, in place of SESSION.")
    decorated: Command = with_wanted
    where = (no_catalog_option, to_option, from_option, where_options, last_option, argument)
    for option in (verbose_option, color_option, *where):
        decorated = option(decorated)
    return decorated


def _named(wanted: SessionRequest, session: str | None, last: bool) -> SessionRequest:
    """What is wanted, with the id of a session."""
    check_session(session)
    if session is None:
        from ..sessions.choose_session import choose_session

        return choose_session(wanted, is_newest=last)
    if last:
        raise click.UsageError(f"--last takes the place of SESSION, and {session} was given; leave out one")
    return wanted


def check_session(session: str | None) -> None:
    """Refuse an empty SESSION: it is a variable of the user's shell that isn't set."""
    if session == "":
        raise click.UsageError("SESSION is empty: is a variable of your shell not set?")
