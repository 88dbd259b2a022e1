"""The records in a batch: decoded, encoded, and their keys, values and headers. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .compression import compress, decompress
from .record_batch import Batch, Stamp, serialize_batch


class DecodedRecord(NamedTuple):
    """A record. ``body`` is its key, value and headers, encoded as in a batch; ``timestamp`` is in ms since 1970."""

    offset: int
    timestamp: int
    body: bytes


def decode_records(batch: Batch) -> list[DecodedRecord]:
    """Return the batch's records.

    Raises:
        ValueError: the batch is damaged, or its compression is unknown.
    """
    data = decompress(batch.codec, batch.body)
    records, end = _decode_first(batch, data, batch.record_count)
    if end != len(data):
        raise ValueError(
            f"the batch at offset {batch.base_offset} has {len(data)} bytes of records, but they end at byte {end}"
        )
    return records


def decode_first_record(batch: Batch) -> DecodedRecord:
    """Return the first record of a batch that isn't empty; raises ValueError as ``decode_records`` does."""
    return _decode_first(batch, decompress(batch.codec, batch.body), 1)[0][0]


def _decode_first(batch: Batch, data: bytes, count: int) -> tuple[list[DecodedRecord], int]:
    """Return the first ``count`` records, and the position behind them."""
    base, records, position = batch.base_timestamp, list[DecodedRecord](), 0
    append_time = batch.max_timestamp if batch.has_append_time else None
    try:
        for _ in range(count):
            length, start = _decode_varint(data, position)
            time_delta, field_position = _decode_varint(data, start + 1)
            offset_delta, field_position = _decode_varint(data, field_position)
            position = start + length
            timestamp = base + time_delta if append_time is None else append_time
            records.append(DecodedRecord(batch.base_offset + offset_delta, timestamp, data[field_position:position]))
    except IndexError:
        raise ValueError(f"the batch at offset {batch.base_offset} is damaged") from None
    return records, position


def encode_batch(records: Sequence[DecodedRecord], stamp: Stamp, codec: int) -> bytes:
    """Return a batch of ``records``. Their offsets become consecutive, from ``stamp.offset`` on."""
    base, encoded_records = records[0].timestamp, bytearray()
    for delta, (_, timestamp, body) in enumerate(records):
        encoded = b"".join((b"\0", encode_varint(timestamp - base), encode_varint(delta), body))
        encoded_records += encode_varint(len(encoded))
        encoded_records += encoded
    times = (base, max(record.timestamp for record in records))
    return serialize_batch(codec, times, stamp, len(records), compress(codec, bytes(encoded_records)))


def with_first_body_changed(batch: Batch, change: Callable[[bytes], bytes]) -> Batch:
    """Return a batch whose first record has the body ``change(body)``. The other records aren't decoded."""
    data = decompress(batch.codec, batch.body)
    length, start = _decode_varint(data, 0)
    _, body_start = _decode_varint(data, _decode_varint(data, start + 1)[1])
    body = data[start:body_start] + change(data[body_start : start + length])
    body = compress(batch.codec, b"".join((encode_varint(len(body)), body, data[start + length :])))
    return batch._replace(length=batch.length + len(body) - len(batch.body), body=body)


def has_same_records(batch: Batch, other: Batch) -> bool:
    """Return whether two batches hold the same records at the same offsets. Decode them only if their bytes differ."""
    if batch.base_offset == other.base_offset and batch.content == other.content:
        return True
    return (
        batch.base_offset == other.base_offset
        and batch.record_count == other.record_count
        and decode_records(batch) == decode_records(other)
    )


def decode_key_value(body: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the key and the value of a record's body."""
    key, position = _decode_bytes(body, 0)
    value, _ = _decode_bytes(body, position)
    return key, value


def decode_headers(body: bytes) -> list[tuple[bytes, bytes | None]]:
    """Return the headers of a record's body, in their order."""
    count, position = _decode_varint(body, _skip_key_value(body))
    result = []
    for _ in range(count):
        name, position = _decode_bytes(body, position)
        value, position = _decode_bytes(body, position)
        result.append((name or b"", value))
    return result


def with_header(body: bytes, name: bytes, value: bytes) -> bytes:
    """Return a record's ``body`` with one more header at the end."""
    headers_start = _skip_key_value(body)
    count, first_header = _decode_varint(body, headers_start)
    parts = (
        body[:headers_start],
        encode_varint(count + 1),
        body[first_header:],
        encode_varint(len(name)),
        name,
        encode_varint(len(value)),
        value,
    )
    return b"".join(parts)


def without_last_header(body: bytes) -> bytes:
    """Return a record's ``body`` without its last header."""
    headers_start = _skip_key_value(body)
    count, first_header = _decode_varint(body, headers_start)
    position = first_header
    for _ in range(count - 1):
        position = _skip_bytes(body, _skip_bytes(body, position))
    return b"".join((body[:headers_start], encode_varint(count - 1), body[first_header:position]))


def _skip_key_value(body: bytes) -> int:
    return _skip_bytes(body, _skip_bytes(body, 0))


def _skip_bytes(data: bytes, position: int) -> int:
    length, position = _decode_varint(data, position)
    return position + length if length > 0 else position


def _decode_bytes(data: bytes, position: int) -> tuple[bytes | None, int]:
    length, position = _decode_varint(data, position)
    return (None, position) if length < 0 else (data[position : position + length], position + length)


def _decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the zigzag number at a position, and the position behind it."""
    byte = data[position]
    position += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position
    number, shift = byte & 0x7F, 7
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), position
        shift += 7


def encode_varint(number: int) -> bytes:
    """Return a number as records encode it: zigzag, seven bits a byte."""
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
