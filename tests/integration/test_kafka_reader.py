"""Reading a session from real Kafka: clusters that fail, and logs with gaps, late, large and unreadable records."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from confluent_kafka import ElectionType, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from agentlog.errors import AgentlogError, KafkaRefused, KafkaUnavailable, PositionError, TopicNotFound
from agentlog.event.event import Record, Unreadable
from agentlog.event.partitioner import list_candidate_partitions
from agentlog.event.position import Moment, Offset, PositionRange
from agentlog.log.reader import Bounds, KafkaReader
from agentlog.log.source import RecordOrUnreadable
from agentlog.log.topic_source import TopicSource
from agentlog.settings.clusters import Cluster, Settings
from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from devkafka.client import SILENT_LOGGER
from devkafka.ports import get_port, reserve_port

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
NOON_MS = 1768478400000
ALL = PositionRange()
Topics = Callable[..., str]


def cluster(bootstrap: str, properties: Mapping[str, str] | None = None) -> Cluster:
    overrides = [f"{name}={value}" for name, value in (properties or {}).items() if name != "bootstrap.servers"]
    return Settings({}, None).get_cluster(bootstrap, overrides)


def value(event_id: str, at: float = 0, session: str = "s", **payload: Any) -> bytes:
    time = (NOON + timedelta(seconds=at)).isoformat()
    event = {"event_id": event_id, "session_id": session, "agent_id": "a", "timestamp": time}
    return orjson.dumps({**event, "event_type": "tool_call", "payload": payload})


def message(event_id: str, at: float = 0, session: str = "s", **fields: Any) -> Message:
    return Message(
        fields.pop("key", session),
        value(event_id, at, session, **fields.pop("payload", {})),
        fields.pop("timestamp", NOON_MS + round(at * 1000)),
        **fields,
    )


@pytest.fixture
def reader(kafka: str) -> Iterator[KafkaReader]:
    with KafkaReader(cluster(kafka)) as opened:
        yield opened


def whole(reader: KafkaReader, topic: str) -> TopicSource:
    return TopicSource(reader, topic, None, all_partitions=True)


def ids(found: list[RecordOrUnreadable]) -> list[str]:
    """Return the ids of the events, and the offsets and reasons of unreadable records."""
    return [
        each.event.event_id if isinstance(each, Record) else f"{each.place.offset}: {each.reason}" for each in found
    ]


def read(source: TopicSource, span: PositionRange = ALL, session_id: str = "s") -> list[str]:
    return ids(list(source.records(session_id, span)))


# Clusters that don't answer, or refuse.


def failure(at: Cluster, topic: str = "agent-events") -> AgentlogError:
    """Return the error that reading a session there raises."""
    with pytest.raises(AgentlogError) as raised, KafkaReader(at) as reader:
        read(whole(reader, topic))
    return raised.value


def test_a_cluster_that_nobody_runs_is_unavailable() -> None:
    with reserve_port() as reserved:
        address = f"127.0.0.1:{get_port(reserved)}"
        told = failure(cluster(address))
    assert type(told) is KafkaUnavailable
    assert f"cluster {address} can't be reached while connecting" in str(told)
    assert "bootstrap.servers is from the command line" in str(told)


def test_a_name_that_nobody_knows_is_said_to_be_unknown() -> None:
    told = failure(cluster("kafka.invalid:9092"))
    assert type(told) is KafkaUnavailable
    assert "kafka.invalid:9092: its host name can't be resolved" in str(told)


def test_a_wrong_password_is_refused_and_never_shown(
    secure_kafka: KafkaCluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = {**secure_kafka.client_properties("admin"), "sasl.password": "correct-horse"}
    told = failure(cluster(secure_kafka.secure_bootstrap, wrong))
    assert type(told) is KafkaRefused
    assert "refused the user name or the password" in str(told)
    assert "correct-horse" not in str(told) + caplog.text


def test_a_certificate_of_an_authority_that_is_not_known_is_refused(secure_kafka: KafkaCluster) -> None:
    properties = secure_kafka.client_properties("admin")
    del properties["ssl.ca.location"]
    told = failure(cluster(secure_kafka.secure_bootstrap, properties))
    assert type(told) is KafkaRefused
    assert "no TLS connection" in str(told)
    assert "certificate" in str(told)


def test_tls_where_there_is_none_and_none_where_there_is_are_told(secure_kafka: KafkaCluster) -> None:
    tls = failure(cluster(secure_kafka.bootstrap, secure_kafka.client_properties("admin")))
    assert type(tls) is KafkaUnavailable
    assert "SSL connection closed by peer" in str(tls)
    plain = failure(cluster(secure_kafka.secure_bootstrap))
    assert type(plain) is KafkaUnavailable
    assert "closed each connection while connecting: does it want TLS or a password" in str(plain)


def test_a_topic_that_one_may_not_see_is_refused(secure_kafka: KafkaCluster) -> None:
    topic = create_topic(secure_kafka.bootstrap)
    stranger = cluster(secure_kafka.secure_bootstrap, secure_kafka.client_properties("stranger"))
    told = failure(stranger, topic)
    assert type(told) is KafkaRefused
    assert f"not authorised on topic {topic}" in str(told)


def test_a_topic_that_one_may_see_but_not_read_is_refused(secure_kafka: KafkaCluster) -> None:
    topic = create_topic(secure_kafka.bootstrap)
    produce(secure_kafka.bootstrap, topic, [message("a")])
    allow(secure_kafka, "stranger", AclOperation.DESCRIBE, topic)
    stranger = cluster(secure_kafka.secure_bootstrap, secure_kafka.client_properties("stranger"))
    told = failure(stranger, topic)
    assert type(told) is KafkaRefused
    assert f"not authorised on topic {topic}" in str(told)


def test_the_rights_to_describe_and_to_read_a_topic_are_enough(secure_kafka: KafkaCluster) -> None:
    topic = create_topic(secure_kafka.bootstrap)
    produce(secure_kafka.bootstrap, topic, [message("a")])
    for operation in (AclOperation.DESCRIBE, AclOperation.READ):
        allow(secure_kafka, "stranger", operation, topic)
    with KafkaReader(cluster(secure_kafka.secure_bootstrap, secure_kafka.client_properties("stranger"))) as reader:
        assert read(whole(reader, topic)) == ["a"]


def allow(secure: KafkaCluster, user: str, operation: AclOperation, topic: str) -> None:
    acl = AclBinding(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, AclPermissionType.ALLOW
    )
    admin = AdminClient({"bootstrap.servers": secure.bootstrap}, logger=SILENT_LOGGER)
    admin.create_acls([acl])[acl].result(timeout=30)
    eventually(lambda: admin.describe_acls(acl_filter(topic)).result(timeout=30))


def acl_filter(topic: str) -> AclBindingFilter:
    return AclBindingFilter(
        ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY
    )


def test_a_topic_that_is_not_there_is_answered_with_the_nearest_name(kafka: str, topic: Topics) -> None:
    near = topic()
    told = failure(cluster(kafka), near[:-1] + "-")
    assert type(told) is TopicNotFound
    assert f"; did you mean {near}?" in str(told)


def test_a_topic_unlike_any_other_is_answered_with_what_there_is(fragile_kafka: KafkaCluster) -> None:
    create_topic(fragile_kafka.bootstrap, "a-topic-among-others")
    told = failure(cluster(fragile_kafka.bootstrap), "QQQQ")
    assert type(told) is TopicNotFound
    assert "cluster 127.0.0.1" in str(told)
    assert "has no topic QQQQ; it has " in str(told)


class Stumbling(KafkaReader):
    """A reader with an interruption between the request of the bounds and the reading."""

    def __init__(self, at: Cluster, happens: Callable[[], object], timeout_s: float = 10) -> None:
        super().__init__(at, timeout_s)
        self.happens = happens

    def start_reading(self, topic: str, offsets: Mapping[int, int]) -> None:
        self.happens()
        super().start_reading(topic, offsets)


QUESTIONS: dict[str, Callable[[KafkaReader, str], object]] = {
    "partitions": lambda reader, topic: reader.partition_count(topic),
    "bounds": lambda reader, topic: reader.fetch_bounds(topic, [0]),
    "offsets": lambda reader, topic: reader.find_offsets_at(topic, [0], NOON_MS),
    "another topic": lambda reader, topic: reader.partition_count("another"),
}


def ask_until_it_fails(question: Callable[[], object]) -> None:
    """Ask until an error ends it, because a busy machine may pause a broker a moment later."""
    while True:
        question()


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_a_broker_that_stops_answering_is_unavailable_when_the_time_is_over(
    fragile_kafka: KafkaCluster, question: str
) -> None:
    topic = create_topic(fragile_kafka.bootstrap)
    with KafkaReader(cluster(fragile_kafka.bootstrap), timeout_s=2) as reader:
        reader.partition_count(topic)
        fragile_kafka.brokers[0].pause()
        with pytest.raises(KafkaUnavailable, match="gave no answer in time"):
            ask_until_it_fails(lambda: QUESTIONS[question](reader, topic))


def test_a_broker_that_falls_silent_while_a_topic_is_read_is_unavailable(fragile_kafka: KafkaCluster) -> None:
    topic = create_topic(fragile_kafka.bootstrap)
    produce(fragile_kafka.bootstrap, topic, [message("a")])
    with (
        Stumbling(cluster(fragile_kafka.bootstrap), fragile_kafka.brokers[0].pause, timeout_s=2) as reader,
        pytest.raises(KafkaUnavailable, match=f"gave no answer in time while reading topic {topic}"),
    ):
        read(whole(reader, topic))


# Logs with gaps.


def transaction(bootstrap: str, topic: str, messages: list[Message]) -> Producer:
    """Begin a transaction with `messages`. Its producer commits or aborts it."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"tx-{topic}-{messages[0].value!r}"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for each in messages:
        producer.produce(topic, each.value, each.key, partition=each.partition or 0, timestamp=each.timestamp or 0)
    assert producer.flush(30) == 0
    return producer


