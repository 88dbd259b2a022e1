"""What a mirror writes into its target beside the source's records: their offsets in the source, and fillers. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from .compression import decompress
from .record import Opened, headers, opened, with_first_changed, with_header, without_last_header
from .record_batch import Batch, Stamp, first, stamped

OFFSET_HEADER = b"kafmirror.offset"
"""Header of a record whose offset in the target isn't its offset in the source: ``OFFSET PRODUCER-ID``, in hex."""


FILLER_COUNT = 100_000


class Naming(NamedTuple):
    """Which records of a batch get a ``kafmirror.offset`` header: the first and each behind a gap, or ``every`` one."""

    producer: int
    every: bool


def named(records: Iterable[Opened], naming: Naming) -> list[Opened]:
    """Records in the order of their offsets in the source, those that ``naming`` means with the header."""
    found, expected = list[Opened](), -1
    for record in records:
        offset, timestamp, rest = record
        is_meant = naming.every or offset != expected
        found.append(Opened(offset, timestamp, _named(rest, offset, naming.producer)) if is_meant else record)
        expected = offset + 1
    return found


def with_first_named(batch: Batch, producer: int) -> Batch:
    """A dense batch whose first record tells its offset in the source; the others aren't opened."""
    return with_first_changed(batch, lambda rest: _named(rest, batch.base_offset, producer))


def _named(rest: bytes, offset: int, producer: int) -> bytes:
    return with_header(rest, OFFSET_HEADER, b"%d %016x" % (offset, producer))


def restamped(prepared: bytes, stamp: Stamp) -> bytes:
    """A batch that was made for another offset, for this one."""
    batch = first(prepared)
    if batch is None:
        raise ValueError("not a whole batch")
    return stamped(batch, stamp)


def source_position(batch: Batch, producer: int) -> int:
    """The offset in the source that follows the batch's last record; ``batch`` was written by a mirror.

    Raises:
        ValueError: the batch can't be opened.
    """
    if not batch.record_count or OFFSET_HEADER not in decompress(batch.codec, batch.body):
        return batch.next_offset
    for record in reversed(opened(batch)):
        told = told_offset(record.rest, producer)
        if told is not None:
            return told + batch.next_offset - record.offset
    return batch.next_offset


def told_offset(rest: bytes, producer: int) -> int | None:
    """A record's offset in the source as its own mirror's header tells it, None where there is none."""
    for name, value in reversed(headers(rest)):
        if name == OFFSET_HEADER and value is not None and value.endswith(b" %016x" % producer):
            return int(value.split()[0])
    return None


def as_in_source(batch: Batch, producer: int) -> list[Opened]:
    """The records of a mirrored batch, with the offsets and headers that they have in the source."""
    if OFFSET_HEADER not in decompress(batch.codec, batch.body):
        return opened(batch)
    found, shift = [], 0
    for record in opened(batch):
        told = told_offset(record.rest, producer)
        rest = record.rest if told is None else without_last_header(record.rest)
        shift = shift if told is None else told - record.offset
        found.append(Opened(record.offset + shift, record.timestamp, rest))
    return found
