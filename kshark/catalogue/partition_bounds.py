"""The bounds of all partitions of a topic, for a catalogue that may know more than can be read now."""

from collections.abc import Mapping

from agentlog.log.reader import Bounds, KafkaReader

from .store import PartitionProgress


def fetch_all_bounds(reader: KafkaReader, topic: str, progress: Mapping[int, PartitionProgress]) -> dict[int, Bounds]:
    """Return the bounds of each partition. One that can't be read now keeps what the catalogue knows of it.

    Raises:
        KafkaError: the topic can't be read, not even one of its partitions.
    """
    bounds = reader.fetch_bounds(topic, range(reader.partition_count(topic)))
    if reader.unavailable and not bounds:
        raise reader.explain_unavailable(topic)
    kept = {p: Bounds(*progress[p]) if p in progress else Bounds(0, 0) for p in reader.unavailable}
    return dict(sorted((bounds | kept).items()))
