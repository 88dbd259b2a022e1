"""One partition on its way: what was fetched, what is sent next, what is acknowledged. Pure: no network, no clock."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..batches.aborted_transactions import AbortedTransactions
from ..batches.offset_header import HeaderPolicy, with_first_offset_header, with_offset_headers
from ..batches.record import DecodedRecord, decode_records, encode_batch
from ..batches.record_batch import Batch, Stamp, is_intact, split_batches, stamp_batch

MAX_MERGED_BYTES, MIN_PATCHED_BYTES, HEADER_ROOM_BYTES = 512 * 1024, 64 * 1024, 1024
MAX_SMALL_BYTES, MAX_SMALL_RECORDS = 16 * 1024, 20
"""A batch up to both is small: opening its records costs less than a request of its own."""


class QueuedBatch(NamedTuple):
    """A fetched batch that waits to be sent, and when it was fetched (seconds of any clock)."""

    batch: Batch
    fetched_at: float


class OutgoingBatch(NamedTuple):
    """A batch for a produce request, and what its acknowledgement means.

    Attributes:
        data: the batch.
        base_offset: the offset that it must get in the target.
        next_target: the target's end, once it has it.
        next_source: the offset in the source that follows its last record.
        record_count: its records.
        first_timestamp: that of its first record, in milliseconds since 1970.
    """

    data: bytes
    base_offset: int
    next_target: int
    next_source: int
    record_count: int
    first_timestamp: int


class DamagedBatch(ValueError):
    """A batch in the source whose checksum doesn't fit."""


@dataclass(slots=True)
class PartitionBuffer:
    """Where a partition's copy stands.

    Attributes:
        producer_id: the mirror's producer id.
        is_compacted: whether the topic is compacted: mirrors may see different batches of it, and its copy loses records.
        fetch_offset: the source's offset to fetch next.
        source_offset: the source's offset that the next batch begins with, or a later one where it skips.
        target_offset: the target's offset that the next batch must get.
        is_shifted: whether the two differ, so that batches must be opened.
        done_source, done_target: as far as it is acknowledged.
        last_epoch: the leader epoch of the last batch fetched, -1 when none was.
        in_flight_count: how many batches were sent and aren't answered.
        leftover_records: opened records that didn't fit into the last batch, and how they were compressed.
        pending_timestamp: that of the first record that isn't acknowledged, in milliseconds since 1970, or None.
        done_timestamp: that of the last batch that was acknowledged, or None.
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
        """Begin, or begin anew, behind what the target holds."""
        self.clear()
        self.fetch_offset = self.source_offset = self.done_source = source
        self.target_offset = self.done_target = target
        self.is_shifted = source != target

    def clear(self) -> None:
        """Forget what was fetched and not sent."""
        self.queue.clear()
        self.in_flight_timestamps.clear()
        self.leftover_records.clear()
        self.queued_bytes, self.last_epoch = 0, -1

    def add_fetched(self, records: bytes, aborted: Iterable[tuple[int, int]], now: float) -> None:
        """Queue what a fetch at ``fetch_offset`` returned.

        Raises:
            Damaged, OldFormat: a batch that can't be copied.
        """
        aborted_transactions = AbortedTransactions(aborted)
        for batch in split_batches(records):
            is_hidden = aborted_transactions.is_hidden(batch)
            if batch.next_offset <= self.fetch_offset:
                continue
            if not is_intact(batch):
                raise DamagedBatch(f"the batch at offset {batch.base_offset} is damaged: its checksum doesn't fit")
            self.fetch_offset, self.last_epoch = batch.next_offset, batch.leader_epoch
            if not is_hidden and batch.record_count:
                self.queue.append(QueuedBatch(batch, now))
                self.queued_bytes += batch.size
        self._update_progress()

    def _update_progress(self) -> None:
        """Where nothing waits, all that was fetched is done: what follows the last record is nobody's to copy."""
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
        """Whether anything that was fetched isn't sent yet."""
        return bool(self.queue or self.leftover_records)

    @property
    def has_little(self) -> bool:
        """Whether what waits is little, and may wait for more to go with it."""
        return self.queued_bytes < MAX_SMALL_BYTES and not self.leftover_records

    @property
    def enters_gap(self) -> bool:
        """Whether the next batch is the first that can't keep its offsets."""
        if self.is_shifted or self.leftover_records or not self.queue:
            return False
        batch = self.queue[0].batch
        return batch.base_offset > self.target_offset or not batch.is_dense

    def build_next_batch(self, max_batch_bytes: int) -> OutgoingBatch | None:
        """The next batch to send, of at most ``max_batch_bytes`` bytes where that can be chosen; None when nothing waits.

        Raises:
            ValueError: a batch that must be opened can't be.
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
        """The next batch as it is, behind a gap with its first record named; None where it must be opened."""
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
        """The records of the next batch, and of those behind it that join it."""
        remaining_bytes, last = min(MAX_MERGED_BYTES, max_batch_bytes // 2), self._pop_batch()
        records = self._decode_remaining(last)
        while self.queue and self._can_join(self.queue[0].batch, last, remaining_bytes := remaining_bytes - last.size):
            last = self._pop_batch()
            records += self._decode_remaining(last)
        return records

    def _decode_remaining(self, batch: Batch) -> list[DecodedRecord]:
        return [record for record in decode_records(batch) if record.offset >= self.source_offset]

    def _can_join(self, batch: Batch, last: Batch, remaining_bytes: int) -> bool:
        """Whether a batch goes into one with ``last``: from a gap on any that fits, else light ones without a gap."""
        is_fitting = batch.codec == last.codec and batch.size <= remaining_bytes
        return is_fitting and (
            self.is_shifted or (self._is_light(batch) and batch.is_dense and batch.base_offset == last.next_offset)
        )

    def _is_light(self, batch: Batch) -> bool:
        """Whether a batch is opened sooner than sent alone and, where the topic is compacted, read back."""
        return batch.size < MIN_PATCHED_BYTES if self.is_compacted else _is_small(batch)

    def _build_batch(self, records: list[DecodedRecord], codec: int, max_batch_bytes: int) -> OutgoingBatch:
        """A batch of as many of the records as fit into one; the others are left for the next."""
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
        """The target holds a batch, at its place."""
        if outgoing.next_target > self.done_target:
            self.done_target, self.done_source = outgoing.next_target, outgoing.next_source
            self.records_sent += outgoing.record_count
            self.bytes_sent += len(outgoing.data)
        self.done_timestamp = self.in_flight_timestamps.popleft()
        self._update_progress()


def _is_small(batch: Batch) -> bool:
    return batch.record_count <= MAX_SMALL_RECORDS and batch.size <= MAX_SMALL_BYTES
