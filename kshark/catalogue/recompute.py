"""Sessions whose sums are in doubt, read again from where they lie and put in order."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from agentlog.event import codec
from agentlog.event.event import Record
from agentlog.event.partial_decode import glance, needed
from agentlog.log.offset_range_reader import Stretch
from agentlog.log.reader import KafkaReader, Message, place
from agentlog.session.accumulator import Lay, Sums
from agentlog.session.summary import Summary, summarized
from agentlog.session.timeline import timeline

from .store import Store
from .write_batch import doubted

AT_ONCE = 20_000
"""So many records are held at once, unless one session alone has more."""


def groups(sessions: Iterable[Sums]) -> Iterator[list[Sums]]:
    """Sessions that are read again together: neighbours in the log, few enough for memory."""
    group: list[Sums] = []
    for sums in sorted(sessions, key=lambda sums: min((p, lay.first) for p, lay in sums.lays.items())):
        if group and sum(each.records for each in group) + sums.records > AT_ONCE:
            yield group
            group = []
        group.append(sums)
    if group:
        yield group


def reread(reader: KafkaReader, topic: str, group: Sequence[Sums]) -> dict[str, list[Record]]:
    """The records of each session of a group, between its first and its last."""
    lays = {sums.session_id: sums.lays for sums in group}
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for partition, lay in ((p, lay) for each in lays.values() for p, lay in each.items()):
        starts[partition] = min(lay.first, starts.get(partition, lay.first))
        ends[partition] = max(lay.last + 1, ends.get(partition, 0))
    found: dict[str, list[Record]] = defaultdict(list)
    keys: set[bytes | None] = {None, *(session_id.encode() for session_id in lays)}
    for batch in Stretch(reader, topic, starts, ends).batches():
        for message in batch:
            if message.key() in keys:
                record = _record(message, lays)
                if record is not None:
                    found[record.event.session_id].append(record)
    return found


def _record(message: Message, lays: Mapping[str, Mapping[int, Lay]]) -> Record | None:
    lies = place(message)
    found = codec.decode(message.value(), lies, "")
    if not isinstance(found, Record) or message.key() not in (None, found.event.session_id.encode()):
        return None
    lay = lays.get(found.event.session_id, {}).get(lies.partition)
    within = lay is not None and lay.first <= lies.offset <= lay.last
    return light(found) if within else None


def light(record: Record) -> Record:
    """The record without what no number of its session needs."""
    payload, context = needed(record.event)
    return Record(msgspec.structs.replace(record.event, payload=payload, context=context), record.place, b"")


def added_up(session_id: str, records: Sequence[Record]) -> tuple[Sums, Summary]:
    """A session's sums and its row, from all of its records."""
    sums = Sums(session_id)
    for record in sorted(records, key=lambda record: record.place[1:3]):
        sums.add(glance(record.event), record.place.partition, record.place.offset)
    sums.settle()
    row = sums.summary() or summarized(timeline(session_id, records))
    return (doubted(sums) if sums.doubt else sums), row


def settle(store: Store, group: Sequence[Sums], found: Mapping[str, Sequence[Record]]) -> None:
    """Keep what was found of a group; sessions of which nothing is left are forgotten."""
    with store.changing():
        for old in group:
            own = found.get(old.session_id)
            store.replace(old, *(added_up(old.session_id, own) if own else (None, None)))
