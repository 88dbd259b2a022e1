"""Fillers: batches of empty records that a mirror writes to use up offsets, and deletes at once."""

from typing import NamedTuple

from agentlog.formatting import format_duration

from .compression import ZSTD
from .record import DecodedRecord, decode_first_record, decode_headers, encode_batch, with_header
from .record_batch import Batch, Stamp

FILLER_HEADER = b"kafmirror.filler"
"""The header of a filler's first record. It tells a filler from records."""

MAX_FILLER_RECORDS = 100_000
"""The most records in one filler. Several fillers follow each other where that isn't enough."""


class FillProgress(NamedTuple):
    """The progress of a mirror that fills the offsets before the source's first record.

    Attributes:
        start: the target's end when this mirror began to fill.
        position: the target's end now.
        up_to: the offset of the source's first record.
        started_at: when this mirror began, in seconds of any clock.
    """

    start: int
    position: int
    up_to: int
    started_at: float

    def describe(self, now: float) -> str:
        """Say how far it is, and for how long it still takes."""
        text = describe_filled(self.position, self.up_to)
        filled, left = self.position - self.start, self.up_to - self.position
        if not filled or now <= self.started_at:
            return text
        left_us = round((now - self.started_at) / filled * left * 1_000_000)
        return f"{text}, which takes about {format_duration(left_us)} more"


def describe_filled(position: int, up_to: int) -> str:
    """Say how many of the offsets before the source's first record are filled in the target."""
    return f"{position:,} of the {up_to:,} offsets before the source's first record are filled"


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
