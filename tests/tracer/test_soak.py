"""Outages in full length: 30 s, which events wait out, and 90 s, which they don't."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentlog import AgentTracer, KafkaUnavailable
from devkafka import KafkaCluster, create_topic, eventually
from tests.tracing import group_by_session, list_call_numbers, read_records

pytestmark = pytest.mark.soak


class Load:
    """Tracers that record until they are stopped, with counts of recorded and refused events."""

    def __init__(self, *tracers: AgentTracer) -> None:
        self.tracers, self.recorded, self.refused = tracers, Counter[str](), Counter[str]()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.wait(0.02):
            for tracer in self.tracers:
                try:
                    tracer.track_tool_call("count", {"n": self.recorded[tracer.session_id]}, lambda: "x" * 500)
                except KafkaUnavailable:
                    self.refused[tracer.session_id] += 1
                else:
                    self.recorded[tracer.session_id] += 1

    def end(self) -> None:
        """Stop, and wait until all events are delivered."""
        self._ending.set()
        self._thread.join()
        for tracer in self.tracers:
            assert tracer.flush(60)
            eventually(lambda tracer=tracer: not tracer.stats().spooled, timeout=60)


def test_a_broker_stopped_for_30_and_for_90_seconds_under_load(fragile_kafka: KafkaCluster, tmp_path: Path) -> None:
    broker, bootstrap = fragile_kafka.brokers[0], fragile_kafka.bootstrap
    topic = create_topic(bootstrap, partitions=3)
    common: dict[str, Any] = {"agent_id": "agent", "cluster": bootstrap, "topic": topic}
    raising = AgentTracer("sess_raise", **common)
    spooling = AgentTracer("sess_spool", on_outage="spool", spool=tmp_path / "spool", **common)
    dropping = AgentTracer("sess_drop", on_outage="drop", **common)
    load = Load(raising, spooling, dropping)
    try:
        eventually(lambda: raising.stats().delivered > 50, timeout=30)
        broker.stop()
        time.sleep(30)
        recorded = load.recorded.copy()
        broker.start()
        for tracer in load.tracers:
            eventually(lambda tracer=tracer: tracer.stats().oldest_queued_s < 1, timeout=60)
        assert not load.refused
        assert spooling.stats().spooled == dropping.stats().dropped == 0
        for session_id, events in group_by_session(read_records(bootstrap, topic)).items():
            assert list_call_numbers(events) == list(range(len(list_call_numbers(events))))
            assert len(list_call_numbers(events)) >= recorded[session_id]
        broker.stop()
        time.sleep(90)
        assert load.refused.keys() == {"sess_raise"}
        assert spooling.stats().spooled > 1_000
        broker.start()
        eventually(lambda: not any(tracer.stats().queued > 100 for tracer in load.tracers), timeout=60)
        eventually(lambda: not spooling.stats().spooled, timeout=60)
    finally:
        load.end()
    sessions = group_by_session(read_records(bootstrap, topic))
    assert list_call_numbers(sessions["sess_raise"]) == list(range(load.recorded["sess_raise"]))
    sent = list_call_numbers(sessions["sess_spool"])
    assert list(dict.fromkeys(sent)) == list(range(load.recorded["sess_spool"]))
    assert len(sent) - load.recorded["sess_spool"] < 100, "only what was on its way when the second outage began"
    dropped = dropping.stats().dropped
    arrived_all_the_same = len(list_call_numbers(sessions["sess_drop"])) - (load.recorded["sess_drop"] - dropped)
    assert 0 <= arrived_all_the_same < 100, "only what was on its way when it was given up"
    lost = [event["payload"]["lost"] for event in sessions["sess_drop"] if event["event_type"] == "error"]
    assert sum(lost) == dropped > 0
