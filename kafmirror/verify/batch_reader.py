"""Reading a partition's batches in order, as one who sees committed records only."""

from collections import deque
from collections.abc import Iterable

from ..batches.aborted_transactions import Aborted
from ..batches.record_batch import Batch, is_intact, split
from ..errors import MirrorStopped
from ..kafka.cluster_view import Side
from ..kafka.connection import is_transient
from ..kafka.fetch_produce import Asked, fetch
from ..kafka.metadata import Partition

READ_BYTES = 4 << 20
_WAIT_MS = 200


class Reader:
    """A partition's batches from an offset on, up to an end; their first may begin before it."""

    def __init__(self, side: Side, partition: Partition, start: int, end: int) -> None:
        self.side, self.partition = side, partition
        self.position, self.end = start, end
        self._bytes = READ_BYTES
        self._ready: deque[Batch] = deque()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to come."""
        return not self._ready and self.position >= self.end

    async def next(self) -> Batch | None:
        """The next batch, None at the end.

        Raises:
            MirrorStopped: a batch is damaged, or what was to be read was deleted meanwhile.
            KafkaUnavailable, KafkaRefused: no answer.
        """
        while not self._ready and self.position < self.end:
            await self._fetch()
        return self._ready.popleft() if self._ready else None

    async def _fetch(self) -> None:
        wire = self.side.wire
        asked = {self.partition: Asked(self.position, -1, max_bytes=self._bytes)}
        node = self.side.node(self.partition)
        fetched = (await fetch(wire, node, asked, self.side.ids, _WAIT_MS))[self.partition]
        if fetched.error and is_transient(fetched.error):
            self.side.metadata = await wire.metadata(self.side.ids)
            await wire.loop.sleep(0.2)
            return
        if fetched.error:
            raise wire.problem(fetched.error, f"reading {self.partition} from offset {self.position}")
        before = self.position
        self._take(fetched.records, fetched.aborted)
        if self.position == before:
            if fetched.records:
                self._bytes *= 2
            elif fetched.stable_end >= self.end:
                self.position = self.end  # nothing but deleted offsets
            else:
                raise MirrorStopped(f"{self.partition} in {wire.name} ends at {fetched.stable_end}, below {self.end}")

    def _take(self, records: bytes, aborted: Iterable[tuple[int, int]]) -> None:
        hidden = Aborted(aborted)
        for batch in split(records):
            skip = hidden.holds(batch)
            if batch.next_offset <= self.position:
                continue
            if batch.base_offset >= self.end:
                self.position = self.end
                return
            if not is_intact(batch):
                raise MirrorStopped(f"{self.partition} in {self.side.wire.name}: batch {batch.base_offset} is damaged")
            self.position = batch.next_offset
            if not skip and batch.record_count:
                self._ready.append(batch)
