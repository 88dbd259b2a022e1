"""Records handed to the outlet in order; what happens to them while it can't be reached, and when it is back."""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ...errors import AgentlogError
from ..sinks.outbound import Outbound
from ..sinks.sink import Outlet, Verdict
from ..sinks.standby_producer import Spare
from .accounting import Ledger
from .options import Options
from .spool import Spools
from .spool_file import CHUNK

PROBE_EVERY_S = 1.0
SILENT_S = 10.0
LONG_S = 1.0
ENOUGH = 1_000
BATCH_BYTES = 1_000_000
"""How much librdkafka sends at once."""

_log = logging.getLogger("agentlog.recording")


class Handover:
    """The records that aren't settled, and the outlet that takes them.

    While events are taken, they go straight to the outlet, and one that wasn't acknowledged stays with it: so it
    arrives once. When they have waited too long, or are refused, all are called back and the outlet is only probed,
    until it answers. With a spool, what was called back and all that follows goes through it, first in, first out.
    The same is done with an outlet that finds no way to Kafka any more although a new one does.

    Attributes:
        failure: why records aren't taken, once they have waited too long or are refused; None while all is well.
        heard: whether the outlet was heard of since it was last away.
    """

    def __init__(self, options: Options, outlet: Outlet, ledger: Ledger, spools: Spools) -> None:
        self._options, self.outlet, self._ledger, self._spools = options, outlet, ledger, spools
        self.failure: AgentlogError | None = None
        self.heard = False
        self._todo: deque[Outbound] = deque()
        self._handed: dict[Outbound, None] = {}
        self._answers: list[tuple[Outbound, Any]] = []
        self._away_since: float | None = None
        self._refused_since: float | None = None
        self._probe_at = self._heard_at = 0.0
        self._batch_bytes: int | None = None
        self._spare = Spare(lambda: options.outlet(self._batch_bytes))

    @property
    def full(self) -> bool:
        """Whether as many records wait as it makes sense to have ready."""
        return len(self._todo) >= ENOUGH

    @property
    def idle(self) -> bool:
        """Whether nothing waits for an answer."""
        return not self._todo and not self._handed and self._spools.empty

    def add(self, record: Outbound) -> None:
        """Take a record behind all others."""
        if self._spools.own is not None:
            self._spools.write([record])
        else:
            self._todo.append(record)

    def step(self, timeout_s: float) -> None:
        """Hand over what there is, and hear for ``timeout_s`` seconds at most what became of what was."""
        now = time.monotonic()
        if self.outlet.closed and self._away_since is None:
            self._reconnect(now)
        if self._away_since is not None:
            self._while_away(now, self._away_since, timeout_s)
            return
        todo = self._todo
        todo.extend(self._spools.next_chunk())
        if self.outlet.warm or self._waits_long(now):
            while todo and self._send(todo[0]):
                todo.popleft()
        self.outlet.poll(timeout_s)
        if (verdict := self._hear()) is not None:
            self._heed(verdict)
        elif self.outlet.broken or self._is_lost():
            self._go_away()
        elif self._stuck(time.monotonic()):
            self._on_stuck()
        elif self.failure is not None and self._refused_since is None and self._ledger.progressing():
            self._back()

    def _waits_long(self, now: float) -> bool:
        """Whether a record has waited so long that the next fork had better wait for it: each one closes the outlet."""
        return bool(self._todo) and now - self._todo[0].since > LONG_S

    def _send(self, record: Outbound) -> bool:
        record.answers = self._answers
        try:
            sent = self.outlet.send(record)
        except ValueError as error:
            self._refused(record, str(error))
            return True
        if sent:
            record.handed_at = time.monotonic()
            self._handed[record] = None
        return sent

    def _hear(self) -> Verdict | None:
        """Settle what was answered; why the outlet takes no more, where it doesn't."""
        found: Verdict | None = None
        answers = self._answers[:]
        del self._answers[: len(answers)]
        for record, error in answers:
            if error is None:
                self._handed.pop(record, None)
                self._delivered(record)
                continue
            match self.outlet.verdict(error):
                case Verdict.REFUSED:
                    self._handed.pop(record, None)
                    self._refused(record, str(error))
                case Verdict.OVERFULL:
                    found = Verdict.OVERFULL
                case Verdict.FAILED:
                    found = found or Verdict.FAILED
        if answers and answers[-1][1] is None:
            self.heard, self._heard_at, self._refused_since = True, time.monotonic(), None
            self._spare.forget()
            self.outlet.is_well()
        return found

    def _heed(self, verdict: Verdict) -> None:
        if verdict is Verdict.OVERFULL:
            self._send_less_at_once()
        else:
            self._go_away()

    def _delivered(self, record: Outbound) -> None:
        if record.spooled:
            self._spools.settled(record)
        else:
            self._ledger.was_delivered(record)

    def _refused(self, record: Outbound, why: str) -> None:
        _log.error("an event of session %s was refused by %s: %s", record.author.session_id, self.outlet.where, why)
        if record.spooled:
            self._spools.settled(record, refused=True)
        else:
            self._ledger.was_dropped(record)

    def _stuck(self, now: float) -> bool:
        oldest = next(iter(self._handed), None)
        return oldest is not None and now - oldest.handed_at >= self._options.outage_s

    def _is_lost(self) -> bool:
        """Whether nothing was acknowledged for long because the outlet finds no way to Kafka any more."""
        now = time.monotonic()
        oldest = next(iter(self._handed), None)
        if oldest is None or now < self._probe_at or now - max(oldest.handed_at, self._heard_at) < SILENT_S:
            return False
        self._probe_at = now + PROBE_EVERY_S
        return self._spare.shows_lost(self.outlet)

    def _on_stuck(self) -> None:
        if self._options.on_outage == "raise":
            trouble = self.outlet.trouble()
            if type(trouble) is not type(self.failure):  # it couldn't be reached yet when it went on to refuse us
                self.fail(trouble)
        else:
            self._go_away(waited_s=self._options.outage_s)

    def fail(self, why: AgentlogError) -> None:
        """Say so, and let the agent's next call know where that is wanted."""
        self.failure = why
        _log.warning("events can't be recorded: %s", why)

    def _back(self) -> None:
        self.failure = None
        _log.warning("events are recorded again, to %s", self.outlet.where)

    def _go_away(self, waited_s: float = 0.0) -> None:
        """Call everything back, in its order; from now on only probe. It was away for ``waited_s`` already."""
        now = time.monotonic()
        why, self.heard = self.outlet.trouble(), False
        self._call_back()
        refused = self.outlet.refusal()
        if refused:
            self._refused_since = self._refused_since or now
        self._away_since, self._probe_at = self._refused_since or now - waited_s, now + PROBE_EVERY_S
        self.outlet = self._spare.taken() or self.outlet
        if self.failure is None and (refused or self._options.on_outage != "raise"):
            self.fail(refused or why)

    def _call_back(self) -> None:
        self.outlet.take_back()
        self._hear()
        back = [record for record in self._handed if not record.spooled]
        self._handed.clear()
        self._todo = deque(back + [record for record in self._todo if not record.spooled])
        self._spools.rewind()

    def _send_less_at_once(self) -> None:
        """The topic takes no batch as large as ours: send anew what it refused, in smaller ones from now on."""
        self._call_back()
        self._batch_bytes = (self._batch_bytes or BATCH_BYTES) // 10
        _log.warning("%s takes no batch as large as ours: it gets smaller ones", self.outlet.where)
        self._spare.forget()
        self._reconnect(time.monotonic())

    def _while_away(self, now: float, since: float, timeout_s: float) -> None:
        overdue = now - since >= self._options.outage_s
        if overdue and self._options.on_outage == "spool":
            self._spool_all()
        elif overdue and self._options.on_outage == "drop":
            self._drop(lambda record: now - record.since >= self._options.outage_s)
        elif overdue and self.failure is None:
            self.fail(self.outlet.trouble())
        if now < self._probe_at:
            time.sleep(min(timeout_s, self._probe_at - now))
        elif self.outlet.answers():
            self._away_since = None
            if self._refused_since is None:  # else only what is taken shows that we aren't refused any more
                self.heard = True
                self._back()
        else:
            self._probe_at = time.monotonic() + PROBE_EVERY_S
            if (found := self._spare.found()) is not None:
                self.outlet = found
                self._spare.forget()

    def _spool_all(self) -> None:
        while self._todo:
            self._spools.write([self._todo.popleft() for _ in range(min(CHUNK, len(self._todo)))])

    def _drop(self, overdue: Callable[[Outbound], bool]) -> None:
        while self._todo and overdue(self._todo[0]):
            self._ledger.was_dropped(self._todo.popleft())

    def press(self) -> None:
        """Memory is full: let no more wait there."""
        if self._away_since is None:
            self._go_away()
        self._away_since = time.monotonic() - self._options.outage_s

    def give_up(self) -> None:
        """The process ends: what isn't delivered is spooled, or dropped."""
        if self._away_since is None:
            self._go_away()
        if self._options.on_outage == "spool":
            self._spool_all()
            return
        self._drop(lambda _: True)

    def rest(self) -> bool:
        """The process ends: leave what is in files to a later run; whether nothing of it is on its way."""
        return self._spools.rest()

    def disconnect(self, timeout_s: float) -> bool:
        """Have no connection until the next step; False while records are on their way on it."""
        if self._handed:
            self.outlet.poll(timeout_s)
            if (verdict := self._hear()) is not None:
                self._heed(verdict)
        if self._handed:
            return False
        self.outlet.close()
        self._spare.close()
        return True

    def _reconnect(self, now: float) -> None:
        made = self._spare.made()
        if made is not None:
            self.outlet = made
        else:  # what it needs isn't there any more: a new one is tried until it is
            self._away_since = now

    def abandon(self) -> None:
        """In a forked child: leave the connection and the spool files to the parent."""
        self._spools.leave()
        self.outlet.abandon()
        self._spare.abandon()
