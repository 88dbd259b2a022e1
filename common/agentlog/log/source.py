"""Where a session's records come from: the contract of all sources, and the capture file."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from ..event.event import Record, Unreadable
from ..event.position import Span
from ..session.coverage import Searched

KEPT_KEYS = 200_000

Found = Record | Unreadable


class Source(Protocol):
    """Anything that yields the records of a session."""

    searched: Searched

    def records(self, session_id: str, span: Span) -> Iterator[Found]:
        """The session's records that lie in ``span``, and what might be one and can't be read.

        They come as they lie: each partition in its order, the partitions interleaved, copies included. Memory is
        bounded by a batch of records.
        """
        ...


def remember(searched: Searched, ids: Iterable[bytes | None]) -> None:
    """Keep the ids of other sessions, up to a bound: the nearest of them are named when a session isn't found."""
    if len(searched.others) < KEPT_KEYS:
        searched.others.update(key for key in ids if key)
