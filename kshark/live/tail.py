"""`kshark tail`: the events of all sessions as they come, one line each."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from agentlog.cli import Where, chosen_cluster, chosen_moment
from agentlog.errors import Stopped
from agentlog.event import capture
from agentlog.event.event import Record, Unreadable
from agentlog.formatting import counted
from agentlog.log.reader import KafkaReader, Message
from agentlog.log.topic_stream import TopicStream, found_in
from agentlog.session.timeline import Step, alone
from agentlog.terminal.output import complain, paint_for, width, write, write_bytes
from agentlog.terminal.unreadable_report import NAMED, name_unreadable

from ..replay.command import Choice
from .event_line import EventLines
from .lag_notice import Pace


def tail(where: Where, start: str | None, choice: Choice) -> None:
    """Show events until a signal comes; without ``start`` from now on.

    Raises:
        UsageError: ``start`` is no time.
        KafkaError: the topic can't be read.
    """
    since = chosen_moment("--from", start) if start is not None else None
    cluster, topic, _ = chosen_cluster(where)
    with KafkaReader(cluster) as reader:
        stream = TopicStream(reader, topic, complain)
        stream.begin(since, at_end=since is None)
        begun = "now" if since is None else since.describe()
        complain(f"{stream.what}, {counted(stream.partition_count, 'partition')}, from {begun} on; Ctrl-C ends it")
        shown = Shown(choice, EventLines(width(), paint_for(sys.stdout), datetime.now(UTC).date()))
        pace = Pace(complain)
        try:
            for batch in stream.live():
                shown.add(sorted(batch, key=_timestamp))
                pace.look(stream, batch)
        except Stopped as stopped:
            if stopped.exit_code:
                complain(shown.total(stream.records))
            raise


def _timestamp(message: Message) -> int:
    return message.timestamp()[1]


@dataclass
class Shown:
    """What was shown so far, and how the next is."""

    choice: Choice
    lines: EventLines
    events: int = 0
    unreadable: int = 0

    def add(self, batch: list[Message]) -> None:
        """Show those of a batch that are wanted."""
        steps = [alone(found) for found in map(self._readable, batch) if found is not None]
        wanted = [step for step in steps if self.choice.holds(step)]
        self.events += len(wanted)  # ahead of the writing: a signal may come right behind it
        if wanted:
            self._write(wanted)

    def _readable(self, message: Message) -> Record | None:
        found = found_in(message)
        if isinstance(found, Record):
            return found
        self._name(found)
        return None

    def _name(self, each: Unreadable) -> None:
        self.unreadable += 1
        if self.unreadable <= NAMED:
            name_unreadable(each)
        elif self.unreadable == NAMED + 1:
            complain("unreadable: more of them are only counted from here on")

    def _write(self, steps: list[Step]) -> None:
        if self.choice.format == "ndjson":
            write_bytes(capture.write_line(step.record.value, step.record.place) for step in steps)
        else:
            self.lines.columns, self.lines.today = width(), datetime.now(UTC).date()
            write(self.lines.line(step) for step in steps)

    def total(self, records: int) -> str:
        """What was shown of so many records."""
        of = f" of {counted(records, 'record')}" if records != self.events else ""
        bad = f", {self.unreadable:,} unreadable" if self.unreadable else ""
        return f"{counted(self.events, 'event')} shown{of}{bad}"
