"""Where a partition's copy goes on, told from what the target holds. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from .filler import is_filler
from .offset_header import source_position
from .record import opened
from .record_batch import Batch, is_written_by


@dataclass(frozen=True)
class Held:
    """What is known of a partition on both sides.

    Attributes:
        source_low, source_end: the offsets of the first record that the source holds, and behind the last one that no
            open transaction holds back.
        low, end: the same of the target.
        last: the target's last batch; None when it holds none.
        adopted: the end of records that somebody else wrote, and that were found to be the source's; None without such.
        committed: the target's and the source's offset as a mirror last noted them for a partition with gaps, or None.
    """

    source_low: int
    source_end: int
    low: int
    end: int
    last: Batch | None
    adopted: int | None = None
    committed: tuple[int, int] | None = None


class Go(NamedTuple):
    """Copy from this offset of the source to this offset of the target.

    ``alone`` says that the first batch must be read back before a second one is sent: nothing in the target tells yet
    that every mirror means to write a record there.
    """

    source: int
    target: int
    alone: bool


class Fill(NamedTuple):
    """Write fillers from the target's end up to here."""

    up_to: int


class Trim(NamedTuple):
    """Delete the fillers below this offset."""

    below: int


class Lost(NamedTuple):
    """Retention deleted these offsets of the source before they were copied; the copy can go on behind them."""

    first: int
    behind: int
    target: int


class Refuse(NamedTuple):
    """Nothing can be copied, and why."""

    reason: str


Decision = Go | Fill | Trim | Lost | Refuse


def decide(held: Held, producer: int) -> Decision:
    """What comes next for a partition.

    Raises:
        ValueError: the target's last batch is damaged.
    """
    if held.last is not None and not is_written_by(held.last, producer):
        return _behind_others(held, held.last)
    if held.last is not None and is_filler(held.last, producer):
        return Fill(held.source_low) if held.end < held.source_low else Trim(held.end)
    if held.end == 0 and held.source_low > 0:
        return Fill(held.source_low)
    source = mirrored_up_to(held.last, held.end, held.committed, producer)
    if source is None:
        noted = held.committed[0] if held.committed else 0
        return Refuse(
            f"retention or compaction took the target's last records, its log ends at {held.end}, and the last note of "
            f"where that is in the source was made at {noted}: make the target topic anew"
        )
    return _go(held, source, alone=held.last is None)


def mirrored_up_to(last: Batch | None, end: int, committed: tuple[int, int] | None, producer: int) -> int | None:
    """The source's offset that follows what a target holds; None when nobody knows.

    Args:
        last: the target's last batch, None when it holds no records.
        end: the target's end.
        committed: the target's and the source's offset as last noted; asked for only where ``last`` isn't whole.
        producer: the mirror's producer id.

    Raises:
        ValueError: the batch is damaged.
    """
    if last is not None and not is_written_by(last, producer):
        return end
    if last is not None and last.is_dense:
        return source_position(last, producer)
    if committed is None or committed[0] == end:
        return committed[1] if committed else end
    records = opened(last) if last is not None else []
    if last is not None and records and records[-1].offset == last.next_offset - 1:
        return source_position(last, producer)  # its very last record is still there
    return None


def _behind_others(held: Held, last: Batch) -> Decision:
    if held.end == held.adopted:
        return _go(held, held.end, alone=True)
    return Refuse(
        f"somebody else wrote into the target: the batch at offset {last.base_offset}, up to {last.next_offset - 1}, "
        "isn't this mirror's"
    )


def _go(held: Held, source: int, *, alone: bool) -> Decision:
    if source > held.source_end:
        return Refuse(
            f"the source has lost records: it ends at {held.source_end}, and what follows up to {source - 1} is only "
            "in the target"
        )
    if source < held.source_low:
        return Lost(source, held.source_low, held.end)
    return Go(source, held.end, alone)
