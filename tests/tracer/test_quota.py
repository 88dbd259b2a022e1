"""A producer quota makes the delivery slower than `outage_s`. That is no outage while events arrive in turn."""

import subprocess
import sys
import time

from agentlog import AgentTracer
from devkafka import create_topic, eventually
from tests.tracing import group_by_session, read_records

CLIENT = "tracer-quota-test"
EVENTS, EVENT_TEXT = 300, "x" * 3000
"""They take 30 s at the quota below; a third of it is free, because Kafka measures over eleven seconds."""


def set_quota(bootstrap: str, bytes_per_s: int) -> None:
    """Set a producer quota for our client id; 0 removes it."""
    arguments = [bootstrap, "127.0.0.1:1", bootstrap, CLIENT, "producer_byte_rate", str(bytes_per_s)]
    subprocess.run([sys.executable, "-m", "tests.kafmirror.set_quota", *arguments], check=True, timeout=60)


def test_below_a_quota_nothing_is_raised_or_lost_while_events_are_taken(kafka: str) -> None:
    topic = create_topic(kafka)
    properties = {"bootstrap.servers": kafka, "client.id": CLIENT, "compression.type": "none", "batch.size": "20000"}
    set_quota(kafka, 30_000)
    try:
        tracer = AgentTracer("sess_slow", agent_id="agent", kafka=properties, topic=topic, outage_s=6.0)
        for number in range(EVENTS):
            tracer.user_message(f"{number} {EVENT_TEXT}")
        waited_s = []

        def is_delivered() -> bool:
            waited_s.append(tracer.stats().oldest_queued_s)
            time.sleep(0.3)  # each look is an event, which takes its share of the quota
            tracer.agent_message("waiting")  # raises what the delivery reports
            return tracer.stats().delivered >= EVENTS

        eventually(is_delivered, timeout=120)
        tracer.close()
    finally:
        set_quota(kafka, 0)
    assert max(waited_s) > 6.0, "the quota didn't make any event wait for longer than an outage may take"
    events = group_by_session(read_records(kafka, topic))["sess_slow"]
    texts = [each["payload"]["text"] for each in events if each["event_type"] == "user_message"]
    assert [int(text.partition(" ")[0]) for text in texts if EVENT_TEXT in text] == list(range(EVENTS))
    assert tracer.stats().dropped == 0
