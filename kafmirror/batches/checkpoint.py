"""Where a partition's copy goes on, told from what the target holds. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from .filler import is_filler
from .offset_header import find_next_source_offset
from .record import decode_records
from .record_batch import Batch, is_written_by


@dataclass(frozen=True)
class ReplicaState:
    """What is known of a partition on both sides.

    Attributes:
        source_low, source_end: the offsets of the first record that the source holds, and behind the last one that no
            open transaction holds back.
        low, end: the same of the target.
        last_batch: the target's last batch; None when it holds none.
        adopted_end: the end of records that somebody else wrote, and that were found to be the source's; None without such.
        noted_offsets: the target's and the source's offset as a mirror last noted them for a partition with gaps, or None.
    """

    source_low: int
    source_end: int
    target_low: int
    target_end: int
    last_batch: Batch | None
    adopted_end: int | None = None
    noted_offsets: tuple[int, int] | None = None


class CopyFrom(NamedTuple):
    """Copy from this offset of the source to this offset of the target.

    ``should_read_back_first`` says that the first batch must be read back before a second one is sent: nothing in the target tells yet
    that every mirror means to write a record there.
    """

    source: int
    target: int
    should_read_back_first: bool


class Fill(NamedTuple):
    """Write fillers from the target's end up to here."""

    up_to: int


class Trim(NamedTuple):
    """Delete the fillers below this offset."""

    below: int


class RecordsLost(NamedTuple):
    """Retention deleted these offsets of the source before they were copied; the copy can go on behind them."""

    first: int
    next_source: int
    target: int


class Refuse(NamedTuple):
    """Nothing can be copied, and why."""

    reason: str


Decision = CopyFrom | Fill | Trim | RecordsLost | Refuse


def decide(replica: ReplicaState, producer_id: int) -> Decision:
    """What comes next for a partition.

    Raises:
        ValueError: the target's last batch is damaged.
    """
    if replica.last_batch is not None and not is_written_by(replica.last_batch, producer_id):
        return _decide_after_foreign_batch(replica, replica.last_batch)
    if replica.last_batch is not None and is_filler(replica.last_batch, producer_id):
        return Fill(replica.source_low) if replica.target_end < replica.source_low else Trim(replica.target_end)
    if replica.target_end == 0 and replica.source_low > 0:
        return Fill(replica.source_low)
    source_offset = find_mirrored_position(replica.last_batch, replica.target_end, replica.noted_offsets, producer_id)
    if source_offset is None:
        noted_target = replica.noted_offsets[0] if replica.noted_offsets else 0
        return Refuse(
            f"retention or compaction took the target's last records, its log ends at {replica.target_end}, and the last note of "
            f"where that is in the source was made at {noted_target}: make the target topic anew"
        )
    return _decide_copy(replica, source_offset, should_read_back_first=replica.last_batch is None)


def find_mirrored_position(
    last_batch: Batch | None, target_end: int, noted_offsets: tuple[int, int] | None, producer_id: int
) -> int | None:
    """The source's offset that follows what a target holds; None when nobody knows.

    Args:
        last_batch: the target's last batch, None when it holds no records.
        target_end: the target's end.
        noted_offsets: the target's and the source's offset as last noted; asked for only where ``last_batch`` isn't whole.
        producer_id: the mirror's producer id.

    Raises:
        ValueError: the batch is damaged.
    """
    if last_batch is not None and not is_written_by(last_batch, producer_id):
        return target_end
    if last_batch is not None and last_batch.is_dense:
        return find_next_source_offset(last_batch, producer_id)
    if noted_offsets is None or noted_offsets[0] == target_end:
        return noted_offsets[1] if noted_offsets else target_end
    records = decode_records(last_batch) if last_batch is not None else []
    if last_batch is not None and records and records[-1].offset == last_batch.next_offset - 1:
        return find_next_source_offset(last_batch, producer_id)  # its very last record is still there
    return None


def _decide_after_foreign_batch(replica: ReplicaState, last_batch: Batch) -> Decision:
    if replica.target_end == replica.adopted_end:
        return _decide_copy(replica, replica.target_end, should_read_back_first=True)
    return Refuse(
        f"somebody else wrote into the target: the batch at offset {last_batch.base_offset}, up to {last_batch.next_offset - 1}, "
        "isn't this mirror's"
    )


def _decide_copy(replica: ReplicaState, source_offset: int, *, should_read_back_first: bool) -> Decision:
    if source_offset > replica.source_end:
        return Refuse(
            f"the source has lost records: it ends at {replica.source_end}, and what follows up to {source_offset - 1} is only "
            "in the target"
        )
    if source_offset < replica.source_low:
        return RecordsLost(source_offset, replica.source_low, replica.target_end)
    return CopyFrom(source_offset, replica.target_end, should_read_back_first)
