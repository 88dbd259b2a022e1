"""Fillers: batches of empty records that a mirror writes to use up offsets, and deletes at once."""

from .compression import ZSTD
from .record import DecodedRecord, decode_first_record, decode_headers, encode_batch, with_header
from .record_batch import Batch, Stamp

FILLER_HEADER = b"kafmirror.filler"
"""The header of a filler's first record. It tells a filler from records."""

MAX_FILLER_RECORDS = 100_000
"""The most records in one filler. Several fillers follow each other where that isn't enough."""


def build_filler(count: int, stamp: Stamp, timestamp: int) -> bytes:
    """Return a batch of ``count`` empty records; ``timestamp`` is in milliseconds since 1970."""
    empty_body = b"\x01\x01\x00"  # no key, no value, no headers
    first_body = with_header(empty_body, FILLER_HEADER, b"")
    records = [DecodedRecord(stamp.offset + n, timestamp, empty_body if n else first_body) for n in range(count)]
    return encode_batch(records, stamp, ZSTD)


def is_filler(batch: Batch, producer_id: int) -> bool:
    """Return whether the batch is a filler of the mirror ``producer_id``."""
    if batch.codec != ZSTD or batch.producer_id != producer_id or not batch.record_count:
        return False
    return any(name == FILLER_HEADER for name, _ in decode_headers(decode_first_record(batch).body))
