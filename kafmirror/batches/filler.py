"""Fillers: batches that a mirror writes only to take up offsets."""

from .compression import ZSTD
from .record import DecodedRecord, decode_first_record, decode_headers, encode_batch, with_header
from .record_batch import Batch, Stamp

FILLER_HEADER = b"kafmirror.filler"
"""Header of the first record of a batch that only fills offsets which the source no longer holds."""


def build_filler(count: int, stamp: Stamp, timestamp: int) -> bytes:
    """A batch of ``count`` empty records that only take up offsets, to be deleted at once."""
    empty_body = b"\x01\x01\x00"  # no key, no value, no headers
    first_body = with_header(empty_body, FILLER_HEADER, b"")
    records = [DecodedRecord(stamp.offset + n, timestamp, empty_body if n else first_body) for n in range(count)]
    return encode_batch(records, stamp, ZSTD)


def is_filler(batch: Batch, producer_id: int) -> bool:
    """Whether a mirror wrote the batch only to fill offsets."""
    if batch.codec != ZSTD or batch.producer_id != producer_id or not batch.record_count:
        return False
    return any(name == FILLER_HEADER for name, _ in decode_headers(decode_first_record(batch).body))
