"""The preparation of queued events for sending: they are redacted, then shrunk."""

from collections import deque
from collections.abc import Iterator
from functools import partial

from ...event.event import MAX_EVENT_BYTES
from ...payloads import open_store
from ..prepare.payload_offload import EventShrinker, ShrunkEvent, shorten_event
from ..prepare.redaction import Redactor
from ..prepare.thread_pool import Future
from ..sinks.outbound import OutboundEvent
from ..system.running_time import running_time
from .accounting import Ledger
from .options import RecordingOptions

WaitingRecord = tuple[OutboundEvent, "Future[ShrunkEvent] | None"]
"""A record that waits, and the future of its own large values, if it has any."""

STORE_GIVE_UP_S = 2.0
"""How long ``give_up`` waits for values that are on their way to the store, in seconds."""


class EventPreparer:
    """A preparer of records. A session's records keep their order.

    A record waits until its large values are in the payload store. The session's later records wait behind it.
    """

    def __init__(self, options: RecordingOptions, ledger: Ledger) -> None:
        self._ledger = ledger
        self._redactor = Redactor(options.redact, use_builtin_rules=options.use_builtin_rules)
        self._waiting: dict[str, deque[WaitingRecord]] = {}
        location = options.payload_store
        self._shrinker = EventShrinker(
            None if location is None else partial(open_store, location), options.outage_timeout_s
        )

    @property
    def has_waiting(self) -> bool:
        """Whether records wait for the store."""
        return bool(self._waiting)

    def prepare(self, records: list[OutboundEvent]) -> list[OutboundEvent]:
        """Return the records that may be sent now. The others wait for the store."""
        now = running_time()
        values = self._redactor.redact_events([record.value for record in records])
        for record, value in zip(records, values, strict=True):
            record.value, record.since = value, now
        self._ledger.add_taken(records)
        if not self._waiting and max(map(len, values), default=0) <= MAX_EVENT_BYTES:
            return records
        return [record for record in records if not self._must_wait(record)]

    def _must_wait(self, record: OutboundEvent) -> bool:
        """Shrink a large record. Return whether the store must answer first, for it or for another of its session."""
        shrunk = self._shrinker.shrink(record.value) if len(record.value) > MAX_EVENT_BYTES else None
        if isinstance(shrunk, ShrunkEvent):
            self._apply_shrunk(record, shrunk)
            shrunk = None
        session = record.author.session_id
        if shrunk is None and session not in self._waiting:
            return False
        self._waiting.setdefault(session, deque()).append((record, shrunk))
        return True

    def _apply_shrunk(self, record: OutboundEvent, shrunk: ShrunkEvent) -> None:
        record.value = shrunk.value
        self._ledger.shortened += shrunk.shortened_count

    def release_stored(self) -> Iterator[OutboundEvent]:
        """Yield the records that waited for the store and may be sent now."""
        for session, waiting in list(self._waiting.items()):
            while waiting and (waiting[0][1] is None or waiting[0][1].done()):
                record, shrunk = waiting.popleft()
                if shrunk is not None:
                    self._apply_shrunk(record, shrunk.result())
                yield record
            if not waiting:
                del self._waiting[session]

    def give_up(self) -> None:
        """Stop waiting for the store. Values that aren't stored yet are shortened."""
        self._shrinker.is_giving_up = True
        deadline = running_time() + STORE_GIVE_UP_S
        for waiting in self._waiting.values():
            for index, (record, shrunk) in enumerate(waiting):
                if shrunk is not None and not _wait_until_done(shrunk, deadline - running_time()):
                    self._apply_shrunk(record, shorten_event(record.value))
                    waiting[index] = record, None


def _wait_until_done(shrunk: "Future[ShrunkEvent]", timeout_s: float) -> bool:
    try:
        shrunk.result(max(timeout_s, 0.0))
    except TimeoutError:
        return False
    return True
