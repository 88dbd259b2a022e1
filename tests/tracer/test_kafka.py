"""Recording to real Kafka: order, exactly once, threads and tasks. Each count comes from the broker."""

import asyncio
import secrets
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from agentlog import AgentTracer, ContextThreadPoolExecutor, KafkaError, KafkaRefused, TopicNotFound
from agentlog.event.partitioner import PARTITIONERS
from devkafka import KafkaCluster, create_topic, eventually
from tests.conftest import TopicFactory
from tests.tracing import get_error, group_by_session, list_call_numbers, read_records

SESSIONS, EVENTS = 200, 25


def test_a_record_has_its_sessions_key_its_events_time_its_process_and_the_partition_of_javas_clients(
    kafka: str, topic: TopicFactory
) -> None:
    name = topic(partitions=7)
    tracers = [AgentTracer(f"sess_{n}", agent_id="agent", cluster=kafka, topic=name) for n in range(20)]
    for tracer in tracers:
        tracer.user_message("hello")
    assert tracers[0].flush(30)
    records = read_records(kafka, name)
    assert len(records) == 20
    for record in records:
        assert record.key.decode() == record.event["session_id"]
        assert record.partition == PARTITIONERS["murmur2"](record.key, 7)
        assert record.event["timestamp"].startswith(f"{_iso(record.timestamp)}"[:23])
    assert len({record.headers["agentlog.process"] for record in records}) == 1


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def in_thread(mine: list[AgentTracer]) -> None:
    for n in range(EVENTS):
        for tracer in mine:
            tracer.track_tool_call("count", {"n": n}, lambda: "x" * 500)


async def in_task(mine: list[AgentTracer]) -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "x" * 500

    for n in range(EVENTS):
        for tracer in mine:
            await tracer.track_tool_call("count", {"n": n}, work)


def test_200_sessions_of_20_threads_and_20_tasks_arrive_whole_in_order_and_once(
    kafka: str, topic: TopicFactory
) -> None:
    name = topic(partitions=6)
    tracers = [AgentTracer(f"sess_{n}", agent_id="agent", cluster=kafka, topic=name) for n in range(SESSIONS)]

    async def tasks() -> None:
        await asyncio.gather(*(in_task(tracers[at::40]) for at in range(20)))

    threads = [threading.Thread(target=in_thread, args=(tracers[at::40],)) for at in range(20, 40)]
    for thread in threads:
        thread.start()
    asyncio.run(tasks())
    for thread in threads:
        thread.join()
    assert tracers[0].flush(60)
    sessions = group_by_session(read_records(kafka, name))
    assert len(sessions) == SESSIONS
    assert all(list_call_numbers(events) == list(range(EVENTS)) for events in sessions.values())
    stats = tracers[0].stats()
    assert (stats.recorded, stats.delivered, stats.queued, stats.dropped) == (
        SESSIONS * EVENTS,
        SESSIONS * EVENTS,
        0,
        0,
    )


def test_events_arrive_in_order_and_once_while_the_broker_is_stopped_killed_and_paused(
    fragile_kafka: KafkaCluster,
) -> None:
    broker, name = fragile_kafka.brokers[0], create_topic(fragile_kafka.bootstrap, partitions=3)
    tracers = [
        AgentTracer(f"sess_{n}", agent_id="agent", cluster=fragile_kafka.bootstrap, topic=name) for n in range(9)
    ]
    ending, recorded = threading.Event(), Counter[str]()

    def load() -> None:
        while not ending.wait(0.02):
            for tracer in tracers:
                tracer.track_tool_call("count", {"n": recorded[tracer.session_id]}, lambda: "x" * 300)
                recorded[tracer.session_id] += 1

    def goes_on() -> None:
        before = tracers[0].stats().delivered
        eventually(lambda: tracers[0].stats().delivered > before + 50, timeout=60)

    loading = threading.Thread(target=load)
    loading.start()
    try:
        goes_on()
        broker.stop()
        eventually(lambda: tracers[0].stats().oldest_queued_s > 1.5, timeout=30)
        broker.start()
        goes_on()
        broker.kill()
        eventually(lambda: tracers[0].stats().oldest_queued_s > 1.5, timeout=30)
        broker.start()
        goes_on()
        broker.pause()
        eventually(lambda: tracers[0].stats().oldest_queued_s > 3, timeout=30)
        broker.resume()
        goes_on()
    finally:
        ending.set()
        loading.join()
    assert tracers[0].flush(60)
    sessions = group_by_session(read_records(fragile_kafka.bootstrap, name))
    assert {session: list_call_numbers(events) for session, events in sessions.items()} == {
        session: list(range(count)) for session, count in recorded.items()
    }


