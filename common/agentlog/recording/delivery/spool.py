"""The spool files of a sender: the file of this outage, and the files of earlier runs."""

import errno
import logging
from collections import deque

from ...formatting import format_count
from ..sinks.outbound import OutboundEvent
from .accounting import Ledger
from .options import RecordingOptions
from .spool_file import SpoolFile, SpoolTakenError

_log = logging.getLogger("agentlog.recording")


class SpoolQueue:
    """A queue of events in spool files, first in, first out.

    Events recorded while this run's file is being sent go through the file too, so that they keep their order.

    Attributes:
        own_file: the file of this outage, or None.
    """

    def __init__(self, options: RecordingOptions, ledger: Ledger, process: str) -> None:
        self._options, self._ledger = options, ledger
        self._path = options.spool_folder / f"{options.spool_name}.{process}.ndjson"
        self._taken_paths_count = 0
        self.own_file: SpoolFile | None = None
        earlier_files = (
            SpoolFile.open_earlier(options.spool_folder, options.spool_name) if options.on_outage == "spool" else ()
        )
        self._earlier_files = deque(earlier_files)
        self._chunk: set[OutboundEvent] = set()
        self._is_stopped = False
        self._refused_count = self._lost_count = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits in a file."""
        return self.own_file is None and not self._earlier_files

    def write(self, records: list[OutboundEvent]) -> None:
        """Write records to this run's file. If that fails, they are lost."""
        try:
            self._append(records)
        except OSError as error:
            _log.error("%d events are lost; the spool %s can't be written: %s", len(records), self._path, error)
            for record in records:
                self._ledger.count_dropped(record, f"the spool can't be written: {error.strerror or error}")
            return
        for record in records:
            self._ledger.count_spooled(record)

    def _append(self, records: list[OutboundEvent]) -> None:
        own_file = self.own_file or self._open_own_file()
        try:
            own_file.append(records, self._options.topic)
        except SpoolTakenError:  # what became of its events is found out when it is read
            self._earlier_files.appendleft(own_file)
            self._taken_paths_count += 1
            self._path = self._path.with_suffix(f".{self._taken_paths_count}.ndjson")
            self._open_own_file().append(records, self._options.topic)

    def _open_own_file(self) -> SpoolFile:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self.own_file = own_file = SpoolFile(self._path)
        _log.warning("events wait in %s until Kafka can be reached", self._path)
        return own_file

    def next_chunk(self) -> list[OutboundEvent]:
        """Return the next events to send. The list is empty until the last ones are settled."""
        spool = self.own_file or (self._earlier_files[0] if self._earlier_files else None)
        if spool is None or self._chunk:
            return []
        self._ledger.count_sent_from_spool(spool.commit(), self._refused_count, is_own=spool.is_own)
        self._lost_count += self._refused_count
        self._refused_count = 0
        if not spool.has_unread:
            self._remove_sent(spool)
            return []
        if self._is_stopped:
            return []
        try:
            chunk = spool.read_chunk()
        except SpoolTakenError as error:
            self._leave_taken(spool, error)
            return []
        except OSError as error:
            _log.error("the events in %s wait for a later run; it can't be read: %s", spool.path, error)
            spool.release()
            self._forget(spool)
            return []
        self._chunk, self._refused_count = set(chunk), spool.unreadable_count
        return chunk

    def stop_sending(self) -> bool:
        """Stop sending.

        Returns:
            whether the files note all arrived events, so that no later run sends them again.
        """
        self._is_stopped = True
        self.next_chunk()
        return not self._chunk

    def _remove_sent(self, spool: SpoolFile) -> None:
        if self._lost_count:
            unsent = format_count(self._lost_count, "line")
            _log.error("the events in %s have been sent, but %s refused or unreadable", spool.path, unsent)
        else:
            _log.warning("the events in %s have all been sent", spool.path)
        spool.remove()
        self._forget(spool)

    def _leave_taken(self, spool: SpoolFile, error: SpoolTakenError) -> None:
        """Leave a file whose lock was lost, and which is gone or is sent by another process."""
        if error.errno == errno.ENOENT and spool.is_own:
            _log.error("%d events are lost; the spool %s: %s", spool.unsent_count, spool.path, error.strerror)
            self._ledger.count_sent_from_spool(spool.unsent_count, spool.unsent_count, is_own=True)
        else:
            _log.warning("the events in %s are left to another process: %s", spool.path, error.strerror)
        self._forget(spool)

    def _forget(self, spool: SpoolFile) -> None:
        self._lost_count = 0
        if spool is self.own_file:
            self.own_file = None
        else:
            self._earlier_files.popleft()

    def settle(self, record: OutboundEvent, *, is_refused: bool = False) -> None:
        """Note that a record of the chunk arrived, or was refused."""
        self._chunk.discard(record)
        self._refused_count += is_refused

    def rewind(self) -> None:
        """Go back to the first event that may not have arrived."""
        self._chunk.clear()
        self._refused_count = 0
        for spool in (self.own_file, *self._earlier_files):
            if spool is not None:
                spool.rewind()

    def release(self) -> None:
        """Leave the files to a later run, or to the parent process."""
        for spool in (self.own_file, *self._earlier_files):
            if spool is not None:
                spool.release()
