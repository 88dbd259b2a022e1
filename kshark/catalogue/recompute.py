"""Sessions whose sums depend on the order of their records: read again and computed from the timeline."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from agentlog.event import codec
from agentlog.event.content import digest_content
from agentlog.event.event import Record
from agentlog.event.partial_decode import make_partial_event, select_needed_fields
from agentlog.log.offset_range_reader import OffsetRangeReader
from agentlog.log.reader import KafkaReader, Message, message_place
from agentlog.log.session_filter import read_session_id
from agentlog.session.accumulator import OffsetRange, SessionAccumulator
from agentlog.session.failure import ANSWER_FIELDS, has_failed
from agentlog.session.summary import Summary, summarize_timeline
from agentlog.session.timeline import build_timeline

from .store import Store
from .write_batch import without_totals

MAX_GROUP_RECORDS = 50_000
"""The most records that are held in memory at once, unless one session alone has more."""


def group_sessions(sessions: Iterable[SessionAccumulator]) -> Iterator[list[SessionAccumulator]]:
    """Yield groups of sessions to read together: neighbours in the log, at most ``MAX_GROUP_RECORDS`` records."""
    group: list[SessionAccumulator] = []
    for sums in sorted(sessions, key=lambda sums: min((p, lay.first) for p, lay in sums.lays.items())):
        if group and sum(each.records for each in group) + sums.records > MAX_GROUP_RECORDS:
            yield group
            group = []
        group.append(sums)
    if group:
        yield group


def reread_sessions(
    reader: KafkaReader, topic: str, group: Sequence[SessionAccumulator], *, has_other_keys: bool
) -> dict[str, list[Record]]:
    """Read the records of each session of a group, between its first and its last offset.

    Args:
        has_other_keys: whether the topic holds events whose keys aren't their sessions' ids, so that values tell.
    """
    ranges_by_session = {sums.session_id: sums.lays for sums in group}
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    for partition, lay in ((p, lay) for each in ranges_by_session.values() for p, lay in each.items()):
        starts[partition] = min(lay.first, starts.get(partition, lay.first))
        ends[partition] = max(lay.last + 1, ends.get(partition, 0))
    records_by_session: dict[str, list[Record]] = defaultdict(list)
    keys: set[bytes | None] = {session_id.encode() for session_id in ranges_by_session}
    for batch in OffsetRangeReader(reader, topic, starts, ends).read_batches():
        for message in batch:
            if message.key() in keys or (has_other_keys and read_session_id(message) in ranges_by_session):
                record = _decode_record(message, ranges_by_session)
                if record is not None:
                    records_by_session[record.event.session_id].append(record)
    return records_by_session


def _decode_record(message: Message, ranges_by_session: Mapping[str, Mapping[int, OffsetRange]]) -> Record | None:
    record_place = message_place(message)
    record = codec.decode(message.value(), record_place, "")
    if not isinstance(record, Record):
        return None
    offset_range = ranges_by_session.get(record.event.session_id, {}).get(record_place.partition)
    is_within = offset_range is not None and offset_range.first <= record_place.offset <= offset_range.last
    return drop_unneeded_fields(record) if is_within else None


def drop_unneeded_fields(record: Record) -> Record:
    """Return the record without the fields that no total of its session needs. An answer that failed is an error.

    A digest in place of the bytes tells its copies.
    """
    payload, context = select_needed_fields(record.event)
    event_type = record.event.event_type
    if event_type in ANSWER_FIELDS:
        payload["error"] = has_failed(event_type, record.event.payload)
        payload.pop(ANSWER_FIELDS[event_type], None)
    payload.pop("input", None)
    event = msgspec.structs.replace(record.event, payload=payload, context=context)
    return Record(event, record.place, digest_content(record.value))


def accumulate_session(session_id: str, records: Sequence[Record]) -> tuple[SessionAccumulator, Summary]:
    """Compute a session's sums and its row from all of its records."""
    accumulator = SessionAccumulator(session_id)
    for record in sorted(records, key=lambda record: record.place[1:3]):
        accumulator.add(make_partial_event(record.event), record.place.partition, record.place.offset)
    accumulator.finalize()
    row = accumulator.summarize() or summarize_timeline(build_timeline(session_id, records))
    return (without_totals(accumulator) if accumulator.doubt else accumulator), row


def store_recomputed(
    store: Store, group: Sequence[SessionAccumulator], records_by_session: Mapping[str, Sequence[Record]]
) -> None:
    """Write the recomputed sessions of a group; delete those that have no records any more."""
    with store.transaction():
        for old in group:
            records = records_by_session.get(old.session_id)
            store.replace_session(old, *(accumulate_session(old.session_id, records) if records else (None, None)))
