"""Outages longer than events wait, with raise, spool and drop, and their end. Each count comes from the broker."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentlog import AgentTracer, KafkaUnavailable
from agentlog.errors import SettingsError
from agentlog.recording.delivery import dispatcher
from agentlog.recording.delivery.options import RecordingOptions
from agentlog.recording.delivery.worker import Worker
from agentlog.recording.sinks.kafka_sink import KafkaSink
from agentlog.recording.sinks.sink import Sink
from agentlog.recording.sinks.standby_producer import StandbyProducer
from agentlog.recording.system.wakeup import Wakeup
from agentlog.settings.clusters import Settings
from devkafka import KafkaCluster, create_topic, eventually
from tests.conftest import TopicFactory
from tests.tracing import (
    get_error,
    group_by_session,
    list_call_numbers,
    read_file_events,
    read_records,
    run_program,
    start_program,
)

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

    assert "can't be reached" in eventually(lambda: get_error(raising, KafkaUnavailable), timeout=30)
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
    assert list_call_numbers(read_file_events(file)) == list(range(100, 1_300))
    assert raising.stats().dropped == spooling.stats().dropped == 0
    with pytest.raises(KafkaUnavailable, match="101 events are not delivered yet"):
        raising.close(0.1)

    broker.start()
    eventually(lambda: not get_error(raising, KafkaUnavailable), timeout=30)
    eventually(lambda: dropping.stats().delivered == 101, timeout=30)
    record(raising, 200, 210)
    record(spooling, 1_300, 1_310)
    record(dropping, 200, 210)
    eventually(lambda: spooling.stats().delivered == 1_310, timeout=30)
    eventually(lambda: not file.exists(), timeout=10)
    for tracer in tracers:
        assert tracer.flush(30)
    assert dropping.stats().recorded == 211
    sessions = group_by_session(read_records(bootstrap, topic))
    assert list_call_numbers(sessions["sess_raise"]) == list(range(210))
    assert [(e["event_type"], e["payload"].get("error")) for e in sessions["sess_ends"]] == [
        ("session_start", None),
        ("session_end", "LookupError: its own error"),
    ]
    assert list_call_numbers(sessions["sess_spooled"]) == list(range(1_310))
    assert list_call_numbers(sessions["sess_drop"]) == [*range(100), *range(200, 210)]
    (lost,) = [event for event in sessions["sess_drop"] if event["event_type"] == "error"]
    assert lost["payload"]["type"] == "events_lost"
    assert lost["payload"]["lost"] == 100


def test_twenty_tracers_that_share_a_queue_wait_once_for_all_in_an_outage(
    fragile_kafka: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, name = fragile_kafka.brokers[0], create_topic(fragile_kafka.bootstrap)
    common: dict[str, Any] = {"agent_id": "a", "cluster": fragile_kafka.bootstrap, "topic": name}
    tracers = [AgentTracer(f"sess_{n}", outage_s=1.0, exit_s=1.5, **common) for n in range(20)]
    waits: list[float] = []
    wait_for = Worker.wait_for

    def note_wait(worker: Worker, wakeup: Wakeup, timeout_s: float) -> bool:
        waits.append(timeout_s)
        return wait_for(worker, wakeup, timeout_s)

    def close_all() -> None:
        for tracer in tracers:
            with pytest.raises(KafkaUnavailable, match="20 events are not delivered yet"):
                tracer.close()

    monkeypatch.setattr(Worker, "wait_for", note_wait)
    broker.kill()
    for tracer in tracers:
        tracer.user_message("hello")
    eventually(lambda: get_error(tracers[0], KafkaUnavailable), timeout=30)
    close_all()
    assert waits == [1.5] + [0.0] * 19
    assert not tracers[0].flush(0.25)
    assert waits[-1] == 0.25
    broker.start()
    assert tracers[0].flush(60)
    eventually(lambda: not get_error(tracers[0], KafkaUnavailable))
    waits.clear()
    assert all(tracer.flush() for tracer in tracers)
    assert waits == [1.5] * 20
    assert len(read_records(fragile_kafka.bootstrap, name)) == 20
    broker.kill()
    for tracer in tracers:
        tracer.user_message("hello again")
    eventually(lambda: get_error(tracers[0], KafkaUnavailable), timeout=30)
    waits.clear()
    close_all()
    assert waits == [1.5] + [0.0] * 19


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
    (events,) = group_by_session(read_records(bootstrap, topic)).values()
    arrived = list_call_numbers(events)
    assert arrived == sorted(set(arrived))
    assert len(arrived) == next(counted) - tracer.stats().dropped


def test_a_producer_that_finds_no_way_to_kafka_any_more_is_replaced_by_one_that_does(
    kafka: str, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = topic()
    monkeypatch.setattr(dispatcher, "SILENCE_TIMEOUT_S", 1.0)
    monkeypatch.setattr(RecordingOptions, "open_sink", lost_at_first(RecordingOptions.open_sink, name))
    tracer = AgentTracer("sess_1", agent_id="agent", cluster=kafka, topic=name, outage_s=600)
    for n in range(1_500):
        tracer.track_tool_call("count", {"n": n}, str)
    assert tracer.flush(30)
    (events,) = group_by_session(read_records(kafka, name)).values()
    assert list_call_numbers(events) == list(range(1_500))


def test_a_connection_that_cannot_be_made_is_told_twice_a_minute_and_not_at_each_probe() -> None:
    tried = []

    def make() -> Sink:
        tried.append(1)
        raise SettingsError("ssl.ca.location: the file is gone")

    spare = StandbyProducer(make)
    assert [spare.get_ready() for _ in range(5)] == [None] * 5
    assert len(tried) == 1


FORK_IN_AN_OUTAGE = """
import os, sys
from agentlog import AgentTracer
tracer = AgentTracer("sess_1", agent_id="agent", cluster=sys.argv[1], topic=sys.argv[2])
def record(first, last):
    for n in range(first, last):
        tracer.track_tool_call("count", {"n": n}, lambda: None)
