"""What librdkafka reports about brokers that can't be reached."""

import orjson
import pytest

from agentlog.log.broker_addresses import (
    BrokerFailure,
    describe_misleading,
    find_silent_brokers,
    parse_failure,
    split_addresses,
    split_host,
)

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
