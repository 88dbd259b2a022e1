"""The two clusters of a command, opened as the user named them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from agentlog.errors import UsageError
from agentlog.log.open_source import load_user_settings

from .cluster_view import ClusterView
from .connection import ClusterConnection
from .network.event_loop import EventLoop
from .topic_selection import TopicSelection, check_target_topic


class MirrorRequest(NamedTuple):
    """The options that name both clusters and their topics, as the user wrote them."""

    source: str
    target: str
    topics: Sequence[str] = ()
    target_topic: str = "{topic}"
    properties: Sequence[str] = ()


class ClusterPair(NamedTuple):
    """Connections to both clusters, in one thread, and the selected topics."""

    loop: EventLoop
    source: ClusterConnection
    target: ClusterConnection
    selection: TopicSelection

    async def fetch_views(self, source_topic: str, target_topic: str) -> tuple[ClusterView, ClusterView]:
        """Return the views of both clusters for one topic, which may have another name in the target."""
        source_metadata = self.loop.spawn(self.source.fetch_metadata, [source_topic])
        target_metadata = await self.target.fetch_metadata([target_topic])
        return ClusterView.for_topic(self.source, await source_metadata, source_topic), ClusterView.for_topic(
            self.target, target_metadata, target_topic
        )


def split_names(values: Iterable[str]) -> list[str]:
    """Return the names in values that may each hold several names between commas."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


@contextmanager
def open_clusters(request: MirrorRequest) -> Iterator[ClusterPair]:
    """Open both clusters for the block. Nothing is connected yet.

    Raises:
        SettingsError: a cluster isn't in the settings, or has a property that kafmirror doesn't support.
        UsageError: both names are the same, or ``--target-topic`` is wrong.
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
