"""One partition on its way: what was fetched, what is sent next, what is acknowledged. Pure: no network, no clock."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..batches.aborted_transactions import Aborted
from ..batches.offset_header import Naming, named, with_first_named
from ..batches.record import Opened, built, opened
from ..batches.record_batch import Batch, Stamp, is_intact, split, stamped

MERGED_BYTES, PATCHED_BYTES, HEADER_ROOM = 512 * 1024, 64 * 1024, 1024
SMALL_BYTES, SMALL_COUNT = 16 * 1024, 20
"""A batch up to both is small: opening its records costs less than a request of its own."""


class Piece(NamedTuple):
    """A fetched batch that waits to be sent, and when it was fetched (seconds of any clock)."""

    batch: Batch
    fetched_at: float


class Outgoing(NamedTuple):
    """A batch for a produce request, and what its acknowledgement means.

    Attributes:
        data: the batch.
        base: the offset that it must get in the target.
        next_target: the target's end, once it has it.
        next_source: the offset in the source that follows its last record.
        record_count: its records.
        first_timestamp: that of its first record, in milliseconds since 1970.
    """

    data: bytes
    base: int
    next_target: int
    next_source: int
    record_count: int
    first_timestamp: int


class Damaged(ValueError):
    """A batch in the source whose checksum doesn't fit."""


