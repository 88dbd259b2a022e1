"""The partitioners of Kafka's clients, and the partitions of a topic that can hold a key."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from zlib import crc32

from ..errors import UsageError

MASK_32_BITS = 0xFFFFFFFF


def murmur2_partition(key: bytes, count: int) -> int:
    """Return the partition that Java's clients, and librdkafka's ``murmur2``, choose for ``key``."""
    return (_hash_murmur2(key) & 0x7FFFFFFF) % count


def crc32_partition(key: bytes, count: int) -> int:
    """Return the partition that librdkafka's ``consistent`` and ``consistent_random`` choose for ``key``.

    ``consistent_random``, librdkafka's default, puts an empty key anywhere; a session's key is never empty.
    """
    return crc32(key) % count


def fnv1a_partition(key: bytes, count: int) -> int:
    """Return the partition that Sarama's ``NewHashPartitioner``, and librdkafka's ``fnv1a``, choose for ``key``."""
    hashed = 0x811C9DC5
    for byte in key:
        hashed = (hashed ^ byte) * 0x01000193 & MASK_32_BITS
    return min(hashed, 2**32 - hashed) % count


def _hash_murmur2(key: bytes) -> int:
    """Return the 32-bit MurmurHash2, unsigned, with the seed of ``org.apache.kafka.common.utils.Utils.murmur2``."""
    aligned_length = len(key) & ~3
    hashed = 0x9747B28C ^ len(key)
    for start in range(0, aligned_length, 4):
        word = int.from_bytes(key[start : start + 4], "little") * 0x5BD1E995 & MASK_32_BITS
        word = (word ^ word >> 24) * 0x5BD1E995 & MASK_32_BITS
        hashed = hashed * 0x5BD1E995 & MASK_32_BITS ^ word
    if aligned_length < len(key):
        hashed = (hashed ^ int.from_bytes(key[aligned_length:], "little")) * 0x5BD1E995 & MASK_32_BITS
    hashed = (hashed ^ hashed >> 13) * 0x5BD1E995 & MASK_32_BITS
    return hashed ^ hashed >> 15


PARTITIONERS: Mapping[str, Callable[[bytes, int], int]] = MappingProxyType(
    {"murmur2": murmur2_partition, "crc32": crc32_partition, "fnv1a": fnv1a_partition}
)
SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        "murmur2_random": "murmur2",
        "consistent": "crc32",
        "consistent_random": "crc32",
        "fnv1a_random": "fnv1a",
    }
)


def resolve_partitioner(name: str) -> str:
    """Return the name in ``PARTITIONERS`` for ``name``, which may be librdkafka's name for it.

    Raises:
        UsageError: there is no such partitioner.
    """
    known = SYNONYMS.get(name, name)
    if known not in PARTITIONERS:
        raise UsageError(f"there is no partitioner {name!r}; known are {', '.join([*PARTITIONERS, *SYNONYMS])}")
    return known


def list_candidate_partitions(key: bytes, count: int, partitioner: str | None = None) -> list[int]:
    """Return the partitions, of ``count``, that can hold ``key``.

    That is the partition of ``partitioner``. Without one, it is the partitions (one to three) of all known
    partitioners: first that of Java, then that of librdkafka's default, then that of Sarama. A custom partitioner may
    choose another partition. So may any client that wrote when the topic had fewer partitions.

    Raises:
        UsageError: there is no such partitioner.
        ValueError: ``count`` is less than 1.
    """
    if count < 1:
        raise ValueError(f"a topic has at least one partition, not {count}")
    names = [resolve_partitioner(partitioner)] if partitioner else PARTITIONERS
    return list(dict.fromkeys(PARTITIONERS[name](key, count) for name in names))