record(0, 100)
tracer.flush()
print("delivered", flush=True)
sys.stdin.readline()
record(100, 200)
child = os.fork()
record(*((1000, 1100) if child == 0 else (200, 300)))
os.write(1, b"forked\\n")  # print writes the line end apart, and both processes write here
done = tracer.flush(60)
if child == 0:
    os._exit(not done)
sys.exit(not done or os.wait()[1])
"""


def test_what_parent_and_child_of_a_fork_in_an_outage_record_arrives_once(fragile_kafka: KafkaCluster) -> None:
    broker, bootstrap = fragile_kafka.brokers[0], fragile_kafka.bootstrap
    topic = create_topic(bootstrap)
    process = start_program(FORK_IN_AN_OUTAGE, bootstrap, topic)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "delivered\n"
    broker.kill()
    process.stdin.write("\n")
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(2)] == ["forked\n"] * 2
    broker.start()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    (events,) = group_by_session(read_records(bootstrap, topic)).values()
    arrived = list_call_numbers(events)
    assert [n for n in arrived if n < 1000] == list(range(300))
    assert [n for n in arrived if n >= 1000] == list(range(1000, 1100))


FORK_WITHOUT_CERTIFICATE = """
import json, os, pathlib, sys
from agentlog import AgentTracer
from agentlog.recording.sinks import standby_producer
standby_producer.RENEW_INTERVAL_S = 0.1
kafka = json.loads(sys.argv[1])
tracer = AgentTracer("sess_1", agent_id="agent", kafka=kafka, topic=sys.argv[2])
tracer.user_message("before")
assert tracer.flush(30)
authority = pathlib.Path(kafka["ssl.ca.location"])
away = authority.rename(authority.with_suffix(".away"))
if os.fork() == 0:
    os._exit(0)
os.wait()
tracer.user_message("after")
assert not tracer.flush(1)
away.rename(authority)
assert tracer.flush(30)
"""


def test_what_is_recorded_after_a_fork_waits_until_a_new_connection_can_be_made(
    secure_kafka: KafkaCluster, tmp_path: Path
) -> None:
    topic = create_topic(secure_kafka.bootstrap)
    authority = shutil.copy(secure_kafka.ca_file, tmp_path / "ca.pem")
    properties = secure_kafka.client_properties("admin") | {"ssl.ca.location": str(authority)}
    code, _, err = run_program(FORK_WITHOUT_CERTIFICATE, json.dumps(properties), topic)
    assert code == 0, err
    assert "a new connection can't be made" in err
    assert [record.event["payload"]["text"] for record in read_records(secure_kafka.bootstrap, topic)] == [
        "before",
        "after",
    ]


def lost_at_first(make: Callable[..., Sink], topic: str) -> Callable[..., Sink]:
    """Return `make` with a first sink that has no connection, like librdkafka after it dropped its last broker."""
    lost = iter([KafkaSink(Settings({}, None).get_cluster("127.0.0.1:1"), topic)])
    return lambda *options: next(lost, None) or make(*options)


def test_what_a_run_had_to_spool_is_sent_in_order_by_a_later_run(fragile_kafka: KafkaCluster, tmp_path: Path) -> None:
    broker, bootstrap = fragile_kafka.brokers[0], fragile_kafka.bootstrap
    topic, spool = create_topic(bootstrap, partitions=3), str(tmp_path / "spool")
    broker.kill()
    process = start_program(LATER_RUN, bootstrap, topic, spool)
    _, err = process.communicate("1500\n", timeout=60)
    assert process.returncode == 0, err
    (file,) = Path(spool).iterdir()
    assert list_call_numbers(read_file_events(file)) == list(range(1_500))
    (process_name,) = {line.split('"agentlog.process","')[1].split('"')[0] for line in file.read_text().splitlines()}
    broker.start()
    code, _, err = run_program(NEXT_RUN, bootstrap, topic, spool)
    assert code == 0, err
    records = read_records(bootstrap, topic)
    sessions = group_by_session(records)
    assert list_call_numbers(sessions["sess_spool"]) == list(range(1_500))
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
    (session,) = group_by_session(read_records(bootstrap, topic)).values()
    (lost,) = [event["payload"]["lost"] for event in session if event["event_type"] == "error"]
    assert lost == tracer.stats().dropped
    assert len(session) == tracer.stats().recorded - lost
