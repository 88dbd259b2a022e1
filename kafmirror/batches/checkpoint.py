"""The decision where a partition's copy continues, made from what both sides hold. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from .filler import is_filler
from .offset_header import find_next_source_offset
from .record import decode_records
from .record_batch import Batch, is_written_by


@dataclass(frozen=True)
class ReplicaState:
    """A partition as both sides hold it.

    Attributes:
        source_low: the offset of the first record that the source holds.
        source_end: the offset behind the last record of the source that no open transaction holds back.
        target_low: the offset of the first record that the target holds.
        target_end: the offset behind the target's last record.
        last_batch: the target's last batch; None when the target holds no records.
        adopted_end: the end of records that another program wrote and that equal the source's; None when there are
            none.
        noted_offsets: the target's offset and the source's, as a mirror last noted them for a partition with gaps;
            None without a note.
    """

    source_low: int
    source_end: int
    target_low: int
    target_end: int
    last_batch: Batch | None
    adopted_end: int | None = None
    noted_offsets: tuple[int, int] | None = None


class CopyFrom(NamedTuple):
    """The decision to copy from offset ``source`` of the source to offset ``target`` of the target.

    Attributes:
        should_read_back_first: whether the first batch must be read back before a second one is sent. Another mirror
            may be writing fillers with the same sequence numbers, and no batch in the target shows that yet.
    """

    source: int
    target: int
    should_read_back_first: bool


class Fill(NamedTuple):
    """The decision to write fillers from the target's end up to an offset."""

    up_to: int


class Trim(NamedTuple):
    """The decision to delete the fillers below an offset."""

    below: int


class RecordsLost(NamedTuple):
    """Offsets of the source that retention deleted before they were copied.

    Attributes:
        first: the first offset that was deleted.
        next_source: the source's first offset behind them, where the copy can continue.
        target: the target's offset for that record.
    """

    first: int
    next_source: int
    target: int


class Refuse(NamedTuple):
    """The decision that nothing can be copied, and its reason."""

    reason: str


Decision = CopyFrom | Fill | Trim | RecordsLost | Refuse


def decide(replica: ReplicaState, producer_id: int) -> Decision:
    """Decide what to do next for a partition.

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
            f"retention or compaction deleted the target's last records. Its log ends at {replica.target_end}, but the "
            f"last note of the source's offset was made at {noted_target}. Delete the target topic and mirror it again"
        )
    return _decide_copy(replica, source_offset, should_read_back_first=replica.last_batch is None)


def find_mirrored_position(
    last_batch: Batch | None, target_end: int, noted_offsets: tuple[int, int] | None, producer_id: int
) -> int | None:
    """Return the source's offset behind the target's last record, or None when it is unknown.

    Args:
        last_batch: the target's last batch; None when the target holds no records.
        target_end: the offset behind the target's last record.
        noted_offsets: the target's offset and the source's, as last noted. It is used only where ``last_batch`` is
            missing or has lost records.
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
        return find_next_source_offset(last_batch, producer_id)  # compaction kept the batch's last record
    return None


def _decide_after_foreign_batch(replica: ReplicaState, last_batch: Batch) -> Decision:
    if replica.target_end == replica.adopted_end:
        return _decide_copy(replica, replica.target_end, should_read_back_first=True)
    return Refuse(
        "somebody else wrote into the target: "
        f"the batch at offset {last_batch.base_offset}, up to {last_batch.next_offset - 1}, isn't this mirror's"
    )


def _decide_copy(replica: ReplicaState, source_offset: int, *, should_read_back_first: bool) -> Decision:
    if source_offset > replica.source_end:
        return Refuse(
            f"the source has lost records: it ends at {replica.source_end}, "
            f"but the target holds its records up to {source_offset - 1}"
        )
    if source_offset < replica.source_low:
        return RecordsLost(source_offset, replica.source_low, replica.target_end)
    return CopyFrom(source_offset, replica.target_end, should_read_back_first)
