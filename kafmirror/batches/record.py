"""The records in a batch: opened, built into a new one, their keys, values and headers. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .compression import compress, decompress
from .record_batch import Batch, Stamp, serialised


class Opened(NamedTuple):
    """A record; ``rest`` is its key, value and headers as they stand in a batch."""

    offset: int
    timestamp: int
    rest: bytes


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


def built(records: Sequence[Opened], stamp: Stamp, codec: int) -> bytes:
    """A batch of ``records``, at consecutive offsets from ``stamp.offset`` on whatever theirs are."""
    base, out = records[0].timestamp, bytearray()
    for delta, (_, timestamp, rest) in enumerate(records):
        body = b"".join((b"\0", varint(timestamp - base), varint(delta), rest))
        out += varint(len(body))
        out += body
    times = (base, max(record.timestamp for record in records))
    return serialised(codec, times, stamp, len(records), compress(codec, bytes(out)))


def with_first_changed(batch: Batch, change: Callable[[bytes], bytes]) -> Batch:
    """A batch whose first record has another ``rest``; the records behind it aren't opened."""
    data = decompress(batch.codec, batch.body)
    length, start = _varint(data, 0)
    _, place = _varint(data, _varint(data, start + 1)[1])
    body = data[start:place] + change(data[place : start + length])
    body = compress(batch.codec, b"".join((varint(len(body)), body, data[start + length :])))
    return batch._replace(length=batch.length + len(body) - len(batch.body), body=body)


def same_records(one: Batch, other: Batch) -> bool:
    """Whether two batches hold the same records at the same offsets; opened only where their bytes differ."""
    if one.base_offset == other.base_offset and one.content == other.content:
        return True
    return (
        one.base_offset == other.base_offset and one.record_count == other.record_count and opened(one) == opened(other)
    )


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
    parts = (rest[:place], varint(count + 1), rest[behind:], varint(len(name)), name, varint(len(value)), value)
    return b"".join(parts)


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
    return at + length if length > 0 else at


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
