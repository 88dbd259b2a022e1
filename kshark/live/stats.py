"""`kshark stats`: what comes in, over some time and as it goes on."""

import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from agentlog.cli import Where, chosen_cluster, chosen_moment
from agentlog.errors import UsageError
from agentlog.event import codec
from agentlog.event.event import Unreadable
from agentlog.log.reader import KafkaReader, Message
from agentlog.log.topic_stream import TopicStream, found_in
from agentlog.settings.time_expression import check_range
from agentlog.terminal.live_screen import Screen
from agentlog.terminal.output import complain, paint_for, progress, width, write, write_bytes
from agentlog.terminal.unreadable_report import Naming

from .counters import Tally, Window
from .lag_notice import Pace
from .stats_text import Shown, document, lines

REFRESH_S = 1.0


class Asked(NamedTuple):
    """What the user wants to see."""

    start: str
    end: str | None
    follow: bool
    top: int
    format: str


def stats(where: Where, asked: Asked) -> None:
    """Show what came in; with ``follow`` again and again until a signal comes.

    Raises:
        UsageError: a time isn't understood, or the times don't fit together.
        KafkaError: the topic can't be read.
    """
    since = chosen_moment("--from", asked.start)
    until = chosen_moment("--to", asked.end) if asked.end is not None else None
    check_range(since, until)
    if asked.follow and until is not None:
        raise UsageError("--follow goes on until Ctrl-C; leave out --to")
    cluster, topic, _ = chosen_cluster(where)
    with KafkaReader(cluster) as reader:
        stream = TopicStream(reader, topic, complain)
        now_ms = round(time.time() * 1000)
        stream.begin(since)
        if asked.follow:
            _follow(stream, since.timestamp_ms, now_ms, asked)
        else:
            last_ms = None if until is None else until.timestamp_ms
            tally = _counted(stream, since.timestamp_ms, last_ms)
            ended_ms = now_ms if last_ms is None else last_ms
            _show(Shown(stream.what, since.timestamp_ms, ended_ms, tally, asked.top), asked.format)


def _counted(stream: TopicStream, began_ms: int, ended_ms: int | None) -> Tally:
    """All that the topic holds of that time; without an end all that it held when we began."""
    tally, naming = Tally(), Naming()
    with progress(lambda: f"{stream.what}: read {stream.records:,} of {stream.expected:,} records"):
        for batch in stream.known():
            for message in batch:
                if _within(message, began_ms, ended_ms):
                    found = found_in(message)
                    tally.add(found)
                    if isinstance(found, Unreadable):
                        naming.add(found)
    naming.total()
    return tally


def _within(message: Message, began_ms: int, ended_ms: int | None) -> bool:
    at: int = message.timestamp()[1]
    return began_ms <= at and (ended_ms is None or at <= ended_ms)


def _show(shown: Shown, shape: str) -> None:
    if shape == "text":
        write(lines(shown, width(), paint_for(sys.stdout)))
    else:
        write_bytes([_line(shown)])


def _line(shown: Shown) -> bytes:
    return codec.one_line(orjson.dumps(document(shown))) + b"\n"


def _follow(stream: TopicStream, began_ms: int, now_ms: int, asked: Asked) -> None:
    """Show the last so many seconds, again and again."""
    window = Window(max(now_ms - began_ms, 1000) / 1000)
    screen = Screen(sys.stdout) if asked.format == "text" and sys.stdout.isatty() else None
    pace, drawn = Pace(complain), time.monotonic()
    for batch in stream.live():
        for message, at_s in _arrivals(stream, batch, began_ms):
            window.add(found_in(message), at_s)
        pace.look(stream, batch)
        if time.monotonic() - drawn < REFRESH_S:
            continue
        drawn, now = time.monotonic(), time.time()
        since_ms = round((now - window.length_s) * 1000)
        shown = Shown(stream.what, since_ms, round(now * 1000), window.total(now), asked.top)
        if screen is None:
            _show(shown, asked.format)
        else:
            picture = list(lines(shown, width(), paint_for(sys.stdout)))
            screen.draw(picture[: max(screen.height - 1, 3)])


def _arrivals(stream: TopicStream, batch: list[Message], began_ms: int) -> Iterator[tuple[Message, float]]:
    """When each record came in: by Kafka's time where it was there at the start, else now."""
    now = time.time()
    for message in batch:
        if (message.offset() or 0) >= stream.ends.get(message.partition() or 0, 0):
            yield message, now
        elif message.timestamp()[1] >= began_ms:
            yield message, message.timestamp()[1] / 1000
