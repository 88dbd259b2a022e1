"""The two clusters of a command, as the user named them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from agentlog.errors import UsageError
from agentlog.log.open_source import load_user_settings

from .cluster_view import ClusterView
from .connection import ClusterConnection
from .event_loop import EventLoop
from .topic_selection import TopicSelection, check_target_topic


class MirrorRequest(NamedTuple):
    """What the options say about both clusters and their topics."""

    source: str
    target: str
    topics: Sequence[str] = ()
    target_topic: str = "{topic}"
    properties: Sequence[str] = ()


class ClusterPair(NamedTuple):
    """Connections to both clusters, in one thread, and what is to be mirrored."""

    loop: EventLoop
    source: ClusterConnection
    target: ClusterConnection
    selection: TopicSelection

    async def fetch_views(self, source_topic: str, target_topic: str) -> tuple[ClusterView, ClusterView]:
        """Both sides as they are used for one topic."""
        source_metadata = self.loop.spawn(self.source.fetch_metadata, [source_topic])
        target_metadata = await self.target.fetch_metadata([target_topic])
        return ClusterView.for_topic(self.source, await source_metadata, source_topic), ClusterView.for_topic(
            self.target, target_metadata, target_topic
        )


def split_names(values: Iterable[str]) -> list[str]:
    """Names that were given between commas, or one by one."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


@contextmanager
def open_clusters(request: MirrorRequest) -> Iterator[ClusterPair]:
    """Both clusters; nothing is connected yet.

    Raises:
        SettingsError: a cluster that isn't known, or a property that kafmirror has no word for.
        UsageError: options that contradict each other.
    """
    user_settings = load_user_settings()
    selection = TopicSelection(
        split_names(request.topics) or [user_settings.get_topic(None)], check_target_topic(request.target_topic)
    )
    if request.source == request.target:
        raise UsageError(f"--source and --target are the same: {request.source[:60]}")
    loop = EventLoop()
    source = ClusterConnection(loop, user_settings.get_cluster(request.source, request.properties))
    target = ClusterConnection(loop, user_settings.get_cluster(request.target, request.properties))
    try:
        yield ClusterPair(loop, source, target, selection)
    finally:
        loop.stop(source.close, target.close)
