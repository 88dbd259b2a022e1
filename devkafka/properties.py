"""The properties of one broker, for Kafka's server.properties."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .tls import KEYSTORE_PASSWORD, Certificate


@dataclass(frozen=True)
class Node:
    """The number of a broker, from 1, and its ports on 127.0.0.1. `secure_port` is for TLS with SASL/SCRAM.

    `misled_ports` are those of further plain listeners, by name. `misled_to` has the address that the broker advertises
    for such a listener, if that isn't the listener's own.
    """

    id: int
    plain_port: int
    controller_port: int
    secure_port: int
    misled_ports: Mapping[str, int] = field(default_factory=dict)
    misled_to: Mapping[str, str] = field(default_factory=dict)


def build_server_properties(node: Node, nodes: list[Node], certificate: Certificate | None) -> dict[str, str]:
    """Return the properties with which `node` is broker and controller in a cluster of `nodes`."""
    listeners = {"PLAIN": node.plain_port, "SECURE": node.secure_port} if certificate else {"PLAIN": node.plain_port}
    listeners.update(node.misled_ports)
    addresses = {name: f"127.0.0.1:{port}" for name, port in listeners.items()}
    plain = "".join(f",{name}:PLAINTEXT" for name in node.misled_ports)
    return {
        "node.id": str(node.id),
        "process.roles": "broker,controller",
        "controller.quorum.voters": ",".join(f"{each.id}@127.0.0.1:{each.controller_port}" for each in nodes),
        "listeners": f"{_join_listeners(addresses)},CONTROLLER://127.0.0.1:{node.controller_port}",
        "advertised.listeners": _join_listeners({**addresses, **node.misled_to}),
        "listener.security.protocol.map": f"PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL{plain}",
        "inter.broker.listener.name": "PLAIN",
        "controller.listener.names": "CONTROLLER",
        **_build_small_broker_properties(),
        **_build_replication_properties(len(nodes)),
        **(_build_security_properties(certificate) if certificate else {}),
    }


def _join_listeners(addresses: Mapping[str, str]) -> str:
    return ",".join(f"{name}://{address}" for name, address in addresses.items())


def _build_small_broker_properties() -> dict[str, str]:
    return {
        "auto.create.topics.enable": "false",
        # A killed broker can come back only when its session is over, by default after 9 s.
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        "group.initial.rebalance.delay.ms": "0",
        "log.cleaner.dedupe.buffer.size": "4194304",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
    }


def _build_replication_properties(brokers: int) -> dict[str, str]:
    factor, in_sync = str(min(brokers, 3)), "2" if brokers > 2 else "1"
    return {
        "default.replication.factor": factor,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": factor,
        "transaction.state.log.replication.factor": factor,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": factor,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def _build_security_properties(certificate: Certificate) -> dict[str, str]:
    """Return a TLS listener with SCRAM users; only the plain listener and `admin` have rights."""
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(certificate.keystore),
        "ssl.keystore.password": KEYSTORE_PASSWORD,
        "ssl.key.password": KEYSTORE_PASSWORD,
        "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.secure.scram-sha-512.sasl.jaas.config": scram,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:ANONYMOUS;User:admin",
    }


def format_properties(properties: Mapping[str, str]) -> str:
    """Return properties as the lines of a Java properties file."""
    return "".join(f"{name}={value}\n" for name, value in properties.items()).replace("\\", "\\\\")
