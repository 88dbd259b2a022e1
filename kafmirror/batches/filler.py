"""Fillers: batches that a mirror writes only to take up offsets."""

from .compression import ZSTD
from .record import Opened, built, first_record, headers, with_header
from .record_batch import Batch, Stamp

FILLER_HEADER = b"kafmirror.filler"
"""Header of the first record of a batch that only fills offsets which the source no longer holds."""


def filler(count: int, stamp: Stamp, timestamp: int) -> bytes:
    """A batch of ``count`` empty records that only take up offsets, to be deleted at once."""
    empty = b"\x01\x01\x00"  # no key, no value, no headers
    first_one = with_header(empty, FILLER_HEADER, b"")
    records = [Opened(stamp.offset + n, timestamp, empty if n else first_one) for n in range(count)]
    return built(records, stamp, ZSTD)


def is_filler(batch: Batch, producer: int) -> bool:
    """Whether a mirror wrote the batch only to fill offsets."""
    if batch.codec != ZSTD or batch.producer_id != producer or not batch.record_count:
        return False
    return any(name == FILLER_HEADER for name, _ in headers(first_record(batch).rest))
