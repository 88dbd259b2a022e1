"""What all tools share on the command line: options, settings, exit codes, signals and errors.

``--help`` answers at once because nothing is loaded here that only a command needs.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .errors import AgentlogError, Stopped, UsageError

if TYPE_CHECKING:
    from .event.position import Moment, PositionRange
    from .log.source import Source
    from .settings.clusters import Cluster, Settings

BUG_EXIT_CODE = 70
_received_signals: list[int] = []  # the one that ends this process, once it has come

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
    from .terminal.output import set_color

    set_color(when)


class Where(NamedTuple):
    """Where a command finds its records, as the user said it."""

    cluster: str | None = None
    topic: str | None = None
    properties: Sequence[str] = ()
    file: str | None = None
    all_partitions: bool = False

    @property
    def flows(self) -> bool:
        """Whether it is a pipe, which can be read but once."""
        return self.file is not None and (self.file == "-" or Path(self.file).is_fifo())


def where_options(command: Command) -> Command:
    """The options that say where records come from; the command gets them as one ``where``."""

    @wraps(command)
    def with_where(**options: Any) -> Any:
        return command(where=Where(**{name: options.pop(name) for name in Where._fields}), **options)

    for option in (all_partitions_option, file_option, property_option, topic_option, cluster_option):
        with_where = option(with_where)
    return with_where


def new_app(help_text: str) -> click.Group:
    """A tool's command line."""
    settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
    return click.Group(help=help_text, no_args_is_help=True, context_settings=settings)


def run(app: click.Group) -> None:
    """Run a tool and end the process with its exit code; nothing but a message reaches the user."""
    gc.disable()  # a command lives for seconds, and walking its records again and again would double them
    _prepare_streams()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _handle_stop_signal)
    sys.exit(_run_for_exit_code(app, _get_tool_name()))


def _get_tool_name() -> str:
    """The name that the user called the tool by; of ``python -m kshark`` the package's."""
    program = Path(sys.argv[0])
    return program.parent.name if program.stem == "__main__" else program.stem


def _prepare_streams() -> None:
    """What an encoding can't hold is escaped; a stream that was closed goes nowhere, and no file takes its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115  for as long as we run
        elif mode == "w":
            stream.reconfigure(errors="backslashreplace")


def _run_for_exit_code(app: click.Group, tool_name: str) -> int:
    try:
        app(prog_name=tool_name)
    except AgentlogError as error:
        _write_stderr(f"{tool_name}: {error}")
        return error.exit_code
    except Stopped as stopped:
        return stopped.exit_code
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except Exception as error:
        if _received_signals:  # it came while C code called Python, which complains of that in place of Stopped
            return 128 + _received_signals[0]
        if os.environ.get("AGENTLOG_DEBUG"):
            raise
        _write_stderr(
            f"{tool_name}: a bug, {type(error).__name__}: {error}\nPlease report it, with what AGENTLOG_DEBUG=1 shows."
        )
        return BUG_EXIT_CODE
    return 0


def _handle_stop_signal(signal_number: int, frame: FrameType | None) -> None:
    """The first signal finishes cleanly; the second meets no handler of ours."""
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop_signal, signal.SIG_DFL)
    if _is_importing(frame):  # C code that is being imported may not survive an error: wait until it is there
        signal.signal(signal.SIGALRM, lambda _, later: _handle_stop_signal(signal_number, later))
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        return
    _received_signals.append(signal_number)
    raise Stopped(128 + signal_number)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and not frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return frame is not None


def _write_stderr(text: str) -> None:
    from .terminal.output import write_stderr

    write_stderr(text)


def log_to_stderr(is_verbose: bool) -> None:
    """Warnings go to standard error; with ``is_verbose`` all that we do, and librdkafka's own lines, in the same tree."""
    import logging

    logging.basicConfig(stream=sys.stderr, format=f"{_get_tool_name()}: %(message)s")
    logging.getLogger().setLevel(logging.INFO if is_verbose else logging.WARNING)
    logging.getLogger("agentlog.librdkafka").setLevel(logging.DEBUG if is_verbose else logging.CRITICAL)


def settings() -> "Settings":
    """The user's settings.

    Raises:
        SettingsError: with the file and line, or the variable, that is wrong.
    """
    from .settings.clusters import load_settings

    return load_settings(os.environ, Path.cwd())


def chosen_cluster(where: Where) -> "tuple[Cluster, str, str | None]":
    """The cluster, the topic, and the partitioner of its clients where that is known."""
    known = settings()
    topic = known.get_topic(where.topic)
    return known.get_cluster(where.cluster, where.properties), topic, known.get_partitioner(topic)


def check_file_alone(where: Where) -> None:
    """Raise UsageError when both a file and a cluster are given."""
    if where.cluster or where.properties or where.topic:
        raise UsageError("--file takes the place of --cluster, --topic and -X; give one or the other")


@contextmanager
def opened(where: Where) -> "Iterator[Source]":
    """The source that the user named.

    Raises:
        UsageError: both a file and a cluster.
    """
    if where.file is not None:
        check_file_alone(where)
        from .log.capture_file import CaptureSource

        yield CaptureSource(where.file, sys.stdin.buffer)  # type: ignore[arg-type]
        return
    from .log.reader import KafkaReader
    from .log.topic_source import TopicSource

    cluster, topic, partitioner = chosen_cluster(where)
    with KafkaReader(cluster) as reader:
        yield TopicSource(reader, topic, partitioner, where.all_partitions)


def parse_moment(option: str, text: str) -> "Moment":
    """What an option says that takes a time.

    Raises:
        UsageError: it isn't understood, or is an offset.
    """
    from .event.position import Moment
    from .settings.time_expression import parse_position

    position = parse_position(text, datetime.now(get_local_zone()))
    if not isinstance(position, Moment):
        raise UsageError(f"{option} takes a time, not {position.describe()}")
    return position


def span(start: str | None, end: str | None) -> "PositionRange":
    """What ``--from`` and ``--to`` say.

    Raises:
        PositionError: one isn't understood, or the end lies before the beginning.
    """
    from .event.position import PositionRange
    from .settings.time_expression import check_range, parse_position

    now = datetime.now(get_local_zone())
    first = parse_position(start, now) if start is not None else None
    last = parse_position(end, now) if end is not None else None
    check_range(first, last)
    return PositionRange(first, last)


def get_local_zone() -> tzinfo:
    """The user's time zone with its daylight saving time, which the offset of now doesn't tell."""
    from zoneinfo import ZoneInfo

    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name:
            return ZoneInfo(name)
        with Path("/etc/localtime").open("rb") as rules:
            return ZoneInfo.from_file(rules, key=_get_zone_name())
    except (OSError, ValueError, KeyError):
        return datetime.now().astimezone().tzinfo or UTC


def _get_zone_name() -> str | None:
    return str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2] or None
