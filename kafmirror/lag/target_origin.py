"""The check that the target's last record is one of the source's topic as it is now, and not of an earlier one."""

from typing import NamedTuple

from ..batches.record import decode_records
from ..batches.record_batch import Batch, is_mirror_producer_id, is_written_by
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import Partition

NEW_LEADER_PAUSE_S = 1.0
"""The time between two looks at a source that ends before its copy."""


class MirroredEnd(NamedTuple):
    """The end of a partition's copy.

    Attributes:
        position: the source's offset behind the target's last record, if that record is the source's.
        last_batch: the target's last batch; None when the target holds no records.
        source_end: the source's end.
    """

    position: int
    last_batch: Batch | None
    source_end: int


async def find_foreign_end(
    source: ClusterView, target: ClusterView, pair: tuple[Partition, Partition], end: MirroredEnd
) -> str | None:
    """Say why the target's last record isn't one of the source's; return None if it may be.

    Raises:
        KafkaUnavailable, KafkaRefused: the source doesn't answer.
    """
    position, last_batch, source_end = end
    is_own = last_batch is not None and is_written_by(last_batch, source.derive_mirror_producer_id(pair[0].topic))
    if source_end < position:  # a new leader may not know its end yet
        await source.connection.loop.sleep(NEW_LEADER_PAUSE_S)
        source_end = (await source.fetch_bounds(pair[0], is_read_committed=True)).end
    if position <= source_end and (
        is_own or last_batch is None or await _holds_last_record(source, pair[0], last_batch)
    ):
        return None
    where = f"{target.connection.name} holds records in {pair[1]} up to offset {position - 1}"
    if is_own:
        return f"the source has lost records: it ends at {source_end}, but {where}"
    if last_batch is None or is_mirror_producer_id(last_batch.producer_id):
        return (
            f"{where} that were copied from another topic, not from {pair[0].topic} of {source.connection.name} as it "
            f"is now, which ends at {source_end}: it was probably deleted and created again. Nothing of it is mirrored"
        )
    return f"{where} that aren't the source's, which ends at {source_end}: somebody else wrote them"


async def _holds_last_record(source: ClusterView, partition: Partition, last_batch: Batch) -> bool:
    """Return whether the source holds the last record of a batch, or none at its offset: compaction may remove it."""
    records = [] if last_batch.is_control else decode_records(last_batch)
    if not records:
        return True
    source_batch = await source.fetch_batch_at(partition, records[-1].offset)
    source_records = decode_records(source_batch) if source_batch is not None else []
    return all(each == records[-1] for each in source_records if each.offset == records[-1].offset)
