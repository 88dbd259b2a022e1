"""Where a session's records come from: the contract of all sources, and the capture file."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from ..event.event import Record, Unreadable
from ..event.position import PositionRange
from ..session.coverage import SearchReport

MAX_REMEMBERED_IDS = 200_000

RecordOrUnreadable = Record | Unreadable


class Source(Protocol):
    """Anything that yields the records of a session."""

    searched: SearchReport

    def records(self, session_id: str, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """The session's records that lie in ``position_range``, and what might be one and can't be read.

        They come as they lie: each partition in its order, the partitions interleaved, copies included. Memory is
        bounded by a batch of records.
        """
        ...


def remember_session_ids(report: SearchReport, ids: Iterable[bytes | None]) -> None:
    """Keep the ids of other sessions, up to a bound: the nearest of them are named when a session isn't found."""
    if len(report.others) < MAX_REMEMBERED_IDS:
        report.others.update(key for key in ids if key)
