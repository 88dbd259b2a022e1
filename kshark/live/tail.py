"""The command `kshark tail`: the events of all sessions as they arrive, one line each."""

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agentlog.capture_format import capture
from agentlog.errors import Stopped
from agentlog.event.event import Record
from agentlog.formatting import format_count
from agentlog.log.open_source import choose_cluster, parse_moment
from agentlog.log.reader import KafkaReader, Message
from agentlog.log.topic_stream import TopicStream, decode_message
from agentlog.session.timeline import Step, make_single_step
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import get_width, write_bytes, write_lines, write_stderr
from agentlog.terminal.style import choose_paint
from agentlog.terminal.unreadable_report import UnreadableReport

from ..view.replay_options import ReplayOptions
from ..view.unknown_choice import find_mistyped_types
from .event_line import EventLineFormatter
from .lag_notice import LagNotice


def tail_events(source_options: SourceOptions, start: str | None, options: ReplayOptions) -> None:
    """Show events until a signal arrives; without ``start``, only new ones.

    Raises:
        UsageError: ``start`` is not a time.
        KafkaError: the topic can't be read.
    """
    since = parse_moment("--from", start) if start is not None else None
    for sentence in find_mistyped_types(options.types):
        write_stderr(sentence)
    cluster, topic, _ = choose_cluster(source_options)
    with KafkaReader(cluster) as reader:
        stream = TopicStream(reader, topic, write_stderr)
        stream.begin(since, at_end=since is None)
        start_text = "now" if since is None else since.describe()
        write_stderr(
            f"{stream.what}, {format_count(stream.partition_count, 'partition')}, from {start_text} on; Ctrl-C ends it"
        )
        printer = EventPrinter(
            options, EventLineFormatter(get_width(), choose_paint(sys.stdout), datetime.now(UTC).date())
        )
        lag_notice = LagNotice(write_stderr)
        try:
            for batch in stream.read_live():
                printer.print_batch(sorted(batch, key=_get_timestamp))
                lag_notice.check_lag(stream, batch)
        except Stopped as stopped:
            if stopped.exit_code:
                write_stderr(printer.describe_total(stream.records))
            raise


def _get_timestamp(message: Message) -> int:
    return message.timestamp()[1]


@dataclass
class EventPrinter:
    """A printer of events that counts what it has shown.

    Attributes:
        options: the filters and the format.
        formatter: formats events as text.
        events: the number of events shown.
        unreadable: the unreadable records.
    """

    options: ReplayOptions
    formatter: EventLineFormatter
    events: int = 0
    unreadable: UnreadableReport = field(default_factory=UnreadableReport)

    def print_batch(self, batch: list[Message]) -> None:
        """Show the events of a batch that pass the filters."""
        steps = [make_single_step(record) for record in map(self._decode_readable, batch) if record is not None]
        matching_steps = [step for step in steps if self.options.matches(step)]
        self.events += len(matching_steps)  # counted first, because a signal may arrive right after the writing
        if matching_steps:
            self._write_steps(matching_steps)

    def _decode_readable(self, message: Message) -> Record | None:
        item = decode_message(message)
        if isinstance(item, Record):
            return item
        self.unreadable.announce(item)
        return None

    def _write_steps(self, steps: list[Step]) -> None:
        if self.options.format == "ndjson":
            write_bytes(capture.write_line(step.record.value, step.record.place) for step in steps)
        else:
            self.formatter.columns, self.formatter.today = get_width(), datetime.now(UTC).date()
            write_lines(self.formatter.format_event(step) for step in steps)

    def describe_total(self, records: int) -> str:
        """Return how many events were shown of the ``records`` read, as text."""
        of_records = f" of {format_count(records, 'record')}" if records != self.events else ""
        unreadable_text = f", {self.unreadable.count:,} unreadable" if self.unreadable.count else ""
        return f"{format_count(self.events, 'event')} shown{of_records}{unreadable_text}"
