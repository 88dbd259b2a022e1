"""Records handed to the outlet in order; what happens to them while it can't be reached, and when it is back."""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ..errors import AgentlogError
from .ledger import Ledger
from .options import Options
from .outlets import Outlet, Verdict
from .records import Outbound
from .spool import CHUNK
from .spools import Spools

PROBE_EVERY_S = 1.0
ENOUGH = 1_000

_log = logging.getLogger("agentlog.recording")


class Handover:
    """The records that aren't settled, and the outlet that takes them.

    While events are taken, they go straight to the outlet, and one that wasn't acknowledged stays with it: so it
    arrives once. When they have waited too long, or are refused, all are called back and the outlet is only probed,
    until it answers. With a spool, what was called back and all that follows goes through it, first in, first out.

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
        self._probe_at = 0.0

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
        if self._away_since is not None:
            self._while_away(now, self._away_since, timeout_s)
            return
        todo = self._todo
        todo.extend(self._spools.next_chunk())
        while todo and self._send(todo[0]):
            todo.popleft()
        self.outlet.poll(timeout_s)
        if self._hear():
            self._go_away(now, now)
        elif self._stuck(time.monotonic()):
            self._on_stuck()
        elif self.failure is not None and self._ledger.progressing():
            self._back()

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

    def _hear(self) -> bool:
        """Settle what was answered; whether the outlet takes no more."""
        failed = False
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
                case Verdict.FAILED:
                    failed = True
        if answers and answers[-1][1] is None:
            self.heard = True
            self.outlet.is_well()
        return failed

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

    def _on_stuck(self) -> None:
        if self._options.on_outage == "raise":
            if self.failure is None:
                self.fail(self.outlet.trouble())
        else:
            now = time.monotonic()
            self._go_away(now, now - self._options.outage_s)

    def fail(self, why: AgentlogError) -> None:
        """Say so, and let the agent's next call know where that is wanted."""
        self.failure = why
        _log.warning("events can't be recorded: %s", why)

    def _back(self) -> None:
        self.failure = None
        _log.warning("events are recorded again, to %s", self.outlet.where)

    def _go_away(self, now: float, since: float) -> None:
        """Call everything back, in its order; from now on only probe."""
        why, self.heard = self.outlet.trouble(), False
        self.outlet.take_back()
        self._hear()
        back = [record for record in self._handed if not record.spooled]
        self._handed.clear()
        self._todo = deque(back + [record for record in self._todo if not record.spooled])
        self._spools.rewind()
        self._away_since, self._probe_at = since, now + PROBE_EVERY_S
        refused = self.outlet.refusal()
        try:
            self.outlet = self._options.outlet()
        except AgentlogError as error:  # what it needs, such as a certificate's file, is gone: go on with the old one
            _log.warning("a new connection can't be made: %s", error)
        if self.failure is None and (refused or self._options.on_outage != "raise"):
            self.fail(refused or why)

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
            self._away_since, self.heard = None, True
            self._back()
        else:
            self._probe_at = time.monotonic() + PROBE_EVERY_S

    def _spool_all(self) -> None:
        while self._todo:
            self._spools.write([self._todo.popleft() for _ in range(min(CHUNK, len(self._todo)))])

    def _drop(self, overdue: Callable[[Outbound], bool]) -> None:
        while self._todo and overdue(self._todo[0]):
            self._ledger.was_dropped(self._todo.popleft())

    def press(self) -> None:
        """Memory is full: let no more wait there."""
        if self._away_since is None:
            now = time.monotonic()
            self._go_away(now, now)
        self._away_since = time.monotonic() - self._options.outage_s

    def give_up(self) -> None:
        """The process ends: what isn't delivered is spooled, or dropped."""
        now = time.monotonic()
        if self._away_since is None:
            self._go_away(now, now)
        if self._options.on_outage == "spool":
            self._spool_all()
            return
        self._drop(lambda _: True)

    def leave_spools(self) -> None:
        """Leave the spool files to a later run, or to the process that we were forked from."""
        self._spools.leave()
