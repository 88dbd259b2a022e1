"""The thread behind the queue: it makes events ready, hands them over, and watches calls that take long."""

import logging
import threading
import time

from ...errors import AgentlogError
from ...formatting import counted
from ..prepare.ids import new_event_id
from ..sinks.outbound import Loss, Outbound, lost_events
from ..sinks.sink import Outlet
from .accounting import Ledger, Stats
from .dispatcher import Handover
from .event_queue import Intake
from .pipeline import Preparer
from .spool import Spools
from .wakeup import Bell

IDLE_S = 0.1
BUSY_S = 0.005
PAUSE_S = 5.0
ACKNOWLEDGED_S = 1.0
"""How long a fork waits for this thread, and this thread then for what is on its way."""

LINGER_S = 0.005
"""What is recorded in one go is taken up in one go: the agent has the interpreter to itself meanwhile."""

SLICE = 500
SLICE_BYTES = 4 * 1024 * 1024
ANNOUNCED_NS = 500_000_000

_log = logging.getLogger("agentlog.recording")


class Pause:
    """A time in which the sender does nothing."""

    def __init__(self) -> None:
        self.asked_at = time.monotonic()
        self.began, self.ended = Bell(), Bell()


class Sender(threading.Thread):
    """Moves events from an intake to an outlet.

    Attributes:
        asleep: whether it waits for something to be queued.
    """

    def __init__(self, intake: Intake, outlet: Outlet) -> None:
        super().__init__(name="agentlog-sender", daemon=True)
        options = intake.options
        self.ledger = Ledger(intake.settled)
        self.asleep = False
        self._intake = intake
        self._preparer = Preparer(options, self.ledger)
        spools = Spools(options, self.ledger, intake.process)
        self._handover = Handover(options, outlet, self.ledger, spools)
        self._woken = Bell()
        self._pause: Pause | None = None
        self._rested: Bell | None = None
        self._pressed = self._giving_up_store = self._giving_up = False
        self._gave_up: AgentlogError | None = None

    def run(self) -> None:
        """Go on until the process ends."""
        while True:
            try:
                self._round()
            except Exception:  # noqa: BLE001  whatever it is, the agent's later events are still to be delivered
                _log.exception("recording goes on after an error of its own")
                time.sleep(IDLE_S)

    def _round(self) -> None:
        if (pause := self._pause) is not None:
            self._begin(pause)
            return
        self._announce_long_calls()
        self._fill()
        if (rested := self._rested) is not None and self._handover.rest():
            rested.ring()
        if self._idle and not self.ledger.losses:
            self.ledger.close_round()
            self._sleep()
            return
        if self._pressed:
            self._pressed = False
            self._handover.press()
        self._handover.step(self._patience_s())
        self._intake.failure = self._handover.failure if self._raises else None
        self._tell_losses()
        if self._giving_up_store:
            self._preparer.give_up()
        if self._giving_up:
            self._give_up()
        self.ledger.close_round()

    @property
    def _idle(self) -> bool:
        return self._handover.idle and not self._preparer.holds and not self._intake.queue

    def _patience_s(self) -> float:
        if self._idle:  # but for losses to be told
            return IDLE_S
        return 0.0 if self._intake.queue and not self._handover.full else BUSY_S

    @property
    def _raises(self) -> bool:
        return self._intake.options.on_outage == "raise"

    def _sleep(self) -> None:
        self.asleep = True
        woken = not self._intake.queue and self._woken.wait(IDLE_S)  # something may have come before we were asleep
        self.asleep = False
        self._woken.hush()
        if woken:
            time.sleep(LINGER_S)

    def wake(self) -> None:
        """There is something to do."""
        self.asleep = False  # once is enough, and costs
        self._woken.ring()

    def _fill(self) -> None:
        """Make a slice of the queue ready, where not enough waits already."""
        for record in self._preparer.released():
            self._handover.add(record)
        if not self._handover.full:
            self._take()

    def _take(self) -> None:
        """Make a slice of the queue ready, whatever waits already."""
        queue, taken, size = self._intake.queue, list[Outbound](), 0
        while queue and len(taken) < SLICE and size < SLICE_BYTES:
            taken.append(queue.popleft())
            size += taken[-1].size
        for record in self._preparer.prepared(taken):
            self._handover.add(record)

    def _announce_long_calls(self) -> None:
        opens, now = self._intake.opens, time.perf_counter_ns()
        while opens:
            try:
                event_id, oldest = next(iter(opens.items()))
            except (RuntimeError, StopIteration):  # it changed while we looked: the next round sees it
                return
            if now - oldest.began < ANNOUNCED_NS:
                return
            oldest.announce()
            opens.pop(event_id, None)  # whatever it is called by now

    def _tell_losses(self) -> None:
        """Let sessions whose events were lost say so, now that events are taken again."""
        if not self.ledger.losses or self._handover.failure is not None or not self._handover.heard:
            return
        losses, self.ledger.losses = self.ledger.losses, {}
        for author, loss in losses.items():
            why = f"{self._handover.outlet.where} refused them or could not be reached, or the memory for them was full"
            self._intake.append(lost_events(author, new_event_id(), loss, why, self._intake.headers))
        for waiter in list(self.ledger.waiters):
            waiter.number = self._intake.queued

    def rest(self, timeout_s: float) -> None:
        """The process ends: send no more of what is in files, and wait until it is known what of it arrived."""
        self._rested = rested = Bell()
        self.wake()
        rested.wait(timeout_s)

    def tell_untold_losses(self) -> None:
        """The process ends: report what the sessions themselves couldn't be told."""
        losses, self.ledger.losses = self.ledger.losses, {}
        if losses:
            lost = sum(loss.events for loss in losses.values())
            _log.error("not delivered to %s: %s; %s", self._handover.outlet.where, counted(lost, "event"), self.why())

    def tell_held_up(self, queued: int) -> None:
        """The process ends, and this thread doesn't get to giving up: report the ``queued`` events that it leaves."""
        where, why = self._handover.outlet.where, "redact= or librdkafka doesn't come back"
        _log.error(
            "not delivered to %s: %s; the thread that sends them is held up: %s", where, counted(queued, "event"), why
        )

    def overflowed(self, record: Outbound) -> None:
        """An event that found no room is lost."""
        with self._intake.lock:
            self.ledger.lost(record.author, Loss(1, record.at_ms))
        if self._handover.failure is None:
            trouble = self._handover.outlet.trouble()
            limit = f"{self._intake.options.queue_bytes / 1024**2:g} MB"
            self._handover.fail(type(trouble)(f"{trouble}; the memory for waiting events, {limit}, is full"))
            self._intake.failure = self._handover.failure if self._raises else None

    def pause(self) -> None:
        """Do nothing until ``resume``; and have no connection, if what is on its way on it is acknowledged soon."""
        if threading.current_thread() is not self:
            self._pause = pause = Pause()
            self.wake()
            pause.began.wait(PAUSE_S)

    def resume(self) -> None:
        """Go on."""
        if (pause := self._pause) is not None:
            self._pause = None
            pause.ended.ring()

    def _begin(self, pause: Pause) -> None:
        disconnected = self._handover.disconnect(BUSY_S)
        self.ledger.close_round()
        if disconnected or time.monotonic() - pause.asked_at > ACKNOWLEDGED_S or not self.ledger.progressing():
            pause.began.ring()
            pause.ended.wait()

    def press(self) -> None:
        """Memory is full: let the spool have what waits."""
        self._pressed = True
        self.wake()

    @property
    def waits_for_store(self) -> bool:
        """Whether events wait for their large values to be stored."""
        return self._preparer.holds

    def give_up_store(self) -> None:
        """The process ends: let nothing wait for the payload store any longer."""
        self._giving_up_store = True
        self.wake()

    def give_up(self) -> None:
        """The process ends: let nothing wait any longer."""
        self._giving_up = True
        self.wake()

    def _give_up(self) -> None:
        self._gave_up = self._gave_up or self.why()  # the outlet that comes next doesn't know
        self._preparer.give_up()
        while self._intake.queue or self._preparer.holds:
            self._fill_all()
        self._handover.give_up()

    def _fill_all(self) -> None:
        for record in self._preparer.released():
            self._handover.add(record)
        while self._intake.queue:
            self._take()
        self._preparer.give_up()

    def abandon(self) -> None:
        """In a forked child: leave everything to the parent."""
        self._handover.abandon()

    def why(self) -> AgentlogError:
        """Why events aren't taken, as far as it is known."""
        return self._handover.failure or self._gave_up or self._handover.outlet.trouble()

    def stats(self, recorded: int) -> Stats:
        """What became of all events, of which ``recorded`` were recorded."""
        queue = self._intake.queue
        oldest = self.ledger.oldest_ms()
        if oldest is None and queue:
            oldest = queue[0].at_ms
        return self.ledger.stats(recorded, oldest)
