"""Record batches as Kafka stores them: read a header, stamp it anew, open a batch and build one. Pure.

The layout is that of Kafka's message format 2: https://kafka.apache.org/documentation/#recordbatch
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import google_crc32c

from .codecs import ZSTD, compress, decompress

_HEADER = struct.Struct(">qiibIhiqqqhii")  # the 61 bytes in front of a batch's records
_LENGTH_FROM = 12  # a batch's length is counted from here on
_CHECKED = struct.Struct(">hiqqqhii")  # the part of the header that the checksum covers
_FRONT = struct.Struct(">qiibI")
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL, _DELETE_HORIZON = 0x07, 0x08, 0x10, 0x20, 0x40

OFFSET_HEADER = b"kafmirror.offset"
"""Header of a record whose offset in the target isn't its offset in the source: ``OFFSET PRODUCER-ID``, in hex."""

FILLER_HEADER = b"kafmirror.filler"
"""Header of the first record of a batch that only fills offsets which the source no longer holds."""

FILLER_COUNT = 100_000


class Batch(NamedTuple):
    """A record batch; the field names are Kafka's. Timestamps are milliseconds since 1970."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int
    body: bytes

    @property
    def next_offset(self) -> int:
        """The offset behind its last."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def size(self) -> int:
        """Its bytes as stored."""
        return self.length + _LENGTH_FROM

    @property
    def codec(self) -> int:
        """How its records are compressed: a number of ``codecs``."""
        return self.attributes & _CODEC

    @property
    def is_control(self) -> bool:
        """Whether it holds a transaction's marker and no records."""
        return bool(self.attributes & _CONTROL)

    @property
    def is_transactional(self) -> bool:
        """Whether its records belong to a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def has_append_time(self) -> bool:
        """Whether all its records have the time at which the broker took them, ``max_timestamp``."""
        return bool(self.attributes & _LOG_APPEND_TIME)

    @property
    def is_dense(self) -> bool:
        """Whether it has a record for each of its offsets."""
        return self.record_count == self.last_offset_delta + 1

    @property
    def goes_whole(self) -> bool:
        """Whether it can be copied unopened, when its offsets stay."""
        return self.is_dense and not self.attributes & (_CONTROL | _LOG_APPEND_TIME | _DELETE_HORIZON)

    @property
    def first_timestamp(self) -> int:
        """The timestamp of its first record."""
        return self.max_timestamp if self.has_append_time else self.base_timestamp


class OldFormat(ValueError):
    """Records in a format from before Kafka 0.11."""


class Opened(NamedTuple):
    """A record; ``rest`` is its key, value and headers as they stand in a batch."""

    offset: int
    timestamp: int
    rest: bytes


class Stamp(NamedTuple):
    """Who writes a batch, and the offset that it must get: what makes each produce request a compare-and-set."""

    producer_id: int
    offset: int

    @property
    def sequence(self) -> int:
        """The base sequence that stands for the offset."""
        return self.offset & 0x7FFFFFFF


def producer_id(cluster_id: str, topic_id: str) -> int:
    """The producer id of every mirror of one source topic: above 2^62, where brokers allot none."""
    digest = hashlib.sha256(f"{cluster_id}/{topic_id}".encode()).digest()
    return 1 << 62 | int.from_bytes(digest[:7], "big")


def split(records: bytes) -> Iterator[Batch]:
    """The whole batches in ``records``, as a fetch returns them: its last one may be cut off.

    Raises:
        OldFormat: records in a format that has no batches.
    """
    start, end = 0, len(records)
    while start + _HEADER.size <= end:
        fields = _HEADER.unpack_from(records, start)
        if fields[3] != 2:
            raise OldFormat(f"at offset {fields[0]}: records in message format {fields[3]}, from before Kafka 0.11")
        behind = start + _LENGTH_FROM + fields[1]
        if behind > end:
            return
        yield Batch._make((*fields, records[start + _HEADER.size : behind]))
        start = behind


def first(records: bytes) -> Batch | None:
    """The first batch of ``records``, None when it isn't there as a whole."""
    return next(split(records), None)


def is_written_by(batch: Batch, producer: int) -> bool:
    """Whether a mirror wrote the batch, at the offset at which it meant to."""
    return batch.producer_id == producer and batch.base_sequence == Stamp(producer, batch.base_offset).sequence


def stamped(batch: Batch, stamp: Stamp) -> bytes:
    """A dense batch as it goes into a produce request, its records untouched."""
    plain = batch.attributes & ~_TRANSACTIONAL
    times = (batch.base_timestamp, batch.max_timestamp)
    return _serialised(plain, times, stamp, batch.record_count, batch.body)


def _serialised(attributes: int, times: tuple[int, int], stamp: Stamp, count: int, body: bytes) -> bytes:
    checked = _CHECKED.pack(attributes, count - 1, *times, stamp.producer_id, 0, stamp.sequence, count)
    crc = google_crc32c.extend(google_crc32c.value(checked), body)
    length = _HEADER.size - _LENGTH_FROM + len(body)
    return b"".join((_FRONT.pack(0, length, -1, 2, crc), checked, body))


def is_intact(batch: Batch) -> bool:
    """Whether the checksum fits."""
    return bool(google_crc32c.extend(google_crc32c.value(_CHECKED.pack(*batch[5:13])), batch.body) == batch.crc)


def opened(batch: Batch) -> list[Opened]:
    """The batch's records.

    Raises:
        ValueError: it is damaged, or compressed in a way that we don't know.
    """
    data = decompress(batch.codec, batch.body)
    found, behind = _records(batch, data, batch.record_count)
    if behind != len(data):
        raise ValueError(f"the batch at offset {batch.base_offset} has {len(data)} bytes where {behind} are told")
    return found


