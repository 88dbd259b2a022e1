"""The comparison of a partition with its copy: batch by batch while the bytes are equal, else record by record."""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from ..batches.offset_header import restore_source_records
from ..batches.record import DecodedRecord, decode_headers, decode_key_value, decode_records, has_same_records
from ..batches.record_batch import Batch
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import Partition
from .batch_reader import MAX_FETCH_BYTES, BatchReader


class PartitionPair(NamedTuple):
    """A partition on both sides, and the producer id of its mirror."""

    source: Partition
    target: Partition
    producer_id: int


class OffsetRanges(NamedTuple):
    """The offsets to compare: ``start`` and ``end`` in the source, and the same places in the target."""

    start: int
    end: int
    target_start: int
    target_end: int


class ComparisonOptions(NamedTuple):
    """Whether to compute a digest of the source's records, and how much to fetch at once from each side."""

    has_digest: bool = False
    fetch_bytes: int = MAX_FETCH_BYTES


@dataclass
class ComparisonResult:
    """The result of a comparison. All offsets are the source's.

    Attributes:
        equal: the number of records that are equal on both sides.
        differing: the number of records that differ.
        first_difference: the first offset whose records differ, and the names of the parts that differ; None when
            all are equal.
        missing: ranges of offsets, both ends included, that only the source holds.
        extra: ranges of offsets, both ends included, that only the target holds.
        position: the offset up to which the records were compared.
        digest: SHA-256 over offset, timestamp, key, value and headers of the source's records; None without
            ``has_digest``.
    """

    equal: int = 0
    differing: int = 0
    first_difference: tuple[int, str] | None = None
    missing: list[tuple[int, int]] = field(default_factory=list)
    extra: list[tuple[int, int]] = field(default_factory=list)
    position: int = 0
    digest: str | None = None

    @property
    def is_exact(self) -> bool:
        """Whether both sides hold the same records."""
        return not (self.differing or self.missing or self.extra)


class PartitionComparison:
    """The comparison of one partition. It keeps at most one fetch of each side in memory."""

    def __init__(
        self,
        pair: PartitionPair,
        source: ClusterView,
        target: ClusterView,
        ranges: OffsetRanges,
        options: ComparisonOptions = ComparisonOptions(),  # noqa: B008  it never changes
    ) -> None:
        self.pair, self.ranges = pair, ranges
        self.result = ComparisonResult(position=ranges.start)
        self._readers = (
            BatchReader(source, pair.source, ranges.start, ranges.end, options.fetch_bytes),
            BatchReader(target, pair.target, ranges.target_start, ranges.target_end, options.fetch_bytes),
        )
        self._source_records: deque[DecodedRecord] = deque()
        self._target_records: deque[DecodedRecord] = deque()
        self._hash = hashlib.sha256() if options.has_digest else None

    def add_to(self, result: ComparisonResult) -> "PartitionComparison":
        """Continue an earlier ``result`` instead of a new one, and return this comparison."""
        result.position = self.ranges.start
        self.result = result
        return self

    async def run(self) -> ComparisonResult:
        """Compare all records, and return the result.

        Raises:
            MirrorStopped, KafkaUnavailable, KafkaRefused: a side can't be read to the end.
        """
        while await self.compare_next():
            pass
        return self.result

    async def compare_next(self) -> bool:
        """Compare one batch, and return False when none is left."""
        source, target = self._readers
        if source.must_fetch and target.must_fetch and not (self._source_records or self._target_records):
            target_fetch = target.view.connection.loop.spawn(target.fetch_once)
            await source.fetch_once()
            await target_fetch
        source_batch = None if self._source_records else await source.read_next()
        target_batch = None if self._target_records else await target.read_next()
        if (
            source_batch
            and target_batch
            and self._hash is None
            and self._is_inside(source_batch)
            and has_same_bytes(source_batch, target_batch)
        ):
            self.result.equal += source_batch.record_count
            self.result.position = source_batch.next_offset
            return True
        if source_batch:
            self._source_records.extend(
                each for each in decode_records(source_batch) if self.ranges.start <= each.offset < self.ranges.end
            )
        if target_batch:
            records = restore_source_records(target_batch, self.pair.producer_id)
            self._target_records.extend(each for each in records if self.ranges.start <= each.offset < self.ranges.end)
        self._match_records(is_source_exhausted=source.is_exhausted, is_target_exhausted=target.is_exhausted)
        return bool(source_batch or target_batch or self._source_records or self._target_records)

    def _is_inside(self, batch: Batch) -> bool:
        return self.ranges.start <= batch.base_offset and batch.next_offset <= self.ranges.end

    def _match_records(self, *, is_source_exhausted: bool, is_target_exhausted: bool) -> None:
        """Compare the decoded records as far as both sides have been read."""
        source_records, target_records = self._source_records, self._target_records
        while source_records and target_records:
            if source_records[0].offset == target_records[0].offset:
                self._compare_records(source_records.popleft(), target_records.popleft())
            elif source_records[0].offset < target_records[0].offset:
                self._add_missing(source_records.popleft())
            else:
                _extend_ranges(self.result.extra, target_records.popleft().offset)
        while source_records and not target_records and is_target_exhausted:
            self._add_missing(source_records.popleft())
        while target_records and not source_records and is_source_exhausted:
            _extend_ranges(self.result.extra, target_records.popleft().offset)

    def _add_missing(self, record: DecodedRecord) -> None:
        self._update_digest(record)
        self.result.position = record.offset + 1
        _extend_ranges(self.result.missing, record.offset)

    def _compare_records(self, source_record: DecodedRecord, target_record: DecodedRecord) -> None:
        self._update_digest(source_record)
        self.result.position = source_record.offset + 1
        if source_record == target_record:
            self.result.equal += 1
            return
        self.result.differing += 1
        if self.result.first_difference is None:
            self.result.first_difference = (source_record.offset, describe_difference(source_record, target_record))

    def _update_digest(self, record: DecodedRecord) -> None:
        if self._hash is not None:
            self._hash.update(b"%d %d %d " % (record.offset, record.timestamp, len(record.body)) + record.body)
            self.result.digest = self._hash.hexdigest()


def has_same_bytes(source_batch: Batch, target_batch: Batch) -> bool:
    """Return whether two batches have the same bytes."""
    return (
        source_batch.base_offset == target_batch.base_offset
        and source_batch.body == target_batch.body
        and has_same_records(source_batch, target_batch)
    )


def describe_difference(source_record: DecodedRecord, target_record: DecodedRecord) -> str:
    """Return the parts in which two records with one offset differ, between commas."""
    parts = []
    if source_record.timestamp != target_record.timestamp:
        parts.append(f"timestamp ({source_record.timestamp} and {target_record.timestamp})")
    (source_key, source_value), (target_key, target_value) = (
        decode_key_value(source_record.body),
        decode_key_value(target_record.body),
    )
    parts += ["key"] if source_key != target_key else []
    parts += ["value"] if source_value != target_value else []
    parts += ["headers"] if decode_headers(source_record.body) != decode_headers(target_record.body) else []
    return ", ".join(parts)


def _extend_ranges(ranges: list[tuple[int, int]], offset: int) -> None:
    if ranges and ranges[-1][1] == offset - 1:
        ranges[-1] = (ranges[-1][0], offset)
    else:
        ranges.append((offset, offset))
