"""A topic that is deleted and created again while agents record into it."""

from pathlib import Path

import pytest

from agentlog import AgentTracer
from devkafka import KafkaCluster, create_topic, eventually
from tests.kafmirror.logs import delete_topic
from tests.tracing import read_records


def test_recording_goes_on_in_the_new_topic_and_says_that_earlier_events_may_be_gone(
    fragile_kafka: KafkaCluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = fragile_kafka.bootstrap
    topic = create_topic(kafka)
    fragile_kafka.brokers[0].restart()  # its leader is elected anew: the producer may remember the leader's epoch
    options = {"cluster": kafka, "topic": topic, "on_outage": "spool", "spool": tmp_path / "spool"}
    tracer = AgentTracer("sess_1", agent_id="agent", **options)  # type: ignore[arg-type]
    for n in range(200):
        tracer.user_message(f"old {n}")
    assert tracer.flush(60)
    delete_topic(kafka, topic)
    for n in range(50):
        tracer.user_message(f"between {n}")
    create_topic(kafka, topic)
    for n in range(100):
        tracer.user_message(f"new {n}")
    eventually(lambda: tracer.stats().queued == tracer.stats().spooled == 0, 60)
    tracer.close()
    stats = tracer.stats()
    assert (stats.recorded, stats.dropped) == (stats.delivered, 0)
    texts = [each.event["payload"].get("text") for each in read_records(kafka, topic)]
    expected = [f"between {n}" for n in range(50)] + [f"new {n}" for n in range(100)]
    arrived = [text for text in dict.fromkeys(texts) if text]
    assert len(arrived) >= 100
    assert arrived == expected[-len(arrived) :]  # the old topic may take an event in the moment of its deletion
    assert "was deleted and created again, or has lost records: an event got offset" in caplog.text


def test_offsets_that_rise_are_no_reason_to_warn(kafka: str, caplog: pytest.LogCaptureFixture) -> None:
    topic = create_topic(kafka, partitions=3)
    for session in range(5):
        with AgentTracer(f"sess_{session}", agent_id="agent", cluster=kafka, topic=topic) as tracer:
            for n in range(50):
                tracer.user_message(f"{n}")
    assert "created again" not in caplog.text
