"""What librdkafka reports about brokers that can't be reached."""

import socket
import time

import orjson
import pytest
from confluent_kafka import KafkaError

from agentlog.log.connection.broker_addresses import (
    BrokerFailure,
    describe_misleading,
    find_silent_brokers,
    parse_failure,
    split_addresses,
    split_host,
)
from agentlog.log.connection.client import FURTHER_ADDRESSES_S, ClientErrors
from agentlog.settings.clusters import Settings

REFUSED = "Connect to ipv4#127.0.0.1:1 failed: Connection refused"


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        (f"127.0.0.1:1/1: {REFUSED} (after 0ms in state CONNECT)", BrokerFailure("127.0.0.1:1", True, REFUSED)),
        (
            f"127.0.0.1:1/bootstrap: {REFUSED} (after 0ms in state CONNECT, 1 identical error(s) suppressed)",
            BrokerFailure("127.0.0.1:1", False, REFUSED),
        ),
        (f"GroupCoordinator: 127.0.0.1:1: {REFUSED} (after 0ms)", BrokerFailure("127.0.0.1:1", True, REFUSED)),
        ("sasl_ssl://kafka:9093/bootstrap: Disconnected", BrokerFailure("kafka:9093", False, "Disconnected")),
        ("[::1]:9092/12: Disconnected", BrokerFailure("[::1]:9092", True, "Disconnected")),
        ("3/3 brokers are down", None),
        ("GroupCoordinator: Disconnected", None),
    ],
)
def test_a_failure_names_the_broker_and_who_named_it(text: str, failure: BrokerFailure | None) -> None:
    assert parse_failure(text) == failure


def test_only_a_broker_that_the_cluster_named_and_that_was_tried_is_silent() -> None:
    states = [
        ("UP", "learned"),
        ("INIT", "learned"),
        ("CONNECT", "learned"),
        ("CONNECT", "configured"),
        ("", "logical"),
    ]
    brokers = {f"b{n}": {"nodename": f"b{n}:1", "state": s, "source": o} for n, (s, o) in enumerate(states)}
    silent = find_silent_brokers(orjson.dumps({"brokers": brokers}).decode())
    assert silent == [BrokerFailure("b2:1", True, "no answer")]
    assert find_silent_brokers("") == []


@pytest.mark.parametrize(
    ("bootstrap_servers", "addresses", "hosts"),
    [
        ("localhost", ["localhost:9092"], ["localhost"]),
        ("PLAINTEXT://kafka:9092, kafka-2", ["kafka:9092", "kafka-2:9092"], ["kafka", "kafka-2"]),
        ("[::1]:9092,[::1]", ["[::1]:9092", "[::1]:9092"], ["::1", "::1"]),
    ],
)
def test_addresses_are_named_as_librdkafka_names_them(
    bootstrap_servers: str, addresses: list[str], hosts: list[str]
) -> None:
    assert split_addresses(bootstrap_servers) == addresses
    assert [split_host(address) for address in addresses] == hosts


def describe(bootstrap: list[str], *failures: BrokerFailure) -> str | None:
    return describe_misleading(bootstrap, {each.address: each for each in failures})


def test_an_address_that_only_the_cluster_named_is_told_beside_the_one_that_was_reached() -> None:
    elsewhere, away = BrokerFailure("b1:9092", True, "refused"), BrokerFailure("k2:9092", False, "unknown")
    sent_to = "which sends us to b1:9092 (its advertised.listeners), and that can't be reached: refused"
    assert describe(["k1:9092"], elsewhere) == f"reached k1:9092, {sent_to}"
    assert describe(["k1:9092", "k2:9092"], elsewhere) == f"reached one of k1:9092, k2:9092, {sent_to}"
    told = describe(["k1:9092", "k2:9092"], elsewhere, away)
    assert told == f"reached k1:9092, {sent_to}; k2:9092 itself: unknown"


def test_an_address_that_the_user_gave_misleads_nobody() -> None:
    assert describe(["k1:9092"], BrokerFailure("k1:9092", True, "refused")) is None
    assert describe(["k1:9092"], BrokerFailure("k1:9092", False, "refused")) is None


def make_errors(bootstrap: str, monkeypatch: pytest.MonkeyPatch, address_count: int) -> ClientErrors:
    """Return errors of a cluster whose host has ``address_count`` addresses, and whose brokers are all down."""
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address] * address_count)
    errors = ClientErrors(Settings({}, None).get_cluster(bootstrap))
    errors(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    return errors


def test_a_name_with_several_addresses_is_tried_on_and_one_with_a_single_address_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    assert make_errors("localhost:9092", monkeypatch, 1).is_final
    errors = make_errors("localhost:9092", monkeypatch, 2)
    assert not errors.is_final
    now += FURTHER_ADDRESSES_S + 0.1
    assert errors.is_final
    errors.clear()
    assert not errors.is_final


def test_bootstrap_addresses_that_failed_are_all_named() -> None:
    errors = ClientErrors(Settings({}, None).get_cluster("a:9092,b:9092"))
    errors(
        KafkaError(KafkaError._RESOLVE, "a:9092/bootstrap: Failed to resolve 'a:9092': unknown (after 1ms in state)")
    )
    told = str(errors.explain("connecting"))
    assert told.startswith("cluster a:9092,b:9092 gave no answer in time while connecting; of its addresses: Failed to")
    errors(KafkaError(KafkaError._TRANSPORT, "b:9092/bootstrap: Connect to b failed: refused (after 1ms in state)"))
    told = str(errors.explain("connecting"))
    assert (
        "can't be reached while connecting: Failed to resolve 'a:9092': unknown; Connect to b failed: refused;" in told
    )
