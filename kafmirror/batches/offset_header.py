"""What a mirror writes into its target beside the source's records: their offsets in the source, and fillers. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from .compression import decompress
from .record import (
    DecodedRecord,
    decode_headers,
    decode_records,
    with_first_body_changed,
    with_header,
    without_last_header,
)
from .record_batch import Batch, Stamp, read_first_batch, stamp_batch

OFFSET_HEADER = b"kafmirror.offset"
"""Header of a record whose offset in the target isn't its offset in the source: ``OFFSET PRODUCER-ID``, in hex."""


MAX_FILLER_RECORDS = 100_000


class HeaderPolicy(NamedTuple):
    """Which records of a batch get a ``kafmirror.offset`` header: the first and each behind a gap, or ``is_for_every_record`` one."""

    producer_id: int
    is_for_every_record: bool


def with_offset_headers(records: Iterable[DecodedRecord], policy: HeaderPolicy) -> list[DecodedRecord]:
    """Records in the order of their offsets in the source, those that ``policy`` means with the header."""
    result, expected = list[DecodedRecord](), -1
    for record in records:
        offset, timestamp, body = record
        is_meant = policy.is_for_every_record or offset != expected
        result.append(
            DecodedRecord(offset, timestamp, _with_offset_header(body, offset, policy.producer_id))
            if is_meant
            else record
        )
        expected = offset + 1
    return result


def with_first_offset_header(batch: Batch, producer_id: int) -> Batch:
    """A dense batch whose first record tells its offset in the source; the others aren't opened."""
    return with_first_body_changed(batch, lambda body: _with_offset_header(body, batch.base_offset, producer_id))


def _with_offset_header(body: bytes, offset: int, producer_id: int) -> bytes:
    return with_header(body, OFFSET_HEADER, b"%d %016x" % (offset, producer_id))


def with_new_offset(prepared: bytes, stamp: Stamp) -> bytes:
    """A batch that was made for another offset, for this one."""
    batch = read_first_batch(prepared)
    if batch is None:
        raise ValueError("not a whole batch")
    return stamp_batch(batch, stamp)


def find_next_source_offset(batch: Batch, producer_id: int) -> int:
    """The offset in the source that follows the batch's last record; ``batch`` was written by a mirror.

    Raises:
        ValueError: the batch can't be opened.
    """
    if not batch.record_count or OFFSET_HEADER not in decompress(batch.codec, batch.body):
        return batch.next_offset
    for record in reversed(decode_records(batch)):
        source_offset = parse_offset_header(record.body, producer_id)
        if source_offset is not None:
            return source_offset + batch.next_offset - record.offset
    return batch.next_offset


def parse_offset_header(body: bytes, producer_id: int) -> int | None:
    """A record's offset in the source as its own mirror's header tells it, None where there is none."""
    for name, value in reversed(decode_headers(body)):
        if name == OFFSET_HEADER and value is not None and value.endswith(b" %016x" % producer_id):
            return int(value.split()[0])
    return None


def restore_source_records(batch: Batch, producer_id: int) -> list[DecodedRecord]:
    """The records of a mirrored batch, with the offsets and headers that they have in the source."""
    if OFFSET_HEADER not in decompress(batch.codec, batch.body):
        return decode_records(batch)
    result, shift = [], 0
    for record in decode_records(batch):
        source_offset = parse_offset_header(record.body, producer_id)
        body = record.body if source_offset is None else without_last_header(record.body)
        shift = shift if source_offset is None else source_offset - record.offset
        result.append(DecodedRecord(record.offset + shift, record.timestamp, body))
    return result
