"""The copy of one partition in a running mirror: its buffer, its state, and how old its facts are."""

import time
from dataclasses import dataclass, field
from enum import Enum

from ..kafka.metadata import Partition
from .partition_buffer import PartitionBuffer

MAX_AGE_S = 10.0
"""How long the target's known end and a fetched batch may be used for sending."""

MAX_QUEUED_BYTES = 2 << 20
"""The limit of fetched batches in memory for one partition. It isn't fetched above it."""


class CopyState(Enum):
    """The state of a partition's copy."""

    NEW = "new"
    EXAMINING = "being examined"
    COPYING = "being copied"


@dataclass(slots=True, eq=False)
class PartitionCopy:
    """A partition's copy.

    Attributes:
        source, target: the partition on both sides.
        buffer: the batches and offsets of the copy.
        max_batch_bytes: the largest batch that the target's topic takes, in bytes.
        adopted_end: the end of records that another program wrote and that equal the source's; None when there are
            none.
        should_read_back_first: whether the first batch must be read back before a second one is sent.
        is_gap_noted: whether the mirror has noted the offsets of both sides in its group, as a partition with gaps
            needs.
        generation: the number of times that its resume point was looked up. Answers to batches of an earlier
            generation don't count.
        target_end_known_at: when the target's end was last confirmed, in seconds of the monotonic clock.
        source_end: the offset behind the last record of the source that no open transaction holds back; None when
            unknown.
        source_end_known_at: when ``source_end`` was updated, in seconds of the monotonic clock.
        caught_up_ms: when the copy was last at the source's end, in milliseconds since 1970; None for never.
        goal: the source's offset at which the copy ends; None for a copy without end.
        fetch_bytes: the number of bytes to fetch at once.
        trimmed_below: the offset below which this mirror itself wrote and deleted fillers; None when it didn't.
        race_count: the number of times in a row that another mirror wrote first.
        is_note_due: whether the note of the offsets in the mirror's group must be renewed.
    """

    source: Partition
    target: Partition
    buffer: PartitionBuffer
    max_batch_bytes: int
    adopted_end: int | None = None
    state: CopyState = CopyState.NEW
    should_read_back_first: bool = False
    is_gap_noted: bool = False
    generation: int = 0
    target_end_known_at: float = 0.0
    source_end: int | None = None
    source_end_known_at: float = 0.0
    caught_up_ms: float | None = None
    goal: int | None = None
    fetch_bytes: int = 1 << 20
    trimmed_below: int | None = None
    race_count: int = 0
    is_note_due: bool = field(default=False)

    @property
    def should_read_back(self) -> bool:
        """Whether each batch must be read back before it counts."""
        return self.should_read_back_first or self.buffer.is_compacted or self.buffer.is_shifted

    @property
    def is_done(self) -> bool:
        """Whether the goal is reached."""
        return self.goal is not None and self.state is CopyState.COPYING and self.buffer.done_source >= self.goal

    @property
    def first_timestamp(self) -> float | None:
        """The timestamp of the first record that isn't mirrored, in milliseconds since 1970; None when unknown.

        While the record isn't fetched yet, this is the timestamp of the last mirrored batch or the time when the copy
        had last caught up, whichever is later.
        """
        if self.buffer.pending_timestamp is not None:
            return self.buffer.pending_timestamp
        return max((each for each in (self.buffer.done_timestamp, self.caught_up_ms) if each is not None), default=None)

    def update_source_end(self, end: int) -> None:
        """Set the source's end, as known now."""
        self.source_end, self.source_end_known_at = max(end, self.buffer.done_source), time.monotonic()
        if self.state is CopyState.COPYING and self.buffer.done_source >= self.source_end:
            self.caught_up_ms = time.time() * 1000

    @property
    def wants_records(self) -> bool:
        """Whether to fetch records of the partition now."""
        is_goal_open = self.goal is None or self.buffer.fetch_offset < self.goal
        return self.state is CopyState.COPYING and is_goal_open and self.buffer.queued_bytes < MAX_QUEUED_BYTES

    def is_stale(self, now: float) -> bool:
        """Return whether the fetched batches or the target's known end are too old for sending."""
        oldest_fetched_at = self.buffer.queue[0].fetched_at if self.buffer.queue else now
        return now - oldest_fetched_at > MAX_AGE_S or (
            not self.buffer.in_flight_count and now - self.target_end_known_at > MAX_AGE_S
        )

    def confirm_target_end(self) -> None:
        """Mark the target's end as known now."""
        self.target_end_known_at = time.monotonic()
