"""The spool files that a sender has events in: its own of this outage, and those that earlier runs left."""

import logging
from collections import deque

from ..sinks.outbound import Outbound
from .accounting import Ledger
from .options import Options
from .spool_file import Spool

_log = logging.getLogger("agentlog.recording")


class Spools:
    """First in, first out: what is recorded while its own file drains goes through it too.

    Attributes:
        own: the file of this outage, or None.
    """

    def __init__(self, options: Options, ledger: Ledger, process: str) -> None:
        self._options, self._ledger = options, ledger
        self._path = options.spool / f"{options.spool_name}.{process}.ndjson"
        self.own: Spool | None = None
        left = Spool.left_behind(options.spool, options.spool_name) if options.on_outage == "spool" else ()
        self._earlier = deque(left)
        self._chunk: set[Outbound] = set()
        self._resting = False
        self._refused = 0

    @property
    def empty(self) -> bool:
        """Whether nothing waits in a file."""
        return self.own is None and not self._earlier

    def write(self, records: list[Outbound]) -> None:
        """Write records into the own file; they are lost where it can't be written."""
        try:
            if self.own is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self.own = Spool(self._path)
                _log.warning("events wait in %s until Kafka can be reached", self._path)
            self.own.append(records, self._options.topic)
        except OSError as error:
            _log.error("%d events are lost: the spool %s: %s", len(records), self._path, error)
            for record in records:
                self._ledger.was_dropped(record)
            return
        for record in records:
            self._ledger.was_spooled(record)

    def next_chunk(self) -> list[Outbound]:
        """The next events to be sent, once those before them have been."""
        spool = self.own or (self._earlier[0] if self._earlier else None)
        if spool is None or self._chunk:
            return []
        self._ledger.left_spool(spool.commit(), self._refused, own=spool is self.own)
        self._refused = 0
        if not spool.unread:
            self._sent(spool)
            return []
        if self._resting:
            return []
        chunk = spool.chunk()
        self._chunk, self._refused = set(chunk), spool.unreadable
        return chunk

    def rest(self) -> bool:
        """Send no more; whether all that was sent is noted, so that no later run sends it again."""
        self._resting = True
        self.next_chunk()
        return not self._chunk

    def _sent(self, spool: Spool) -> None:
        _log.warning("the events in %s have all been sent", spool.path)
        spool.finish()
        if spool is self.own:
            self.own = None
        else:
            self._earlier.popleft()

    def settled(self, record: Outbound, *, refused: bool = False) -> None:
        """A record of the chunk arrived, or never will."""
        self._chunk.discard(record)
        self._refused += refused

    def rewind(self) -> None:
        """Take back the chunk that is being sent."""
        self._chunk.clear()
        self._refused = 0
        for spool in (self.own, *self._earlier):
            if spool is not None:
                spool.rewind()

    def leave(self) -> None:
        """Leave the files to a later run, or to the process that we were forked from."""
        for spool in (self.own, *self._earlier):
            if spool is not None:
                spool.leave()
