"""A mirrored topic has the source's records at the source's offsets."""

import random
import re
import signal
import uuid

from confluent_kafka.admin import AdminClient, NewPartitions

from devkafka import Message, create_topic, eventually, produce
from tests.kafmirror.logs import (
    change_setting,
    count_partitions,
    delete_records,
    delete_topic,
    fill_topic,
    read_bounds,
    read_topic_settings,
)
from tests.kafmirror.side import Pair, run_kafmirror


def messages(count: int, seed: int = 1) -> list[Message]:
    """Return records that are as odd as Kafka allows."""
    rng = random.Random(seed)
    return [
        Message(
            key=rng.choice([None, b"", b"sess_1", rng.randbytes(20)]),
            value=rng.choice([None, b"", rng.randbytes(rng.randrange(300)), b"{}" * rng.randrange(200)]),
            timestamp=1_700_000_000_000 + rng.randrange(-(10**9), 10**9),
            headers=[
                (rng.choice(["a", "a", "", "agentlog.process"]), rng.choice([None, b"", b"x"]))
                for _ in range(rng.choice([0, 0, 1, 30]))
            ],
            partition=rng.randrange(3),
        )
        for _ in range(count)
    ]


def test_every_record_is_copied_as_it_is_to_its_offset(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=3)
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        produce(pair.source.bootstrap, topic, messages(1000), {"compression.type": codec, "linger.ms": 1})
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    source, target = pair.read_logs(topic)
    assert sum(map(len, source.values())) == 5000
    assert target == source


def test_a_second_run_copies_only_what_is_new(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=3)
    for _ in range(2):
        produce(pair.source.bootstrap, topic, messages(100))
        copied = pair.replicate_once(topic).json["partitions"]
        assert sum(each["records"] for each in copied) == 100
    unchanged = pair.replicate_once(topic, "--lag-threshold", "0")
    assert (unchanged.code, sum(each["records"] for each in unchanged.json["partitions"])) == (0, 0)
    assert {each["lag_records"] for each in unchanged.json["partitions"]} == {0}
    assert pair.is_exact(topic)


def test_a_running_mirror_copies_new_records(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=3)
    with pair.run_mirror(topic) as mirror:
        for seed in range(5):
            produce(pair.source.bootstrap, topic, messages(200, seed))
        pair.wait_until_exact(topic)
        assert mirror.stop().code == 128 + signal.SIGTERM


def test_the_target_gets_the_settings_of_the_source_and_follows_them(pair: Pair) -> None:
    config = {"retention.ms": "-1", "max.message.bytes": "2000000", "min.insync.replicas": "1"}
    topic = pair.create_source_topic(config=config)
    with pair.run_mirror(topic):
        eventually(lambda: count_partitions(pair.target.bootstrap, topic), 30)
        settings = read_topic_settings(pair.target.bootstrap, topic)
        assert (settings["retention.ms"], settings["max.message.bytes"]) == ("-1", "2000000")
        change_setting(pair.source.bootstrap, topic, "max.message.bytes", "3000000")
        eventually(lambda: read_topic_settings(pair.target.bootstrap, topic)["max.message.bytes"] == "3000000", 30)


def test_new_partitions_and_topics_that_match_join(pair: Pair) -> None:
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    first = create_topic(pair.source.bootstrap, f"{prefix}-a")
    produce(pair.source.bootstrap, first, [Message("k", "v")])
    with pair.run_mirror(f"{prefix}-*"):
        pair.wait_until_exact(first)
        admin = AdminClient({"bootstrap.servers": pair.source.bootstrap})
        admin.create_partitions([NewPartitions(first, 2)])[first].result(timeout=30)
        second = create_topic(pair.source.bootstrap, f"{prefix}-b")
        produce(pair.source.bootstrap, second, [Message("k", "v")])
        eventually(lambda: count_partitions(pair.source.bootstrap, first) == 2, 30)
        produce(pair.source.bootstrap, first, [Message("k", "later", partition=1)])
        pair.wait_until_exact(second)
        pair.wait_until_exact(first)


def test_a_source_that_no_longer_begins_at_0_is_copied_to_the_same_offsets(pair: Pair) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 210_000, partitions=1)
    delete_records(pair.source.bootstrap, topic, 200_017)
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    assert read_bounds(pair.target.bootstrap, topic) == (200_017, 210_000)
    assert pair.is_exact(topic)


def test_a_source_whose_records_are_all_deleted_keeps_its_end(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 1000)
    delete_records(pair.source.bootstrap, topic, 1000)
    assert pair.replicate_once(topic).code == 0
    assert read_bounds(pair.target.bootstrap, topic) == (1000, 1000)
    produce(pair.source.bootstrap, topic, [Message("k", "later")])
    assert pair.replicate_once(topic).code == 0
    assert pair.is_exact(topic)
    assert read_bounds(pair.target.bootstrap, topic) == (1000, 1001)


