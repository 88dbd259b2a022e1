"""From the queue to what may leave: redacted, then shrunk; a session's events stay in their order."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from ...event.event import MAX_EVENT
from ...payloads import open_store
from ..prepare.payload_offload import Shrinker, Shrunk, shortened
from ..prepare.redaction import Redactor
from ..sinks.outbound import Outbound
from .accounting import Ledger
from .options import Options

Waiting = tuple[Outbound, "Future[Shrunk] | None"]


class Preparer:
    """Makes records ready to leave; a session waits for its large values that are on their way to the store."""

    def __init__(self, options: Options, ledger: Ledger) -> None:
        self._ledger = ledger
        self._redactor = Redactor(options.redact, ready=options.ready_rules)
        self._held: dict[str, deque[Waiting]] = {}
        where = options.payloads
        self._shrinker = Shrinker(None if where is None else partial(open_store, where), options.outage_s)

    @property
    def holds(self) -> bool:
        """Whether records wait for the store."""
        return bool(self._held)

    def prepared(self, records: Sequence[Outbound]) -> Iterator[Outbound]:
        """Those of ``records`` that may leave now; the others, or their session, have to wait for the store."""
        now = time.monotonic()
        values = self._redactor.redacted([record.value for record in records])
        for record, value in zip(records, values, strict=True):
            record.value, record.since = value, now
            self._ledger.took(record)
            shrunk = self._shrinker.shrink(value) if len(value) > MAX_EVENT else None
            if isinstance(shrunk, Shrunk):
                self._apply(record, shrunk)
                shrunk = None
            session = record.author.session_id
            if shrunk is not None or session in self._held:
                self._held.setdefault(session, deque()).append((record, shrunk))
            else:
                yield record

    def _apply(self, record: Outbound, shrunk: Shrunk) -> None:
        record.value = shrunk.value
        self._ledger.shortened += shrunk.shortened

    def released(self) -> Iterator[Outbound]:
        """What had to wait for the store, and may leave now."""
        for session, waiting in list(self._held.items()):
            while waiting and (waiting[0][1] is None or waiting[0][1].done()):
                record, shrunk = waiting.popleft()
                if shrunk is not None:
                    self._apply(record, shrunk.result())
                yield record
            if not waiting:
                del self._held[session]

    def give_up(self) -> None:
        """Ask a store that can't be reached no more; what waits for it is shortened."""
        self._shrinker.giving_up = True
        deadline = time.monotonic() + 2.0
        for waiting in self._held.values():
            for at, (record, shrunk) in enumerate(waiting):
                if shrunk is not None and not _done(shrunk, deadline - time.monotonic()):
                    self._apply(record, shortened(record.value))
                    waiting[at] = record, None


def _done(shrunk: "Future[Shrunk]", timeout_s: float) -> bool:
    try:
        shrunk.result(max(timeout_s, 0.0))
    except TimeoutError:
        return False
    return True
