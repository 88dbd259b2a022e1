"""The dispatcher, which hands records to the sink in order and deals with outages."""

import logging
from collections import Counter, deque
from collections.abc import Callable
from itertools import chain
from typing import Any

from ...errors import AgentlogError
from ...formatting import format_count
from ..sinks.outbound import OutboundEvent
from ..sinks.sink import SINGLE_EVENT_BATCH_BYTES, FailureKind, Sink
from ..sinks.standby_producer import StandbyProducer
from ..system.native_threads import sleep
from ..system.running_time import running_time
from .accounting import Ledger
from .options import RecordingOptions
from .spool import SpoolQueue
from .spool_file import CHUNK_EVENTS
from .suspects import split_at_refused

PROBE_INTERVAL_S = 1.0
"""How often the sink is probed during an outage, in seconds."""
SILENCE_TIMEOUT_S = 10.0
"""After this time without an acknowledgement, the connection is checked, in seconds."""
MAX_WAIT_S = 1.0
"""How long a record waits at most for a new producer to be warm, in seconds."""
REFUSAL_LOG_INTERVAL_S = 10.0
"""How often refused events are logged at most, in seconds."""
MAX_PENDING = 1_000
"""How many prepared records may wait for the sink. Then no more are prepared."""

_log = logging.getLogger("agentlog.recording")


