"""Options that both commands of kdiff share."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import typer


class IgnoreOptions(NamedTuple):
    """The options that say what makes no difference."""

    paths: Annotated[
        tuple[str, ...],
        typer.Option("--ignore", metavar="PATH", help="What lies there makes no difference; may be repeated."),
    ] = ()
    patterns: Annotated[
        tuple[str, ...],
        typer.Option("--ignore-pattern", metavar="REGEX", help="Text that matches makes no difference."),
    ] = ()


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """The options of `kdiff compare`: what is shown, and how."""

    format: str = "text"
    show_divergence: bool = False
    only_decisive: bool = False
    context: int = 3
    pager: bool = True
