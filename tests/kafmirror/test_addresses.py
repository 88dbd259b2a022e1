"""Clusters at several addresses of which only some answer, and clusters that send us to addresses without a broker."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devkafka import KafkaCluster, create_topic
from tests.running import CompletedRun, make_command, make_environment, run
from tests.silent_addresses import drop_connections, take_connections_without_answer

REASONS = {
    "REFUSED": "connection refused",
    "UNKNOWN": "the name broker-1.invalid isn't known",
    "DROPPED": "no answer",
    "SILENT": "no answer",
}


def run_mirror(source: str, target: str, topic: str, *arguments: str) -> CompletedRun:
    return run("kafmirror", *arguments, "--source", source, "--target", target, "--topics", topic)


def describe(cluster: KafkaCluster, listener: str) -> str:
    """Return what a message says about a listener that sends its clients elsewhere."""
    elsewhere = f"{cluster.misleading[listener]} (its advertised.listeners), and that can't be reached"
    return f"reached {cluster.get_misleading_bootstrap(listener)}, which sends us to {elsewhere}: {REASONS[listener]}"


@pytest.fixture(scope="module")
def events(kafka: str, misleading_kafka: KafkaCluster) -> str:
    """Return the name of a topic that both clusters have."""
    return create_topic(kafka, create_topic(misleading_kafka.bootstrap, partitions=3), partitions=3)


@pytest.mark.parametrize("command", [("plan",), ("status",), ("verify",), ("replicate", "--once")], ids=" ".join)
def test_each_command_names_the_address_that_answered_and_the_one_to_which_it_was_sent(
    kafka: str, misleading_kafka: KafkaCluster, events: str, command: tuple[str, ...]
) -> None:
    ran = run_mirror(misleading_kafka.get_misleading_bootstrap("REFUSED"), kafka, events, *command)
    assert ran.code == 3, ran.error_text
    assert describe(misleading_kafka, "REFUSED") in ran.error_text


@pytest.mark.parametrize("listener", REASONS)
def test_why_an_advertised_address_of_the_target_can_not_be_had_is_told(
    kafka: str, misleading_kafka: KafkaCluster, events: str, listener: str
) -> None:
    target = misleading_kafka.get_misleading_bootstrap(listener)
    ran = run_mirror(kafka, target, events, "plan", "-X", "socket.connection.setup.timeout.ms=2000")
    assert ran.code == 3, ran.error_text
    assert f"cluster {target}" in ran.error_text
    assert describe(misleading_kafka, listener) in ran.error_text


@contextmanager
def list_bad_addresses() -> Iterator[str]:
    with drop_connections() as dropping, take_connections_without_answer() as silent:
        yield f"{dropping},{silent},broker-1.invalid:9092,127.0.0.1:1"


def test_one_good_address_among_bad_ones_is_enough_for_source_and_target(
    kafka: str, misleading_kafka: KafkaCluster, events: str
) -> None:
    """The bad ones may take ten minutes each, so a command that waited for one would not end here."""
    with list_bad_addresses() as bad:
        pair = ["--source", f"{bad},{kafka}", "--target", f"{misleading_kafka.bootstrap},{bad}"]
        patient = ["-X", "socket.connection.setup.timeout.ms=600000", "-X", "socket.timeout.ms=300000"]
        command = make_command("kafmirror", "plan", *pair, "--topics", events, *patient)
        ran = subprocess.run(command, env=make_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr


def test_bad_addresses_alone_are_all_named_with_their_reasons(kafka: str, events: str) -> None:
    with list_bad_addresses() as bad:
        dropping, silent, *_ = bad.split(",")
        ran = run_mirror(bad, kafka, events, "plan", "-X", "socket.connection.setup.timeout.ms=2000")
    assert ran.code == 3
    for reason in (
        f"{dropping}: no answer",
        f"{silent}: no answer",
        "broker-1.invalid:9092: the name broker-1.invalid isn't known",
        "127.0.0.1:1: connection refused",
    ):
        assert reason in ran.error_text


WITH_A_NAME_OF_SEVERAL_ADDRESSES = """
import os, runpy, socket
resolve = socket.getaddrinfo
def resolve_name(host, port, *arguments, **options):
    pairs = [each.split(":") for each in os.environ["ADDRESSES"].split(",")] if host == "both.test" else [(host, port)]
    return [found for name, number in pairs for found in resolve(name, int(number), *arguments, **options)]
socket.getaddrinfo = resolve_name
runpy.run_module("kafmirror", run_name="__main__")
"""


def test_all_addresses_of_a_name_are_tried(kafka: str, misleading_kafka: KafkaCluster, events: str) -> None:
    """As `localhost`, which may stand for ::1 and 127.0.0.1, while the broker listens on one of them."""
    patient = ["-X", "socket.connection.setup.timeout.ms=600000"]
    arguments = ["plan", "--source", "both.test:9092", "--target", kafka, "--topics", events, *patient]
    command = [sys.executable, "-c", WITH_A_NAME_OF_SEVERAL_ADDRESSES, *arguments]
    with drop_connections() as dropping:
        for addresses, code in ((f"127.0.0.1:1,{dropping},{misleading_kafka.bootstrap}", 0), ("127.0.0.1:1", 3)):
            environment = make_environment(ADDRESSES=addresses)
            ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
            assert ran.returncode == code, ran.stderr
    assert "both.test:9092 can't be reached while connecting: connection refused" in ran.stderr
