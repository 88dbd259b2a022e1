"""The buffer of one partition: batches that were fetched, sent and acknowledged. Pure: no network, no clock."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..batches.aborted_transactions import AbortedTransactions
from ..batches.offset_header import HeaderPolicy, with_first_offset_header, with_offset_headers
from ..batches.record import DecodedRecord, decode_records, encode_batch
from ..batches.record_batch import Batch, Stamp, is_intact, split_batches, stamp_batch

MAX_MERGED_BYTES = 512 * 1024
"""The most bytes of small batches that are merged into one."""

MIN_PATCHED_BYTES = 64 * 1024
"""The size from which a batch behind a gap, or in a compacted topic, is sent by itself instead of merged."""

HEADER_ROOM_BYTES = 1024
"""The room for a header that is kept below the target's largest batch."""

MAX_SMALL_BYTES, MAX_SMALL_RECORDS = 16 * 1024, 20
"""A batch up to both limits is small: to decode its records costs less than a request of its own."""


class QueuedBatch(NamedTuple):
    """A fetched batch that waits to be sent, and its time of fetching in seconds of any clock."""

    batch: Batch
    fetched_at: float


class OutgoingBatch(NamedTuple):
    """A batch for a produce request.

    Attributes:
        data: the batch in bytes.
        base_offset: the offset that it must get in the target.
        next_target: the target's end once the batch is stored.
        next_source: the offset in the source behind its last record.
        record_count: the number of its records.
        first_timestamp: the timestamp of its first record, in milliseconds since 1970.
    """

    data: bytes
    base_offset: int
    next_target: int
    next_source: int
    record_count: int
    first_timestamp: int


class DamagedBatch(ValueError):
    """A batch in the source whose checksum is wrong."""


