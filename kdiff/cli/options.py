"""Options that both commands of kdiff share, and how their answer is to be written."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import typer


class IgnoreOptions(NamedTuple):
    """What makes no difference."""

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
    """What is to be shown, and how."""

    format: str = "text"
    show_divergence: bool = False
    only_decisive: bool = False
    context: int = 3
    pager: bool = True
