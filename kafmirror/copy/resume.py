"""The resume point of a partition's copy, read from both sides. Fillers are written and deleted on the way."""

import time

from ..batches.checkpoint import CopyFrom, Fill, RecordsLost, Refuse, ReplicaState, Trim, decide
from ..batches.filler import MAX_FILLER_RECORDS, FillProgress, build_filler, is_filler
from ..batches.offset_header import restore_source_records, with_new_offset
from ..batches.record import decode_records
from ..batches.record_batch import Stamp
from ..errors import MirrorStopped
from ..kafka import topic_admin
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import BrokerError
from ..kafka.fetch_produce import parse_produce_response, produce
from .partition_copy import PartitionCopy


async def find_resume_point(copy: PartitionCopy, source: ClusterView, target: ClusterView) -> CopyFrom | RecordsLost:
    """Return where the copy continues. If the source doesn't begin at offset 0, fill the target up to its beginning.

    Raises:
        MirrorStopped: the copy can't continue exactly.
        KafkaUnavailable, KafkaRefused: a cluster doesn't answer.
    """
    has_retried = False
    while True:
        replica = await _read_replica_state(copy, source, target)
        decision = decide(replica, copy.buffer.producer_id)
        if (
            isinstance(decision, RecordsLost)
            and copy.trimmed_below == decision.first == replica.target_end
            and replica.last_batch is None
        ):
            decision = Fill(replica.source_low)  # retention deleted more of the source's beginning in the meantime
        match decision:
            case Fill(up_to):
                await _write_fillers(copy, target, replica.target_end, up_to)
            case Trim(below):
                await topic_admin.delete_records(target.connection, target.metadata, copy.target, below)
                copy.trimmed_below = below
            case Refuse() if not has_retried:
                has_retried = True  # a new leader may not know the end yet
                await target.connection.loop.sleep(1.0)
            case Refuse(reason):
                raise MirrorStopped(f"{copy.source} to {target.connection.name}, {copy.target}: {reason}")
            case CopyFrom() | RecordsLost():
                await _check_last_record(copy, replica, source)
                return decision


async def _read_replica_state(copy: PartitionCopy, source: ClusterView, target: ClusterView) -> ReplicaState:
    """Read both sides. The target comes first, so that another mirror's progress doesn't put it ahead of the source."""
    target_low, target_end = await target.fetch_bounds(copy.target)
    last_batch = await target.fetch_batch_at(copy.target, target_end - 1) if target_end > target_low else None
    is_position_in_batch = target_end == 0 or (last_batch is not None and last_batch.is_dense)
    noted_offsets = (
        None if is_position_in_batch else await target.fetch_noted_offsets(copy.target, copy.buffer.producer_id)
    )
    if target_end > target_low and (last_batch is None or last_batch.next_offset < target_end):
        raise BrokerError(
            f"cluster {target.connection.name}: {copy.target} ends at {target_end}, but its last batch can't be read", 9
        )
    source_low, source_end = await source.fetch_bounds(copy.source, is_read_committed=True)
    return ReplicaState(
        source_low,
        source_end,
        target_low,
        target_end if last_batch is None else last_batch.next_offset,
        last_batch,
        copy.adopted_end,
        noted_offsets,
    )


async def _write_fillers(copy: PartitionCopy, target: ClusterView, end: int, up_to: int) -> None:
    """Write fillers from ``end`` to ``up_to``. Stop early when another mirror writes there."""
    producer_id = copy.buffer.producer_id
    now = int(time.time() * 1000)
    copy.fill = FillProgress(end, end, up_to, time.monotonic())
    full_filler = build_filler(min(MAX_FILLER_RECORDS, up_to - end), Stamp(producer_id, end), now)
    while end < up_to:
        count = min(MAX_FILLER_RECORDS, up_to - end)
        stamp = Stamp(producer_id, end)
        data = with_new_offset(full_filler, stamp) if count == MAX_FILLER_RECORDS else build_filler(count, stamp, now)
        if not await _write_filler(copy, target, data, end, producer_id):
            break
        end += count
        copy.fill = copy.fill._replace(position=end)
    copy.fill = None


async def _write_filler(
    copy: PartitionCopy, target: ClusterView, data: bytes, base_offset: int, producer_id: int
) -> bool:
    """Write a filler, and return whether a filler of any mirror is now at ``base_offset``."""
    node = target.find_leader_node(copy.target)
    await target.connection.wait_while_paused(node)
    future = produce(target.connection, node, {copy.target: data}, target.topic_ids)
    response = await target.connection.await_response(future)
    result = parse_produce_response(response, target.topic_ids)[copy.target]
    if result.error:
        return False
    if result.base_offset != base_offset:
        raise MirrorStopped(describe_foreign_write(copy, target.connection.name, base_offset, result.base_offset))
    written_batch = await target.fetch_batch_at(copy.target, base_offset)
    return (
        written_batch is not None and written_batch.base_offset == base_offset and is_filler(written_batch, producer_id)
    )


def describe_foreign_write(copy: PartitionCopy, cluster: str, expected_offset: int, actual_offset: int) -> str:
    """Return the message for a batch that was acknowledged at another offset."""
    return (
        f"{copy.source} to {cluster}, {copy.target}: somebody else writes into the target: "
        f"the batch for offset {expected_offset} was written at {actual_offset}. "
        f"Offsets {expected_offset} to {actual_offset - 1} hold records of another writer, and from {actual_offset} on "
        "the copy isn't exact. Stop that writer, delete the target topic, and mirror it again"
    )


async def _check_last_record(copy: PartitionCopy, replica: ReplicaState, source: ClusterView) -> None:
    """Check that the target's last record is the source's record at that offset.

    This finds a source that lost records in an unclean election and then took others in their place. Leader epochs
    show that only to a mirror that fetched all the time.
    """
    if replica.last_batch is None or copy.buffer.is_compacted or copy.adopted_end == replica.target_end:
        return
    target_records = restore_source_records(replica.last_batch, copy.buffer.producer_id)
    target_record = target_records[-1] if target_records else None
    if target_record is not None and target_record.offset >= replica.source_low:
        source_batch = await source.fetch_batch_at(copy.source, target_record.offset)
        if source_batch is None or target_record not in decode_records(source_batch):
            raise MirrorStopped(
                f"{copy.source}: the source's record at offset {target_record.offset} isn't the one that was mirrored. "
                "The source has lost records (an unclean leader election); the target holds those that it had before"
            )