@dataclass(slots=True)
class PartitionBuffer:
    """The batches and the offsets of a partition's copy.

    Attributes:
        producer_id: the mirror's producer id.
        is_compacted: whether the topic is compacted. Then several mirrors may see different batches, and the copy
            may lose records later.
        fetch_offset: the source's offset to fetch next.
        source_offset: the lowest offset in the source that the next batch may begin with.
        target_offset: the target's offset that the next batch must get.
        is_shifted: whether offsets differ between source and target, so that batches must be decoded.
        done_source, done_target: the offsets on both sides up to which the copy is acknowledged.
        last_epoch: the leader epoch of the last fetched batch; -1 when there is none.
        in_flight_count: the number of batches that were sent and aren't answered yet.
        queued_bytes: the size of the batches in ``queue``.
        records_sent, bytes_sent: the records and bytes that were acknowledged.
        pending_timestamp: the timestamp of the first record that isn't acknowledged, in milliseconds since 1970, or
            None.
        done_timestamp: the first timestamp of the last acknowledged batch, in milliseconds since 1970, or None.
        queue: the fetched batches that aren't sent yet.
        in_flight_timestamps: the first timestamps of the batches that were sent and aren't answered yet.
        leftover_records: decoded records that didn't fit into the last batch.
        leftover_codec: the compression of the batches that they came from.
    """

    producer_id: int
    is_compacted: bool = False
    fetch_offset: int = 0
    source_offset: int = 0
    target_offset: int = 0
    is_shifted: bool = False
    done_source: int = 0
    done_target: int = 0
    last_epoch: int = -1
    in_flight_count: int = 0
    queued_bytes: int = 0
    records_sent: int = 0
    bytes_sent: int = 0
    pending_timestamp: int | None = None
    done_timestamp: int | None = None
    queue: deque[QueuedBatch] = field(default_factory=deque)
    in_flight_timestamps: deque[int] = field(default_factory=deque)
    leftover_records: list[DecodedRecord] = field(default_factory=list)
    leftover_codec: int = 0

    def restart(self, source: int, target: int) -> None:
        """Begin at offset ``source`` of the source, which becomes offset ``target`` of the target."""
        self.clear()
        self.fetch_offset = self.source_offset = self.done_source = source
        self.target_offset = self.done_target = target
        self.is_shifted = source != target

    def clear(self) -> None:
        """Drop all batches that were fetched and not acknowledged."""
        self.queue.clear()
        self.in_flight_timestamps.clear()
        self.leftover_records.clear()
        self.queued_bytes, self.last_epoch = 0, -1

    def add_fetched(self, records: bytes, aborted: Iterable[tuple[int, int]], now: float) -> None:
        """Queue the batches that a fetch at ``fetch_offset`` returned.

        Args:
            records: the batches in bytes.
            aborted: producer id and first offset of each aborted transaction.
            now: the time of the fetch, in seconds of any clock.

        Raises:
            DamagedBatch, OldFormat: a batch can't be copied.
        """
        aborted_transactions = AbortedTransactions(aborted)
        for batch in split_batches(records):
            is_hidden = aborted_transactions.is_hidden(batch)
            if batch.next_offset <= self.fetch_offset:
                continue
            if not is_intact(batch):
                raise DamagedBatch(f"the batch at offset {batch.base_offset} is damaged: its checksum is wrong")
            self.fetch_offset, self.last_epoch = batch.next_offset, batch.leader_epoch
            if not is_hidden and batch.record_count:
                self.queue.append(QueuedBatch(batch, now))
                self.queued_bytes += batch.size
        self._update_progress()

    def _update_progress(self) -> None:
        """Update the timestamp of the first pending record. If none is pending, all fetched offsets are done."""
        if not self.has_waiting and not self.in_flight_count:
            self.done_source = self.source_offset = self.fetch_offset
            self.pending_timestamp = None
        elif self.in_flight_timestamps or self.leftover_records:
            self.pending_timestamp = (
                self.in_flight_timestamps[0] if self.in_flight_timestamps else self.leftover_records[0].timestamp
            )
        else:
            self.pending_timestamp = self.queue[0].batch.first_timestamp if self.queue else self.pending_timestamp

    @property
    def has_waiting(self) -> bool:
        """Whether fetched records wait to be sent."""
        return bool(self.queue or self.leftover_records)

    @property
    def has_little(self) -> bool:
        """Whether so few bytes wait that they may wait for more."""
        return self.queued_bytes < MAX_SMALL_BYTES and not self.leftover_records

    @property
    def enters_gap(self) -> bool:
        """Whether the next batch is the first whose offsets differ in the target."""
        if self.is_shifted or self.leftover_records or not self.queue:
            return False
        batch = self.queue[0].batch
        return batch.base_offset > self.target_offset or not batch.is_dense

    def build_next_batch(self, max_batch_bytes: int) -> OutgoingBatch | None:
        """Return the next batch to send, or None when nothing waits.

        Args:
            max_batch_bytes: the largest batch that the target takes. A batch that is copied unchanged may be larger.

        Raises:
            ValueError: a batch can't be decoded.
        """
        while self.has_waiting:
            self.is_shifted = self.is_shifted or self.enters_gap
            if not self.leftover_records and (batch := self._pop_unopened(max_batch_bytes)):
                return self._mark_sent(self._copy_unchanged(batch))
            codec = self.leftover_codec if self.leftover_records else self.queue[0].batch.codec
            if records := self.leftover_records or self._pop_decoded(max_batch_bytes):
                return self._mark_sent(self._build_batch(records, codec, max_batch_bytes))
        self._update_progress()
        return None

    def _pop_batch(self) -> Batch:
        batch = self.queue.popleft().batch
        self.queued_bytes -= batch.size
        return batch

    def _copy_unchanged(self, batch: Batch) -> OutgoingBatch:
        data = stamp_batch(batch, Stamp(self.producer_id, self.target_offset))
        next_target = self.target_offset + batch.record_count
        return OutgoingBatch(
            data, self.target_offset, next_target, batch.next_offset, batch.record_count, batch.first_timestamp
        )

    def _pop_unopened(self, max_batch_bytes: int) -> Batch | None:
        """Return the next batch if it needs no decoding, behind a gap with a header on its first record; else None."""
        batch = self.queue[0].batch
        if not batch.is_copyable_unopened or batch.base_offset < self.source_offset:
            return None
        if not self.is_shifted:
            if (
                self._is_light(batch)
                and len(self.queue) > 1
                and self._can_join(self.queue[1].batch, batch, max_batch_bytes)
            ):
                return None
            return self._pop_batch()
        if self.is_compacted or not MIN_PATCHED_BYTES <= batch.size <= max_batch_bytes - HEADER_ROOM_BYTES:
            return None
        return with_first_offset_header(self._pop_batch(), self.producer_id)

    def _pop_decoded(self, max_batch_bytes: int) -> list[DecodedRecord]:
        """Return the records of the next batch, and of those behind it that are merged with it."""
        remaining_bytes, last = min(MAX_MERGED_BYTES, max_batch_bytes // 2), self._pop_batch()
        records = self._decode_remaining(last)
        while self.queue and self._can_join(self.queue[0].batch, last, remaining_bytes := remaining_bytes - last.size):
            last = self._pop_batch()
            records += self._decode_remaining(last)
        return records

    def _decode_remaining(self, batch: Batch) -> list[DecodedRecord]:
        return [record for record in decode_records(batch) if record.offset >= self.source_offset]

    def _can_join(self, batch: Batch, last: Batch, remaining_bytes: int) -> bool:
        """Return whether to merge a batch with ``last``: behind a gap if it fits, else only a light one without gap."""
        is_fitting = batch.codec == last.codec and batch.size <= remaining_bytes
        return is_fitting and (
            self.is_shifted or (self._is_light(batch) and batch.is_dense and batch.base_offset == last.next_offset)
        )

    def _is_light(self, batch: Batch) -> bool:
        """Return whether decoding a batch costs less than sending it alone (and reading it back, if compacted)."""
        return batch.size < MIN_PATCHED_BYTES if self.is_compacted else _is_small(batch)

    def _build_batch(self, records: list[DecodedRecord], codec: int, max_batch_bytes: int) -> OutgoingBatch:
        """Return a batch of as many records as fit into one. The others are kept for the next batch."""
        data, all_records = self._encode_records(records, codec), records
        while len(data) > max_batch_bytes and len(records) > 1:
            records = records[: len(records) // 2]
            data = self._encode_records(records, codec)
        self.leftover_records, self.leftover_codec = all_records[len(records) :], codec
        next_target = self.target_offset + len(records)
        return OutgoingBatch(
            data, self.target_offset, next_target, records[-1].offset + 1, len(records), records[0].timestamp
        )

    def _encode_records(self, records: list[DecodedRecord], codec: int) -> bytes:
        policy = HeaderPolicy(self.producer_id, is_for_every_record=self.is_compacted)
        return encode_batch(
            with_offset_headers(records, policy) if self.is_shifted else records,
            Stamp(self.producer_id, self.target_offset),
            codec,
        )

    def _mark_sent(self, outgoing: OutgoingBatch) -> OutgoingBatch:
        self.source_offset, self.target_offset = outgoing.next_source, outgoing.next_target
        self.in_flight_count += 1
        self.in_flight_timestamps.append(outgoing.first_timestamp)
        return outgoing

    def acknowledge(self, outgoing: OutgoingBatch) -> None:
        """Count a batch as stored in the target at its offset."""
        if outgoing.next_target > self.done_target:
            self.done_target, self.done_source = outgoing.next_target, outgoing.next_source
            self.records_sent += outgoing.record_count
            self.bytes_sent += len(outgoing.data)
        self.done_timestamp = self.in_flight_timestamps.popleft()
        self._update_progress()


def _is_small(batch: Batch) -> bool:
    return batch.record_count <= MAX_SMALL_RECORDS and batch.size <= MAX_SMALL_BYTES
