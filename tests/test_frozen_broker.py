"""A broker that stands still for 8 s under each command: the commands wait, and answer as if nothing had happened."""

import subprocess
import time

import pytest

from agentlog import AgentTracer
from devkafka import KafkaCluster, create_topic, eventually, produce
from tests.recording import SESSION_EVENTS, make_messages
from tests.running import make_command, make_environment

FREEZE_S = 8.0


@pytest.mark.soak
def test_each_command_and_an_agent_outlast_a_broker_that_stands_still(fragile_kafka: KafkaCluster, kafka: str) -> None:
    source, [broker] = fragile_kafka.bootstrap, fragile_kafka.brokers
    topic = create_topic(source, partitions=3)
    produce(source, topic, make_messages(SESSION_EVENTS))
    at = ("--cluster", source, "--topic", topic)
    away, home = ("--source", source, "--target", kafka), ("--source", kafka, "--target", source)
    copy = subprocess.run(
        make_command("kafmirror", "replicate", "--once", *away, "--topics", topic),
        env=make_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert copy.returncode == 0, copy.stderr
    commands = [
        ("kshark", "replay", "sess_1", *at),
        ("kshark", "sessions", *at),
        ("kshark", "why", "sess_1", *at),
        ("kshark", "stats", *at),
        ("kdiff", "compare", "sess_1", "sess_1", *at),
        *[("kafmirror", name, *away, "--topics", topic) for name in ("plan", "status", "verify", "replicate --once")],
        ("kafmirror", "status", *home, "--topics", topic),
    ]
    with AgentTracer("sess_frozen", agent_id="agent", cluster=source, topic=topic) as tracer:
        tracer.user_message("before")
        assert tracer.flush(30)
        broker.pause()
        try:
            runs = [
                subprocess.Popen(
                    make_command(*" ".join(command).split()),
                    env=make_environment(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
                for command in commands
            ]
            tracer.user_message("meanwhile")
            time.sleep(FREEZE_S)
        finally:
            broker.resume()
        for command, run in zip(commands, runs, strict=True):
            _, error_text = run.communicate(timeout=300)
            assert run.returncode == 0, (command, error_text)
        eventually(lambda: tracer.stats().delivered == tracer.stats().recorded, timeout=240)
        assert tracer.stats().dropped == 0
