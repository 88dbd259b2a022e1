"""Read a session, or two side by side, the payloads put on a shelf as they come."""

from collections.abc import Iterable, Iterator
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import msgspec

from agentlog.cli import Where, opened
from agentlog.errors import NothingToShow, UsageError
from agentlog.event.event import Unreadable
from agentlog.event.position import Span
from agentlog.log.source import Source
from agentlog.session.coverage import Searched, coverage
from agentlog.session.timeline import timeline
from agentlog.terminal.output import progress
from agentlog.terminal.unreadable_report import name_first
from agentlog.text.coverage_text import not_found

from .session import Session
from .signature import Sketch, Sketcher
from .worker import beside

NAMED = 20
"""How many unreadable records are named one by one."""
BATCH = 1_000


class Wanted(NamedTuple):
    """A session to read: its id, where it is, which part of it, and what makes sketches of it."""

    session_id: str
    where: Where
    span: Span
    sketcher: Sketcher


class _Gathered(NamedTuple):
    """What a session was made of, and what was looked at to find it."""

    sketches: Iterable[Sketch]
    unreadable: list[Unreadable]
    searched: Searched


def read(wanted: Wanted, named: Iterable[Unreadable] = ()) -> Session:
    """Read a session. What can't be read is named on standard error, but for what was ``named`` before.

    Raises:
        NothingToShow: no record of it could be read.
        AgentlogError: the source can't be read.
    """
    with opened(wanted.where) as source, progress(lambda: _told(source.searched)):
        unreadable: list[Unreadable] = []
        sketches = list(_sketches(wanted, source, unreadable))
    return _session(wanted, _Gathered(sketches, unreadable, source.searched), named)


def read_both(a: Wanted, b: Wanted) -> tuple[Session, Session]:
    """Read two sessions at the same time, B in a process of its own.

    Raises:
        NothingToShow: no record of one of them could be read.
        AgentlogError: a source can't be read.
    """
    with TemporaryFile() as file, beside(lambda: _gather_into(file, b)) as other:
        own = read(a)
        unreadable, searched, ids = other()
        b.sketcher.shelf.ids.frombytes(ids)
        return own, _session(b, _Gathered(_written_in(file), unreadable, searched), own.unreadable)


def _gather_into(file: IO[bytes], wanted: Wanted) -> tuple[list[Unreadable], Searched, bytes]:
    unreadable: list[Unreadable] = []
    encode = msgspec.msgpack.Encoder().encode
    with opened(wanted.where) as source:
        sketches = _sketches(wanted, source, unreadable)
        while batch := list(islice(sketches, BATCH)):
            encoded = encode(batch)
            file.write(len(encoded).to_bytes(8, "big") + encoded)
    file.flush()
    wanted.sketcher.shelf.flush()
    return unreadable, source.searched, wanted.sketcher.shelf.ids.tobytes()


def _written_in(file: IO[bytes]) -> Iterator[Sketch]:
    decode = msgspec.msgpack.Decoder(list[Sketch]).decode
    file.seek(0)
    while size := file.read(8):
        yield from decode(file.read(int.from_bytes(size, "big")))


def _sketches(wanted: Wanted, source: Source, unreadable: list[Unreadable]) -> Iterator[Sketch]:
    sketch = wanted.sketcher.sketch
    for item in source.records(wanted.session_id, wanted.span):
        if isinstance(item, Unreadable):
            unreadable.append(item)
        else:
            yield sketch(item)


def _session(wanted: Wanted, gathered: _Gathered, named: Iterable[Unreadable]) -> Session:
    session_id, span, searched = wanted.session_id, wanted.span, gathered.searched
    sketches = list(gathered.sketches)
    known = set(named)
    fresh = [each for each in gathered.unreadable if each not in known]
    name_first(fresh, len(fresh), NAMED)
    if not sketches:
        raise NothingToShow(not_found(session_id, searched, span))
    found = timeline(session_id, sketches)
    return Session(found, coverage(searched, found, span), gathered.unreadable, wanted.sketcher.shelf)


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