def test_a_target_that_already_holds_the_same_records_is_used_as_it_is(pair: Pair) -> None:
    topic = create_topic(pair.target.bootstrap, pair.create_source_topic())
    same = [Message("k", f"{n}", 1000 + n) for n in range(100)]
    produce(pair.target.bootstrap, topic, same[:50], {"batch.num.messages": 7})
    produce(pair.source.bootstrap, topic, same)
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    assert pair.is_exact(topic)


def test_a_target_that_holds_other_records_is_refused_and_they_are_named(pair: Pair) -> None:
    topic = create_topic(pair.target.bootstrap, pair.create_source_topic())
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}", 1000) for n in range(10)])
    produce(pair.target.bootstrap, topic, [Message("k", "another" if n == 7 else f"{n}", 1000) for n in range(9)])
    ran = pair.replicate_once(topic)
    assert ran.code == 1
    assert f"{topic}[0] holds records that aren't the source's: at offset 7 they differ in value" in ran.err
    assert read_bounds(pair.target.bootstrap, topic) == (0, 9)


def test_somebody_else_who_writes_into_the_target_stops_the_mirror_at_once(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 10)
    with pair.run_mirror(topic) as mirror:
        pair.wait_until_exact(topic)
        produce(pair.target.bootstrap, topic, [Message("k", "intruder")])
        produce(pair.source.bootstrap, topic, [Message("k", "v")])
        ran = mirror.wait_for_end()
    assert ran.code == 1
    assert f"{topic}[0]: somebody else w" in ran.err
    assert re.search("the batch for offset 10 was written at 11|the batch at offset 10, up to 10", ran.err), ran.err
    assert read_bounds(pair.target.bootstrap, topic)[1] <= 12
    assert pair.replicate_once(topic).code == 1


def test_a_topic_that_is_deleted_and_created_again_stops_the_mirror(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 10)
    with pair.run_mirror(topic) as mirror:
        pair.wait_until_exact(topic)
        delete_topic(pair.source.bootstrap, topic)
        create_topic(pair.source.bootstrap, topic)
        produce(pair.source.bootstrap, topic, [Message("k", "new")] * 20)
        ran = mirror.wait_for_end()
    assert ran.code == 1
    assert "was deleted and created again" in ran.err
    assert read_bounds(pair.target.bootstrap, topic) == (0, 10)
    assert pair.replicate_once(topic).code == 1


def test_records_that_were_deleted_before_they_were_copied_are_named(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}") for n in range(100)])
    assert pair.replicate_once(topic).code == 0
    produce(pair.source.bootstrap, topic, [Message("k", f"later {n}") for n in range(100)])
    delete_records(pair.source.bootstrap, topic, 150)
    ran = pair.replicate_once(topic)
    assert ran.code == 1
    assert "retention deleted offsets 100 to 149 before they were mirrored" in ran.err
    assert read_bounds(pair.target.bootstrap, topic) == (0, 100)


def test_two_directions_of_one_topic_are_refused(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")])
    assert pair.replicate_once(topic).code == 0
    back = Pair(pair.target, pair.source).run("plan", "--topics", topic)
    assert back.code == 1
    assert "a mirror in the other direction writes" in back.json["topics"][0]["refusals"][0]


def test_under_another_name_both_directions_go(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")])
    assert pair.replicate_once(topic, "--target-topic", "copy.{topic}").code == 0
    assert read_bounds(pair.target.bootstrap, f"copy.{topic}") == (0, 1)


def test_one_cluster_by_two_addresses_is_refused(pair: Pair) -> None:
    topic = pair.create_source_topic()
    twice = pair.source.bootstrap.replace("127.0.0.1", "localhost")
    ran = run_kafmirror(["plan", "--source", pair.source.bootstrap, "--target", twice, "--topics", topic])
    assert ran.code == 1
    assert "source and target are the same cluster" in ran.json["refusals"][0]


def test_a_plan_changes_nothing(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=3)
    produce(pair.source.bootstrap, topic, messages(100))
    plan = pair.run("plan", "--topics", topic)
    assert plan.code == 0
    [planned] = plan.json["topics"]
    assert (planned["create"], planned["partitions"], planned["records"]) == (True, 3, 100)
    assert not count_partitions(pair.target.bootstrap, topic)


def test_a_topic_that_is_not_there_is_named_with_those_that_are(pair: Pair) -> None:
    topic = pair.create_source_topic()
    ran = pair.replicate_once(f"{topic}s")
    assert ran.code == 3
    assert f"has no topic {topic}s" in ran.err
    assert f"We may see: {topic}" in ran.err


def test_a_cluster_that_does_not_answer_ends_with_3(pair: Pair) -> None:
    ran = run_kafmirror(
        ["replicate", "--source", "127.0.0.1:9", "--target", pair.target.bootstrap, "--topics", "t", "--once"]
    )
    assert ran.code == 3
    assert "127.0.0.1:9 can't be reached" in ran.err
    assert "Traceback" not in ran.err
