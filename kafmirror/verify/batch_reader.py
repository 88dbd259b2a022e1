"""Reading a partition's batches in order, as one who sees committed records only."""

from collections import deque
from collections.abc import Iterable

from ..batches.aborted_transactions import AbortedTransactions
from ..batches.record_batch import Batch, is_intact, split_batches
from ..errors import MirrorStopped
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import is_transient
from ..kafka.fetch_produce import PartitionFetch, fetch
from ..kafka.metadata import Partition

INITIAL_FETCH_BYTES = 4 << 20
_WAIT_MS = 200


class BatchReader:
    """A partition's batches from an offset on, up to an end; their first may begin before it."""

    def __init__(self, view: ClusterView, partition: Partition, start: int, end: int) -> None:
        self.view, self.partition = view, partition
        self.position, self.end = start, end
        self._fetch_bytes = INITIAL_FETCH_BYTES
        self._queue: deque[Batch] = deque()

    @property
    def is_exhausted(self) -> bool:
        """Whether there is nothing more to come."""
        return not self._queue and self.position >= self.end

    async def read_next(self) -> Batch | None:
        """The next batch, None at the end.

        Raises:
            MirrorStopped: a batch is damaged, or what was to be read was deleted meanwhile.
            KafkaUnavailable, KafkaRefused: no answer.
        """
        while not self._queue and self.position < self.end:
            await self._fetch()
        return self._queue.popleft() if self._queue else None

    async def _fetch(self) -> None:
        connection = self.view.connection
        requests = {self.partition: PartitionFetch(self.position, -1, max_bytes=self._fetch_bytes)}
        node = self.view.find_leader_node(self.partition)
        fetched = (await fetch(connection, node, requests, self.view.topic_ids, _WAIT_MS))[self.partition]
        if fetched.error and is_transient(fetched.error):
            self.view.metadata = await connection.fetch_metadata(self.view.topic_ids)
            await connection.loop.sleep(0.2)
            return
        if fetched.error:
            raise connection.make_broker_error(fetched.error, f"reading {self.partition} from offset {self.position}")
        position_before = self.position
        self._queue_batches(fetched.records, fetched.aborted)
        if self.position == position_before:
            if fetched.records:
                self._fetch_bytes *= 2
            elif fetched.stable_end >= self.end:
                self.position = self.end  # nothing but deleted offsets
            else:
                raise MirrorStopped(
                    f"{self.partition} in {connection.name} ends at {fetched.stable_end}, below {self.end}"
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
                    f"{self.partition} in {self.view.connection.name}: batch {batch.base_offset} is damaged"
                )
            self.position = batch.next_offset
            if not is_hidden and batch.record_count:
                self._queue.append(batch)
