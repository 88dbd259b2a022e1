"""Kafka away for longer than events wait: raise, spool or drop; and back again. Every count is the broker's."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from agentlog import AgentTracer, KafkaUnavailable
from devkafka import KafkaCluster, create_topic, eventually
from tests.tracing import by_session, in_file, numbers, program, ran, stored, told

LATER_RUN = """
import sys
from agentlog import AgentTracer
cluster, topic, spool = sys.argv[1:]
tracer = AgentTracer("sess_spool", agent_id="agent", cluster=cluster, topic=topic, on_outage="spool", spool=spool,
                     outage_s=1.0, exit_s=1.0)
for n in range(int(sys.stdin.readline())):
    tracer.track_tool_call("count", {"n": n}, lambda: None)
"""
NEXT_RUN = """
import sys, time
from agentlog import AgentTracer
cluster, topic, spool = sys.argv[1:]
tracer = AgentTracer("sess_next", agent_id="agent", cluster=cluster, topic=topic, on_outage="spool", spool=spool)
tracer.user_message("hello")
while tracer.stats().resent < 1_500:
    time.sleep(0.01)
"""


def test_an_outage_that_lasts_too_long_is_raised_spooled_or_dropped(
    fragile_kafka: KafkaCluster, tmp_path: Path
) -> None:
    broker, bootstrap = fragile_kafka.brokers[0], fragile_kafka.bootstrap
    topic = create_topic(bootstrap, partitions=3)
    common: dict[str, Any] = {"agent_id": "agent", "cluster": bootstrap, "topic": topic, "outage_s": 2.0}
    raising = AgentTracer("sess_raise", **common)
    spooling = AgentTracer("sess_spooled", on_outage="spool", spool=tmp_path / "spool", **common)
    dropping = AgentTracer("sess_drop", on_outage="drop", **common)
    tracers = (raising, spooling, dropping)
    ending = AgentTracer("sess_ends", **common)
    ending.start()

    def record(tracer: AgentTracer, first: int, last: int) -> None:
        for n in range(first, last):
            tracer.track_tool_call("count", {"n": n}, str)

    for tracer in tracers:
        record(tracer, 0, 100)
        assert tracer.flush(20)
    broker.kill()
    for tracer in tracers:
        record(tracer, 100, 200)

    assert "can't be reached" in eventually(lambda: told(raising, KafkaUnavailable), timeout=30)
    with pytest.raises(KafkaUnavailable):
        raising.track_tool_call("count", {"n": 200}, lambda: pytest.fail("it was called"))
    with pytest.raises(KafkaUnavailable), raising.tool_call("count"):
        pytest.fail("it was entered")
    with pytest.raises(LookupError, match="its own error"), ending:
        raise LookupError("its own error")
    eventually(lambda: spooling.stats().spooled >= 100, timeout=30)
    eventually(lambda: dropping.stats().dropped >= 100, timeout=30)
    record(spooling, 200, 1_300)
    eventually(lambda: spooling.stats().spooled == 1_200, timeout=30)
    (file,) = (tmp_path / "spool").iterdir()
    assert numbers(in_file(file)) == list(range(100, 1_300))
    assert raising.stats().dropped == spooling.stats().dropped == 0
    with pytest.raises(KafkaUnavailable, match="101 events are not delivered yet"):
        raising.close(0.1)

    broker.start()
    eventually(lambda: not told(raising, KafkaUnavailable), timeout=30)
    eventually(lambda: dropping.stats().delivered == 101, timeout=30)
    record(raising, 200, 210)
    record(spooling, 1_300, 1_310)
    record(dropping, 200, 210)
    eventually(lambda: spooling.stats().delivered == 1_310, timeout=30)
    eventually(lambda: not file.exists(), timeout=10)
    for tracer in tracers:
        assert tracer.flush(30)
    assert dropping.stats().recorded == 211
    sessions = by_session(stored(bootstrap, topic))
    assert numbers(sessions["sess_raise"]) == list(range(210))
    assert [(e["event_type"], e["payload"].get("error")) for e in sessions["sess_ends"]] == [
        ("session_start", None),
        ("session_end", "LookupError: its own error"),
    ]
    assert numbers(sessions["sess_spooled"]) == list(range(1_310))
    assert numbers(sessions["sess_drop"]) == [*range(100), *range(200, 210)]
    (lost,) = [event for event in sessions["sess_drop"] if event["event_type"] == "error"]
    assert lost["payload"]["type"] == "events_lost"
    assert lost["payload"]["lost"] == 100


def test_events_that_were_nearly_dropped_arrive_once_when_kafka_is_back(fragile_kafka: KafkaCluster) -> None:
    broker, bootstrap = fragile_kafka.brokers[0], fragile_kafka.bootstrap
    topic = create_topic(bootstrap)
    tracer = AgentTracer("sess_1", agent_id="agent", cluster=bootstrap, topic=topic, on_outage="drop", outage_s=4.0)
    broker.kill()
    counted = itertools.count()

    def record() -> bool:
        tracer.track_tool_call("count", {"n": next(counted)}, str)
        return tracer.stats().dropped > 30

    eventually(record, timeout=30)
    broker.launch()
    eventually(lambda: record() and tracer.stats().delivered > 50, timeout=60)
    assert tracer.flush(30)
    (events,) = by_session(stored(bootstrap, topic)).values()
    arrived = numbers(events)
    assert arrived == sorted(set(arrived))
    assert len(arrived) == next(counted) - tracer.stats().dropped


def test_what_a_run_had_to_spool_is_sent_in_order_by_a_later_run(fragile_kafka: KafkaCluster, tmp_path: Path) -> None:
    broker, bootstrap = fragile_kafka.brokers[0], fragile_kafka.bootstrap
    topic, spool = create_topic(bootstrap, partitions=3), str(tmp_path / "spool")
    broker.kill()
    process = program(LATER_RUN, bootstrap, topic, spool)
    _, err = process.communicate("1500\n", timeout=60)
    assert process.returncode == 0, err
    (file,) = Path(spool).iterdir()
    assert numbers(in_file(file)) == list(range(1_500))
    (process_name,) = {line.split('"agentlog.process","')[1].split('"')[0] for line in file.read_text().splitlines()}
    broker.start()
    code, _, err = ran(NEXT_RUN, bootstrap, topic, spool)
    assert code == 0, err
    records = stored(bootstrap, topic)
    sessions = by_session(records)
    assert numbers(sessions["sess_spool"]) == list(range(1_500))
    assert len(sessions["sess_next"]) == 1
    assert {r.headers["agentlog.process"].decode() for r in records if r.key == b"sess_spool"} == {process_name}
    assert not list(Path(spool).iterdir())


def test_events_that_find_no_room_in_an_outage_are_counted_and_told_in_their_session(
    fragile_kafka: KafkaCluster,
) -> None:
    broker, bootstrap = fragile_kafka.brokers[0], fragile_kafka.bootstrap
    topic = create_topic(bootstrap)
    tracer = AgentTracer(
        "sess_full", agent_id="agent", cluster=bootstrap, topic=topic, queue_mb=0.5, on_outage="drop", outage_s=40
    )
    tracer.user_message("before")
    assert tracer.flush(20)
    broker.kill()

    def fill() -> int:
        tracer.track_tool_call("count", {"n": 0}, lambda: "x" * 5_000)
        return tracer.stats().dropped

    dropped = eventually(fill, timeout=30)
    broker.start()
    eventually(lambda: tracer.stats().delivered > dropped and not tracer.stats().queued, timeout=40)
    assert tracer.flush(20)
    (session,) = by_session(stored(bootstrap, topic)).values()
    (lost,) = [event["payload"]["lost"] for event in session if event["event_type"] == "error"]
    assert lost == tracer.stats().dropped
    assert len(session) == tracer.stats().recorded - lost
