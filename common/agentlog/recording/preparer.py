"""From the queue to what may leave: encoded, redacted, shrunk; a session's events stay in their order."""

import logging
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial

from ..payloads import open_store
from .large import MAX_EVENT, Shrinker, Shrunk, shortened
from .ledger import Ledger
from .options import Options
from .records import Entry, HeaderList, Outbound, encoded

_log = logging.getLogger("agentlog.recording")

Waiting = tuple[Outbound, "Future[Shrunk] | None"]


class Preparer:
    """Makes records of entries; those of a session whose large values are on their way to the store wait for them."""

    def __init__(self, options: Options, headers: HeaderList, ledger: Ledger) -> None:
        self._options, self._headers, self._ledger = options, headers, ledger
        self._held: dict[str, deque[Waiting]] = {}
        where = options.payloads
        self._shrinker = Shrinker(None if where is None else partial(open_store, where), options.outage_s)

    @property
    def holds(self) -> bool:
        """Whether records wait for the store."""
        return bool(self._held)

    def prepared(self, entry: Entry) -> Outbound | None:
        """The record of ``entry``; None while it, or its session, has to wait for the store."""
        value = self._encoded(entry)
        record = Outbound(entry.author, value, entry.at_ns // 1_000_000, self._headers)
        record.size, record.tells = entry.size, entry.tells
        self._ledger.took(record, len(value))
        shrunk = self._shrinker.shrink(value) if len(value) > MAX_EVENT else None
        if isinstance(shrunk, Shrunk):
            self._apply(record, shrunk)
            shrunk = None
        session = entry.author.session_id
        if shrunk is not None or session in self._held:
            self._held.setdefault(session, deque()).append((record, shrunk))
            return None
        return record

    def _encoded(self, entry: Entry) -> bytes:
        options = self._options
        try:
            return encoded(entry, options.redact, ready=options.ready_rules)
        except Exception as error:  # noqa: BLE001  one event that can't be written must not stop the others
            _log.exception("an event of %s couldn't be written as it was", entry.author.session_id)
            told = {"recording": f"left out: {type(error).__name__} while it was written"}
            return encoded(entry._replace(payload=told, context={}), None, ready=False)

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
