"""The two clusters of a command, as the user named them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from agentlog.cli import settings
from agentlog.errors import UsageError

from .cluster_view import Side
from .connection import Wire
from .event_loop import Loop
from .topic_selection import Wanted, check_target_topic


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

    async def of(self, source_topic: str, target_topic: str) -> tuple[Side, Side]:
        """Both sides as they are used for one topic."""
        asked = self.loop.spawn(self.source.metadata, [source_topic])
        here = await self.target.metadata([target_topic])
        return Side.of(self.source, await asked, source_topic), Side.of(self.target, here, target_topic)


def listed(given: Iterable[str]) -> list[str]:
    """Names that were given between commas, or one by one."""
    return [name.strip() for each in given for name in each.split(",") if name.strip()]


@contextmanager
def opened(named: Named) -> Iterator[Sides]:
    """Both clusters; nothing is connected yet.

    Raises:
        SettingsError: a cluster that isn't known, or a property that kafmirror has no word for.
        UsageError: options that contradict each other.
    """
    known = settings()
    wanted = Wanted(listed(named.topics) or [known.topic(None)], check_target_topic(named.target_topic))
    if named.source == named.target:
        raise UsageError(f"--source and --target are the same: {named.source[:60]}")
    loop = Loop()
    source = Wire(loop, known.cluster(named.source, named.properties))
    target = Wire(loop, known.cluster(named.target, named.properties))
    try:
        yield Sides(loop, source, target, wanted)
    finally:
        loop.end(source.close, target.close)
