"""Records handed to the outlet in order; what happens to them while it can't be reached, and when it is back."""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ...errors import AgentlogError
from ..sinks.outbound import OutboundEvent
from ..sinks.sink import FailureKind, Sink
from ..sinks.standby_producer import StandbyProducer
from .accounting import Ledger
from .options import RecordingOptions
from .spool import SpoolQueue
from .spool_file import CHUNK_EVENTS

PROBE_INTERVAL_S = 1.0
SILENCE_TIMEOUT_S = 10.0
MAX_WAIT_S = 1.0
MAX_PENDING = 1_000
BATCH_BYTES = 1_000_000
"""How much librdkafka sends at once."""

_log = logging.getLogger("agentlog.recording")


class Dispatcher:
    """The records that aren't settled, and the outlet that takes them.

    While events are taken, they go straight to the outlet, and one that wasn't acknowledged stays with it: so it
    arrives once. When they have waited too long, or are refused, all are called back and the outlet is only probed,
    until it answers. With a spool, what was called back and all that follows goes through it, first in, first out.
    The same is done with an outlet that finds no way to Kafka any more although a new one does.

    Attributes:
        failure: why records aren't taken, once they have waited too long or are refused; None while all is well.
        is_answering: whether the outlet was heard of since it was last away.
    """

    def __init__(self, options: RecordingOptions, sink: Sink, ledger: Ledger, spools: SpoolQueue) -> None:
        self._options, self.sink, self._ledger, self._spools = options, sink, ledger, spools
        self.failure: AgentlogError | None = None
        self.is_answering = False
        self._pending: deque[OutboundEvent] = deque()
        self._in_flight: dict[OutboundEvent, None] = {}
        self._results: list[tuple[OutboundEvent, Any]] = []
        self._away_since: float | None = None
        self._refused_since: float | None = None
        self._next_probe_at = self._acknowledged_at = 0.0
        self._batch_bytes: int | None = None
        self._standby = StandbyProducer(lambda: options.open_sink(self._batch_bytes))

    @property
    def is_full(self) -> bool:
        """Whether as many records wait as it makes sense to have ready."""
        return len(self._pending) >= MAX_PENDING

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for an answer."""
        return not self._pending and not self._in_flight and self._spools.is_empty

    def add(self, record: OutboundEvent) -> None:
        """Take a record behind all others."""
        if self._spools.own_file is not None:
            self._spools.write([record])
        else:
            self._pending.append(record)

    def advance(self, timeout_s: float) -> None:
        """Hand over what there is, and hear for ``timeout_s`` seconds at most what became of what was."""
        now = time.monotonic()
        if self.sink.is_closed and self._away_since is None:
            self._reconnect(now)
        if self._away_since is not None:
            self._advance_in_outage(now, self._away_since, timeout_s)
            return
        pending = self._pending
        pending.extend(self._spools.next_chunk())
        if self.sink.is_warm or self._has_waited_long(now):
            while pending and self._send(pending[0]):
                pending.popleft()
        self.sink.poll(timeout_s)
        if (failure_kind := self._receive_results()) is not None:
            self._handle(failure_kind)
        elif self.sink.is_broken or self._is_sink_disconnected():
            self._begin_outage()
        elif self._is_stuck(time.monotonic()):
            self._handle_stuck()
        elif self.failure is not None and self._refused_since is None and self._ledger.is_progressing():
            self._report_recovery()

    def _has_waited_long(self, now: float) -> bool:
        """Whether a record has waited so long that the next fork had better wait for it: each one closes the outlet."""
        return bool(self._pending) and now - self._pending[0].since > MAX_WAIT_S

    def _send(self, record: OutboundEvent) -> bool:
        record.answers = self._results
        try:
            is_sent = self.sink.send(record)
        except ValueError as error:
            self._settle_refused(record, str(error))
            return True
        if is_sent:
            record.handed_at = time.monotonic()
            self._in_flight[record] = None
        return is_sent

    def _receive_results(self) -> FailureKind | None:
        """Settle what was answered; why the outlet takes no more, where it doesn't."""
        failure_kind: FailureKind | None = None
        results = self._results[:]
        del self._results[: len(results)]
        for record, error in results:
            if error is None:
                self._in_flight.pop(record, None)
                self._settle_delivered(record)
                continue
            match self.sink.classify_error(error):
                case FailureKind.RECORD_REFUSED:
                    self._in_flight.pop(record, None)
                    self._settle_refused(record, str(error))
                case FailureKind.BATCH_TOO_LARGE:
                    failure_kind = FailureKind.BATCH_TOO_LARGE
                case FailureKind.SINK_FAILED:
                    failure_kind = failure_kind or FailureKind.SINK_FAILED
        if results and results[-1][1] is None:
            self.is_answering, self._acknowledged_at, self._refused_since = True, time.monotonic(), None
            self._standby.reset()
            self.sink.reset_failures()
        return failure_kind

    def _handle(self, failure_kind: FailureKind) -> None:
        if failure_kind is FailureKind.BATCH_TOO_LARGE:
            self._reduce_batch_size()
        else:
            self._begin_outage()

    def _settle_delivered(self, record: OutboundEvent) -> None:
        if record.is_spooled:
            self._spools.settle(record)
        else:
            self._ledger.count_delivered(record)

    def _settle_refused(self, record: OutboundEvent, reason: str) -> None:
        _log.error("an event of session %s was refused by %s: %s", record.author.session_id, self.sink.where, reason)
        if record.is_spooled:
            self._spools.settle(record, is_refused=True)
        else:
            self._ledger.count_dropped(record)

    def _is_stuck(self, now: float) -> bool:
        oldest = next(iter(self._in_flight), None)
        return oldest is not None and now - oldest.handed_at >= self._options.outage_timeout_s

    def _is_sink_disconnected(self) -> bool:
        """Whether nothing was acknowledged for long because the outlet finds no way to Kafka any more."""
        now = time.monotonic()
        oldest = next(iter(self._in_flight), None)
        if (
            oldest is None
            or now < self._next_probe_at
            or now - max(oldest.handed_at, self._acknowledged_at) < SILENCE_TIMEOUT_S
        ):
            return False
        self._next_probe_at = now + PROBE_INTERVAL_S
        return self._standby.is_needed(self.sink)

    def _handle_stuck(self) -> None:
        if self._options.on_outage == "raise":
            error = self.sink.last_error()
            if type(error) is not type(self.failure):  # it couldn't be reached yet when it went on to refuse us
                self.report_failure(error)
        else:
            self._begin_outage(waited_s=self._options.outage_timeout_s)

    def report_failure(self, failure: AgentlogError) -> None:
        """Say so, and let the agent's next call know where that is wanted."""
        self.failure = failure
        _log.warning("events can't be recorded: %s", failure)

    def _report_recovery(self) -> None:
        self.failure = None
        _log.warning("events are recorded again, to %s", self.sink.where)

    def _begin_outage(self, waited_s: float = 0.0) -> None:
        """Call everything back, in its order; from now on only probe. It was away for ``waited_s`` already."""
        now = time.monotonic()
        error, self.is_answering = self.sink.last_error(), False
        self._recall_unacknowledged()
        refusal = self.sink.refusal()
        if refusal:
            self._refused_since = self._refused_since or now
        self._away_since, self._next_probe_at = self._refused_since or now - waited_s, now + PROBE_INTERVAL_S
        self.sink = self._standby.take() or self.sink
        if self.failure is None and (refusal or self._options.on_outage != "raise"):
            self.report_failure(refusal or error)

    def _recall_unacknowledged(self) -> None:
        self.sink.purge()
        self._receive_results()
        recalled = [record for record in self._in_flight if not record.is_spooled]
        self._in_flight.clear()
        self._pending = deque(recalled + [record for record in self._pending if not record.is_spooled])
        self._spools.rewind()

    def _reduce_batch_size(self) -> None:
        """The topic takes no batch as large as ours: send anew what it refused, in smaller ones from now on."""
        self._recall_unacknowledged()
        self._batch_bytes = (self._batch_bytes or BATCH_BYTES) // 10
        _log.warning("%s takes no batch as large as ours: it gets smaller ones", self.sink.where)
        self._standby.reset()
        self._reconnect(time.monotonic())

    def _advance_in_outage(self, now: float, since: float, timeout_s: float) -> None:
        is_overdue = now - since >= self._options.outage_timeout_s
        if is_overdue and self._options.on_outage == "spool":
            self._spool_all()
        elif is_overdue and self._options.on_outage == "drop":
            self._drop(lambda record: now - record.since >= self._options.outage_timeout_s)
        elif is_overdue and self.failure is None:
            self.report_failure(self.sink.last_error())
        if now < self._next_probe_at:
            time.sleep(min(timeout_s, self._next_probe_at - now))
        elif self.sink.probe():
            self._away_since = None
            if self._refused_since is None:  # else only what is taken shows that we aren't refused any more
                self.is_answering = True
                self._report_recovery()
        else:
            self._next_probe_at = time.monotonic() + PROBE_INTERVAL_S
            if (ready_sink := self._standby.get_ready()) is not None:
                self.sink = ready_sink
                self._standby.reset()

    def _spool_all(self) -> None:
        while self._pending:
            self._spools.write([self._pending.popleft() for _ in range(min(CHUNK_EVENTS, len(self._pending)))])

    def _drop(self, is_overdue: Callable[[OutboundEvent], bool]) -> None:
        while self._pending and is_overdue(self._pending[0]):
            self._ledger.count_dropped(self._pending.popleft())

    def spill_now(self) -> None:
        """Memory is full: let no more wait there."""
        if self._away_since is None:
            self._begin_outage()
        self._away_since = time.monotonic() - self._options.outage_timeout_s

    def give_up(self) -> None:
        """The process ends: what isn't delivered is spooled, or dropped."""
        if self._away_since is None:
            self._begin_outage()
        if self._options.on_outage == "spool":
            self._spool_all()
            return
        self._drop(lambda _: True)

    def stop_sending(self) -> bool:
        """The process ends: leave what is in files to a later run; whether nothing of it is on its way."""
        return self._spools.stop_sending()

    def disconnect(self, timeout_s: float) -> bool:
        """Have no connection until the next step; False while records are on their way on it."""
        if self._in_flight:
            self.sink.poll(timeout_s)
            if (failure_kind := self._receive_results()) is not None:
                self._handle(failure_kind)
        if self._in_flight:
            return False
        self.sink.close()
        self._standby.close()
        return True

    def _reconnect(self, now: float) -> None:
        new_sink = self._standby.create()
        if new_sink is not None:
            self.sink = new_sink
        else:  # what it needs isn't there any more: a new one is tried until it is
            self._away_since = now

    def abandon(self) -> None:
        """In a forked child: leave the connection and the spool files to the parent."""
        self._spools.release()
        self.sink.abandon()
        self._standby.abandon()