def test_a_topic_that_isnt_there_is_told_by_the_next_call_and_gets_its_events_once_it_is_made(kafka: str) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", cluster=kafka, topic="not-made-yet")
    tracer.user_message("first")

    assert "has no topic not-made-yet" in eventually(lambda: get_error(tracer, TopicNotFound), timeout=40)
    with pytest.raises(TopicNotFound):
        tracer.track_tool_call("never.called", {}, lambda: pytest.fail("it was called"))
    create_topic(kafka, "not-made-yet")
    assert tracer.flush(40)
    assert [record.event["payload"] for record in read_records(kafka, "not-made-yet")] == [{"text": "first"}]
    eventually(lambda: not get_error(tracer, TopicNotFound))
    tracer.user_message("second")
    assert tracer.flush(20)


def test_a_topic_that_takes_no_large_batches_gets_all_events_in_smaller_ones(kafka: str, topic: TopicFactory) -> None:
    name = topic(config={"max.message.bytes": "20000"})
    tracer = AgentTracer("sess_1", agent_id="agent", cluster=kafka, topic=name)
    for n in range(500):
        tracer.track_tool_call("count", {"n": n, "noise": secrets.token_urlsafe(1_000)}, str)
    assert tracer.flush(40)
    assert tracer.stats().dropped == 0
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert sorted(list_call_numbers(events)) == list(range(500))


def test_properties_meant_for_transactions_keep_no_event_back(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    properties = {"bootstrap.servers": kafka, "transactional.id": "mine"}
    tracer = AgentTracer("sess_1", agent_id="agent", kafka=properties, topic=name)
    tracer.user_message("hello")
    assert tracer.flush(20)
    assert [record.event["payload"] for record in read_records(kafka, name)] == [{"text": "hello"}]


def test_a_wrong_password_is_told_by_the_next_call(secure_kafka: KafkaCluster) -> None:
    properties = {**secure_kafka.client_properties("admin"), "sasl.password": "wrong"}
    tracer = AgentTracer(agent_id="agent", kafka=properties, outage_s=1.0, exit_s=0)
    tracer.user_message("hello")

    def is_told() -> str:
        text = get_error(tracer, KafkaError)  # a slow broker is unavailable first
        return text if "refused the user name or the password" in text else ""

    assert "wrong" not in eventually(is_told, timeout=30)


def test_rights_taken_away_are_told_and_waited_for_until_they_are_given_back(
    secure_kafka: KafkaCluster, tmp_path: Path
) -> None:
    admin = AdminClient({"bootstrap.servers": secure_kafka.bootstrap})
    name = create_topic(secure_kafka.bootstrap)

    def right(kind: Any, operation: AclOperation) -> Any:
        whose = ResourcePatternType.LITERAL, "User:stranger", "*"
        return kind(ResourceType.TOPIC, name, *whose, operation, AclPermissionType.ALLOW)

    def give(operation: AclOperation) -> None:
        for answer in admin.create_acls([right(AclBinding, operation)]).values():
            answer.result()

    give(AclOperation.WRITE)
    give(AclOperation.DESCRIBE)
    common: dict[str, Any] = {"agent_id": "agent", "topic": name, "outage_s": 6.0}
    common["kafka"] = secure_kafka.client_properties("stranger")
    raising = AgentTracer("sess_raise", **common)
    spooling = AgentTracer("sess_spooled", on_outage="spool", spool=tmp_path, **common)
    for tracer in (raising, spooling):
        tracer.user_message("first")
        assert tracer.flush(30)
    for taken in admin.delete_acls([right(AclBindingFilter, AclOperation.WRITE)]).values():
        taken.result()

    recorded = Counter({"sess_raise": 1, "sess_spooled": 1})

    def noticed() -> bool:
        for tracer in (raising, spooling):
            if not get_error(tracer, KafkaRefused):
                tracer.user_message("more")
                recorded[tracer.session_id] += 1
        return bool(get_error(raising, KafkaRefused)) and spooling.stats().spooled > 30

    eventually(noticed, timeout=30)
    assert "the right WRITE is needed" in get_error(raising, KafkaRefused)
    give(AclOperation.WRITE)
    for tracer in (raising, spooling):
        assert tracer.flush(30)
    eventually(lambda: spooling.stats().delivered == recorded["sess_spooled"], timeout=30)
    eventually(lambda: not get_error(raising, KafkaRefused))
    assert raising.stats().dropped == spooling.stats().dropped == 0
    arrived = group_by_session(read_records(secure_kafka.bootstrap, name))
    assert {session: len(events) for session, events in arrived.items()} == recorded


def test_events_of_work_in_a_pool_follow_from_where_it_was_submitted(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    with AgentTracer(agent_id="agent", cluster=kafka, topic=name) as tracer:
        pool = ContextThreadPoolExecutor(4)
        with tracer.tool_call("fan.out") as outer, pool:
            list(pool.map(lambda n: tracer.track_tool_call("work", {"n": n}, lambda: n), range(8)))
    tracer.close()
    events = [record.event for record in read_records(kafka, name)]
    children = [event for event in events if event["payload"].get("tool") == "work"]
    assert len(children) == 8
    assert {event["context"]["parent_event_id"] for event in children} == {outer.event_id}
    announced = [event["payload"]["call_id"] for event in events if event["event_type"] == "call_started"]
    assert announced == [outer.event_id]
