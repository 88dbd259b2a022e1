"""Options that several commands share, each as a type of a parameter; a group of options is a NamedTuple."""

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from ..home import expand_home

ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", "-c", metavar="NAME|HOST:PORT", help="A cluster of agentlog.toml, or an address."),
]
TopicOption = Annotated[str | None, typer.Option("--topic", "-t", metavar="TOPIC", help="[default: agent-events]")]
PropertiesOption = Annotated[
    tuple[str, ...], typer.Option("-X", metavar="NAME=VALUE", help="A librdkafka property; may be repeated.")
]


def expand_path(path: str) -> str:
    """Return a path with ``~`` at its beginning replaced by the home folder. A shell leaves it in ``--file=~/x``."""
    return str(expand_home(path)) if path.startswith("~") else path


FileOption = Annotated[
    str | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        parser=expand_path,
        help="A capture file in place of a cluster; - is standard input.",
    ),
]
AllPartitionsOption = Annotated[
    bool,
    typer.Option("--all-partitions", help="Read every partition, not only those where the session should be."),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="WHEN", help="From this time or offset on: 14:00, -2h, 2026-01-15T14:00Z, @1200."),
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="WHEN", help="Up to this time or offset.")]
PagerOption = Annotated[
    bool, typer.Option("--pager/--no-pager", show_default=False, help="Page long output on a terminal.")
]
ColorOption = Annotated[
    Literal["auto", "always", "never"],
    typer.Option("--color", show_default=False, help="[default: auto, on a terminal]"),
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done, and what librdkafka says.")]


class TopicOptions(NamedTuple):
    """A topic, as the user names it."""

    cluster: ClusterOption = None
    topic: TopicOption = None
    properties: PropertiesOption = ()


class SourceOptions(NamedTuple):
    """A topic or a capture file, as the user names it."""

    cluster: ClusterOption = None
    topic: TopicOption = None
    properties: PropertiesOption = ()
    file: FileOption = None
    all_partitions: AllPartitionsOption = False

    @property
    def is_pipe(self) -> bool:
        """Whether the file is a pipe, which can be read only once."""
        return self.file is not None and (self.file == "-" or Path(self.file).is_fifo())


class TerminalOptions(NamedTuple):
    """The options for the terminal: colour, and how much is logged."""

    color: ColorOption = "auto"
    verbose: VerboseOption = False

    def apply(self) -> None:
        """Set up colour and log."""
        from .run import log_to_stderr
        from .style import set_color

        set_color(self.color)
        log_to_stderr(self.verbose)
