"""The aborted transactions of a partition: which batches a reader has to leave out. Pure."""

import heapq
from collections.abc import Iterable

from .record_batch import Batch


class Aborted:
    """Which batches of a fetch belong to aborted transactions; asked about each batch once, in order."""

    def __init__(self, transactions: Iterable[tuple[int, int]]) -> None:
        self._coming = [(first_offset, producer) for producer, first_offset in transactions]
        heapq.heapify(self._coming)
        self._open: set[int] = set()

    def holds(self, batch: Batch) -> bool:
        """Whether nobody who reads committed records sees the batch."""
        while self._coming and self._coming[0][0] < batch.next_offset:
            self._open.add(heapq.heappop(self._coming)[1])
        if batch.is_control:
            self._open.discard(batch.producer_id)
            return True
        return batch.is_transactional and batch.producer_id in self._open
