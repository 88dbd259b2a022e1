"""A reader of a partition's batches in order, without aborted transactions."""

from collections import deque
from collections.abc import Iterable

from ..batches.aborted_transactions import AbortedTransactions
from ..batches.record_batch import Batch, is_intact, split_batches
from ..errors import MirrorStopped
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import is_transient
from ..kafka.metadata import Partition

MAX_READERS = 64
"""The most partitions that are read at once."""

MAX_FETCHED_BYTES = 16 << 20
"""How much all readers of a side fetch at once."""

MAX_FETCH_BYTES, MIN_FETCH_BYTES = 4 << 20, 128 << 10
"""How much one reader fetches at once. It doubles when a batch is larger."""


def divide_fetch_bytes(reader_count: int) -> int:
    """Return how much each of several readers fetches at once."""
    return min(max(MAX_FETCHED_BYTES // max(reader_count, 1), MIN_FETCH_BYTES), MAX_FETCH_BYTES)


class BatchReader:
    """A reader of a partition's batches from ``start`` to ``end``. The first batch may begin before ``start``."""

    def __init__(
        self, view: ClusterView, partition: Partition, start: int, end: int, fetch_bytes: int = MAX_FETCH_BYTES
    ) -> None:
        self.view, self.partition = view, partition
        self.position, self.end = start, end
        self._fetch_bytes = fetch_bytes
        self._queue: deque[Batch] = deque()

    @property
    def is_exhausted(self) -> bool:
        """Whether all batches were read."""
        return not self._queue and self.position >= self.end

    @property
    def must_fetch(self) -> bool:
        """Whether the next batch must be fetched."""
        return not self._queue and self.position < self.end

    async def read_next(self) -> Batch | None:
        """Return the next batch, or None at the end.

        Raises:
            MirrorStopped: a batch is damaged, or the partition now ends before ``end``.
            KafkaUnavailable, KafkaRefused: no broker answers, or it answers with an error.
        """
        while self.must_fetch:
            await self.fetch_once()
        return self._queue.popleft() if self._queue else None

    async def fetch_once(self) -> None:
        """Fetch once; raises as ``read_next`` does."""
        connection = self.view.connection
        fetched = await self.view.fetch_records(self.partition, self.position, self._fetch_bytes)
        if fetched.error and is_transient(fetched.error):
            self.view.metadata = await connection.fetch_metadata(self.view.topic_ids)
            await connection.loop.sleep(0.2)
            return
        if fetched.error:
            action = f"reading {self.partition} from offset {self.position}"
            raise connection.make_broker_error(fetched.error, action, right="READ")
        position_before = self.position
        self._queue_batches(fetched.records, fetched.aborted)
        if self.position == position_before:
            if fetched.records:
                self._fetch_bytes *= 2
            elif fetched.stable_end >= self.end:
                self.position = self.end  # no records are left up to the end
            else:
                raise MirrorStopped(
                    f"{self.partition} in {connection.name} now ends at {fetched.stable_end}, before {self.end}"
                )

    def _queue_batches(self, records: bytes, aborted: Iterable[tuple[int, int]]) -> None:
        aborted_transactions = AbortedTransactions(aborted)
        for batch in split_batches(records):
            is_hidden = aborted_transactions.is_hidden(batch)
            if batch.next_offset <= self.position:
                continue
            if batch.base_offset >= self.end:
                self.position = self.end
                return
            if not is_intact(batch):
                raise MirrorStopped(
                    f"{self.partition} in {self.view.connection.name}: the batch at {batch.base_offset} is damaged"
                )
            self.position = batch.next_offset
            if not is_hidden and batch.record_count:
                self._queue.append(batch)
