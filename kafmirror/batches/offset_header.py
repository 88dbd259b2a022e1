"""The ``kafmirror.offset`` header, which keeps a record's offset in the source. Pure."""

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
"""The header of a record whose offset in the target differs from its offset in the source.

Its value is ``OFFSET PRODUCER-ID``: the offset in decimal, the mirror's producer id in hex.
"""


class HeaderPolicy(NamedTuple):
    """The rule that says which records get a ``kafmirror.offset`` header.

    Attributes:
        producer_id: the mirror's producer id.
        is_for_every_record: True for every record; False for the first of a batch and each one behind a gap.
    """

    producer_id: int
    is_for_every_record: bool


def with_offset_headers(records: Iterable[DecodedRecord], policy: HeaderPolicy) -> list[DecodedRecord]:
    """Return the records, with the header on those that ``policy`` selects; ``records`` are in the source's order."""
    result, expected = list[DecodedRecord](), -1
    for record in records:
        offset, timestamp, body = record
        needs_header = policy.is_for_every_record or offset != expected
        result.append(
            DecodedRecord(offset, timestamp, _with_offset_header(body, offset, policy.producer_id))
            if needs_header
            else record
        )
        expected = offset + 1
    return result


def with_first_offset_header(batch: Batch, producer_id: int) -> Batch:
    """Return a dense batch with the header on its first record. The other records aren't decoded."""
    return with_first_body_changed(batch, lambda body: _with_offset_header(body, batch.base_offset, producer_id))


def _with_offset_header(body: bytes, offset: int, producer_id: int) -> bytes:
    return with_header(body, OFFSET_HEADER, b"%d %016x" % (offset, producer_id))


def with_new_offset(prepared: bytes, stamp: Stamp) -> bytes:
    """Return a batch that was encoded for another offset, stamped for the offset in ``stamp``."""
    batch = read_first_batch(prepared)
    if batch is None:
        raise ValueError("not a whole batch")
    return stamp_batch(batch, stamp)


def find_next_source_offset(batch: Batch, producer_id: int) -> int:
    """Return the offset in the source behind the last record of a batch that a mirror wrote.

    Raises:
        ValueError: the batch can't be decoded.
    """
    if not batch.record_count or OFFSET_HEADER not in decompress(batch.codec, batch.body):
        return batch.next_offset
    for record in reversed(decode_records(batch)):
        source_offset = parse_offset_header(record.body, producer_id)
        if source_offset is not None:
            return source_offset + batch.next_offset - record.offset
    return batch.next_offset


def parse_offset_header(body: bytes, producer_id: int) -> int | None:
    """Return the offset in the header of this mirror, or None when the record has no such header."""
    for name, value in reversed(decode_headers(body)):
        if name == OFFSET_HEADER and value is not None and value.endswith(b" %016x" % producer_id):
            return int(value.split()[0])
    return None


def restore_source_records(batch: Batch, producer_id: int) -> list[DecodedRecord]:
    """Return the records of a mirrored batch, with the offsets and headers that they have in the source."""
    if OFFSET_HEADER not in decompress(batch.codec, batch.body):
        return decode_records(batch)
    result, shift = [], 0
    for record in decode_records(batch):
        source_offset = parse_offset_header(record.body, producer_id)
        body = record.body if source_offset is None else without_last_header(record.body)
        shift = shift if source_offset is None else source_offset - record.offset
        result.append(DecodedRecord(record.offset + shift, record.timestamp, body))
    return result
