"""The records of a refused batch, in groups that lead to the one that is at fault. Pure."""

from collections.abc import Collection, Sequence
from typing import TypeVar

T = TypeVar("T")


def split_at_refused(records: Sequence[T], refused: Collection[T]) -> list[list[T]]:
    """Split ``records`` into groups that are to be sent by themselves, in their order.

    The records up to the last refused one are split into two halves, so that after some rounds each refused record
    stands alone. Those behind it are one group, because they may have been recalled only to keep their order.
    """
    count = max((number for number, record in enumerate(records, 1) if record in refused), default=0)
    middle = count // 2
    return [list(group) for group in (records[:middle], records[middle:count], records[count:]) if group]
