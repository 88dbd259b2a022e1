"""A broker that makes its clients wait, because they are over a quota, makes the copy slower and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from devkafka import Message, create_topic, produce
from tests.kafmirror.logs import delete_records, fill_topic, read_bounds, sum_end_offsets
from tests.kafmirror.side import Pair

CLIENT = "quota-test"
BY_CLIENT = ("-X", f"client.id={CLIENT}")
"""The quota holds for this client id alone, so that it slows no other test down."""


@contextmanager
def quota(pair: Pair, bootstrap: str, name: str, bytes_per_s: int) -> Iterator[None]:
    """Set a quota for the block."""
    _set_quota(pair, bootstrap, name, bytes_per_s)
    try:
        yield
    finally:
        _set_quota(pair, bootstrap, name, 0)


def _set_quota(pair: Pair, bootstrap: str, name: str, bytes_per_s: int) -> None:
    places = [pair.source.bootstrap, pair.target.bootstrap, bootstrap]
    command = [sys.executable, "-m", "tests.kafmirror.set_quota", *places, CLIENT, name, str(bytes_per_s)]
    subprocess.run(command, check=True, timeout=60)


def fill(pair: Pair, partitions: int = 3) -> str:
    """Create a topic with 0.6 MB that can't be compressed, and return its name."""
    topic = pair.create_source_topic(partitions=partitions)
    records = [Message(f"k{n}", os.urandom(1000), partition=n % partitions) for n in range(600)]
    produce(pair.source.bootstrap, topic, records, {"batch.size": 50_000})
    return topic


def test_a_consumer_quota_of_the_source_makes_replicate_and_verify_slower_and_is_named(pair: Pair) -> None:
    topic = fill(pair)
    with quota(pair, pair.source.bootstrap, "consumer_byte_rate", 40_000):
        copied = pair.replicate_once(topic, *BY_CLIENT)
        verified = pair.run("verify", "--topics", topic, *BY_CLIENT)
    assert (copied.code, verified.code) == (0, 0), copied.err + verified.err
    assert pair.count_exact_records(topic) == 600
    assert [each["equal"] for each in verified.json["partitions"]] == [200, 200, 200]
    told = copied.err + verified.err
    assert f"cluster {pair.source.bootstrap} slows us down by a quota" in told
    assert "can't be reached" not in told


def test_a_producer_quota_of_the_target_makes_replicate_slower_and_is_named(pair: Pair) -> None:
    topic = fill(pair)
    with quota(pair, pair.target.bootstrap, "producer_byte_rate", 40_000):
        copied = pair.replicate_once(topic, *BY_CLIENT)
    assert copied.code == 0, copied.err
    assert pair.count_exact_records(topic) == sum_end_offsets(pair.source.bootstrap, topic) == 600
    assert f"cluster {pair.target.bootstrap} slows us down by a quota" in copied.err
    assert "can't be reached" not in copied.err


def test_how_far_the_offsets_before_the_first_record_are_filled_is_told_everywhere(pair: Pair) -> None:
    """The quota lets the fillers take so long that the mirror says how far it is. Then it is killed."""
    topic, first, count = pair.create_source_topic(), 300_000, 300_100
    fill_topic(pair.source.bootstrap, topic, count, partitions=1)
    delete_records(pair.source.bootstrap, topic, first)
    assert "300,000 empty records" in " ".join(pair.run("plan", "--topics", topic).json["topics"][0]["warnings"])
    create_topic(pair.target.bootstrap, topic)
    assert get_filled(pair, topic) == (0, first)
    with quota(pair, pair.target.bootstrap, "producer_byte_rate", 1_500), pair.run_mirror(topic, *BY_CLIENT) as mirror:
        mirror.wait_for_output(f"of the {first:,} offsets before the source's first record are filled", timeout=300)
        mirror.kill()
        filled, to_fill = get_filled(pair, topic)
        assert 0 < filled < to_fill == first
        verified = pair.run("verify", "--topics", topic)
        [partition] = verified.json["partitions"]
        assert (verified.code, partition["verdict"], partition["problem"]) == (1, "not there yet", None)
    assert pair.replicate_once(topic).code == 0
    assert read_bounds(pair.target.bootstrap, topic) == (first, count)
    assert pair.count_exact_records(topic) == count - first


def get_filled(pair: Pair, topic: str) -> tuple[int, int]:
    """Return how many of how many offsets are filled, as `status` tells it."""
    ran = pair.run("status", "--topics", topic)
    [partition] = ran.json["partitions"]
    assert (ran.code, partition["problem"], partition["lag_records"]) == (0, None, 100)
    return partition["filled_offsets"], partition["offsets_to_fill"]
