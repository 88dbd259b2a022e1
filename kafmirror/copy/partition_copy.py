"""The copy of one partition in a running mirror: its buffer, its state, and how old its facts are."""

import time
from dataclasses import dataclass, field
from enum import Enum

from ..batches.filler import FillProgress
from ..batches.loss import Loss
from ..kafka.metadata import Partition
from ..lag.end_history import EndHistory
from ..lag.lag import RecordAge
from .partition_buffer import PartitionBuffer

MAX_AGE_S = 10.0
"""How long the target's known end and a fetched batch may be used for sending."""

STANDSTILL_S = 10.0
"""A copy that didn't advance for so long while records wait stands still."""

LEFT_OUT_AFTER_S = 30.0
"""A copy with a goal ends without it when its partition has had no leader for so long."""

MAX_QUEUED_BYTES = 2 << 20
"""The limit of fetched batches in memory for one partition. It isn't fetched above it."""


class CopyState(Enum):
    """The state of a partition's copy."""

    UNKNOWN = "unknown"
    """It had no leader when the topic was planned. It is planned again when it has one."""
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
        ends: the source's ends as they were seen, which bound when a record arrived.
        advanced_at: when the copy last advanced, in seconds of the monotonic clock.
        goal: the source's offset at which the copy ends; None for a copy without end.
        fetch_bytes: the number of bytes to fetch at once.
        trimmed_below: the offset below which this mirror itself wrote and deleted fillers; None when it didn't.
        fill: how far the offsets before the source's first record are filled, while that is done; else None.
        race_count: the number of times in a row that another mirror wrote first.
        losses: the accepted losses, also those of earlier runs that the mirror's group names.
        is_note_due: whether the note of the offsets in the mirror's group must be renewed.
        unavailable: why the partition can't be had now on one side or the other; None when it can.
        leaderless_since: since when it has no leader on one side or the other, in seconds of the monotonic clock; None
            when it has.
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
    ends: EndHistory = field(default_factory=EndHistory)
    advanced_at: float = 0.0
    goal: int | None = None
    fetch_bytes: int = 1 << 20
    trimmed_below: int | None = None
    fill: FillProgress | None = None
    race_count: int = 0
    is_note_due: bool = field(default=False)
    losses: list[Loss] = field(default_factory=list)
    unavailable: str | None = None
    leaderless_since: float | None = None

    @property
    def should_read_back(self) -> bool:
        """Whether each batch must be read back before it counts."""
        return self.should_read_back_first or self.buffer.is_compacted or self.buffer.is_shifted

    @property
    def is_done(self) -> bool:
        """Whether the goal is reached."""
        return self.state is CopyState.COPYING and self.has_reached_goal

    @property
    def has_reached_goal(self) -> bool:
        """Whether the records up to the goal are mirrored."""
        return self.goal is not None and self.buffer.done_source >= self.goal

    def is_left_out(self, now: float) -> bool:
        """Return whether a copy with a goal ends without this partition, because it can't be had."""
        if self.state is CopyState.UNKNOWN:
            return True
        return self.leaderless_since is not None and now - self.leaderless_since > LEFT_OUT_AFTER_S

    def compute_age(self, now_ms: float) -> RecordAge:
        """Return what is known of the age of the first record that isn't mirrored.

        While that record isn't fetched yet, it counts as no older than the last mirrored batch.
        """
        buffer, arrived_after_ms = self.buffer, self.ends.find_arrival_bound(self.buffer.done_source)
        if buffer.pending_timestamp is not None:
            return RecordAge.at(now_ms, buffer.pending_timestamp, arrived_after_ms)
        bounds = [each for each in (arrived_after_ms, buffer.done_timestamp) if each is not None and each <= now_ms]
        return RecordAge.at(now_ms, None, max(bounds, default=None))

    def is_advancing(self, now: float, waited: float | None) -> bool | None:
        """Return whether the copy advanced lately. None if nothing waits, or not for long: ``waited`` seconds."""
        if self.source_end is None or self.buffer.done_source >= self.source_end:
            return None
        if now - self.advanced_at < STANDSTILL_S:
            return True
        return None if waited is not None and waited < STANDSTILL_S else False

    def update_source_end(self, end: int, asked_ms: float | None = None) -> None:
        """Set the source's end, as known now. It was read after ``asked_ms`` (in ms since 1970; None is now)."""
        self.source_end, self.source_end_known_at = max(end, self.buffer.done_source), time.monotonic()
        self.ends.add(time.time() * 1000 if asked_ms is None else asked_ms, self.source_end)

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