class Dispatcher:
    """The unsettled records, and the sink that takes them.

    Normally records go straight to the sink. A record stays with the sink until it is acknowledged, so it arrives once.

    If a batch is refused because of one of its records, no more are sent until all on their way are answered. The
    records that came back are then sent in smaller and smaller groups, each by itself, until the refused one stands
    alone. It is settled as refused, and all others arrive.

    An outage begins when records have waited too long or are refused. Then all unacknowledged records are recalled
    from the sink, and the sink is only probed until it answers. With a spool, the recalled records and all later ones
    go through the spool in their order. An outage also begins when the sink has lost its connection to Kafka although
    a new sink can connect.

    Attributes:
        failure: why records aren't taken, once they have waited too long or are refused. None in normal operation.
        is_answering: whether the sink has answered since the last outage began.
        outage_count: how many outages were declared.
    """

    def __init__(self, options: RecordingOptions, sink: Sink, ledger: Ledger, spools: SpoolQueue) -> None:
        self._options, self.sink, self._ledger, self._spools = options, sink, ledger, spools
        self.failure: AgentlogError | None = None
        self.is_answering = False
        self.outage_count = 0
        self._pending: deque[OutboundEvent] = deque()
        self._in_flight: dict[OutboundEvent, None] = {}
        self._oldest: OutboundEvent | None = None
        self._oldest_since = 0.0
        self._results: list[tuple[OutboundEvent, Any, Any]] = []
        self._last_offsets: dict[int, int] = {}
        self._returned: dict[OutboundEvent, tuple[FailureKind, str]] = {}
        self._is_recalling = self._is_one_alone = self._has_taken_since_doubt = False
        self._doubted: OutboundEvent | None = None
        self._suspects: deque[deque[OutboundEvent]] = deque()
        self._refusals: Counter[str] = Counter()
        self._next_refusal_log_at = 0.0
        self._away_since: float | None = None
        self._refused_since: float | None = None
        self._next_probe_at = self._acknowledged_at = 0.0
        self._batch_bytes: int | None = None
        self._standby = StandbyProducer(lambda: options.open_sink(self._batch_bytes))

    @property
    def is_full(self) -> bool:
        """Whether enough prepared records wait for the sink."""
        return len(self._pending) >= MAX_PENDING

    @property
    def has_suspects(self) -> bool:
        """Whether it looks for a refused record among others."""
        return bool(self._suspects or self._returned)

    @property
    def is_idle(self) -> bool:
        """Whether no record waits to be sent or acknowledged."""
        return not self._pending and not self._suspects and not self._in_flight and self._spools.is_empty

    def add(self, records: list[OutboundEvent]) -> None:
        """Add records behind all others."""
        if self._spools.own_file is not None:
            self._spools.write(records)
        else:
            self._pending.extend(records)

    def advance(self, timeout_s: float) -> None:
        """Hand records to the sink, and collect results for at most ``timeout_s`` seconds."""
        now = running_time()
        if self.sink.is_closed and self._away_since is None:
            self._reconnect(now)
        if self._away_since is not None:
            self._advance_in_outage(now, self._away_since, timeout_s)
            return
        self._pending.extend(self._spools.next_chunk())
        if self.sink.is_warm or self._has_waited_long(now):
            self._hand_over()
        self.sink.poll(timeout_s)
        if self._receive_results() or self.sink.is_broken or self._is_sink_disconnected():
            self._begin_outage()
            return
        self._take_back()
        if self._is_stuck(running_time()):
            self._handle_stuck()
        elif self.failure is not None and self._refused_since is None and self._ledger.is_progressing():
            self._report_recovery()

    def _has_waited_long(self, now: float) -> bool:
        """Return whether the oldest record has waited so long that it goes to the sink even if that isn't warm.

        Each fork closes the sink. A process that forks often would otherwise never have a warm sink.
        """
        waiting = self._suspects[0] if self._suspects else self._pending
        return bool(waiting) and now - waiting[0].since > MAX_WAIT_S

    def _hand_over(self) -> None:
        """Hand records to the sink. A group of suspects goes by itself."""
        if self._returned:
            return
        if not self._suspects:
            self._is_one_alone = False
            self._send_all(self._pending)
        elif not self._in_flight:
            group = self._suspects[0]
            self._is_one_alone = len(group) == 1
            self._send_all(group)
            if not group:
                self._suspects.popleft()

    def _send_all(self, records: deque[OutboundEvent]) -> None:
        """Hand records to the sink until it takes no more."""
        send, answers, in_flight, now = self.sink.send, self._results, self._in_flight, running_time()
        while records:
            record = records[0]
            record.answers = answers
            try:
                if not send(record):
                    return
            except ValueError as error:
                self._settle_refused(record, str(error))
            else:
                record.handed_at = now
                in_flight[record] = None
            records.popleft()

    def _receive_results(self) -> bool:
        """Settle the records that have a result. Return whether the sink takes no more records."""
        has_failed = False
        results, in_flight, delivered = self._results[:], self._in_flight, list[OutboundEvent]()
        del self._results[: len(results)]
        last_message: Any = None
        for record, error, message in results:
            if record not in in_flight:  # an answer to an earlier producer
                continue
            if error is None:
                del in_flight[record]
                delivered.append(record)
                last_message = message
                continue
            kind = self.sink.classify_error(error)
            if kind is FailureKind.RECORD_REFUSED_ALONE:  # all others go on their way
                del self._in_flight[record]
                self._settle_answered(record, self.sink.describe_error(error))
                continue
            self._returned[record] = kind, self.sink.describe_error(error)
            has_failed |= kind is FailureKind.SINK_FAILED
        if delivered:
            self._settle_delivered(delivered)
        if last_message is not None:
            self._check_offset(last_message.partition(), last_message.offset())
        if results and results[-1][1] is None:
            self.is_answering, self._acknowledged_at, self._refused_since = True, running_time(), None
            self._standby.reset()
            self.sink.reset_failures()
        return has_failed

    def _take_back(self) -> None:
        """Wait until no record is on its way any more. Then see to those that came back, in their order."""
        if not self._returned:
            return
        if len(self._returned) < len(self._in_flight):
            if not self._is_recalling:
                self._is_recalling = True
                self.sink.recall_queued()
            return
        records, returned = list(self._in_flight), self._returned
        was_recalled, self._is_recalling = self._is_recalling, False
        self._in_flight, self._returned = {}, {}
        too_large = [record for record, (kind, _) in returned.items() if kind is FailureKind.BATCH_TOO_LARGE]
        if too_large:
            self._suspects.appendleft(deque(records))
            self._reduce_batch_size(sum(len(record.value) for record in too_large))
            return
        self._isolate_refused(records, returned)
        if was_recalled:  # the records that were recalled are missing in the producer's sequence
            self._reconnect(running_time())

    def _isolate_refused(
        self, records: list[OutboundEvent], returned: dict[OutboundEvent, tuple[FailureKind, str]]
    ) -> None:
        """Settle a refused record that was alone, or send the records that came back in smaller groups."""
        refused = [record for record in records if returned[record][0] is not FailureKind.RETURNED]
        if not refused or not self._is_one_alone:
            self._suspects.extendleft(map(deque, reversed(split_at_refused(records, set(refused)))))
            return
        record, (kind, reason) = refused[0], returned[refused[0]]
        if kind is FailureKind.RECORD_REFUSED or (self._doubted is not None and self._has_taken_since_doubt):
            self._settle_answered(record, reason)
        else:
            self._doubt(record)

    def _check_offset(self, partition: int, offset: int | None) -> None:
        """Log it if the topic is another one. The offsets of our events rise, as long as it is the same."""
        if offset is None or offset < 0:
            return
        last_offset = self._last_offsets.get(partition, -1)
        if offset < last_offset:
            _log.warning(
                "%s was deleted and created again, or has lost records: an event got offset %d in partition %d, after "
                "one that got %d. Events that were delivered before may be gone; recording goes on",
                self.sink.where,
                offset,
                partition,
                last_offset,
            )
            self._last_offsets.clear()
        self._last_offsets[partition] = offset

    def _settle_answered(self, record: OutboundEvent, reason: str) -> None:
        """Settle a record that is at fault. So the sink has answered, and it is well."""
        self.is_answering, self._acknowledged_at = True, running_time()
        self.sink.reset_failures()
        self._settle_refused(record, reason)

    def _doubt(self, record: OutboundEvent) -> None:
        """Send others, and then ``record`` again. If nothing is taken meanwhile, it is an outage."""
        if not self._suspects and self._pending:
            self._suspects.append(deque([self._pending.popleft()]))
        is_outage = self._doubted is not None or not self._suspects
        self._suspects.insert(1, deque([record]))
        self._doubted, self._has_taken_since_doubt = record, False
        if is_outage:
            self._begin_outage()

    def _settle_delivered(self, records: list[OutboundEvent]) -> None:
        if self._doubted is not None and self._doubted in records:
            self._doubted = None
        self._has_taken_since_doubt = True
        if not self._spools.is_empty:
            for record in records:
                if record.is_spooled:
                    self._spools.settle(record)
            records = [record for record in records if not record.is_spooled]
        self._ledger.count_delivered(records)

    def _forget_doubt(self, record: OutboundEvent) -> None:
        if record is self._doubted:
            self._doubted = None

    def _settle_refused(self, record: OutboundEvent, reason: str) -> None:
        self._forget_doubt(record)
        self._refusals[reason] += 1
        reason = f"{self.sink.where} refused them: {reason}"
        if record.is_spooled:
            self._spools.settle(record, is_refused=True)
            self._ledger.keep_refusal(record, reason)
        else:
            self._ledger.count_refused(record, reason)

    def log_refusals(self, *, is_ending: bool = False) -> None:
        """Log the events that were refused since the last time, a line for each reason, now and then."""
        if not self._refusals or (running_time() < self._next_refusal_log_at and not is_ending):
            return
        refusals, self._refusals = self._refusals, Counter()
        self._next_refusal_log_at = running_time() + REFUSAL_LOG_INTERVAL_S
        for reason, count in refusals.items():
            _log.error("not delivered to %s: %s; refused: %s", self.sink.where, format_count(count, "event"), reason)

    def _is_stuck(self, now: float) -> bool:
        """Return whether one record has been the oldest on its way for too long.

        A quota lets records wait for longer than that, but it lets them arrive in turn.
        """
        oldest = next(iter(self._in_flight), None)
        if oldest is not self._oldest:
            self._oldest, self._oldest_since = oldest, now if self._oldest is not None else 0.0
        return oldest is not None and now - max(oldest.handed_at, self._oldest_since) >= self._options.outage_timeout_s

    def _is_sink_disconnected(self) -> bool:
        """Return whether acknowledgements stopped because the sink lost its connection to Kafka."""
        now = running_time()
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
            if type(error) is not type(self.failure):  # the reason may change, such as from unreachable to refused
                self.report_failure(error)
        else:
            self._begin_outage(waited_s=self._options.outage_timeout_s)

    def report_failure(self, failure: AgentlogError) -> None:
        """Log the failure, and keep it for the agent's next call."""
        self.outage_count += self.failure is None
        self.failure = failure
        _log.warning("events can't be recorded: %s", failure)

    def _report_recovery(self) -> None:
        self.failure = None
        _log.warning("events are recorded again, to %s", self.sink.where)

    def _begin_outage(self, waited_s: float = 0.0) -> None:
        """Recall all unacknowledged records, in their order. From now on the sink is only probed.

        Args:
            waited_s: how long records have waited already, in seconds.
        """
        now = running_time()
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
        records = chain(self._in_flight, chain.from_iterable(self._suspects), self._pending)
        self._pending = deque(record for record in records if not record.is_spooled)
        self._in_flight, self._returned, self._is_recalling, self._doubted = {}, {}, False, None
        self._suspects.clear()
        self._spools.rewind()

    def _reduce_batch_size(self, refused_bytes: int) -> None:
        """Send smaller batches from now on, because the topic refused some of ``refused_bytes`` bytes as too large."""
        self._batch_bytes = max(min(self._batch_bytes or refused_bytes, refused_bytes) // 10, SINGLE_EVENT_BATCH_BYTES)
        _log.warning("%s refused a batch as too large; it gets smaller ones now", self.sink.where)
        self._standby.reset()
        self._reconnect(running_time())

    def _advance_in_outage(self, now: float, since: float, timeout_s: float) -> None:
        is_overdue = now - since >= self._options.outage_timeout_s
        if is_overdue and self._options.on_outage == "spool":
            self._spool_all()
        elif is_overdue and self._options.on_outage == "drop":
            reason = str(self.failure or self.sink.last_error())
            self._drop(lambda record: now - record.since >= self._options.outage_timeout_s, reason)
        elif is_overdue and self.failure is None:
            self.report_failure(self.sink.last_error())
        if now < self._next_probe_at:
            sleep(min(timeout_s, self._next_probe_at - now))
        elif self.sink.probe():
            self._away_since = None
            if self._refused_since is None:  # after a refusal, only an acknowledged record shows that all is well
                self.is_answering = True
                self._report_recovery()
        else:
            self._next_probe_at = running_time() + PROBE_INTERVAL_S
            if (ready_sink := self._standby.get_ready()) is not None:
                self.sink = ready_sink
                self._standby.reset()

    def _spool_all(self) -> None:
        while self._pending:
            self._spools.write([self._pending.popleft() for _ in range(min(CHUNK_EVENTS, len(self._pending)))])

    def _drop(self, is_overdue: Callable[[OutboundEvent], bool], reason: str) -> None:
        while self._pending and is_overdue(self._pending[0]):
            self._ledger.count_dropped(self._pending.popleft(), reason)

    def spill_now(self) -> None:
        """Begin the outage's policy now, because memory is full."""
        if self._away_since is None:
            self._begin_outage()
        self._away_since = running_time() - self._options.outage_timeout_s

    def give_up(self, reason: str) -> None:
        """Spool or drop all undelivered records, because the process ends. ``reason`` says why they are left."""
        if self._away_since is None:
            self._begin_outage()
        if self._options.on_outage == "spool":
            self._spool_all()
            return
        self._drop(lambda _: True, reason)

    def stop_sending(self) -> bool:
        """Leave spooled records to a later run, because the process ends.

        Returns:
            whether none of them is on its way any more.
        """
        return self._spools.stop_sending()

    def disconnect(self, timeout_s: float) -> bool:
        """Close the connection until the next ``advance``. Return False while records are on their way."""
        if self._in_flight:
            self.sink.poll(timeout_s)
            if self._receive_results():
                self._begin_outage()
            self._take_back()
        if self._in_flight:
            return False
        self.sink.close()
        self._standby.close()
        return True

    def _reconnect(self, now: float) -> None:
        new_sink = self._standby.create()
        if new_sink is not None:
            self.sink = new_sink
        else:  # a new sink can't be made, for example because a certificate is missing; the outage tries again
            self._away_since = now

    def abandon(self) -> None:
        """Leave the connection and the spool files to the parent, in a forked child."""
        self._spools.release()
        self.sink.abandon()
        self._standby.abandon()
