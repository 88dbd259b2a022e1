"""A topic that was deleted and created again in the source is another topic: no command takes it for the old one."""

import pytest

from devkafka import Message, create_topic, produce
from tests.kafmirror.logs import delete_topic, read_bounds
from tests.kafmirror.side import Pair


def make_anew(pair: Pair, count: int, partitions: int = 1) -> str:
    """Mirror a topic of 100 records, create it again in the source, write ``count`` records there; return its name."""
    topic = pair.create_source_topic(partitions=partitions)
    old = [Message("k", f"old {n}", 1_000 + n, partition=p) for p in range(partitions) for n in range(100)]
    produce(pair.source.bootstrap, topic, old)
    assert pair.replicate_once(topic).code == 0
    delete_topic(pair.source.bootstrap, topic)
    create_topic(pair.source.bootstrap, topic)
    produce(pair.source.bootstrap, topic, [Message("k", f"new {n}", 1_000 + n) for n in range(count)])
    return topic


@pytest.mark.parametrize("count", [20, 150])
def test_every_command_says_that_the_source_s_topic_is_another_one(pair: Pair, count: int) -> None:
    topic = make_anew(pair, count)
    for command, *options in (("status", "--lag-threshold", "10s"), ("verify",), ("failover",)):
        ran = pair.run(command, "--topics", topic, *options)
        assert ran.code == 1, ran.out
        assert "copied from another topic" in ran.out
    [partition] = pair.run("status", "--topics", topic).json["partitions"]
    assert (partition["position"], partition["source_end"], partition["target_end"]) == (None, count, 100)
    assert (partition["lag_records"], partition["lag_seconds"]) == (None, None)
    ran = pair.replicate_once(topic)
    assert ran.code == 1
    assert "copied from another topic" in ran.err
    assert read_bounds(pair.target.bootstrap, topic) == (0, 100)


def test_partitions_that_the_new_topic_lacks_are_named(pair: Pair) -> None:
    topic = make_anew(pair, 0, partitions=2)
    ran = pair.run("status", "--topics", topic)
    assert ran.code == 1
    assert [each["target_end"] for each in ran.json["partitions"]] == [100, 100]
    assert f"has no {topic}[1]" in ran.json["partitions"][1]["problem"]


def test_a_topic_that_was_filled_with_the_same_records_again_is_a_copy(pair: Pair) -> None:
    topic = make_anew(pair, 0)
    produce(pair.source.bootstrap, topic, [Message("k", f"old {n}", 1_000 + n) for n in range(100)])
    assert pair.run("status", "--topics", topic, "--lag-threshold", "0").code == 0
    assert pair.replicate_once(topic).code == 0
    produce(pair.source.bootstrap, topic, [Message("k", "more")])
    assert pair.replicate_once(topic).code == 0
    assert pair.count_exact_records(topic) == 101


def test_a_copy_that_somebody_else_wrote_is_told_apart(pair: Pair) -> None:
    topic = pair.create_source_topic()
    create_topic(pair.target.bootstrap, topic)
    produce(pair.target.bootstrap, topic, [Message("k", "other")] * 10)
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 20)
    ran = pair.run("status", "--topics", topic)
    assert ran.code == 1
    assert "somebody else wrote them" in ran.json["partitions"][0]["problem"]
