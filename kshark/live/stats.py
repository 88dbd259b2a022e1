"""The command `kshark stats`: rates, costs, sizes and errors of a topic's events, once or live."""

import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from agentlog.errors import UsageError
from agentlog.event import codec
from agentlog.event.event import Unreadable
from agentlog.log.open_source import choose_cluster, parse_moment
from agentlog.log.reader import KafkaReader, Message
from agentlog.log.topic_stream import TopicStream, decode_message
from agentlog.settings.time_expression import check_range
from agentlog.terminal.live_screen import Screen
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import get_width, write_bytes, write_lines, write_stderr
from agentlog.terminal.progress import show_progress
from agentlog.terminal.style import choose_paint
from agentlog.terminal.unreadable_report import UnreadableReport

from .counters import SlidingWindow, Tally
from .lag_notice import LagNotice
from .stats_text import Statistics, build_document, render_lines

REFRESH_S = 1.0


class StatsOptions(NamedTuple):
    """The time range, and options for the output."""

    start: str
    end: str | None
    follow: bool
    top: int
    format: str


def show_stats(source_options: SourceOptions, options: StatsOptions) -> None:
    """Show the statistics of a time range; with ``follow``, redraw them until a signal arrives.

    Raises:
        UsageError: a time isn't understood, or the range is empty.
        KafkaError: the topic can't be read.
    """
    since = parse_moment("--from", options.start)
    until = parse_moment("--to", options.end) if options.end is not None else None
    check_range(since, until)
    if options.follow and until is not None:
        raise UsageError("--follow goes on until Ctrl-C; leave out --to")
    cluster, topic, _ = choose_cluster(source_options)
    with KafkaReader(cluster) as reader:
        stream = TopicStream(reader, topic, write_stderr)
        now_ms = round(time.time() * 1000)
        stream.begin(since)
        if options.follow:
            _show_live(stream, since.timestamp_ms, now_ms, options)
        else:
            last_ms = None if until is None else until.timestamp_ms
            tally = _count_records(stream, since.timestamp_ms, last_ms)
            ended_ms = now_ms if last_ms is None else last_ms
            _write_statistics(Statistics(stream.what, since.timestamp_ms, ended_ms, tally, options.top), options.format)


def _count_records(stream: TopicStream, began_ms: int, ended_ms: int | None) -> Tally:
    """Count the topic's records of a time range; without an end, up to the topic's end at the start."""
    tally, unreadable_report = Tally(), UnreadableReport()
    with show_progress(lambda: f"{stream.what}: read {stream.records:,} of {stream.expected:,} records"):
        for batch in stream.read_existing():
            for message in batch:
                if _is_within(message, began_ms, ended_ms):
                    item = decode_message(message)
                    tally.add(item)
                    if isinstance(item, Unreadable):
                        unreadable_report.add(item)
    unreadable_report.write()
    return tally


def _is_within(message: Message, began_ms: int, ended_ms: int | None) -> bool:
    timestamp_ms: int = message.timestamp()[1]
    return began_ms <= timestamp_ms and (ended_ms is None or timestamp_ms <= ended_ms)


def _write_statistics(statistics: Statistics, output_format: str) -> None:
    if output_format == "text":
        write_lines(render_lines(statistics, get_width(), choose_paint(sys.stdout)))
    else:
        write_bytes([_encode_line(statistics)])


def _encode_line(statistics: Statistics) -> bytes:
    return codec.flatten_json(orjson.dumps(build_document(statistics))) + b"\n"


def _show_live(stream: TopicStream, began_ms: int, now_ms: int, options: StatsOptions) -> None:
    """Draw the statistics of a sliding window each second."""
    window = SlidingWindow(max(now_ms - began_ms, 1000) / 1000)
    screen = Screen(sys.stdout) if options.format == "text" and sys.stdout.isatty() else None
    lag_notice, last_drawn = LagNotice(write_stderr), time.monotonic()
    for batch in stream.read_live():
        for message, at_s in _list_arrivals(stream, batch, began_ms):
            window.add(decode_message(message), at_s)
        lag_notice.check_lag(stream, batch)
        if time.monotonic() - last_drawn < REFRESH_S:
            continue
        last_drawn, now = time.monotonic(), time.time()
        since_ms = round((now - window.length_s) * 1000)
        statistics = Statistics(stream.what, since_ms, round(now * 1000), window.sum_until(now), options.top)
        if screen is None:
            _write_statistics(statistics, options.format)
            write_lines([""] if options.format == "text" else [])
        else:
            picture = list(render_lines(statistics, get_width(), choose_paint(sys.stdout)))
            screen.draw(picture[: max(screen.height - 1, 3)])


def _list_arrivals(stream: TopicStream, batch: list[Message], began_ms: int) -> Iterator[tuple[Message, float]]:
    """Yield records with their arrival times: Kafka's time if the record existed at the start, else now."""
    now = time.time()
    for message in batch:
        if (message.offset() or 0) >= stream.ends.get(message.partition() or 0, 0):
            yield message, now
        elif message.timestamp()[1] >= began_ms:
            yield message, message.timestamp()[1] / 1000
