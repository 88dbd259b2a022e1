"""A plan says what would be done, and refuses what can't be done exactly. Replicate carries it out."""

from pathlib import Path
from uuid import UUID

import pytest
from confluent_kafka.admin import AdminClient

from devkafka import Message, create_topic, produce
from kafmirror.kafka.metadata import Bounds, Leader, Setting, Topic
from kafmirror.plan.plan import TopicFacts, TopicPairFacts, plan_topic
from tests.kafmirror.logs import read_bounds, read_topic_settings
from tests.kafmirror.side import CompletedRun, Pair, run_kafmirror


def refusals(ran: CompletedRun) -> str:
    assert ran.code == 1, ran.err
    return "\n".join(text for each in ran.json["topics"] for text in each["refusals"])


def test_a_target_with_more_partitions_is_refused_and_one_with_fewer_gets_them(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=2)
    create_topic(pair.target.bootstrap, topic, partitions=3)
    assert f"topic {topic} has 3 partitions in the target, and {topic} has 2" in refusals(
        pair.run("plan", "--topics", topic)
    )
    topic = pair.create_source_topic(partitions=3)
    create_topic(pair.target.bootstrap, topic, partitions=1)
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}", partition=n % 3) for n in range(9)])
    assert pair.run("plan", "--topics", topic).json["topics"][0]["widen"] is True
    assert pair.replicate_once(topic).code == 0
    assert pair.count_exact_records(topic) == 9


NO_LEADERS = {2: "no leader in eu-west-1"}


@pytest.mark.parametrize(
    ("source_unknown", "target_unknown", "records"), [({}, {}, 90), (NO_LEADERS, {}, 50), ({}, NO_LEADERS, 50)]
)
def test_nothing_is_planned_for_a_partition_that_can_not_be_had(
    source_unknown: dict[int, str], target_unknown: dict[int, str], records: int
) -> None:
    """It isn't filled, counts no records, and may hold records that compaction must not touch."""
    bounds = {0: Bounds(0, 30), 1: Bounds(0, 20), 2: Bounds(60, 100)}
    topic = Topic("t", UUID(int=1), False, dict.fromkeys(bounds, Leader(1, 0)), 1, 0)
    policies = [{"cleanup.policy": Setting(each, is_overridden=True)} for each in ("compact", "delete")]
    known_bounds = {number: each for number, each in bounds.items() if number not in source_unknown}
    ends = {number: Bounds(0, 0) for number in bounds if number not in target_unknown}
    source = TopicFacts(topic, policies[0], known_bounds, None, source_unknown)
    target = TopicFacts(topic, policies[1], ends, None, target_unknown)
    plan = plan_topic(TopicPairFacts(source, target, "t", {}, (), None, None), frozenset({"cleanup.policy"}))
    is_known = not source_unknown and not target_unknown
    assert (plan.partitions, plan.records) == (3, records)
    assert plan.unknown == {**source_unknown, **target_unknown}
    assert any("empty records" in each for each in plan.warnings) == is_known
    assert ("cleanup.policy" in plan.changes) == (not target_unknown)


def test_a_name_that_the_target_does_not_take_is_refused(pair: Pair) -> None:
    topic = pair.create_source_topic()
    assert "invalid" in refusals(pair.run("plan", "--topics", topic, "--target-topic", "a b {topic}"))
    assert pair.run("plan", "--topics", topic, "--target-topic", "copies").code == 2


def test_limits_of_the_target_that_would_refuse_or_delete_records_are_changed(pair: Pair) -> None:
    topic = pair.create_source_topic(config={"max.message.bytes": "3000000", "retention.ms": "-1"})
    limits = {"max.message.bytes": "1000", "retention.ms": "1000", "message.timestamp.before.max.ms": "1000"}
    create_topic(pair.target.bootstrap, topic, config=limits)
    old = [Message("k", b"x" * 2_000_000, timestamp=1_500_000_000_000)]
    produce(pair.source.bootstrap, topic, old, {"message.max.bytes": 3_000_000})
    changes = pair.run("plan", "--topics", topic).json["topics"][0]["changes"]
    assert (changes["max.message.bytes"], changes["retention.ms"]) == ("3000000", "-1")
    assert read_topic_settings(pair.target.bootstrap, topic)["max.message.bytes"] == "1000"
    assert pair.replicate_once(topic).code == 0
    assert pair.count_exact_records(topic) == 1


def test_a_pattern_without_a_topic_is_a_warning(pair: Pair) -> None:
    ran = pair.run("plan", "--topics", "nothing-like-it-*")
    assert ran.code == 0
    assert "no topic of" in ran.json["warnings"][0]
    assert pair.replicate_once("nothing-like-it-*").code == 0


@pytest.fixture
def folder(pair: Pair, tmp_path: Path) -> Path:
    """A folder with an agentlog.toml that names both clusters."""
    lines = [
        line
        for name, cluster in (("east", pair.source), ("west", pair.target))
        for line in (f"[clusters.{name}]", f'"bootstrap.servers" = "{cluster.bootstrap}"')
    ]
    (tmp_path / "agentlog.toml").write_text("\n".join(lines))
    return tmp_path


def between(folder: Path, source: str, target: str, command: str, *more: str) -> CompletedRun:
    names = ("--source", source, "--target", target, "--target-topic", "{source}.{topic}")
    return run_kafmirror([command, *names, *more], cwd=folder)


def test_two_active_regions_keep_each_other_s_topic_under_its_region_s_name(pair: Pair, folder: Path) -> None:
    topic = pair.create_source_topic()
    create_topic(pair.target.bootstrap, topic)
    produce(pair.source.bootstrap, topic, [Message("k", "from the east")] * 3)
    produce(pair.target.bootstrap, topic, [Message("k", "from the west")] * 5)
    assert between(folder, "east", "west", "replicate", "--topics", topic, "--once").code == 0
    assert between(folder, "west", "east", "replicate", "--topics", topic, "--once").code == 0
    assert read_bounds(pair.target.bootstrap, f"east.{topic}") == (0, 3)
    assert read_bounds(pair.source.bootstrap, f"west.{topic}") == (0, 5)


def test_a_pattern_never_sends_a_copy_back_to_where_it_came_from(pair: Pair, folder: Path) -> None:
    topic = pair.create_source_topic()
    assert between(folder, "east", "west", "replicate", "--topics", topic, "--once").code == 0
    back = between(folder, "west", "east", "plan", "--topics", f"*{topic}")
    assert back.code == 0
    assert back.json["topics"] == []
    assert f"skipped, because they are copies of topics of east: east.{topic}" in back.json["warnings"]
    named = between(folder, "west", "east", "plan", "--topics", f"east.{topic}")
    assert [each["target"] for each in named.json["topics"]] == [f"west.east.{topic}"]
    assert f"west.east.{topic}" not in AdminClient({"bootstrap.servers": pair.source.bootstrap}).list_topics().topics