@dataclass(slots=True)
class Flow:
    """Where a partition's copy stands.

    Attributes:
        producer: the mirror's producer id.
        compacted: whether the topic is compacted: mirrors may see different batches of it, and its copy loses records.
        fetch_from: the source's offset to fetch next.
        source: the source's offset that the next batch begins with, or a later one where it skips.
        target: the target's offset that the next batch must get.
        shifted: whether the two differ, so that batches must be opened.
        done_source, done_target: as far as it is acknowledged.
        last_epoch: the leader epoch of the last batch fetched, -1 when none was.
        in_flight: how many batches were sent and aren't answered.
        left: opened records that didn't fit into the last batch, and how they were compressed.
        pending_timestamp: that of the first record that isn't acknowledged, in milliseconds since 1970, or None.
        done_timestamp: that of the last batch that was acknowledged, or None.
    """

    producer: int
    compacted: bool = False
    fetch_from: int = 0
    source: int = 0
    target: int = 0
    shifted: bool = False
    done_source: int = 0
    done_target: int = 0
    last_epoch: int = -1
    in_flight: int = 0
    queued_bytes: int = 0
    records_sent: int = 0
    bytes_sent: int = 0
    pending_timestamp: int | None = None
    done_timestamp: int | None = None
    queue: deque[Piece] = field(default_factory=deque)
    flying: deque[int] = field(default_factory=deque)
    left: list[Opened] = field(default_factory=list)
    left_codec: int = 0

    def start(self, source: int, target: int) -> None:
        """Begin, or begin anew, behind what the target holds."""
        self.drop()
        self.fetch_from = self.source = self.done_source = source
        self.target = self.done_target = target
        self.shifted = source != target

    def drop(self) -> None:
        """Forget what was fetched and not sent."""
        self.queue.clear()
        self.flying.clear()
        self.left.clear()
        self.queued_bytes, self.last_epoch = 0, -1

    def take(self, records: bytes, aborted: Iterable[tuple[int, int]], now: float) -> None:
        """Queue what a fetch at ``fetch_from`` returned.

        Raises:
            Damaged, OldFormat: a batch that can't be copied.
        """
        hidden = Aborted(aborted)
        for batch in split(records):
            skip = hidden.holds(batch)
            if batch.next_offset <= self.fetch_from:
                continue
            if not is_intact(batch):
                raise Damaged(f"the batch at offset {batch.base_offset} is damaged: its checksum doesn't fit")
            self.fetch_from, self.last_epoch = batch.next_offset, batch.leader_epoch
            if not skip and batch.record_count:
                self.queue.append(Piece(batch, now))
                self.queued_bytes += batch.size
        self._catch_up()

    def _catch_up(self) -> None:
        """Where nothing waits, all that was fetched is done: what follows the last record is nobody's to copy."""
        if not self.has_waiting and not self.in_flight:
            self.done_source = self.source = self.fetch_from
            self.pending_timestamp = None
        elif self.flying or self.left:
            self.pending_timestamp = self.flying[0] if self.flying else self.left[0].timestamp
        else:
            self.pending_timestamp = self.queue[0].batch.first_timestamp if self.queue else self.pending_timestamp

    @property
    def has_waiting(self) -> bool:
        """Whether anything that was fetched isn't sent yet."""
        return bool(self.queue or self.left)

    @property
    def has_little(self) -> bool:
        """Whether what waits is little, and may wait for more to go with it."""
        return self.queued_bytes < SMALL_BYTES and not self.left

    @property
    def enters_gap(self) -> bool:
        """Whether the next batch is the first that can't keep its offsets."""
        if self.shifted or self.left or not self.queue:
            return False
        batch = self.queue[0].batch
        return batch.base_offset > self.target or not batch.is_dense

    def next_outgoing(self, largest: int) -> Outgoing | None:
        """The next batch to send, of at most ``largest`` bytes where that can be chosen; None when nothing waits.

        Raises:
            ValueError: a batch that must be opened can't be.
        """
        while self.has_waiting:
            self.shifted = self.shifted or self.enters_gap
            if not self.left and (batch := self._unopened(largest)):
                return self._sent(self._whole(batch))
            codec = self.left_codec if self.left else self.queue[0].batch.codec
            if records := self.left or self._opened(largest):
                return self._sent(self._built(records, codec, largest))
        self._catch_up()
        return None

    def _pop(self) -> Batch:
        batch = self.queue.popleft().batch
        self.queued_bytes -= batch.size
        return batch

    def _whole(self, batch: Batch) -> Outgoing:
        data = stamped(batch, Stamp(self.producer, self.target))
        behind = self.target + batch.record_count
        return Outgoing(data, self.target, behind, batch.next_offset, batch.record_count, batch.first_timestamp)

    def _unopened(self, largest: int) -> Batch | None:
        """The next batch as it is, behind a gap with its first record named; None where it must be opened."""
        batch = self.queue[0].batch
        if not batch.goes_whole or batch.base_offset < self.source:
            return None
        if not self.shifted:
            if self._is_light(batch) and len(self.queue) > 1 and self._joins(self.queue[1].batch, batch, largest):
                return None
            return self._pop()
        if self.compacted or not PATCHED_BYTES <= batch.size <= largest - HEADER_ROOM:
            return None
        return with_first_named(self._pop(), self.producer)

    def _opened(self, largest: int) -> list[Opened]:
        """The records of the next batch, and of those behind it that join it."""
        room, last = min(MERGED_BYTES, largest // 2), self._pop()
        records = self._visible(last)
        while self.queue and self._joins(self.queue[0].batch, last, room := room - last.size):
            last = self._pop()
            records += self._visible(last)
        return records

    def _visible(self, batch: Batch) -> list[Opened]:
        return [record for record in opened(batch) if record.offset >= self.source]

    def _joins(self, batch: Batch, last: Batch, room: int) -> bool:
        """Whether a batch goes into one with ``last``: from a gap on any that fits, else light ones without a gap."""
        fits = batch.codec == last.codec and batch.size <= room
        return fits and (
            self.shifted or (self._is_light(batch) and batch.is_dense and batch.base_offset == last.next_offset)
        )

    def _is_light(self, batch: Batch) -> bool:
        """Whether a batch is opened sooner than sent alone and, where the topic is compacted, read back."""
        return batch.size < PATCHED_BYTES if self.compacted else _is_small(batch)

    def _built(self, records: list[Opened], codec: int, largest: int) -> Outgoing:
        """A batch of as many of the records as fit into one; the others are left for the next."""
        data, everything = self._as_batch(records, codec), records
        while len(data) > largest and len(records) > 1:
            records = records[: len(records) // 2]
            data = self._as_batch(records, codec)
        self.left, self.left_codec = everything[len(records) :], codec
        behind = self.target + len(records)
        return Outgoing(data, self.target, behind, records[-1].offset + 1, len(records), records[0].timestamp)

    def _as_batch(self, records: list[Opened], codec: int) -> bytes:
        naming = Naming(self.producer, every=self.compacted)
        return built(named(records, naming) if self.shifted else records, Stamp(self.producer, self.target), codec)

    def _sent(self, outgoing: Outgoing) -> Outgoing:
        self.source, self.target = outgoing.next_source, outgoing.next_target
        self.in_flight += 1
        self.flying.append(outgoing.first_timestamp)
        return outgoing

    def acknowledged(self, outgoing: Outgoing) -> None:
        """The target holds a batch, at its place."""
        if outgoing.next_target > self.done_target:
            self.done_target, self.done_source = outgoing.next_target, outgoing.next_source
            self.records_sent += outgoing.record_count
            self.bytes_sent += len(outgoing.data)
        self.done_timestamp = self.flying.popleft()
        self._catch_up()


def _is_small(batch: Batch) -> bool:
    return batch.record_count <= SMALL_COUNT and batch.size <= SMALL_BYTES
