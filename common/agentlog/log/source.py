"""The contract of all sources of a session's records."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from ..event.event import Record, Unreadable
from ..event.position import PositionRange
from ..session.coverage import SearchReport

MAX_REMEMBERED_IDS = 200_000
"""A report remembers at most this many ids of other sessions, to bound its memory."""

RecordOrUnreadable = Record | Unreadable


class Source(Protocol):
    """A source of the records of a session."""

    searched: SearchReport

    def records(self, session_id: str, position_range: PositionRange) -> Iterator[RecordOrUnreadable]:
        """Yield the session's records in ``position_range``, and unreadable records that may belong to the session.

        Each partition comes in its order, unless a part of it had to be read again. The partitions are interleaved,
        and copies are included. Memory is bounded by a batch of records.
        """
        ...


def remember_session_ids(report: SearchReport, ids: Iterable[bytes | None]) -> None:
    """Keep the ids of other sessions, up to a limit. If a session isn't found, similar ids are suggested."""
    if len(report.others) < MAX_REMEMBERED_IDS:
        report.others.update(key for key in ids if key)
