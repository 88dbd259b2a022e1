"""Brokers at addresses that can't be reached from here, and bootstrap addresses of which only some answer."""

from contextlib import ExitStack

import pytest

from agentlog import AgentTracer
from agentlog.errors import KafkaUnavailable
from agentlog.log.reader import KafkaReader
from agentlog.settings.clusters import Settings
from devkafka import KafkaCluster, create_topic, eventually, produce
from tests.recording import SESSION_EVENTS, make_messages
from tests.running import run

COMMANDS = {
    "replay": ("kshark", "replay", "sess_1"),
    "why": ("kshark", "why", "sess_1"),
    "sessions": ("kshark", "sessions"),
    "stats": ("kshark", "stats"),
    "tail": ("kshark", "tail"),
    "compare": ("kdiff", "compare", "sess_1", "sess_2"),
}
REASONS = {
    "REFUSED": "Connect to ipv4#127.0.0.1:1 failed: Connection refused",
    "UNKNOWN": "Failed to resolve 'broker-1.invalid:9092': Name or service not known",
    "DROPPED": "no answer",
    "SILENT": "no answer",
}


@pytest.fixture(scope="module")
def events(misleading_kafka: KafkaCluster) -> str:
    topic = create_topic(misleading_kafka.bootstrap, partitions=3)
    produce(misleading_kafka.bootstrap, topic, make_messages(SESSION_EVENTS))
    return topic


def describe(cluster: KafkaCluster, listener: str) -> str:
    """Return what a message says about a listener that sends its clients elsewhere."""
    elsewhere = f"{cluster.misleading[listener]} (its advertised.listeners), and that can't be reached"
    return f"reached {cluster.get_misleading_bootstrap(listener)}, which sends us to {elsewhere}: {REASONS[listener]}"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_names_the_address_that_answered_and_the_one_to_which_it_was_sent(
    misleading_kafka: KafkaCluster, events: str, command: str
) -> None:
    address = misleading_kafka.get_misleading_bootstrap("REFUSED")
    ran = run(*COMMANDS[command], "--cluster", address, "--topic", events)
    assert ran.code == 3, ran.error_text
    assert describe(misleading_kafka, "REFUSED") in ran.error_text


@pytest.mark.parametrize("listener", ["UNKNOWN", "DROPPED", "SILENT"])
def test_why_an_advertised_address_can_not_be_had_is_told(
    misleading_kafka: KafkaCluster, events: str, listener: str
) -> None:
    cluster = Settings({}, None).get_cluster(misleading_kafka.get_misleading_bootstrap(listener))
    with pytest.raises(KafkaUnavailable) as raised, KafkaReader(cluster, timeout_s=5) as reader:
        reader.fetch_bounds(events, range(reader.partition_count(events)))
    assert describe(misleading_kafka, listener) in str(raised.value)


def test_an_agent_goes_on_and_its_log_names_the_address_to_which_the_cluster_sends_it(
    misleading_kafka: KafkaCluster, events: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as exit_stack:
        for listener in REASONS:
            cluster = misleading_kafka.get_misleading_bootstrap(listener)
            tracer = AgentTracer(
                "sess_far", agent_id="agent", cluster=cluster, topic=events, outage_s=5, on_outage="drop", exit_s=1
            )
            exit_stack.enter_context(tracer)
            assert tracer.track_tool_call("add", {"n": 1}, lambda: 2) == 2
        for listener in REASONS:
            told = describe(misleading_kafka, listener)
            eventually(lambda told=told: told in caplog.text, timeout=60)
            assert tracer.track_tool_call("add", {"n": 2}, lambda: 3) == 3
