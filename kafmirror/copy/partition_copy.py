"""One partition in a running mirror: its flow, its place on both sides, and what is known of it when."""

import time
from dataclasses import dataclass, field
from enum import Enum

from ..kafka.metadata import Partition
from .partition_buffer import Flow

KNOWN_FOR_S = 10.0
"""How long the target's end, once asked or acknowledged, and a fetched batch are good for sending."""

QUEUED_BYTES = 2 << 20


class State(Enum):
    """What happens with a partition."""

    NEW = "new"
    EXAMINED = "being examined"
    COPIED = "being copied"


@dataclass(slots=True, eq=False)
class Copying:
    """A partition's copy.

    Attributes:
        source, target: the partition on both sides.
        flow: how far it is.
        largest: the largest batch in bytes that the target's topic takes.
        adopted: the end of records that somebody else wrote and that are the source's; None without such.
        alone: whether the first batch must be read back before a second one is sent.
        noted: whether the mirror's group says that the partition has gaps.
        generation: counts how often its place was looked up; what was sent before no longer counts.
        known_at: when the target's end was last known, in seconds of the monotonic clock.
        source_end: the offset behind the last record of the source that no open transaction holds back, once known.
        end_known_at: when it was known, in seconds of the monotonic clock.
        caught_up_ms: when the copy was last as far as the source, in milliseconds since 1970; None when it never was.
        goal: the source's offset to reach; None for a copy without end.
        fetch_bytes: how much to fetch at once.
        trimmed: up to where this mirror itself filled and deleted, None when it didn't.
        races: how often in a row another mirror was first.
    """

    source: Partition
    target: Partition
    flow: Flow
    largest: int
    adopted: int | None = None
    state: State = State.NEW
    alone: bool = False
    noted: bool = False
    generation: int = 0
    known_at: float = 0.0
    source_end: int | None = None
    end_known_at: float = 0.0
    caught_up_ms: float | None = None
    goal: int | None = None
    fetch_bytes: int = 1 << 20
    trimmed: int | None = None
    races: int = 0
    note_due: bool = field(default=False)

    @property
    def read_back(self) -> bool:
        """Whether an acknowledgement counts only once the batch was read back."""
        return self.alone or self.flow.compacted or self.flow.shifted

    @property
    def is_done(self) -> bool:
        """Whether the goal is reached."""
        return self.goal is not None and self.state is State.COPIED and self.flow.done_source >= self.goal

    @property
    def first_timestamp(self) -> float | None:
        """That of the first record that isn't mirrored, in milliseconds since 1970.

        Where it isn't fetched yet, it is no older than the last one that was mirrored, nor than the time at which
        nothing was left to mirror.
        """
        if self.flow.pending_timestamp is not None:
            return self.flow.pending_timestamp
        return max((each for each in (self.flow.done_timestamp, self.caught_up_ms) if each is not None), default=None)

    def know_source(self, end: int) -> None:
        """The source ends there as of now."""
        self.source_end, self.end_known_at = max(end, self.flow.done_source), time.monotonic()
        if self.state is State.COPIED and self.flow.done_source >= self.source_end:
            self.caught_up_ms = time.time() * 1000

    @property
    def wants_records(self) -> bool:
        """Whether there's something to fetch, and room for it."""
        open_end = self.goal is None or self.flow.fetch_from < self.goal
        return self.state is State.COPIED and open_end and self.flow.queued_bytes < QUEUED_BYTES

    def is_stale(self, now: float) -> bool:
        """Whether what is known or fetched is too old to send by."""
        oldest = self.flow.queue[0].fetched_at if self.flow.queue else now
        return now - oldest > KNOWN_FOR_S or (not self.flow.in_flight and now - self.known_at > KNOWN_FOR_S)

    def know_target(self) -> None:
        """The target's end is known as of now."""
        self.known_at = time.monotonic()
