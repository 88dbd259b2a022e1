"""One group that can't be carried over is named with its reason, and keeps no other group."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from confluent_kafka import Consumer, ShareConsumer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from devkafka import Message, eventually, produce
from devkafka.client import SILENT_LOGGER
from tests.kafmirror.logs import commit_offset, read_committed_offset
from tests.kafmirror.side import CompletedRun, Pair

LEFT_BEHIND = {
    "b-new-protocol": "consumers use the group in the target",
    "c-old-protocol": "consumers use the group in the target",
    "d-metadata": "its committed metadata is longer than offset.metadata.max.bytes in",
    "e-out-of-range": "it is at 7000, beyond the source's end at 100",
    "f-share-group": "it is a share group",
    "g-share-group-there": "the target has a share group of that name",
}
"""The groups that can't be carried over, and why."""

CARRIED = ("a", "z")


@contextmanager
def use_group(bootstrap: str, group: str, topic: str, **properties: str) -> Iterator[None]:
    """Let a consumer be a member of the group for the block."""
    own = {"auto.offset.reset": "earliest", "enable.auto.commit": False}
    with closing(Consumer({"bootstrap.servers": bootstrap, "group.id": group, **own, **properties})) as consumer:
        consumer.subscribe([topic])
        eventually(lambda: consumer.poll(0.1) is not None, 60)
        yield


@contextmanager
def use_share_group(bootstrap: str, group: str, topic: str) -> Iterator[None]:
    """Let a consumer be a member of the share group for the block."""
    entry = ConfigEntry("share.auto.offset.reset", "earliest", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.GROUP, group, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(timeout=30)
    with closing(ShareConsumer({"bootstrap.servers": bootstrap, "group.id": group}, logger=SILENT_LOGGER)) as consumer:
        consumer.subscribe([topic])
        eventually(lambda: consumer.poll(0.1), 60)
        yield


def commit_with_metadata(bootstrap: str, group: str, topic: str, metadata: str) -> None:
    with closing(Consumer({"bootstrap.servers": bootstrap, "group.id": group})) as consumer:
        consumer.commit(offsets=[TopicPartition(topic, 0, 50, metadata)], asynchronous=False)


def reasons(ran: CompletedRun) -> dict[str, str | None]:
    return {each["group"].partition(".")[2]: each["skipped"] for each in ran.json["groups"]}


def left_behind(ran: CompletedRun) -> set[str]:
    return {each["group"].partition(".")[2] for each in ran.json["groups"] if each["left_behind"]}


@pytest.fixture(scope="module")
def mirrored(_clusters: Pair) -> Iterator[str]:
    """A mirrored topic with groups of each kind, named after the topic. Consumers use some of them in the target."""
    source, target = _clusters.source.bootstrap, _clusters.target.bootstrap
    topic = _clusters.create_source_topic()
    produce(source, topic, [Message("k", f"{n}") for n in range(100)])
    assert _clusters.replicate_once(topic).code == 0
    for name in ("b-new-protocol", "c-old-protocol", "g-share-group-there", *CARRIED):
        commit_offset(source, f"{topic}.{name}", topic, 50)
    commit_offset(source, f"{topic}.e-out-of-range", topic, 7000)
    commit_with_metadata(source, f"{topic}.d-metadata", topic, "m" * 5000)
    with (
        use_group(target, f"{topic}.b-new-protocol", topic, **{"group.protocol": "consumer"}),
        use_group(target, f"{topic}.c-old-protocol", topic),
        use_share_group(source, f"{topic}.f-share-group", topic),
        use_share_group(target, f"{topic}.g-share-group-there", topic),
    ):
        yield topic


def test_status_names_the_groups_that_can_not_be_carried_over_and_sets_none(pair: Pair, mirrored: str) -> None:
    ran = pair.run("status", "--topics", mirrored, "--groups", f"{mirrored}.[!d]*")
    assert ran.code == 1, ran.err
    assert left_behind(ran) == LEFT_BEHIND.keys() - {"d-metadata"}
    assert {reasons(ran)[name] for name in CARRIED} == {None}
    assert read_committed_offset(pair.target.bootstrap, f"{mirrored}.a", mirrored) < 0
    assert pair.run("status", "--topics", mirrored, "--groups", f"{mirrored}.[az]").code == 0


@pytest.mark.parametrize("command", [("replicate", "--once"), ("failover",)])
def test_a_group_that_can_not_be_carried_over_keeps_no_other(
    pair: Pair, mirrored: str, command: tuple[str, ...]
) -> None:
    ran = pair.run(command[0], "--topics", mirrored, "--groups", f"{mirrored}.*", *command[1:])
    assert ran.code == 1, ran.err
    assert left_behind(ran) == LEFT_BEHIND.keys(), ran.out
    for group, reason in LEFT_BEHIND.items():
        assert reason in (reasons(ran)[group] or ""), group
    for group in CARRIED:
        assert read_committed_offset(pair.target.bootstrap, f"{mirrored}.{group}", mirrored) == 50
    again = pair.run(command[0], "--topics", mirrored, "--groups", f"{mirrored}.[az]", *command[1:])
    assert (again.code, reasons(again)) == (0, dict.fromkeys(CARRIED, "it is at 50 already"))


def test_a_running_mirror_says_which_group_it_can_not_carry_over_and_goes_on(pair: Pair, mirrored: str) -> None:
    with pair.run_mirror(mirrored, "--groups", f"{mirrored}.*") as mirror:
        for group, reason in LEFT_BEHIND.items():
            mirror.wait_for_output(f"group {mirrored}.{group}")
            mirror.wait_for_output(reason)
        commit_offset(pair.source.bootstrap, f"{mirrored}.late", mirrored, 20)
        eventually(lambda: read_committed_offset(pair.target.bootstrap, f"{mirrored}.late", mirrored) == 20, 60)
        assert mirror.is_running


def test_a_named_group_that_the_source_does_not_have_is_said_and_is_no_failure(pair: Pair, mirrored: str) -> None:
    ran = pair.run("status", "--topics", mirrored, "--groups", f"{mirrored}.nobody,{mirrored}.a")
    assert ran.code == 0, ran.err
    assert "has no offset of it for these topics" in (reasons(ran)["nobody"] or "")
