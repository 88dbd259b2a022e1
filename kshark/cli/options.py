"""Options that several commands of kshark share: how much of a value is shown, and whether it is paged."""

import click

max_chars_option = click.option(
    "--max-chars", type=click.IntRange(min=0), metavar="N", help="This much of each value, wrapped; 0 for all."
)
pager_option = click.option("--pager/--no-pager", default=True, help="Page long output on a terminal.")


def check_session(session: str) -> None:
    """Refuse an empty SESSION: it is a variable of the user's shell that isn't set."""
    if not session:
        raise click.UsageError("SESSION is empty: is a variable of your shell not set?")
