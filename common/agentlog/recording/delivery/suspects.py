"""The records of a refused batch, in groups that lead to the one that is at fault. Pure."""

from collections.abc import Collection, Sequence
from math import ceil
from typing import TypeVar

T = TypeVar("T")

PARTS = 8
"""Into how many groups the suspects are split. One refused record of a thousand is found with 27 groups, where halves
take 20. A thousand refused ones take 1,140 groups, where halves take 2,000."""


def split_at_refused(records: Sequence[T], refused: Collection[T]) -> list[list[T]]:
    """Split ``records`` into groups that are to be sent by themselves, in their order.

    The records up to the last refused one are split into some groups, so that after some rounds each refused record
    stands alone. Those behind it are one group, because they may have been recalled only to keep their order.
    """
    count = max((number for number, record in enumerate(records, 1) if record in refused), default=0)
    size = max(1, ceil(count / PARTS))
    groups = [list(records[first : min(first + size, count)]) for first in range(0, count, size)]
    return [*groups, list(records[count:])] if count < len(records) else groups
