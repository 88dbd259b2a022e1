"""The options that several commands share."""

from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    pass


Command = Callable[..., Any]


cluster_option = click.option(
    "--cluster", "-c", metavar="NAME|HOST:PORT", help="A cluster of agentlog.toml, or an address."
)


topic_option = click.option("--topic", "-t", metavar="TOPIC", help="[default: agent-events]")


property_option = click.option(
    "-X", "properties", multiple=True, metavar="NAME=VALUE", help="A librdkafka property; may be repeated."
)


file_option = click.option(
    "--file", "-f", metavar="FILE", help="A capture file in place of a cluster; - is standard input."
)


all_partitions_option = click.option(
    "--all-partitions", is_flag=True, help="Read every partition, not only those where the session should be."
)


from_option = click.option(
    "--from", "start", metavar="WHEN", help="From this time or offset on: 14:00, -2h, 2026-01-15T14:00Z, @1200."
)


to_option = click.option("--to", "end", metavar="WHEN", help="Up to this time or offset.")


color_option = click.option(
    "--color",
    type=click.Choice(("auto", "always", "never")),
    default="auto",
    expose_value=False,
    callback=lambda _context, _option, when: _set_color(when),
    help="[default: auto, on a terminal]",
)


verbose_option = click.option("--verbose", "-v", is_flag=True, help="Log what is done, and what librdkafka says.")


def _set_color(when: str) -> None:
    from .style import set_color

    set_color(when)


class SourceOptions(NamedTuple):
    """Where a command finds its records, as the user said it."""

    cluster: str | None = None
    topic: str | None = None
    properties: Sequence[str] = ()
    file: str | None = None
    all_partitions: bool = False

    @property
    def is_pipe(self) -> bool:
        """Whether it is a pipe, which can be read but once."""
        return self.file is not None and (self.file == "-" or Path(self.file).is_fifo())


def where_options(command: Command) -> Command:
    """The options that say where records come from; the command gets them as one ``where``."""

    @wraps(command)
    def with_where(**options: Any) -> Any:
        return command(where=SourceOptions(**{name: options.pop(name) for name in SourceOptions._fields}), **options)

    for option in (all_partitions_option, file_option, property_option, topic_option, cluster_option):
        with_where = option(with_where)
    return with_where
