"""Comparing a partition with its copy: by whole batches where their bytes are the same, else record by record."""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from ..batches.offset_header import as_in_source
from ..batches.record import Opened, headers, key_value, opened, same_records
from ..batches.record_batch import Batch
from ..kafka.cluster_view import Side
from ..kafka.metadata import Partition
from .batch_reader import Reader


class Pair(NamedTuple):
    """A partition on both sides, and who mirrors it."""

    source: Partition
    target: Partition
    producer: int


class Span(NamedTuple):
    """What to compare: offsets of the source, and of the target the offset to begin with and the end."""

    start: int
    end: int
    target_start: int
    target_end: int


@dataclass
class Compared:
    """What a comparison found; offsets are the source's.

    Attributes:
        equal: records that are the same on both sides.
        first_difference: the first offset whose records differ, and in what; None without one.
        differing: how many differ.
        missing, extra: ranges of offsets, both ends included, that only the source or only the target holds.
        position: up to where it was compared.
        digest: SHA-256 over offset, timestamp, key, value and headers of the source's records, when asked for.
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
        """Whether nothing differs, is missing or too much."""
        return not (self.differing or self.missing or self.extra)


class Comparison:
    """Compares one partition, in memory bounded by a fetch of each side."""

    def __init__(self, pair: Pair, source: Side, target: Side, span: Span, *, digest: bool = False) -> None:
        self.pair, self.span = pair, span
        self.found = Compared(position=span.start)
        self._readers = (
            Reader(source, pair.source, span.start, span.end),
            Reader(target, pair.target, span.target_start, span.target_end),
        )
        self._theirs: deque[Opened] = deque()
        self._ours: deque[Opened] = deque()
        self._sha = hashlib.sha256() if digest else None

    def adding_to(self, found: Compared) -> "Comparison":
        """Itself, with what it finds added to what was found before."""
        found.position = self.span.start
        self.found = found
        return self

    async def run(self) -> Compared:
        """Compare all of it.

        Raises:
            MirrorStopped, KafkaUnavailable, KafkaRefused: a side can't be read to the end.
        """
        while await self.step():
            pass
        return self.found

    async def step(self) -> bool:
        """Compare a batch; False when there's none left."""
        source, target = self._readers
        theirs = None if self._theirs else await source.next()
        ours = None if self._ours else await target.next()
        if theirs and ours and self._sha is None and self._is_inside(theirs) and same_bytes(theirs, ours):
            self.found.equal += theirs.record_count
            self.found.position = theirs.next_offset
            return True
        if theirs:
            self._theirs.extend(each for each in opened(theirs) if self.span.start <= each.offset < self.span.end)
        if ours:
            records = as_in_source(ours, self.pair.producer)
            self._ours.extend(each for each in records if self.span.start <= each.offset < self.span.end)
        self._match(source_over=source.is_over, target_over=target.is_over)
        return bool(theirs or ours or self._theirs or self._ours)

    def _is_inside(self, batch: Batch) -> bool:
        return self.span.start <= batch.base_offset and batch.next_offset <= self.span.end

    def _match(self, *, source_over: bool, target_over: bool) -> None:
        """Compare opened records as far as both sides are known."""
        theirs, ours = self._theirs, self._ours
        while theirs and ours:
            if theirs[0].offset == ours[0].offset:
                self._pair(theirs.popleft(), ours.popleft())
            elif theirs[0].offset < ours[0].offset:
                self._missing(theirs.popleft())
            else:
                _extend(self.found.extra, ours.popleft().offset)
        while theirs and not ours and target_over:
            self._missing(theirs.popleft())
        while ours and not theirs and source_over:
            _extend(self.found.extra, ours.popleft().offset)

    def _missing(self, record: Opened) -> None:
        self._digest(record)
        self.found.position = record.offset + 1
        _extend(self.found.missing, record.offset)

    def _pair(self, theirs: Opened, ours: Opened) -> None:
        self._digest(theirs)
        self.found.position = theirs.offset + 1
        if theirs == ours:
            self.found.equal += 1
            return
        self.found.differing += 1
        if self.found.first_difference is None:
            self.found.first_difference = (theirs.offset, difference(theirs, ours))

    def _digest(self, record: Opened) -> None:
        if self._sha is not None:
            self._sha.update(b"%d %d %d " % (record.offset, record.timestamp, len(record.rest)) + record.rest)
            self.found.digest = self._sha.hexdigest()


def same_bytes(one: Batch, other: Batch) -> bool:
    """Whether two batches are the same without opening them."""
    return one.base_offset == other.base_offset and one.body == other.body and same_records(one, other)


def difference(theirs: Opened, ours: Opened) -> str:
    """In what two records of one offset differ."""
    parts = []
    if theirs.timestamp != ours.timestamp:
        parts.append(f"timestamp ({theirs.timestamp} and {ours.timestamp})")
    (their_key, their_value), (our_key, our_value) = key_value(theirs.rest), key_value(ours.rest)
    parts += ["key"] if their_key != our_key else []
    parts += ["value"] if their_value != our_value else []
    parts += ["headers"] if headers(theirs.rest) != headers(ours.rest) else []
    return ", ".join(parts)


def _extend(ranges: list[tuple[int, int]], offset: int) -> None:
    if ranges and ranges[-1][1] == offset - 1:
        ranges[-1] = (ranges[-1][0], offset)
    else:
        ranges.append((offset, offset))
