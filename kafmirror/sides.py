"""The two clusters of a command, as the user named them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from agentlog.cli import settings
from agentlog.errors import UsageError

from .facts import Wanted, check_target_topic
from .loop import Loop
from .wire import Wire


class Named(NamedTuple):
    """What the options say about both clusters and their topics."""

    source: str
    target: str
    topics: Sequence[str] = ()
    target_topic: str = "{topic}"
    properties: Sequence[str] = ()


class Sides(NamedTuple):
    """Connections to both clusters, in one thread, and what is to be mirrored."""

    loop: Loop
    source: Wire
    target: Wire
    wanted: Wanted


@contextmanager
def opened(named: Named) -> Iterator[Sides]:
    """Both clusters; nothing is connected yet.

    Raises:
        SettingsError: a cluster that isn't known, or a property that kafmirror has no word for.
        UsageError: options that contradict each other.
    """
    known = settings()
    patterns = [name.strip() for each in named.topics for name in each.split(",") if name.strip()]
    wanted = Wanted(patterns or [known.topic(None)], check_target_topic(named.target_topic))
    if named.source == named.target:
        raise UsageError(f"--source and --target are the same: {named.source[:60]}")
    loop = Loop()
    source = Wire(loop, known.cluster(named.source, named.properties))
    target = Wire(loop, known.cluster(named.target, named.properties))
    try:
        yield Sides(loop, source, target, wanted)
    finally:
        loop.end(source.close, target.close)
