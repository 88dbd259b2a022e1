"""The sender, which prepares queued events, hands them to the sink, and announces long calls, in its own thread."""

import logging
import time

from ...errors import AgentlogError, KafkaUnavailable
from ...formatting import format_count
from ..prepare.ids import new_event_id
from ..sinks.outbound import MAX_LOSS_REASONS, Loss, OutboundEvent, make_loss_event
from ..sinks.sink import Sink
from ..system.native_threads import sleep
from ..system.running_time import running_time
from ..system.wakeup import Wakeup
from .accounting import Ledger, Stats
from .dispatcher import Dispatcher
from .event_queue import EventQueue
from .pipeline import EventPreparer
from .spool import SpoolQueue
from .worker import Worker

IDLE_WAIT_S = 0.1
"""How long the sender sleeps at most if there is nothing to send, in seconds."""
BUSY_WAIT_S = 0.005
"""How long it waits at most for results while records are on their way, in seconds."""
PAUSE_TIMEOUT_S = 5.0
"""How long a fork waits for the sender to pause, in seconds."""
ACKNOWLEDGE_TIMEOUT_S = 1.0
"""How long the sender waits before a pause for acknowledgements, in seconds."""

LINGER_S = 0.005
"""How long the sender waits after it was woken, in seconds. Events recorded in one go are then taken in one go, and
the agent has the interpreter to itself meanwhile."""

SLICE_EVENTS = 500
SLICE_BYTES = 4 * 1024 * 1024
"""The largest slice of the queue that is prepared at once."""

ANNOUNCE_AFTER_NS = 500_000_000
"""How long a call runs before it is announced, in nanoseconds. ``docs/agentlog.md`` promises 0.5 s."""

_log = logging.getLogger("agentlog.recording")


class Pause:
    """A pause of the sender, such as during a fork."""

    def __init__(self) -> None:
        self.requested_at = running_time()
        self.began, self.ended = Wakeup(), Wakeup()


