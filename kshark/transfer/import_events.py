"""`kshark import`: a capture file's events into a topic, as they were and each once."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agentlog.cli import Where, chosen_cluster, chosen_moment
from agentlog.errors import NothingToShow, TopicNotFound, UsageError
from agentlog.event.partitioner import PARTITIONERS, known_partitioner
from agentlog.event.position import Moment
from agentlog.formatting import counted, duration
from agentlog.log.admin import ensure_topic, topic_settings
from agentlog.log.reader import KafkaReader
from agentlog.log.writer import Outgoing, Writer
from agentlog.settings.clusters import Cluster
from agentlog.terminal.output import complain, progress

from ..render import moment
from .dedup import Present, present
from .lock import Held, held
from .preflight import Load, largest_batch, refusals
from .scan import Survey, at_ms, readable, survey
from .time_shift import shifted


@dataclass
class Import:
    """A capture file on its way into a topic."""

    file: Held
    found: Survey
    cluster: Cluster
    topic: str
    there: Present
    shift_ms: int = 0

    @property
    def target(self) -> str:
        """The topic, for a person."""
        return f"topic {self.topic} of {self.cluster.name}"

    def outgoing(self, places: Mapping[str, tuple[bytes, int]]) -> Iterator[Outgoing]:
        """The events that the topic doesn't hold, in the file's order."""
        for record in readable(self.file):
            if not self.there.takes_one(record.event.event_id):
                key, partition = places[record.event.session_id]
                value, headers = (record.value, record.place.headers)
                if self.shift_ms:
                    value, headers = shifted(record, self.shift_ms)
                yield Outgoing(partition, key, value, at_ms(record) + self.shift_ms, headers)


def import_file(path: str, where: Where, shift_to: str | None, create: int | None) -> None:
    """Write what the file at ``path`` holds and the topic doesn't.

    Raises:
        UsageError: the file can't be read, or the topic wouldn't keep its events as they are.
        NothingToShow: the file holds no event.
        KafkaError: the cluster can't be reached, or refuses.
    """
    cluster, topic, partitioner = chosen_cluster(where)
    until = chosen_moment("--shift-to", shift_to) if shift_to is not None else None
    with held(path) as file:
        found = survey(file)
        if not found.events:
            raise NothingToShow(f"{file.name} holds no event: {counted(found.unreadable.count, 'line')} unreadable")
        settings = _settings(cluster, topic, create)
        with KafkaReader(cluster) as reader:
            count = reader.partition_count(topic)
            there = present(reader, topic, found, anytime=until is not None)
        importing = Import(file, found, cluster, topic, there)
        importing.shift_ms = _shift(importing, until)
        _check(importing, settings, "a later --shift-to" if until else "--shift-to now")
        _write(importing, count, partitioner, largest_batch(settings))


def _settings(cluster: Cluster, topic: str, create: int | None) -> dict[str, str]:
    if create is not None:
        return ensure_topic(cluster, topic, create, {"retention.ms": "-1"})
    try:
        return topic_settings(cluster, topic)
    except TopicNotFound as error:
        raise TopicNotFound(f"{error}; --create N makes it, with N partitions") from error


def _shift(importing: Import, until: Moment | None) -> int:
    """By how many milliseconds to move all events: as those that are in the topic were moved, else to ``until``."""
    if until is None:
        return 0
    for record in readable(importing.file) if importing.there.times else ():
        if (was := importing.there.times.get(record.event.event_id)) is not None:
            shift_ms = was - at_ms(record)
            complain(f"{importing.target} holds some of these events, moved by {_span(shift_ms)}: the others go along")
            return shift_ms
    return until.timestamp_ms - importing.found.newest_ms


def _span(ms: int) -> str:
    return ("-" if ms < 0 else "") + duration(abs(ms) * 1000)


def _check(importing: Import, settings: Mapping[str, str], way: str) -> None:
    """Refuse a topic that wouldn't keep the events as they are."""
    found, shift_ms = importing.found, importing.shift_ms
    oldest = f"{moment((found.oldest_ms + shift_ms) * 1000):%Y-%m-%d %H:%M:%S} UTC"
    load = Load(
        whose=f"the oldest of {importing.file.name}, of {oldest}, is",
        move=f"Move all of them with {way}",
        oldest_ms=found.oldest_ms + shift_ms,
        newest_ms=found.newest_ms + shift_ms,
        largest=found.largest,
        largest_where=found.largest_where,
    )
    problems = list(refusals(importing.target, settings, load, round(time.time() * 1000)))
    if problems:
        raise UsageError("\n".join(problems))


def _write(importing: Import, partitions: int, partitioner: str | None, max_bytes: int) -> None:
    partition_of = PARTITIONERS[known_partitioner(partitioner or "murmur2")]
    keys = {session_id: session_id.encode() for session_id in importing.found.sessions}
    places = {session_id: (key, partition_of(key, partitions)) for session_id, key in keys.items()}
    writer = Writer(importing.cluster, importing.topic, max_bytes)
    whole = False
    try:
        with progress(lambda: f"wrote {writer.arrived:,} of {importing.found.events:,} events"):
            writer.write(importing.outgoing(places))
        whole = True
    finally:
        if not whole:
            complain(f"wrote {counted(writer.arrived, 'event')}; import it again for the rest: none is written twice")
    _tell(importing, writer.arrived)


def _tell(importing: Import, written: int) -> None:
    found, name = importing.found, importing.file.name
    if not written:
        complain(f"nothing to write: {importing.target} holds all {counted(found.events, 'event')} of {name} already")
    else:
        there = f"; {found.events - written:,} were there already" if written < found.events else ""
        sessions = counted(len(found.sessions), "session")
        complain(f"wrote {counted(written, 'event')} of {sessions} into {importing.target}{there}")
    if importing.shift_ms and written:
        last = moment((found.newest_ms + importing.shift_ms) * 1000)
        complain(f"moved by {_span(importing.shift_ms)}: the last is of {last:%Y-%m-%d %H:%M:%S} UTC")
    if found.unreadable.count:
        complain(f"{counted(found.unreadable.count, 'line')} of {name} couldn't be read: keep the file")
    elif found.spooled:
        complain(f"{name} was spooled, and all of it has arrived: the file may be deleted")