def test_aborted_records_are_not_read_and_committed_ones_are(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic()
    transaction(kafka, name, [message("committed")]).commit_transaction(30)
    transaction(kafka, name, [message("aborted")]).abort_transaction(30)
    produce(kafka, name, [message("plain")])
    transaction(kafka, name, [message("aborted too")]).abort_transaction(30)
    eventually(lambda: reader.fetch_bounds(name, [0])[0].high == 7)  # an abort is answered before its marker is written
    source = whole(reader, name)
    assert read(source) == ["committed", "plain"]
    assert (source.searched.records, source.searched.expected) == (2, 7)


def test_a_partition_that_holds_nothing_but_an_aborted_transaction_is_read_to_its_end(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic()
    transaction(kafka, name, [message("aborted")]).abort_transaction(30)
    assert read(whole(reader, name)) == []


def test_reading_ends_before_an_open_transaction_and_following_goes_on_behind_its_commit(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic(partitions=2)
    produce(kafka, name, [message("before", partition=0), message("elsewhere", partition=1)])
    producer = transaction(kafka, name, [message("inside", partition=0)])
    produce(kafka, name, [message("behind", partition=0)])
    source = whole(reader, name)
    assert sorted(read(source)) == ["before", "elsewhere"]
    producer.commit_transaction(30)
    with closing(source.follow("s", print)) as followed:
        assert next_ids(followed, 2) == ["inside", "behind"]


def next_ids(followed: Iterator[RecordOrUnreadable | None], count: int) -> list[str]:
    found: list[RecordOrUnreadable] = []

    def enough() -> bool:
        if (each := next(followed)) is not None:
            found.append(each)
        return len(found) == count

    eventually(enough, timeout=20)
    return ids(found)


def test_following_begins_where_reading_ended(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic(partitions=3)
    produce(kafka, name, [message("a", partition=0), message("x", session="other", partition=1)])
    source = whole(reader, name)
    assert read(source) == ["a"]
    produce(kafka, name, [message("b", partition=2), message("y", session="other", partition=2)])
    with closing(source.follow("s", print)) as followed:
        assert next_ids(followed, 1) == ["b"]
        produce(kafka, name, [message("c", partition=1), Message("s", b"oops", partition=1)])
        assert next_ids(followed, 2) == ["c", "2: not JSON: invalid character (byte 0)"]
    assert source.searched.unreadable == 1


def trim(bootstrap: str, topic: str, offset: int, partition: int = 0) -> None:
    """Delete the records before `offset`, as retention does."""
    admin = AdminClient({"bootstrap.servers": bootstrap}, logger=SILENT_LOGGER)
    for future in admin.delete_records([TopicPartition(topic, partition, offset)]).values():
        future.result(timeout=30)


def test_a_broker_that_knows_no_record_since_a_time_is_not_believed_where_the_last_one_is_newer(
    kafka: str, topic: Topics, reader: KafkaReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = topic(partitions=2)
    produce(kafka, name, [message(i, at, partition=0) for i, at in (("old", -60), ("a", 1), ("b", 2))])
    produce(kafka, name, [message("other", -60, partition=1)])
    monkeypatch.setattr(reader, "find_offsets_at", lambda topic, partitions, at: dict.fromkeys(partitions))
    source = TopicSource(reader, name, None, all_partitions=True)
    assert read(source, PositionRange(Moment(NOON))) == ["a", "b"]
    assert source.searched.expected == 3


def test_a_log_that_was_trimmed_says_where_it_begins_now(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic(partitions=3)
    produce(kafka, name, [message(f"e{n}", n, partition=0) for n in range(5)])
    produce(kafka, name, [message("x", 9, session="other", partition=1)] * 2)
    trim(kafka, name, 3)
    trim(kafka, name, 1, partition=1)
    source = whole(reader, name)
    assert read(source) == ["e3", "e4"]
    assert source.searched.log_begins == {0: NOON_MS + 3000, 1: NOON_MS + 9000}


def test_a_partition_whose_records_are_all_deleted_has_no_beginning(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic()
    produce(kafka, name, [message("a")])
    trim(kafka, name, 1)
    source = whole(reader, name)
    assert read(source) == []
    assert source.searched.log_begins == {0: None}


def test_where_the_log_begins_is_known_although_a_gap_stands_there(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic()
    transaction(kafka, name, [message("a")]).commit_transaction(30)
    produce(kafka, name, [message("b", 5)])
    trim(kafka, name, 1)
    source = whole(reader, name)
    assert read(source) == ["b"]
    assert source.searched.log_begins == {0: NOON_MS + 5000}


def test_where_the_log_begins_is_not_known_when_reading_began_behind_it(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic()
    produce(kafka, name, [message(f"e{n}", n) for n in range(5)])
    trim(kafka, name, 1)
    source = whole(reader, name)
    assert read(source, PositionRange(Offset(None, 3))) == ["e3", "e4"]
    assert source.searched.log_begins == {0: None}


def test_records_that_are_deleted_while_they_are_read_are_passed_over_with_a_warning(
    kafka: str, topic: Topics, caplog: pytest.LogCaptureFixture
) -> None:
    name = topic()
    produce(kafka, name, [message(f"e{n}", n) for n in range(5)])
    with Stumbling(cluster(kafka), lambda: trim(kafka, name, 3)) as reader:
        source = whole(reader, name)
        assert read(source) == ["e3", "e4"]
    assert source.searched.log_begins == {0: NOON_MS + 3000}
    assert f"{name}[0]: records before offset 3 were deleted while they were read" in caplog.text


def test_all_records_that_are_deleted_while_they_are_read_leave_nothing(kafka: str, topic: Topics) -> None:
    name = topic()
    produce(kafka, name, [message(f"e{n}", n) for n in range(5)])
    with Stumbling(cluster(kafka), lambda: trim(kafka, name, 5)) as reader:
        source = whole(reader, name)
        assert read(source) == []
    assert source.searched.log_begins == {0: None}


def test_what_compaction_left_is_read(fragile_kafka: KafkaCluster) -> None:
    bootstrap = fragile_kafka.bootstrap
    compact_soon(bootstrap)
    config = {"cleanup.policy": "compact", "segment.ms": "50", "min.cleanable.dirty.ratio": "0.001"}
    name = create_topic(bootstrap, config=config)
    produce(bootstrap, name, [message(f"e{n}", n) for n in range(20)])
    with KafkaReader(cluster(bootstrap)) as reader:

        def compacted() -> list[str]:
            produce(bootstrap, name, [message("filler", 99, session="other")])
            found = read(whole(reader, name))
            return found if len(found) < 20 else []

        assert eventually(compacted, timeout=30) == ["e19"]
        source = whole(reader, name)
        assert read(source, PositionRange(Offset(0, 5), Offset(0, 19))) == ["e19"]
        assert source.searched.records < source.searched.expected


def compact_soon(bootstrap: str) -> None:
    entry = ConfigEntry("log.cleaner.backoff.ms", "100", incremental_operation=AlterConfigOpType.SET)
    broker = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": bootstrap}, logger=SILENT_LOGGER)
    admin.incremental_alter_configs([broker])[broker].result(timeout=30)


# Where a session's records lie.


def outside(count: int) -> int:
    """Return a partition of `count` where no client's partitioner puts the session `s`."""
    return next(p for p in range(count) if p not in list_candidate_partitions(b"s", count))


def test_only_the_partitions_where_a_session_can_be_are_read(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name, likely = topic(partitions=9), list_candidate_partitions(b"s", 9)
    produce(kafka, name, [message(f"e{p}", p, partition=p) for p in range(9)])
    source = TopicSource(reader, name, None, all_partitions=False)
    assert sorted(read(source)) == sorted(f"e{p}" for p in likely)
    assert sorted(source.searched.partitions) == sorted(likely)
    assert source.searched.partition_count == 9


def test_a_known_partitioner_narrows_them_to_one(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic(partitions=9)
    produce(kafka, name, [message("a")], {"partitioner": "murmur2_random"})
    source = TopicSource(reader, name, "murmur2", all_partitions=False)
    assert (read(source), source.searched.partitions) == (["a"], list_candidate_partitions(b"s", 9, "murmur2"))


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_session_in_a_partition_where_nobody_would_look_is_found(
    kafka: str, topic: Topics, reader: KafkaReader, everywhere: bool
) -> None:
    name = topic(partitions=9)
    produce(kafka, name, [message("a", partition=outside(9)), message("x", session="other", partition=0)])
    source = TopicSource(reader, name, None, everywhere)
    assert read(source) == ["a"]
    assert sorted(source.searched.partitions) == list(range(9))
    assert (source.searched.records, source.searched.expected) == (2, 2)


def test_a_session_that_moved_when_partitions_were_added_is_whole_when_all_are_read(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name, java = topic(partitions=1), {"partitioner": "murmur2_random"}
    produce(kafka, name, [message("a")], java)
    admin = AdminClient({"bootstrap.servers": kafka}, logger=SILENT_LOGGER)
    admin.create_partitions([NewPartitions(name, 8)])[name].result(timeout=30)
    eventually(lambda: len(admin.list_topics(name, timeout=10).topics[name].partitions) == 8)
    produce(kafka, name, [message("b", 1)], java)
    assert sorted(read(whole(reader, name))) == ["a", "b"]


def test_a_place_in_one_partition_is_read_there_alone(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic(partitions=9)
    produce(kafka, name, [message(f"e{n}", partition=outside(9)) for n in range(3)])
    source = TopicSource(reader, name, None, all_partitions=False)
    assert read(source, PositionRange(Offset(outside(9), 1))) == ["e1", "e2"]
    assert source.searched.partitions == [outside(9)]
    with pytest.raises(PositionError, match="has no partition 9; it has 9, the first being 0"):
        read(TopicSource(reader, name, None, all_partitions=False), PositionRange(Offset(9, 0)))


@pytest.mark.parametrize("at", [Offset(None, 3), Offset(0, 99), Moment(NOON + timedelta(hours=1))])
@pytest.mark.parametrize("partitions", [1, 4])
def test_nothing_behind_the_start_is_no_error(
    kafka: str, topic: Topics, reader: KafkaReader, at: Offset | Moment, partitions: int
) -> None:
    name = topic(partitions=partitions)
    produce(kafka, name, [message("a", partition=0)])
    assert read(TopicSource(reader, name, None, all_partitions=False), PositionRange(at)) == []


# Records of any kind.


def test_records_without_a_key_are_the_session_that_they_name(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic()
    rows = [message("a", key=None), message("x", session="other", key=None), message("b"), Message(None, b"oops")]
    produce(kafka, name, rows)
    source = whole(reader, name)
    assert read(source) == ["a", "b", "3: not JSON: invalid character (byte 0)"]
    assert (source.searched.records, source.searched.unreadable) == (4, 1)


def test_unreadable_records_are_named_where_they_lie_beside_those_that_can_be_read(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic(partitions=2)
    rows = [
        message("a"),
        Message("s", None),
        Message("s", b"\xff\xfe"),
        Message("s", value("x", session="other")),
        Message("other", b"not ours"),
        message("b"),
    ]
    produce(kafka, name, [each._replace(partition=1) for each in rows])
    found = list(whole(reader, name).records("s", ALL))
    assert ids(found) == [
        "a",
        "1: a tombstone: it has no value",
        "2: not UTF-8, at byte 0",
        "b",
    ]
    assert [each.where for each in found if isinstance(each, Unreadable)] == [f"{name}[1]@{n}" for n in (1, 2)]


def test_a_record_of_12_mb_is_read_and_one_of_17_mb_named(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic(config={"max.message.bytes": "20000000"})
    rows = [message("a"), message("large", payload={"text": "x" * 12_000_000}), message("b")]
    rows += [message("too large", payload={"text": "x" * 17_000_000}), message("c")]
    produce(kafka, name, rows, {"message.max.bytes": 20_000_000})
    found = list(whole(reader, name).records("s", ALL))
    assert [each[:2] for each in ids(found)] == ["a", "la", "b", "3:", "c"]
    assert isinstance(found[3], Unreadable)
    assert "more than the limit of 16,777,216" in found[3].reason


def test_headers_and_the_records_own_time_are_kept(kafka: str, topic: Topics, reader: KafkaReader) -> None:
    name = topic()
    headers = [("agentlog.process", b"p1"), ("é", None), ("raw", b"\xff"), ("raw", b"")]
    produce(kafka, name, [message("a", 5, headers=headers, timestamp=NOON_MS + 77)])
    [found] = whole(reader, name).records("s", ALL)
    assert (found.place.topic, found.place.partition, found.place.offset) == (name, 0, 0)
    assert (found.place.timestamp, list(found.place.headers)) == (NOON_MS + 77, headers)
    assert found.place.process == "p1"


# Bounds in time.


def moment(at: float) -> Moment:
    return Moment(NOON + timedelta(seconds=at))


def test_out_of_order_records_at_both_ends_of_a_time_span_are_found(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic()
    times = {"early": 0, "b": 50, "late": 5, "c": 60, "outside": 99, "straggler": 10, "d": 90}
    produce(kafka, name, [message(event_id, at) for event_id, at in times.items()])
    source = whole(reader, name)
    assert read(source, PositionRange(moment(10), moment(90))) == ["b", "c", "straggler", "d"]
    assert source.searched.records == 6


def test_an_event_counts_by_its_own_time_where_its_record_says_another(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic()
    produce(kafka, name, [message("sent late", 10, timestamp=NOON_MS + 500_000), message("sent last", 600)])
    assert read(whole(reader, name), PositionRange(moment(5), moment(20))) == ["sent late"]


def test_a_topic_that_keeps_the_time_of_arrival_is_searched_by_the_events_times(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic(config={"message.timestamp.type": "LogAppendTime"})
    produce(kafka, name, [message(f"e{n}", n * 10) for n in range(5)])
    found = list(whole(reader, name).records("s", PositionRange(moment(10), moment(30))))
    assert ids(found) == ["e1", "e2", "e3"]
    assert all(each.place.timestamp and each.place.timestamp > NOON_MS + 86_400_000 for each in found)


def test_the_bounds_of_a_partition_are_its_first_offset_and_the_next_one(
    kafka: str, topic: Topics, reader: KafkaReader
) -> None:
    name = topic(partitions=2)
    produce(kafka, name, [message(f"e{n}", partition=1) for n in range(4)])
    trim(kafka, name, 2, partition=1)
    assert reader.fetch_bounds(name, [0, 1]) == {0: Bounds(0, 0), 1: Bounds(2, 4)}
    assert reader.find_offsets_at(name, [0, 1], NOON_MS) == {0: None, 1: 2}


@pytest.mark.soak
def test_a_partition_whose_leader_moves_is_asked_for_again() -> None:
    with KafkaCluster("moving", brokers=3) as three:
        admin = AdminClient({"bootstrap.servers": three.bootstrap}, logger=SILENT_LOGGER)
        replicas = {"replica_assignment": [[1, 2]], "config": {"min.insync.replicas": "1", "retention.ms": "-1"}}
        admin.create_topics([NewTopic("moving", 1, **replicas)])["moving"].result(timeout=30)

        def leads(broker: int) -> bool:
            found = admin.list_topics("moving", timeout=10).topics["moving"].partitions
            return 0 in found and found[0].leader == broker

        eventually(lambda: leads(1), 30)
        produce(three.bootstrap, "moving", [message("evt_1"), message("evt_2", 1)])
        three.brokers[0].kill()
        eventually(lambda: leads(2), 60)
        with KafkaReader(cluster(three.bootstrap)) as reader:
            assert reader.fetch_bounds("moving", [0]) == {0: Bounds(0, 2)}
            three.brokers[0].start()
            preferred = ElectionType.PREFERRED
            eventually(lambda: admin.elect_leaders(preferred, [TopicPartition("moving", 0)]).result() and leads(1), 60)
            assert reader.fetch_bounds("moving", [0]) == {0: Bounds(0, 2)}
            assert reader.find_offsets_at("moving", [0], NOON_MS + 500) == {0: 1}
