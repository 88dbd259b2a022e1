"""Record batches as Kafka stores them: their headers read, stamped and written. Pure.

The layout is that of Kafka's message format 2: https://kafka.apache.org/documentation/#recordbatch
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import NamedTuple

import google_crc32c

_HEADER = struct.Struct(">qiibIhiqqqhii")  # the 61 bytes in front of a batch's records
_LENGTH_OFFSET = 12  # a batch's length field doesn't count the first 12 bytes
_CHECKSUMMED = struct.Struct(">hiqqqhii")  # the part of the header that the checksum covers
_PREFIX = struct.Struct(">qiibI")
_CODEC, _LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL, _DELETE_HORIZON = 0x07, 0x08, 0x10, 0x20, 0x40


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
        """The offset behind the last one of the batch."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def size(self) -> int:
        """The size of the stored batch, in bytes."""
        return self.length + _LENGTH_OFFSET

    @property
    def codec(self) -> int:
        """The codec of its records, a number of ``compression``."""
        return self.attributes & _CODEC

    @property
    def is_control(self) -> bool:
        """Whether it holds the marker of a transaction instead of records."""
        return bool(self.attributes & _CONTROL)

    @property
    def is_transactional(self) -> bool:
        """Whether its records belong to a transaction."""
        return bool(self.attributes & _TRANSACTIONAL)

    @property
    def has_append_time(self) -> bool:
        """Whether all its records have the time at which the broker stored them, ``max_timestamp``."""
        return bool(self.attributes & _LOG_APPEND_TIME)

    @property
    def is_dense(self) -> bool:
        """Whether it has a record for each of its offsets."""
        return self.record_count == self.last_offset_delta + 1

    @property
    def is_copyable_unopened(self) -> bool:
        """Whether it can be copied without decoding it, as long as its offsets stay the same."""
        return self.is_dense and not self.attributes & (_CONTROL | _LOG_APPEND_TIME | _DELETE_HORIZON)

    @property
    def content(self) -> tuple[object, ...]:
        """All that belongs to its records, without its producer and its offset."""
        plain = self.attributes & ~_TRANSACTIONAL
        times = (self.base_timestamp, self.max_timestamp)
        return (plain, self.last_offset_delta, *times, self.record_count, self.body)

    @property
    def first_timestamp(self) -> int:
        """The timestamp of its first record."""
        return self.max_timestamp if self.has_append_time else self.base_timestamp


_MIRROR_PRODUCER_IDS = 1 << 62
"""The first producer id of mirrors. Brokers assign none from here on."""


class OldFormat(ValueError):
    """Records in a message format older than Kafka 0.11."""


class Stamp(NamedTuple):
    """A batch's producer id, and the offset that it must get. They make a produce request a compare-and-set."""

    producer_id: int
    offset: int

    @property
    def sequence(self) -> int:
        """The base sequence for the offset."""
        return self.offset & 0x7FFFFFFF


def derive_producer_id(cluster_id: str, topic_id: str) -> int:
    """Return the producer id of all mirrors of one source topic. It is above 2^62, where brokers assign none."""
    digest = hashlib.sha256(f"{cluster_id}/{topic_id}".encode()).digest()
    return _MIRROR_PRODUCER_IDS | int.from_bytes(digest[:7], "big")


def is_mirror_producer_id(producer_id: int) -> bool:
    """Return whether a producer id is that of a mirror, of whatever topic."""
    return producer_id >= _MIRROR_PRODUCER_IDS


def split_batches(records: bytes) -> Iterator[Batch]:
    """Yield the complete batches in a fetch's ``records``, whose last batch may be cut off.

    Raises:
        OldFormat: the records are in a format without batches.
    """
    start, end = 0, len(records)
    while start + _HEADER.size <= end:
        fields = _HEADER.unpack_from(records, start)
        if fields[3] != 2:
            raise OldFormat(f"at offset {fields[0]}: records in message format {fields[3]}, from before Kafka 0.11")
        batch_end = start + _LENGTH_OFFSET + fields[1]
        if batch_end > end:
            return
        yield Batch._make((*fields, records[start + _HEADER.size : batch_end]))
        start = batch_end


def read_first_batch(records: bytes) -> Batch | None:
    """Return the first batch of ``records``, or None when it isn't complete."""
    return next(split_batches(records), None)


def is_written_by(batch: Batch, producer_id: int) -> bool:
    """Return whether the mirror ``producer_id`` wrote the batch, and the batch got the intended offset."""
    return batch.producer_id == producer_id and batch.base_sequence == Stamp(producer_id, batch.base_offset).sequence


def stamp_batch(batch: Batch, stamp: Stamp) -> bytes:
    """Return a dense batch, ready for a produce request. Its records stay as they are."""
    plain = batch.attributes & ~_TRANSACTIONAL
    times = (batch.base_timestamp, batch.max_timestamp)
    return serialize_batch(plain, times, stamp, batch.record_count, batch.body)


def serialize_batch(attributes: int, times: tuple[int, int], stamp: Stamp, count: int, body: bytes) -> bytes:
    """Return a batch, ready for a produce request; ``times`` are its base and its largest timestamp in ms."""
    checked = _CHECKSUMMED.pack(attributes, count - 1, *times, stamp.producer_id, 0, stamp.sequence, count)
    crc = google_crc32c.extend(google_crc32c.value(checked), body)
    length = _HEADER.size - _LENGTH_OFFSET + len(body)
    return b"".join((_PREFIX.pack(0, length, -1, 2, crc), checked, body))


def is_intact(batch: Batch) -> bool:
    """Return whether the batch's checksum is right."""
    return bool(google_crc32c.extend(google_crc32c.value(_CHECKSUMMED.pack(*batch[5:13])), batch.body) == batch.crc)
