"""The aborted transactions of a partition, and the batches that a reader must skip. Pure."""

import heapq
from collections.abc import Iterable

from .record_batch import Batch


class AbortedTransactions:
    """A filter for the batches of one fetch. Call ``is_hidden`` once for each batch, in the order of offsets.

    Args:
        transactions: producer id and first offset of each aborted transaction, as a fetch response lists them.
    """

    def __init__(self, transactions: Iterable[tuple[int, int]]) -> None:
        self._pending = [(first_offset, producer_id) for producer_id, first_offset in transactions]
        heapq.heapify(self._pending)
        self._open_producer_ids: set[int] = set()

    def is_hidden(self, batch: Batch) -> bool:
        """Return whether a reader of committed records must skip the batch."""
        while self._pending and self._pending[0][0] < batch.next_offset:
            self._open_producer_ids.add(heapq.heappop(self._pending)[1])
        if batch.is_control:
            self._open_producer_ids.discard(batch.producer_id)
            return True
        return batch.is_transactional and batch.producer_id in self._open_producer_ids
