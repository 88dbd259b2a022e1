"""The aborted transactions of a partition: which batches a reader has to leave out. Pure."""

import heapq
from collections.abc import Iterable

from .record_batch import Batch


class AbortedTransactions:
    """Which batches of a fetch belong to aborted transactions; asked about each batch once, in order."""

    def __init__(self, transactions: Iterable[tuple[int, int]]) -> None:
        self._pending = [(first_offset, producer_id) for producer_id, first_offset in transactions]
        heapq.heapify(self._pending)
        self._open_producer_ids: set[int] = set()

    def is_hidden(self, batch: Batch) -> bool:
        """Whether nobody who reads committed records sees the batch."""
        while self._pending and self._pending[0][0] < batch.next_offset:
            self._open_producer_ids.add(heapq.heappop(self._pending)[1])
        if batch.is_control:
            self._open_producer_ids.discard(batch.producer_id)
            return True
        return batch.is_transactional and batch.producer_id in self._open_producer_ids
