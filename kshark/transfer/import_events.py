"""The command `kshark import`: a capture file's events, written unchanged and once into a topic."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentlog.errors import NothingToShow, TopicNotFound, UsageError
from agentlog.event.event import to_datetime
from agentlog.event.partitioner import PARTITIONERS, resolve_partitioner
from agentlog.event.position import Moment
from agentlog.formatting import format_count, format_duration
from agentlog.log.admin import ensure_topic, read_topic_settings
from agentlog.log.open_source import choose_cluster, parse_moment
from agentlog.log.reader import KafkaReader
from agentlog.log.writer import OutgoingRecord, TopicWriter
from agentlog.settings.clusters import Cluster
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import write_stderr
from agentlog.terminal.progress import show_progress

from .dedup import ExistingEvents, find_existing_events
from .lock import LockedCapture, lock_capture
from .preflight import WritePlan, find_max_batch_bytes, find_preflight_errors
from .scan import CaptureScan, get_timestamp_ms, read_importable, scan_capture
from .time_shift import shift_record


@dataclass
class ImportRun:
    """A running import of a capture file into a topic."""

    file: LockedCapture
    scan: CaptureScan
    cluster: Cluster
    topic: str
    existing: ExistingEvents
    shift_ms: int = 0

    @property
    def target(self) -> str:
        """The names of the topic and the cluster, for messages."""
        return f"topic {self.topic} of {self.cluster.name}"

    def select_outgoing(self, places: Mapping[str, tuple[bytes, int]]) -> Iterator[OutgoingRecord]:
        """Yield the events that the topic doesn't have, in the file's order."""
        for record in read_importable(self.file):
            if not self.existing.claim(record):
                key, partition = places[record.event.session_id]
                value, headers = (record.value, record.place.headers)
                if self.shift_ms:
                    value, headers = shift_record(record, self.shift_ms)
                stored_value = record.place.frame + value
                yield OutgoingRecord(partition, key, stored_value, get_timestamp_ms(record) + self.shift_ms, headers)


def import_file(path: str, source_options: SourceOptions, shift_to: str | None, new_partitions: int | None) -> None:
    """Write the events of the file at ``path`` that the topic doesn't have.

    Raises:
        UsageError: the file can't be read, or the topic wouldn't keep its events as they are.
        NothingToShow: the file holds no event.
        KafkaError: the cluster can't be reached, or refuses.
    """
    cluster, topic, partitioner = choose_cluster(source_options)
    target_end = parse_moment("--shift-to", shift_to) if shift_to is not None else None
    with lock_capture(path) as file:
        scan = scan_capture(file)
        if not scan.events:
            raise NothingToShow(f"{file.name} has no event: {format_count(scan.unreadable.count, 'line')} unreadable")
        settings = _prepare_topic(cluster, topic, new_partitions)
        with KafkaReader(cluster) as reader:
            count = reader.partition_count(topic)
            existing = find_existing_events(reader, topic, scan, at_any_time=target_end is not None)
        import_run = ImportRun(file, scan, cluster, topic, existing)
        import_run.shift_ms = _find_shift(import_run, target_end)
        _check_topic(import_run, settings, "a later --shift-to" if target_end else "--shift-to now")
        _write_events(import_run, count, partitioner, find_max_batch_bytes(settings))


def _prepare_topic(cluster: Cluster, topic: str, new_partitions: int | None) -> dict[str, str]:
    if new_partitions is not None:
        return ensure_topic(cluster, topic, new_partitions, {"retention.ms": "-1"})
    try:
        return read_topic_settings(cluster, topic)
    except TopicNotFound as error:
        raise TopicNotFound(f"{error}; --create N creates it with N partitions") from error


def _find_shift(import_run: ImportRun, target_end: Moment | None) -> int:
    """Return the shift in milliseconds: that of events that are already in the topic, else to ``target_end``."""
    if target_end is None:
        return 0
    for record in read_importable(import_run.file) if import_run.existing.times else ():
        if (stored_ms := import_run.existing.find_time(record)) is not None:
            shift_ms = stored_ms - get_timestamp_ms(record)
            span = _format_span(shift_ms)
            write_stderr(f"{import_run.target} has some of these events, moved by {span}: the others move equally")
            return shift_ms
    return target_end.timestamp_ms - import_run.scan.newest_ms


def _format_span(ms: int) -> str:
    return ("-" if ms < 0 else "") + format_duration(abs(ms) * 1000)


def _check_topic(import_run: ImportRun, settings: Mapping[str, str], shift_option: str) -> None:
    """Check that the topic would keep the events as they are.

    Raises:
        UsageError: it wouldn't.
    """
    scan, shift_ms = import_run.scan, import_run.shift_ms
    oldest = f"{to_datetime((scan.oldest_ms + shift_ms) * 1000):%Y-%m-%d %H:%M:%S} UTC"
    plan = WritePlan(
        subject=f"the oldest of {import_run.file.name}, of {oldest}, is",
        remedy=f"Move all of them with {shift_option}",
        oldest_ms=scan.oldest_ms + shift_ms,
        newest_ms=scan.newest_ms + shift_ms,
        largest_bytes=scan.largest_bytes,
        largest_place=scan.largest_place,
    )
    problems = list(find_preflight_errors(import_run.target, settings, plan, round(time.time() * 1000)))
    if problems:
        raise UsageError("\n".join(problems))


def _write_events(import_run: ImportRun, partitions: int, partitioner: str | None, max_bytes: int) -> None:
    partition_of = PARTITIONERS[resolve_partitioner(partitioner or "murmur2")]
    keys = {session_id: session_id.encode() for session_id in import_run.scan.sessions}
    places = {session_id: (key, partition_of(key, partitions)) for session_id, key in keys.items()}
    writer = TopicWriter(import_run.cluster, import_run.topic, max_bytes)
    is_complete = False
    try:
        with show_progress(lambda: f"wrote {writer.delivered_count:,} of {import_run.scan.events:,} events"):
            writer.write(import_run.select_outgoing(places))
        is_complete = True
    finally:
        if not is_complete:
            count = format_count(writer.delivered_count, "event")
            write_stderr(f"wrote {count}; import the file again for the rest: no event is written twice")
    _report_result(import_run, writer.delivered_count)


def _report_result(import_run: ImportRun, written_count: int) -> None:
    scan, name = import_run.scan, import_run.file.name
    if not written_count:
        count = format_count(scan.events, "event")
        write_stderr(f"nothing to write: {import_run.target} already has all {count} of {name}")
    else:
        rest = f"; {scan.events - written_count:,} were already there" if written_count < scan.events else ""
        count, sessions = format_count(written_count, "event"), format_count(len(scan.sessions), "session")
        write_stderr(f"wrote {count} of {sessions} into {import_run.target}{rest}")
    if import_run.existing.clashes:
        count = format_count(import_run.existing.clashes, "event")
        write_stderr(
            f"{count} of {name} had the id of another event in {import_run.target}; each is an event of its own"
        )
    if import_run.shift_ms and written_count:
        last = to_datetime((scan.newest_ms + import_run.shift_ms) * 1000)
        write_stderr(
            f"moved by {_format_span(import_run.shift_ms)}: the last event is now at {last:%Y-%m-%d %H:%M:%S} UTC"
        )
    if scan.unreadable.count:
        write_stderr(f"{format_count(scan.unreadable.count, 'line')} of {name} couldn't be read: keep the file")
    elif scan.is_spooled:
        write_stderr(f"{name} is a spool file, and all its events have arrived: it may be deleted")
