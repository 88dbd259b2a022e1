"""What lies in the log and isn't in the catalogue yet is read and added up; what was deleted is forgotten."""

import logging
import os
from contextlib import ExitStack, suppress

from agentlog.log.reader import Bounds, KafkaReader
from agentlog.session.accumulator import Sums
from agentlog.session.coverage import Searched

from .assignment import Share, shares
from .store import Mark, Store
from .worker import Helper
from .write_batch import Outrun, doubted, taken_over

ALONE = 150_000
"""So many records are read sooner than another process begins to."""
_log = logging.getLogger("agentlog.catalogue")
PROCESSES = min(os.cpu_count() or 1, 4)


class Update:
    """Brings a catalogue up to the end of a topic as it is now.

    Args:
        alone: so many records are read without help.
    """

    def __init__(self, reader: KafkaReader, topic: str, store: Store, searched: Searched, alone: int = ALONE) -> None:
        self._reader, self._topic, self._store, self._searched, self._alone = reader, topic, store, searched, alone

    def run(self) -> None:
        """Read what is new and keep it; whoever does the same at the same time isn't waited for.

        Raises:
            KafkaError: the topic can't be read.
            sqlite3.Error: the catalogue can't be written.
        """
        bounds = self._reader.bounds(self._topic, range(self._reader.partition_count(self._topic)))
        while True:
            with self._store.changing():
                marks = self._trimmed(bounds)
            try:
                return self._read(marks, bounds)
            except Outrun:
                continue

    def _trimmed(self, bounds: dict[int, Bounds]) -> dict[int, Mark]:
        """Where to go on, once what the log doesn't hold any more is forgotten."""
        marks = self._store.marks()
        if any(p not in bounds or mark.position > bounds[p].high for p, mark in marks.items()):
            _log.warning("topic %s has lost records that the catalogue knew of, so it is made anew", self._topic)
            self._store.clear()
            marks = {}
        gone = {p: mark for p, mark in marks.items() if mark.low < bounds[p].low}
        for partition in gone:
            low = bounds[partition].low
            cut = self._store.load(self._store.lying_before(partition, low))
            self._store.drop(cut)
            self._store.put((sums, None) for sums in map(doubted, cut.values()) if _shortened(sums, partition, low))
            self._store.drop_unreadable(partition, low)
        found = {p: Mark(b.low, max(b.low, marks[p].position if p in marks else 0)) for p, b in bounds.items()}
        self._store.put_marks(found)
        return found

    def _read(self, marks: dict[int, Mark], bounds: dict[int, Bounds]) -> None:
        """Read a share, while helpers read the others; what a helper didn't manage is read afterwards."""
        starts, ends = {p: mark.position for p, mark in marks.items()}, {p: b.high for p, b in bounds.items()}
        many = sum(ends.values()) - sum(starts.values()) > self._alone
        mine, *others = shares(self._topic, starts, ends, PROCESSES if many else 1)
        with ExitStack() as running:
            helpers = [self._helper(share, running) for share in others]
            marks = mine.read(self._reader, self._store, marks, self._heard)
            for helper, share in zip(helpers, others, strict=True):
                if helper is not None and (records := helper.end()) is not None:
                    marks = taken_over(self._store, helper.path, marks)
                    self._heard(records)
                else:
                    marks = share.read(self._reader, self._store, marks, self._heard)

    def _helper(self, share: Share, running: ExitStack) -> Helper | None:
        """Who reads a share beside us; None where no process can be started, or there is no room for its store."""
        with suppress(OSError):
            return running.enter_context(Helper(self._reader.cluster, share))
        return None

    def _heard(self, records: int) -> None:
        self._searched.records += records


def _shortened(sums: Sums, partition: int, low: int) -> bool:
    """Let a session begin at what is left of it; whether anything is."""
    lay = sums.lays[partition]
    if lay.last < low:
        del sums.lays[partition]
    else:
        lay.first = max(lay.first, low)
    return bool(sums.lays)