def first_record(batch: Batch) -> Opened:
    """The first record of a batch that isn't empty; raises ValueError like ``opened``."""
    return _records(batch, decompress(batch.codec, batch.body), 1)[0][0]


def _records(batch: Batch, data: bytes, count: int) -> tuple[list[Opened], int]:
    """The first ``count`` records, and the place behind them."""
    base, found, at = batch.base_timestamp, list[Opened](), 0
    fixed = batch.max_timestamp if batch.has_append_time else None
    try:
        for _ in range(count):
            length, start = _varint(data, at)
            time_delta, place = _varint(data, start + 1)
            offset_delta, place = _varint(data, place)
            at = start + length
            time = base + time_delta if fixed is None else fixed
            found.append(Opened(batch.base_offset + offset_delta, time, data[place:at]))
    except IndexError:
        raise ValueError(f"the batch at offset {batch.base_offset} is damaged") from None
    return found, at


class Naming(NamedTuple):
    """Which records of a batch get a ``kafmirror.offset`` header: the first and each behind a gap, or ``every`` one."""

    producer: int
    every: bool


def built(records: Iterable[Opened], stamp: Stamp, codec: int, naming: Naming | None) -> bytes:
    """A batch of ``records``, at consecutive offsets from ``stamp.offset`` on, for a produce request.

    Args:
        records: with their offsets in the source, ascending.
        stamp: who writes it, and where.
        codec: how to compress it.
        naming: which records tell their offset in the source; None where it is the same.
    """
    records = list(records)
    base, out, expected = records[0].timestamp, bytearray(), -1
    for delta, record in enumerate(records):
        rest = record.rest
        if naming is not None and (naming.every or record.offset != expected):
            rest = with_header(rest, OFFSET_HEADER, f"{record.offset} {naming.producer:016x}".encode())
        expected = record.offset + 1
        body = b"".join((b"\0", varint(record.timestamp - base), varint(delta), rest))
        out += varint(len(body))
        out += body
    times = (base, max(record.timestamp for record in records))
    return _serialised(codec, times, stamp, len(records), compress(codec, bytes(out)))


def filler(count: int, stamp: Stamp, timestamp: int) -> bytes:
    """A batch of ``count`` empty records that only take up offsets, to be deleted at once."""
    empty = b"\x01\x01\x00"  # no key, no value, no headers
    first_one = with_header(empty, FILLER_HEADER, b"")
    records = (Opened(stamp.offset + n, timestamp, empty if n else first_one) for n in range(count))
    return built(records, stamp, ZSTD, None)


def restamped(prepared: bytes, stamp: Stamp) -> bytes:
    """A batch that was made for another offset, for this one."""
    batch = first(prepared)
    if batch is None:
        raise ValueError("not a whole batch")
    return stamped(batch, stamp)


def is_filler(batch: Batch, producer: int) -> bool:
    """Whether a mirror wrote the batch only to fill offsets."""
    if batch.codec != ZSTD or batch.producer_id != producer or not batch.record_count:
        return False
    return any(name == FILLER_HEADER for name, _ in headers(first_record(batch).rest))


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


def same_records(one: Batch, other: Batch) -> bool:
    """Whether two batches hold the same records at the same offsets; opened only where their bytes differ."""
    if one.base_offset == other.base_offset and _content(one) == _content(other):
        return True
    return (
        one.base_offset == other.base_offset and one.record_count == other.record_count and opened(one) == opened(other)
    )


def _content(batch: Batch) -> tuple[object, ...]:
    return (batch.attributes & ~_TRANSACTIONAL, *batch[6:9], batch.record_count, batch.body)


def key_value(rest: bytes) -> tuple[bytes | None, bytes | None]:
    """A record's key and value."""
    key, at = _bytes(rest, 0)
    value, _ = _bytes(rest, at)
    return key, value


def headers(rest: bytes) -> list[tuple[bytes, bytes | None]]:
    """A record's headers, in their order."""
    count, at = _varint(rest, _behind_value(rest))
    found = []
    for _ in range(count):
        name, at = _bytes(rest, at)
        value, at = _bytes(rest, at)
        found.append((name or b"", value))
    return found


def with_header(rest: bytes, name: bytes, value: bytes) -> bytes:
    """A record's ``rest`` with one more header, the last."""
    place = _behind_value(rest)
    count, behind = _varint(rest, place)
    added = varint(len(name)) + name + varint(len(value)) + value
    return b"".join((rest[:place], varint(count + 1), rest[behind:], added))


def without_last_header(rest: bytes) -> bytes:
    """A record's ``rest`` without its last header."""
    place = _behind_value(rest)
    count, behind = _varint(rest, place)
    at = behind
    for _ in range(count - 1):
        at = _behind_bytes(rest, _behind_bytes(rest, at))
    return b"".join((rest[:place], varint(count - 1), rest[behind:at]))


def _behind_value(rest: bytes) -> int:
    return _behind_bytes(rest, _behind_bytes(rest, 0))


def _behind_bytes(data: bytes, at: int) -> int:
    length, at = _varint(data, at)
    return at + max(length, 0)


def _bytes(data: bytes, at: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    return (None, at) if length < 0 else (data[at : at + length], at + length)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The zigzag number at a place, and the place behind it."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    number, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), at
        shift += 7


def varint(number: int) -> bytes:
    """A number as it stands in a record: zigzag, seven bits a byte."""
    number = (number << 1) ^ (number >> 63)
    if number < 0x80:
        return _ONE_BYTE[number]
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_ONE_BYTE = [bytes([number]) for number in range(0x80)]
