"""The status of a mirror while one of its clusters is away, as the other one knows it."""

from typing import NamedTuple

from agentlog.errors import KafkaRefused, KafkaUnavailable

from ..batches.record_batch import is_mirror_producer_id
from ..kafka.cluster_pair import ClusterPair
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import ClusterConnection
from ..kafka.metadata import Bounds, Metadata, Partition
from ..plan.gather import FactCollector
from ..plan.plan import match_topics
from .lag import UNKNOWN_LAG
from .partition_status import PartitionStatus


class AwaySide(NamedTuple):
    """A side that doesn't answer: ``source`` or ``target``, its cluster, and why."""

    side: str
    cluster: str
    reason: str


async def fetch_available_metadata(clusters: ClusterPair) -> tuple[Metadata | AwaySide, Metadata | AwaySide]:
    """Return the metadata of all topics of both sides. A side that is away stands instead of its metadata.

    Raises:
        KafkaUnavailable, KafkaRefused: both are away.
    """
    source_future = clusters.loop.spawn(_fetch_metadata, clusters.source)
    target = await _fetch_metadata(clusters.target)
    source = await source_future
    if isinstance(source, Exception) and isinstance(target, Exception):
        raise type(source)(f"{source}\n{target}")
    return (
        AwaySide("source", clusters.source.name, str(source)) if isinstance(source, Exception) else source,
        AwaySide("target", clusters.target.name, str(target)) if isinstance(target, Exception) else target,
    )


async def _fetch_metadata(connection: ClusterConnection) -> Metadata | KafkaUnavailable | KafkaRefused:
    try:
        return await connection.fetch_metadata(None)
    except (KafkaUnavailable, KafkaRefused) as error:
        return error


async def read_source_alone(clusters: ClusterPair, metadata: Metadata) -> list[PartitionStatus]:
    """Return what the source knows: its partitions and their ends."""
    statuses = list[PartitionStatus]()
    for name in FactCollector(clusters.source, clusters.target, clusters.selection).find_topics(metadata):
        target_name = clusters.selection.make_target_name(clusters.source, name)
        view = ClusterView.for_topic(clusters.source, metadata, name)
        for number, bounds in sorted((await view.fetch_all_bounds(name, is_read_committed=True)).items()):
            pair = Partition(name, number), Partition(target_name, number)
            statuses.append(PartitionStatus(*pair, None, bounds.end, None, UNKNOWN_LAG))
    return statuses


async def read_target_alone(clusters: ClusterPair, metadata: Metadata) -> list[PartitionStatus]:
    """Return what the target knows: its partitions, their ends, and how far the mirror that wrote them had come."""
    prefix, suffix = clusters.selection.make_target_name(clusters.source, "\0").split("\0", 1)
    statuses = list[PartitionStatus]()
    patterns = [clusters.selection.make_target_name(clusters.source, each) for each in clusters.selection.patterns]
    for target_name in match_topics(patterns, metadata.topics):
        name = target_name.removeprefix(prefix).removesuffix(suffix)
        view = ClusterView.for_topic(clusters.target, metadata, target_name)
        for number, bounds in sorted((await view.fetch_all_bounds(target_name)).items()):
            pair = Partition(name, number), Partition(target_name, number)
            position = await _find_position(view, pair[1], bounds)
            statuses.append(PartitionStatus(*pair, position, None, bounds.end, UNKNOWN_LAG))
    return statuses


async def _find_position(target: ClusterView, partition: Partition, bounds: Bounds) -> int | None:
    """Return the source's offset behind the last record, if a mirror wrote that; else None."""
    last_batch = await target.fetch_last_batch(partition, bounds)
    if last_batch is None or not is_mirror_producer_id(last_batch.producer_id):
        return None
    try:
        return await target.find_mirrored_position(partition, bounds, last_batch.producer_id, last_batch)
    except ValueError:
        return None
