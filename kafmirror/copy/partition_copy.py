"""One partition in a running mirror: its flow, its place on both sides, and what is known of it when."""

import time
from dataclasses import dataclass, field
from enum import Enum

from ..kafka.metadata import Partition
from .partition_buffer import PartitionBuffer

MAX_AGE_S = 10.0
"""How long the target's end, once asked or acknowledged, and a fetched batch are good for sending."""

MAX_QUEUED_BYTES = 2 << 20


class CopyState(Enum):
    """What happens with a partition."""

    NEW = "new"
    EXAMINING = "being examined"
    COPYING = "being copied"


@dataclass(slots=True, eq=False)
class PartitionCopy:
    """A partition's copy.

    Attributes:
        source, target: the partition on both sides.
        buffer: how far it is.
        max_batch_bytes: the largest batch in bytes that the target's topic takes.
        adopted_end: the end of records that somebody else wrote and that are the source's; None without such.
        should_read_back_first: whether the first batch must be read back before a second one is sent.
        is_gap_noted: whether the mirror's group says that the partition has gaps.
        generation: counts how often its place was looked up; what was sent before no longer counts.
        target_end_known_at: when the target's end was last known, in seconds of the monotonic clock.
        source_end: the offset behind the last record of the source that no open transaction holds back, once known.
        source_end_known_at: when it was known, in seconds of the monotonic clock.
        caught_up_ms: when the copy was last as far as the source, in milliseconds since 1970; None when it never was.
        goal: the source's offset to reach; None for a copy without end.
        fetch_bytes: how much to fetch at once.
        trimmed_below: up to where this mirror itself filled and deleted, None when it didn't.
        race_count: how often in a row another mirror was first.
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
        """Whether an acknowledgement counts only once the batch was read back."""
        return self.should_read_back_first or self.buffer.is_compacted or self.buffer.is_shifted

    @property
    def is_done(self) -> bool:
        """Whether the goal is reached."""
        return self.goal is not None and self.state is CopyState.COPYING and self.buffer.done_source >= self.goal

    @property
    def first_timestamp(self) -> float | None:
        """That of the first record that isn't mirrored, in milliseconds since 1970.

        Where it isn't fetched yet, it is no older than the last one that was mirrored, nor than the time at which
        nothing was left to mirror.
        """
        if self.buffer.pending_timestamp is not None:
            return self.buffer.pending_timestamp
        return max((each for each in (self.buffer.done_timestamp, self.caught_up_ms) if each is not None), default=None)

    def update_source_end(self, end: int) -> None:
        """The source ends there as of now."""
        self.source_end, self.source_end_known_at = max(end, self.buffer.done_source), time.monotonic()
        if self.state is CopyState.COPYING and self.buffer.done_source >= self.source_end:
            self.caught_up_ms = time.time() * 1000

    @property
    def wants_records(self) -> bool:
        """Whether there's something to fetch, and room for it."""
        is_goal_open = self.goal is None or self.buffer.fetch_offset < self.goal
        return self.state is CopyState.COPYING and is_goal_open and self.buffer.queued_bytes < MAX_QUEUED_BYTES

    def is_stale(self, now: float) -> bool:
        """Whether what is known or fetched is too old to send by."""
        oldest_fetched_at = self.buffer.queue[0].fetched_at if self.buffer.queue else now
        return now - oldest_fetched_at > MAX_AGE_S or (
            not self.buffer.in_flight_count and now - self.target_end_known_at > MAX_AGE_S
        )

    def confirm_target_end(self) -> None:
        """The target's end is known as of now."""
        self.target_end_known_at = time.monotonic()
