"""The accounts of events: how many are delivered, waiting, spooled and lost."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..sinks.outbound import Author, Loss, OutboundEvent
from ..system.running_time import running_time
from ..system.wakeup import Wakeup

MAX_SESSIONS_WITH_LOSSES = 10_000
"""For how many sessions losses are remembered. Losses of further sessions are counted in ``dropped`` only."""
STALLED_AFTER_S = 2.0
"""Delivery has stalled when an event has waited this long and no other event was settled meanwhile, in seconds."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of the events that this process recorded to one place.

    ``recorded`` is always the sum of ``delivered``, ``queued``, ``spooled`` and ``dropped``.

    Attributes:
        recorded: all events.
        delivered: events that Kafka acknowledged, or that are in the capture file.
        queued: events that wait in memory.
        spooled: events that wait in the spool file.
        dropped: events that are lost.
        resent: events of earlier runs' spool files that this run delivered.
        shortened: large values that were shortened, because there was no payload store or it couldn't be reached.
        bytes: the size of all events that left memory, as stored, in bytes.
        largest: the size of the largest event before its large values were moved out, in bytes.
        oldest_queued_s: how long the oldest event has waited in memory, in seconds. 0.0 if none waits.
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
    """A caller that waits until all events up to ``event_number`` are settled.

    If ``ends_at_failure`` is set, it also stops as soon as the next call raises.
    """

    __slots__ = ("ends_at_failure", "event_number", "wakeup")

    def __init__(self, number: int, *, ends_at_failure: bool = False) -> None:
        self.event_number, self.ends_at_failure = number, ends_at_failure
        self.wakeup = Wakeup()


class Ledger:
    """The accounts of one sender's events. Only its thread writes here.

    An event is settled when it is delivered, spooled or dropped.

    Args:
        on_freed: called with the number of bytes that left memory.

    Attributes:
        waiters: the callers that wait for events to be settled.
        taken_count: how many events were taken out of the queue.
        losses: the losses by session. The sender reports them in ``events_lost`` events when it can.
        delivered, dropped, spooled, resent, shortened, bytes, largest: see ``Stats``.
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
        self._last_progress_at = running_time()

    def add_taken(self, records: Sequence[OutboundEvent]) -> None:
        """Number the records that came out of the queue. They aren't shortened yet."""
        for number, record in enumerate(records, self.taken_count + 1):
            record.number = number
            self._unsettled[number] = record
        self.taken_count += len(records)
        self.largest = max([self.largest, *(len(record.value) for record in records)])

    def count_delivered(self, records: Sequence[OutboundEvent]) -> None:
        """Count delivered records."""
        unsettled = self._unsettled
        stored_bytes = settled_bytes = 0
        for record in records:
            del unsettled[record.number]
            stored_bytes += len(record.value)
            settled_bytes += record.size
        self.delivered += len(records)
        self.bytes += stored_bytes
        self._settled_bytes += settled_bytes

    def count_spooled(self, record: OutboundEvent) -> None:
        """Count a record that is safe in the spool."""
        self.spooled += 1
        self._settle(record)

    def count_dropped(self, record: OutboundEvent, reason: str) -> None:
        """Count a dropped record. If it was a loss report, keep the loss so that it is reported later."""
        self.count_lost(record.author, record.tells or Loss(1, record.at_ms, (reason,)))
        self._settle(record)

    def count_refused(self, record: OutboundEvent, reason: str) -> None:
        """Count a record that the sink will never take."""
        self.dropped += 1
        self.keep_refusal(record, reason)
        self._settle(record)

    def keep_refusal(self, record: OutboundEvent, reason: str) -> None:
        """Keep a refused record for a loss report. A refused report isn't repeated, because it would fare alike."""
        if record.tells is None:
            self._keep_loss(record.author, Loss(1, record.at_ms, (reason,)))

    def count_lost(self, author: Author, loss: Loss) -> None:
        """Count a lost event, and keep the loss for a report in the session's timeline."""
        self.dropped += 1
        self._keep_loss(author, loss)

    def _keep_loss(self, author: Author, loss: Loss) -> None:
        """Keep a loss for a report in the session's timeline."""
        if author in self.losses:
            self.losses[author] = self.losses[author].join(loss)
        elif len(self.losses) < MAX_SESSIONS_WITH_LOSSES:
            self.losses[author] = loss

    def count_sent_from_spool(self, sent: int, refused: int, *, is_own: bool) -> None:
        """Count events that were sent from a spool file.

        Args:
            sent: how many events were sent.
            refused: how many of them Kafka refused.
            is_own: whether the file is this run's. Events of earlier runs are counted in ``resent``.
        """
        self._last_progress_at = running_time()
        if not is_own:
            self.resent += sent - refused
            return
        self.spooled -= sent
        self.delivered += sent - refused
        self.dropped += refused

    def _settle(self, record: OutboundEvent) -> None:
        del self._unsettled[record.number]
        self.bytes += len(record.value)
        self._settled_bytes += record.size

    @property
    def settled_through(self) -> int:
        """The number up to which all events are settled."""
        return next(iter(self._unsettled), self.taken_count + 1) - 1

    def close_round(self) -> None:
        """Report the memory freed since the last round, and wake the callers whose events are settled."""
        if self._settled_bytes:
            self._last_progress_at = running_time()
            self._on_freed(self._settled_bytes)
            self._settled_bytes = 0
        if self.waiters:
            through = self.settled_through
            for waiter in list(self.waiters):
                if waiter.event_number <= through:
                    self.waiters.remove(waiter)
                    waiter.wakeup.set()

    def wake_at_failure(self) -> None:
        """Wake the callers that don't wait any longer once the next call raises."""
        for waiter in list(self.waiters):
            if waiter.ends_at_failure:
                waiter.wakeup.set()

    def is_progressing(self) -> bool:
        """Return whether events are being settled. True also if no event has waited long enough to tell."""
        try:
            oldest = next(iter(self._unsettled.values()), None)
        except RuntimeError:  # the sender changed it during the iteration, so events are being settled
            return True
        return oldest is None or running_time() - max(self._last_progress_at, oldest.since) < STALLED_AFTER_S

    def stats(self, count_recorded: Callable[[], int], oldest_ms: int | None) -> Stats:
        """Return the counts. The sender's thread may settle events meanwhile, and other threads record.

        Args:
            count_recorded: returns how many events were recorded.
            oldest_ms: when the oldest event in memory was recorded, in milliseconds since the epoch.
        """
        # In the order that an event takes, backwards. So none is counted twice, and the rest of the sum is queued.
        delivered, dropped = self.delivered, self.dropped
        spooled = self.spooled
        recorded = count_recorded()
        age = 0.0 if oldest_ms is None else max(0.0, time.time() - oldest_ms / 1000)
        return Stats(
            recorded=recorded,
            delivered=delivered,
            queued=recorded - delivered - dropped - spooled,
            spooled=spooled,
            dropped=dropped,
            resent=self.resent,
            shortened=self.shortened,
            bytes=self.bytes,
            largest=self.largest,
            oldest_queued_s=age,
        )

    def get_oldest_ms(self) -> int | None:
        """Return when the oldest unsettled event was recorded, in milliseconds since the epoch; None without one."""
        try:
            oldest = next(iter(self._unsettled.values()), None)
        except RuntimeError:
            return None
        return None if oldest is None else oldest.at_ms