class Sender:
    """A sender that moves events from the queue to the sink.

    Attributes:
        ledger: the accounts of its events.
        worker: the thread that does its rounds.
        is_asleep: whether it waits for an event to be queued.
    """

    def __init__(self, event_queue: EventQueue, sink: Sink) -> None:
        self.worker = Worker(self._run_round, "agentlog-sender")
        options = event_queue.options
        self.ledger = Ledger(event_queue.release_bytes)
        self.is_asleep = False
        self._event_queue = event_queue
        self._preparer = EventPreparer(options, self.ledger)
        spools = SpoolQueue(options, self.ledger, event_queue.process)
        self._dispatcher = Dispatcher(options, sink, self.ledger, spools)
        self._wakeup = Wakeup()
        self._pause: Pause | None = None
        self._sending_stopped: Wakeup | None = None
        self._should_spill = self._should_give_up_store = self._should_give_up = False
        self._failure_at_give_up: AgentlogError | None = None

    def _run_round(self) -> None:
        if (pause := self._pause) is not None:
            self._begin_pause(pause)
            return
        self._announce_long_calls()
        self._dispatcher.log_refusals()
        self._prepare_slice_if_needed()
        if (sending_stopped := self._sending_stopped) is not None and self._dispatcher.stop_sending():
            sending_stopped.set()
        if self._is_idle and not self.ledger.losses:
            self.ledger.close_round()
            self._sleep()
            return
        if self._should_spill:
            self._should_spill = False
            self._dispatcher.spill_now()
        self._dispatcher.advance(self._choose_timeout_s())
        self._event_queue.failure = self._dispatcher.failure if self._raises_on_outage else None
        if self._event_queue.failure is not None:
            self.ledger.wake_at_failure()
        self._record_losses()
        if self._should_give_up_store:
            self._preparer.give_up()
        if self._should_give_up:
            self._give_up()
        self.ledger.close_round()

    @property
    def _is_idle(self) -> bool:
        return self._dispatcher.is_idle and not self._preparer.has_waiting and not self._event_queue.queue

    def _choose_timeout_s(self) -> float:
        if self._is_idle:  # only loss reports are left
            return IDLE_WAIT_S
        return 0.0 if self._event_queue.queue and not self._dispatcher.is_full else BUSY_WAIT_S

    @property
    def _raises_on_outage(self) -> bool:
        return self._event_queue.options.on_outage == "raise"

    def _sleep(self) -> None:
        self.is_asleep = True
        # The queue is checked again, because an event may have come before ``is_asleep`` was set.
        is_woken = not self._event_queue.queue and self._wakeup.wait(IDLE_WAIT_S)
        self.is_asleep = False
        self._wakeup.clear()
        if is_woken:
            sleep(LINGER_S)

    def wake(self) -> None:
        """Wake the sender, because there is work."""
        self.is_asleep = False  # so that the next event doesn't wake it again, which costs time
        self._wakeup.set()

    def _prepare_slice_if_needed(self) -> None:
        """Prepare a slice of the queue, unless enough records are ready."""
        self._add_stored()
        if not self._dispatcher.is_full:
            self._prepare_slice()

    def _add_stored(self) -> None:
        """Hand on the records whose large values have been stored."""
        if stored := list(self._preparer.release_stored()):
            self._dispatcher.add(stored)

    def _prepare_slice(self) -> None:
        """Prepare a slice of the queue."""
        queue, records, size = self._event_queue.queue, list[OutboundEvent](), 0
        while queue and len(records) < SLICE_EVENTS and size < SLICE_BYTES:
            record = queue.popleft()
            records.append(record)
            size += record.size
        if records:
            self._dispatcher.add(self._preparer.prepare(records))

    def _announce_long_calls(self) -> None:
        open_calls, now = self._event_queue.open_calls, time.perf_counter_ns()
        while open_calls:
            try:
                event_id, oldest = next(iter(open_calls.items()))
            except (RuntimeError, StopIteration):  # a caller changed it meanwhile; the next round looks again
                return
            if now - oldest.began < ANNOUNCE_AFTER_NS:
                return
            oldest.announce()
            open_calls.pop(event_id, None)  # ``announce`` removes it under its own id, which a retry may have changed

    def _record_losses(self) -> None:
        """Record loss reports in the sessions that lost events, once events are taken again."""
        dispatcher = self._dispatcher
        if not self.ledger.losses or dispatcher.failure or not dispatcher.is_answering or dispatcher.has_suspects:
            return
        losses, self.ledger.losses = self.ledger.losses, {}
        for author, loss in losses.items():
            self._event_queue.append(make_loss_event(author, new_event_id(), loss, self._event_queue.headers))
        for waiter in list(self.ledger.waiters):
            waiter.event_number = self._event_queue.queued_count

    def stop_sending(self, timeout_s: float) -> None:
        """Stop sending spooled events, because the process ends.

        Wait until the results of the events on their way are known, for at most ``timeout_s`` seconds.
        """
        self._sending_stopped = sending_stopped = Wakeup()
        self.wake()
        self.worker.wait_for(sending_stopped, timeout_s)

    def log_unrecorded_losses(self) -> None:
        """Log the losses that couldn't be recorded in their sessions, because the process ends."""
        self._dispatcher.log_refusals(is_ending=True)
        losses, self.ledger.losses = self.ledger.losses, {}
        if losses:
            lost_count = sum(loss.events for loss in losses.values())
            reasons = list(dict.fromkeys(reason for loss in losses.values() for reason in loss.reasons))
            _log.error(
                "not delivered to %s: %s; %s",
                self._dispatcher.sink.where,
                format_count(lost_count, "event"),
                "; ".join(reasons[:MAX_LOSS_REASONS]),
            )

    def log_held_up(self, queued: int) -> None:
        """Log the ``queued`` events that are lost because this thread hangs while the process ends."""
        where, reason = self._dispatcher.sink.where, "redact= or librdkafka doesn't return"
        _log.error(
            "not delivered to %s: %s; the thread that sends them is held up: %s",
            where,
            format_count(queued, "event"),
            reason,
        )

    def drop_overflow(self, record: OutboundEvent) -> None:
        """Count an event that found no room as lost, and report the failure."""
        with self._event_queue.lock:
            reason = f"the memory for waiting events was full, and {self._dispatcher.sink.where} took none"
            self.ledger.count_lost(record.author, Loss(1, record.at_ms, (reason,)))
        if self._dispatcher.failure is None:
            error = self._dispatcher.sink.last_error()
            limit = f"{self._event_queue.options.queue_bytes / 1024**2:g} MB"
            self._dispatcher.report_failure(type(error)(f"{error}; the memory for waiting events, {limit}, is full"))
            self._event_queue.failure = self._dispatcher.failure if self._raises_on_outage else None

    def pause(self) -> None:
        """Pause until ``resume``. The connection is closed if the records on their way are acknowledged soon."""
        if not self.worker.is_current():
            self._pause = pause = Pause()
            self.wake()
            self.worker.wait_for(pause.began, PAUSE_TIMEOUT_S)

    def resume(self) -> None:
        """End the pause, if there is one."""
        if (pause := self._pause) is not None:
            self._pause = None
            pause.ended.set()

    def _begin_pause(self, pause: Pause) -> None:
        is_disconnected = self._dispatcher.disconnect(BUSY_WAIT_S)
        self.ledger.close_round()
        if (
            is_disconnected
            or running_time() - pause.requested_at > ACKNOWLEDGE_TIMEOUT_S
            or not self.ledger.is_progressing()
        ):
            pause.began.set()
            if self.worker.is_running:  # else the caller who pauses did this round
                pause.ended.wait()

    def spill_now(self) -> None:
        """Move waiting events to the spool, because memory is full."""
        self._should_spill = True
        self.wake()

    @property
    def waits_for_store(self) -> bool:
        """Whether events wait for their large values to be stored."""
        return self._preparer.has_waiting

    def give_up_store(self) -> None:
        """Stop waiting for the payload store, because the process ends."""
        self._should_give_up_store = True
        self.wake()

    def give_up(self) -> None:
        """Spool or drop all undelivered events, because the process ends."""
        self._should_give_up = True
        self.wake()

    def _give_up(self) -> None:
        # Kept, because giving up replaces the sink, and the new one doesn't know the reason.
        self._failure_at_give_up = self._failure_at_give_up or self.explain_failure()
        self._preparer.give_up()
        while self._event_queue.queue or self._preparer.has_waiting:
            self._prepare_all()
        self._dispatcher.advance(0.0)  # a capture file takes at once what was prepared only now
        self._dispatcher.give_up(str(self._failure_at_give_up))

    def _prepare_all(self) -> None:
        self._add_stored()
        while self._event_queue.queue:
            self._prepare_slice()
        self._preparer.give_up()

    def abandon(self) -> None:
        """Leave the connection and the spool files to the parent, in a forked child."""
        self._dispatcher.abandon()

    def explain_failure(self) -> AgentlogError:
        """Return an error that says why events aren't taken. It names the sink only if they wait for it."""
        if (failure := self._dispatcher.failure or self._failure_at_give_up) is not None:
            return failure
        if not self._dispatcher.is_idle:
            return self._dispatcher.sink.last_error()
        if self.waits_for_store:
            return KafkaUnavailable("the payload store is slow or can't be reached: payloads=")
        return KafkaUnavailable("events are still being prepared, because redact= is slow or the machine is busy")

    @property
    def outage_number(self) -> int | None:
        """The number of the outage that was declared and lasts. None without one."""
        return None if self._dispatcher.failure is None else self._dispatcher.outage_count

    def stats(self) -> Stats:
        """Return the counts."""
        queue = self._event_queue.queue
        oldest = self.ledger.get_oldest_ms()
        if oldest is None and queue:
            oldest = queue[0].at_ms
        return self.ledger.stats(lambda: self._event_queue.recorded_count, oldest)
