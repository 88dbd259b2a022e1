"""Metadata of topics and partitions, as plain values. Pure."""

import uuid
from collections.abc import Iterable
from typing import NamedTuple

NO_TOPIC_ID = uuid.UUID(int=0)

BATCH_LIMIT = "max.message.bytes"
"""The setting of a topic that limits the size of its batches."""

MARKER_BYTES = 78
"""The size of a marker that ends a transaction. Any record whose key and value have more than ten bytes is larger."""


class Partition(NamedTuple):
    """A partition of a topic, by the topic's name and the partition's number."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


class Leader(NamedTuple):
    """The broker that leads a partition (-1 for none), and its leader epoch."""

    node: int
    epoch: int


class Topic(NamedTuple):
    """A topic as a broker knows it. ``error`` is Kafka's number of an error, 0 for none."""

    name: str
    id: uuid.UUID
    is_internal: bool
    leaders: dict[int, Leader]
    replication: int
    error: int


class Metadata(NamedTuple):
    """A broker's metadata of its cluster."""

    cluster_id: str
    controller: int
    topics: dict[str, Topic]

    def find_leader(self, partition: Partition) -> Leader | None:
        """Return the leader of a partition, or None when there is none."""
        topic = self.topics.get(partition.topic)
        leader = topic.leaders.get(partition.number) if topic else None
        return leader if leader and leader.node >= 0 else None

    def find_leader_node(self, partition: Partition) -> int | None:
        """Return the broker that leads a partition, or None when there is none."""
        leader = self.find_leader(partition)
        return leader.node if leader else None


def parse_rights(operations: Iterable[int] | None) -> frozenset[int] | None:
    """Return Kafka's numbers of the operations that we may do, or None when the broker didn't say."""
    rights = frozenset(int(each) for each in operations or ())
    return rights if rights and max(rights) < 31 else None


class Setting(NamedTuple):
    """A setting's value, and whether the topic itself sets it instead of the broker's default."""

    value: str | None
    is_overridden: bool


class Bounds(NamedTuple):
    """The first offset that a partition holds, and the offset behind its last record."""

    low: int
    end: int
