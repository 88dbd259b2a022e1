"""Which partitions of a topic can hold a key, for each partitioner that Kafka's clients use."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from zlib import crc32

from ..errors import UsageError

MASK_32_BITS = 0xFFFFFFFF


def murmur2_partition(key: bytes, count: int) -> int:
    """The partition that Java's clients, and librdkafka's ``murmur2``, give to ``key``."""
    return (_hash_murmur2(key) & 0x7FFFFFFF) % count


def crc32_partition(key: bytes, count: int) -> int:
    """The partition that librdkafka's ``consistent`` and ``consistent_random`` give to ``key``.

    ``consistent_random``, librdkafka's default, puts an empty key anywhere; a session's key is never empty.
    """
    return crc32(key) % count


def fnv1a_partition(key: bytes, count: int) -> int:
    """The partition that Sarama's ``NewHashPartitioner``, and librdkafka's ``fnv1a``, give to ``key``."""
    hashed = 0x811C9DC5
    for byte in key:
        hashed = (hashed ^ byte) * 0x01000193 & MASK_32_BITS
    return min(hashed, 2**32 - hashed) % count


def _hash_murmur2(key: bytes) -> int:
    """32-bit MurmurHash2 with the seed of ``org.apache.kafka.common.utils.Utils.murmur2``, as an unsigned number."""
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
    """The name in ``PARTITIONERS`` for ``name``, which may also be librdkafka's name for it; else ``UsageError``."""
    known = SYNONYMS.get(name, name)
    if known not in PARTITIONERS:
        raise UsageError(f"there is no partitioner {name!r}; known are {', '.join([*PARTITIONERS, *SYNONYMS])}")
    return known


def list_candidate_partitions(key: bytes, count: int, partitioner: str | None = None) -> list[int]:
    """The partitions, of ``count``, that can hold ``key``: the one of ``partitioner``, or one to three distinct ones.

    The likeliest stands first: Java's, then librdkafka's default, then Sarama's. A custom partitioner's choice, or that
    of a time when the topic had fewer partitions, isn't among them.

    Raises:
        UsageError: when there is no such partitioner.
        ValueError: when ``count`` is less than 1.
    """
    if count < 1:
        raise ValueError(f"a topic has at least one partition, not {count}")
    names = [resolve_partitioner(partitioner)] if partitioner else PARTITIONERS
    return list(dict.fromkeys(PARTITIONERS[name](key, count) for name in names))
