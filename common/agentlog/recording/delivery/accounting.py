"""What became of each event: counted, and told to those who wait for it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..sinks.outbound import Author, Loss, OutboundEvent
from .wakeup import Wakeup

MAX_SESSIONS_WITH_LOSSES = 10_000
STALLED_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of the events that this process recorded to one place.

    ``recorded`` is always the sum of ``delivered``, ``queued``, ``spooled`` and ``dropped``.

    Attributes:
        queued: events in memory.
        spooled: events in the spool file, not delivered yet.
        dropped: events that are lost.
        resent: events that earlier runs had spooled, and that this one delivered.
        shortened: large values that were shortened, because no payload store was named or to be had.
        bytes: of all events that were prepared to leave, as stored.
        largest: bytes of the largest event, before its large values were moved out.
        oldest_queued_s: for how long the oldest event in memory has waited, in seconds; 0.0 when there is none.
    """

    recorded: int = 0
    delivered: int = 0
    queued: int = 0
    spooled: int = 0
    dropped: int = 0
    resent: int = 0
    shortened: int = 0
    bytes: int = 0
    largest: int = 0
    oldest_queued_s: float = 0.0


class Waiter:
    """Someone who waits until all events up to ``event_number`` are settled."""

    __slots__ = ("event_number", "wakeup")

    def __init__(self, number: int) -> None:
        self.event_number = number
        self.wakeup = Wakeup()


class Ledger:
    """Accounts of one sender's events; only its thread writes here.

    Args:
        on_freed: told how many bytes of events have left memory.

    Attributes:
        waiters: those who wait for events to be settled.
        taken_count: how many events were taken out of the queue.
        losses: of each session; told by ``events_lost`` once it can be.
    """

    def __init__(self, on_freed: Callable[[int], None]) -> None:
        self._on_freed = on_freed
        self.waiters: deque[Waiter] = deque()
        self.taken_count = 0
        self.losses: dict[Author, Loss] = {}
        self.delivered = self.dropped = self.spooled = self.resent = 0
        self.shortened = self.bytes = self.largest = 0
        self._unsettled: dict[int, OutboundEvent] = {}
        self._settled_bytes = 0
        self._last_progress_at = time.monotonic()

    def add_taken(self, record: OutboundEvent) -> None:
        """Number a record that came out of the queue, whole as yet."""
        self.taken_count += 1
        record.number = self.taken_count
        self._unsettled[record.number] = record
        self.largest = max(self.largest, len(record.value))

    def count_delivered(self, record: OutboundEvent) -> None:
        """It was acknowledged."""
        self.delivered += 1
        self._settle(record)

    def count_spooled(self, record: OutboundEvent) -> None:
        """It is safe in the spool."""
        self.spooled += 1
        self._settle(record)

    def count_dropped(self, record: OutboundEvent) -> None:
        """It is lost; one that tells of a loss leaves that to be told again."""
        self.count_lost(record.author, record.tells or Loss(1, record.at_ms))
        self._settle(record)

    def count_lost(self, author: Author, loss: Loss) -> None:
        """Count an event that is lost, and keep what is to be told of it in the session's own timeline."""
        self.dropped += 1
        if author in self.losses or len(self.losses) < MAX_SESSIONS_WITH_LOSSES:
            count, since = self.losses.get(author, (0, loss.since_ms))
            self.losses[author] = Loss(count + loss.events, min(since, loss.since_ms))

    def count_sent_from_spool(self, arrived: int, refused: int, *, is_own: bool) -> None:
        """Events of a spool arrived, ``refused`` of them not; of an earlier run's spool they are counted apart."""
        self._last_progress_at = time.monotonic()
        if not is_own:
            self.resent += arrived - refused
            return
        self.spooled -= arrived
        self.delivered += arrived - refused
        self.dropped += refused

    def _settle(self, record: OutboundEvent) -> None:
        del self._unsettled[record.number]
        self.bytes += len(record.value)
        self._settled_bytes += record.size

    @property
    def settled_through(self) -> int:
        """Up to which number all events are settled."""
        return next(iter(self._unsettled), self.taken_count + 1) - 1

    def close_round(self) -> None:
        """Pass on what was settled since the last time, and let go those who waited for it."""
        if self._settled_bytes:
            self._last_progress_at = time.monotonic()
            self._on_freed(self._settled_bytes)
            self._settled_bytes = 0
        if self.waiters:
            through = self.settled_through
            for waiter in list(self.waiters):
                if waiter.event_number <= through:
                    self.waiters.remove(waiter)
                    waiter.wakeup.set()

    def is_progressing(self) -> bool:
        """Whether events are settled, or none has waited long enough to tell."""
        try:
            oldest = next(iter(self._unsettled.values()), None)
        except RuntimeError:  # it changed while another thread looked, so it moves
            return True
        return oldest is None or time.monotonic() - max(self._last_progress_at, oldest.since) < STALLED_AFTER_S

    def stats(self, recorded: int, oldest_ms: int | None) -> Stats:
        """The accounts, when ``recorded`` events were recorded in all, the oldest in memory at ``oldest_ms``."""
        settled_count = self.delivered + self.dropped + self.spooled
        age = 0.0 if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000)
        return Stats(
            recorded=recorded,
            delivered=self.delivered,
            queued=max(0, recorded - settled_count),
            spooled=self.spooled,
            dropped=self.dropped,
            resent=self.resent,
            shortened=self.shortened,
            bytes=self.bytes,
            largest=self.largest,
            oldest_queued_s=age,
        )

    def get_oldest_ms(self) -> int | None:
        """When the oldest event that was taken and isn't settled was recorded, in milliseconds since the epoch."""
        try:
            oldest = next(iter(self._unsettled.values()), None)
        except RuntimeError:
            return None
        return None if oldest is None else oldest.at_ms
