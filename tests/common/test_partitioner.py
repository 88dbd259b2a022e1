"""The partitions that can hold a key, compared with librdkafka's functions and Java's test vectors."""

import confluent_kafka
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentlog.errors import UsageError
from agentlog.event.partitioner import PARTITIONERS, SYNONYMS, list_candidate_partitions

LIBRDKAFKA = {"murmur2": confluent_kafka.murmur2, "crc32": confluent_kafka.consistent, "fnv1a": confluent_kafka.fnv1a}
MOST_PARTITIONS = 2**31 - 1

keys = (
    st.binary(max_size=40)
    | st.binary(min_size=200, max_size=1000)
    | st.from_regex(r"sess_[0-9a-z]{6,12}").map(str.encode)
)
counts = st.integers(1, 100) | st.integers(1, MOST_PARTITIONS)


@pytest.mark.parametrize("name", PARTITIONERS)
@given(keys, counts)
@example(b"", 7)
@example(b"\xff" * 7, 7)
@example(b"x" * 100_003, 20)
def test_a_partition_is_the_one_that_librdkafka_computes(name: str, key: bytes, count: int) -> None:
    assert PARTITIONERS[name](key, count) == LIBRDKAFKA[name](key, count)


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_agrees_with_the_vectors_of_apache_kafkas_utils_test(key: bytes, hashed: int) -> None:
    assert PARTITIONERS["murmur2"](key, MOST_PARTITIONS) == hashed & 0x7FFFFFFF


@pytest.mark.parametrize(
    ("key", "hashed"), [(b"kafka", 0xD33C4E1), (b"giberish123456789", 0x77A58295), (b"", 0x7EE3623B)]
)
def test_fnv1a_agrees_with_the_vectors_that_librdkafka_took_from_go(key: bytes, hashed: int) -> None:
    assert PARTITIONERS["fnv1a"](key, MOST_PARTITIONS) == hashed


@given(keys, counts)
def test_candidates_are_the_distinct_partitions_of_all_partitioners_javas_first(key: bytes, count: int) -> None:
    found = list_candidate_partitions(key, count)
    assert set(found) == {partition(key, count) for partition in PARTITIONERS.values()}
    assert len(found) == len(set(found))
    assert found[0] == confluent_kafka.murmur2(key, count)


@given(keys, counts, st.sampled_from([*PARTITIONERS, *SYNONYMS]))
def test_a_named_partitioner_leaves_one_candidate(key: bytes, count: int, name: str) -> None:
    assert list_candidate_partitions(key, count, name) == [PARTITIONERS[SYNONYMS.get(name, name)](key, count)]


def test_a_topic_with_one_partition_has_one_candidate() -> None:
    assert list_candidate_partitions(b"sess_a1b2c3", 1) == [0]


def test_an_unknown_partitioner_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"no partitioner 'murmur3'; known are murmur2, crc32, fnv1a, .*consistent"):
        list_candidate_partitions(b"sess_a1b2c3", 6, "murmur3")


def test_no_partitions_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one partition"):
        list_candidate_partitions(b"sess_a1b2c3", 0)
