"""Functions that write records quickly, and read them back to count and hash them.

They use librdkafka only, so that kafmirror isn't tested with its own code.
"""

import hashlib
import marshal
from collections.abc import Iterator
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from devkafka import eventually
from devkafka.client import SILENT_LOGGER

HEADER = "kafmirror.offset"


class ConsumedRecord(NamedTuple):
    """A record as a consumer sees it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def without_mirror_header(self) -> "ConsumedRecord":
        """The record without the mirror's header."""
        return self._replace(headers=tuple(each for each in self.headers if each[0] != HEADER))


Log = dict[int, list[ConsumedRecord]]


def fill_topic(
    bootstrap: str,
    topic: str,
    count: int,
    partitions: int = 6,
    start_ms: int = 1_700_000_000_000,
    **properties: str | int,
) -> None:
    """Write ``count`` records quickly, spread over the partitions; their timestamps begin at ``start_ms``, in ms."""
    settings = {"bootstrap.servers": bootstrap, "enable.idempotence": True, "compression.type": "lz4", "linger.ms": 20}
    producer = Producer({**settings, "queue.buffering.max.messages": 10_000_000, **properties})
    filling = b"event " * 20
    for number in range(count):
        key, value = b"sess_%d" % (number % 1000), b"%d %s" % (number, filling)
        producer.produce(topic, value, key, partition=number % partitions, timestamp=start_ms + number)
        if not number % 10_000:
            producer.poll(0)
    assert producer.flush(120) == 0


def sum_end_offsets(bootstrap: str, topic: str) -> int:
    """Return the sum of the ends of all partitions of a topic; -1 while the broker doesn't answer."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"}, logger=SILENT_LOGGER)
    try:
        numbers = consumer.list_topics(topic, timeout=5).topics[topic].partitions
        return sum(consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=5)[1] for n in numbers)
    except KafkaException:
        return -1
    finally:
        consumer.close()


def count_partitions(bootstrap: str, topic: str) -> int:
    """Return the number of partitions of a topic; 0 when there is no such topic."""
    topics = AdminClient({"bootstrap.servers": bootstrap}, logger=SILENT_LOGGER).list_topics(timeout=10).topics
    return len(topics[topic].partitions) if topic in topics else 0


def delete_topic(bootstrap: str, topic: str) -> None:
    """Delete a topic, and wait until it no longer exists."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.delete_topics([topic])[topic].result(timeout=30)
    eventually(lambda: topic not in admin.list_topics(timeout=10).topics, 30)


def read_records(bootstrap: str, topic: str) -> Iterator[tuple[int, ConsumedRecord]]:
    """Yield each committed record of a topic with its partition, in order within the partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "check.crcs": True,
        }
    )
    numbers = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    begins = {n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=30)[0] for n in numbers}
    consumer.assign([TopicPartition(topic, number, low) for number, low in begins.items()])
    ended: set[int] = set()
    while len(ended) < len(numbers):
        for message in consumer.consume(10_000, timeout=0.1):
            error = message.error()
            if error is not None:
                assert error.code() == KafkaError._PARTITION_EOF, error
                ended.add(message.partition())
            else:
                record = ConsumedRecord(
                    message.offset(),
                    message.timestamp()[1],
                    message.key(),
                    message.value(),
                    tuple(message.headers() or ()),
                )
                yield message.partition(), record
    consumer.close()


def read_log(bootstrap: str, topic: str) -> Log:
    """Return all records of a topic, by partition."""
    log: Log = {}
    for partition, record in read_records(bootstrap, topic):
        log.setdefault(partition, []).append(record)
    return log


def compute_digests(bootstrap: str, topic: str) -> dict[int, tuple[int, str]]:
    """Return for each partition the number of its records, and a digest of their offsets and content."""
    hashes: dict[int, Any] = {}
    counts: dict[int, int] = {}
    for partition, record in read_records(bootstrap, topic):
        # Version 2 has no back references: equal records are equal bytes.
        hashes.setdefault(partition, hashlib.sha256()).update(marshal.dumps(tuple(record), 2))
        counts[partition] = counts.get(partition, 0) + 1
    return {partition: (counts[partition], each.hexdigest()) for partition, each in hashes.items()}


def read_bounds(bootstrap: str, topic: str, partition: int = 0) -> tuple[int, int]:
    """Return the first offset of a partition, and the offset behind its last record."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
    consumer.close()
    return low, high


def read_topic_settings(bootstrap: str, topic: str) -> dict[str, str]:
    """Return all settings of a topic."""
    admin, resource = AdminClient({"bootstrap.servers": bootstrap}), ConfigResource(ConfigResource.Type.TOPIC, topic)
    return {
        name: entry.value for name, entry in admin.describe_configs([resource])[resource].result(timeout=30).items()
    }


def change_setting(bootstrap: str, topic: str, name: str, value: str) -> None:
    """Change a setting of a topic."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(timeout=30)


def delete_records(bootstrap: str, topic: str, below: int, partition: int = 0) -> None:
    """Delete the records of a partition below an offset, as retention does."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for done in admin.delete_records([TopicPartition(topic, partition, below)]).values():
        done.result(timeout=30)


def commit_offset(bootstrap: str, group: str, topic: str, offset: int, partition: int = 0) -> None:
    """Commit an offset of a partition as a consumer does."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    eventually(lambda: _is_committed(consumer, TopicPartition(topic, partition, offset)), 30)
    consumer.close()


def _is_committed(consumer: Consumer, offset: TopicPartition) -> bool:
    try:
        consumer.commit(offsets=[offset], asynchronous=False)
    except KafkaException:  # the coordinator is loading
        return False
    return True


def read_committed_offset(bootstrap: str, group: str, topic: str) -> int:
    """Return the committed offset of a group in partition 0; negative when there is none."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group})
    [committed_offset] = consumer.committed([TopicPartition(topic, 0)], timeout=30)
    consumer.close()
    return committed_offset.offset
