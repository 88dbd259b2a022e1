"""Read a session, its payloads put on a shelf as they come."""

from collections.abc import Iterator

from agentlog.cli import Where, opened
from agentlog.coverage import coverage, not_found
from agentlog.errors import NothingToShow, UsageError
from agentlog.events import Unreadable
from agentlog.output import complain, progress
from agentlog.session import timeline
from agentlog.sources import Searched, Source, Span

from .session import Session
from .sketch import Sketch, Sketcher

NAMED = 20
"""How many unreadable records are named one by one."""


def read(session_id: str, where: Where, span: Span, sketcher: Sketcher) -> Session:
    """Read a session.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    unreadable: list[Unreadable] = []
    with opened(where) as source, progress(lambda: _told(source.searched)):
        records = list(_sketches(session_id, source, span, sketcher, unreadable))
    for each in unreadable[:NAMED]:
        complain(f"unreadable: {each.where}: {each.reason}")
    if len(unreadable) > NAMED:
        complain(f"unreadable: {len(unreadable) - NAMED:,} more; --format json names all")
    if not records:
        raise NothingToShow(not_found(session_id, source.searched, span))
    found = timeline(session_id, records)
    return Session(found, coverage(source.searched, found, span), unreadable)


def _sketches(
    session_id: str, source: Source, span: Span, sketcher: Sketcher, unreadable: list[Unreadable]
) -> Iterator[Sketch]:
    for item in source.records(session_id, span):
        if isinstance(item, Unreadable):
            unreadable.append(item)
        else:
            yield sketcher.sketch(item)


def _told(searched: Searched) -> str:
    of = f" of {searched.expected:,}" if searched.expected else ""
    return f"{searched.what}: read {searched.records:,}{of} records"


def both_places(where: Where, other_file: str | None, other_cluster: str | None) -> tuple[Where, Where]:
    """Where A is, and where B is: at the same place unless another one is given.

    Raises:
        UsageError: what is given can't be meant.
    """
    if other_file and other_cluster:
        raise UsageError("--other-file and --other-cluster: B can only be in one place")
    if other_cluster is None:
        other = where if other_file is None else Where(file=other_file)
        places = where, other
    else:
        own = where if where.file is None else Where(file=where.file)
        places = own, where._replace(file=None, cluster=other_cluster)
    if places[0].file == places[1].file == "-":
        raise UsageError("standard input can be read only once: keep it in a file first")
    return places
