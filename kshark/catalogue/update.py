"""The update of a catalogue: it adds the log's new records and removes those that retention has deleted."""

import logging
import os
from contextlib import ExitStack, suppress

from agentlog.log.reader import Bounds, KafkaReader
from agentlog.session.accumulator import SessionAccumulator
from agentlog.session.coverage import SearchReport

from .assignment import Assignment, assign_partitions
from .partition_bounds import fetch_all_bounds
from .store import PartitionProgress, Store
from .worker import WorkerProcess
from .write_batch import ConcurrentUpdate, merge_from, without_totals

MAX_RECORDS_WITHOUT_WORKERS = 150_000
"""Up to this number of records, reading them takes less time than starting a worker process."""
_log = logging.getLogger("agentlog.catalogue")
MAX_PROCESSES = min(os.cpu_count() or 1, 4)


class CatalogueUpdate:
    """An update of a catalogue to the current end of its topic.

    Args:
        max_without_workers: the most records that are read without worker processes.
    """

    def __init__(
        self,
        reader: KafkaReader,
        topic: str,
        store: Store,
        searched: SearchReport,
        max_without_workers: int = MAX_RECORDS_WITHOUT_WORKERS,
    ) -> None:
        self._reader, self._topic, self._store, self._searched, self._max_without_workers = (
            reader,
            topic,
            store,
            searched,
            max_without_workers,
        )

    def run(self) -> None:
        """Read the new records and write what they add. Another process may update the same catalogue meanwhile.

        Raises:
            KafkaError: the topic can't be read.
            sqlite3.Error: the catalogue can't be written.
        """
        bounds = fetch_all_bounds(self._reader, self._topic, self._store.read_progress())
        while True:
            with self._store.transaction():
                progress = self._forget_deleted(bounds)
            try:
                return self._read_new_records(progress, bounds)
            except ConcurrentUpdate:
                continue

    def _forget_deleted(self, bounds: dict[int, Bounds]) -> dict[int, PartitionProgress]:
        """Remove the records that the log doesn't hold any more, and return where to continue reading."""
        progress = self._store.read_progress()
        if any(p not in bounds or mark.position > bounds[p].high for p, mark in progress.items()):
            _log.warning(
                "topic %s has lost records that the catalogue knew, so the catalogue is created again", self._topic
            )
            self._store.clear()
            progress = {}
        trimmed = {p: mark for p, mark in progress.items() if mark.low < bounds[p].low}
        for partition in trimmed:
            low = bounds[partition].low
            affected = self._store.load_accumulators(self._store.find_sessions_before(partition, low))
            self._store.drop_sessions(affected)
            self._store.put_sessions(
                (sums, None) for sums in map(without_totals, affected.values()) if _trim_ranges(sums, partition, low)
            )
            self._store.drop_unreadable(partition, low)
        new_progress = {
            p: PartitionProgress(b.low, max(b.low, progress[p].position if p in progress else 0))
            for p, b in bounds.items()
        }
        self._store.write_progress(new_progress)
        return new_progress

    def _read_new_records(self, progress: dict[int, PartitionProgress], bounds: dict[int, Bounds]) -> None:
        """Read one share while workers read the others; then read the shares of workers that failed."""
        starts, ends = {p: mark.position for p, mark in progress.items()}, {p: b.high for p, b in bounds.items()}
        needs_workers = sum(ends.values()) - sum(starts.values()) > self._max_without_workers
        own_assignment, *worker_assignments = assign_partitions(
            self._topic, starts, ends, MAX_PROCESSES if needs_workers else 1
        )
        with ExitStack() as exit_stack:
            workers = [self._start_worker(share, exit_stack) for share in worker_assignments]
            progress = own_assignment.read_partitions(self._reader, self._store, progress, self._count_read)
            for worker, share in zip(workers, worker_assignments, strict=True):
                if worker is not None and (records := worker.wait()) is not None:
                    progress = merge_from(self._store, worker.path, progress)
                    self._count_read(records)
                else:
                    progress = share.read_partitions(self._reader, self._store, progress, self._count_read)

    def _start_worker(self, assignment: Assignment, exit_stack: ExitStack) -> WorkerProcess | None:
        """Start a worker for a share; return None if no process can be started or the disk is full."""
        with suppress(OSError):
            return exit_stack.enter_context(WorkerProcess(self._reader.cluster, assignment))
        return None

    def _count_read(self, records: int) -> None:
        self._searched.records += records


def _trim_ranges(accumulator: SessionAccumulator, partition: int, log_start: int) -> bool:
    """Cut a session's range at the log's start; return whether any record of the session is left."""
    offset_range = accumulator.lays[partition]
    if offset_range.last < log_start:
        del accumulator.lays[partition]
    else:
        offset_range.first = max(offset_range.first, log_start)
    return bool(accumulator.lays)
