"""Options turned into what they name: a source, a cluster, a time, a range of times or offsets."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..home import get_current_folder
from ..terminal.options import SourceOptions

if TYPE_CHECKING:
    from ..event.position import Moment, PositionRange
    from ..settings.clusters import Cluster, Settings
    from .source import Source


def load_user_settings() -> "Settings":
    """Load the user's settings, and put their rules for what means failed in force.

    Raises:
        SettingsError: with the file and line, or the variable, that is wrong.
    """
    from ..session.failure_rules import set_failure_rules
    from ..settings.clusters import load_settings

    settings = load_settings(os.environ, get_current_folder())
    set_failure_rules(settings.failure_rules)
    return settings


def choose_cluster(source_options: SourceOptions) -> "tuple[Cluster, str, str | None]":
    """Return the cluster, the topic, and the partitioner of its clients if that is known."""
    known = load_user_settings()
    topic = known.get_topic(source_options.topic)
    return known.get_cluster(source_options.cluster, source_options.properties), topic, known.get_partitioner(topic)


def check_file_alone(source_options: SourceOptions) -> None:
    """Raise UsageError if both a file and a cluster are given."""
    if source_options.cluster or source_options.properties or source_options.topic:
        raise UsageError("--file takes the place of --cluster, --topic and -X; give one or the other")


@contextmanager
def open_source(source_options: SourceOptions) -> "Iterator[Source]":
    """Open the source that the user named.

    Raises:
        UsageError: both a file and a cluster.
    """
    if source_options.file is not None:
        check_file_alone(source_options)
        load_user_settings()
        from .capture_file import CaptureSource

        yield CaptureSource(source_options.file, sys.stdin.buffer)  # type: ignore[arg-type]
        return
    from .reader import KafkaReader
    from .topic_source import TopicSource

    cluster, topic, partitioner = choose_cluster(source_options)
    with KafkaReader(cluster) as reader:
        yield TopicSource(reader, topic, partitioner, source_options.all_partitions)


def parse_moment(option: str, text: str) -> "Moment":
    """Parse the time that an option gives.

    Raises:
        UsageError: it isn't understood, or is an offset.
    """
    from ..event.position import Moment
    from ..settings.time_expression import parse_position

    position = parse_position(text, datetime.now(get_local_zone()))
    if not isinstance(position, Moment):
        raise UsageError(f"{option} takes a time, not {position.describe()}")
    return position


def parse_range(start: str | None, end: str | None) -> "PositionRange":
    """Parse ``--from`` and ``--to``.

    Raises:
        PositionError: one isn't understood, or the end lies before the beginning.
    """
    from ..event.position import PositionRange

    if start is None and end is None:
        return PositionRange()
    from ..settings.time_expression import check_range, parse_position

    now = datetime.now(get_local_zone())
    first = parse_position(start, now) if start is not None else None
    last = parse_position(end, now) if end is not None else None
    check_range(first, last)
    return PositionRange(first, last)


def get_local_zone() -> tzinfo:
    """Return the user's time zone with its daylight saving time, which the current offset alone doesn't tell."""
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
