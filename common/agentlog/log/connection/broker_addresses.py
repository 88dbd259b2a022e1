"""What librdkafka reports about brokers that it can't reach: their addresses, and who named these. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import orjson

DEFAULT_PORT = "9092"
CONNECTED_STATES = frozenset({"UP", "UPDATE"})
UNTRIED_STATES = frozenset({"INIT"})
FAILURE_PATTERN = re.compile(
    r"(?:GroupCoordinator: (?P<coordinator>\S+)|(?:\w+://)?(?P<address>\S+)/(?P<node>bootstrap|\d+)): (?P<reason>.*)",
    re.S,
)
"""The form of librdkafka's error about a broker, such as ``broker-1:9092/1: Connect to … failed (after 0ms in …)``."""
NO_ANSWER = "no answer"


class BrokerFailure(NamedTuple):
    """A broker that can't be reached.

    Attributes:
        address: its host and port.
        is_advertised: whether the cluster gave us this address. If not, it is one of ``bootstrap.servers``.
        reason: why, in librdkafka's words.
    """

    address: str
    is_advertised: bool
    reason: str


def parse_failure(text: str) -> BrokerFailure | None:
    """Return the failure that librdkafka's error ``text`` reports, or None if it names no broker."""
    match = FAILURE_PATTERN.fullmatch(text)
    if match is None:
        return None
    address = match["coordinator"] or match["address"]
    return BrokerFailure(address, match["node"] != "bootstrap", match["reason"].partition(" (after ")[0])


def find_silent_brokers(statistics: str) -> list[BrokerFailure]:
    """Return the brokers that the cluster named, and that don't answer, by librdkafka's statistics."""
    brokers = orjson.loads(statistics)["brokers"].values() if statistics else ()
    return [
        BrokerFailure(each["nodename"], True, NO_ANSWER)
        for each in brokers
        if each["source"] == "learned" and each["state"] not in CONNECTED_STATES | UNTRIED_STATES
    ]


def split_addresses(bootstrap_servers: str) -> list[str]:
    """Return each address of ``bootstrap.servers`` as librdkafka names it: without a protocol, and with a port."""
    addresses = [address.strip().rpartition("://")[2] for address in bootstrap_servers.split(",")]
    return [address if re.search(r":\d+$", address) else f"{address}:{DEFAULT_PORT}" for address in addresses]


def split_host(address: str) -> str:
    """Return the host of an address, an IPv6 address without its brackets."""
    return address.rpartition(":")[0].strip("[]")


def describe_misleading(bootstrap: Iterable[str], failures: Mapping[str, BrokerFailure]) -> str | None:
    """Say which addresses the cluster gave us that can't be reached. Return None if there is none.

    Args:
        bootstrap: the addresses in ``bootstrap.servers``.
        failures: what failed, by address.
    """
    known = list(bootstrap)
    advertised = [each for each in failures.values() if each.is_advertised and each.address not in known]
    if not advertised:
        return None
    reached = [address for address in known if address not in failures] or known
    reached_text = reached[0] if len(reached) == 1 else f"one of {', '.join(reached)}"
    targets = "; ".join(
        f"{each.address} (its advertised.listeners), and that can't be reached: {each.reason}" for each in advertised
    )
    own = "".join(f"; {address} itself: {failures[address].reason}" for address in known if address in failures)
    return f"reached {reached_text}, which sends us to {targets}{own}"
