"""The configuration properties of librdkafka: their names and aliases, secret ones, and those reserved for the tools.

The names are those in ``CONFIGURATION.md`` of librdkafka 2.16.0, without callbacks, which only a program can set.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from ..errors import SettingsError

ANY_CLIENT = """
allow.auto.create.topics api.version.fallback.ms api.version.request api.version.request.timeout.ms bootstrap.servers
broker.address.family broker.address.ttl broker.version.fallback builtin.features client.dns.lookup client.id
client.rack connections.max.idle.ms debug enable.metrics.push enable.random.seed enable.sasl.oauthbearer.unsecure.jwt
enable.ssl.certificate.verification enabled_events https.ca.location https.ca.pem internal.termination.signal
log.connection.close log.queue log.thread.name log_level max.in.flight max.in.flight.requests.per.connection
message.copy.max.bytes message.max.bytes metadata.broker.list metadata.max.age.ms
metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy plugin.library.paths receive.message.max.bytes
reconnect.backoff.jitter.ms reconnect.backoff.max.ms reconnect.backoff.ms retry.backoff.max.ms retry.backoff.ms
sasl.kerberos.keytab sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin sasl.kerberos.principal
sasl.kerberos.service.name sasl.mechanism sasl.mechanisms sasl.oauthbearer.assertion.algorithm
sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.iss
sasl.oauthbearer.assertion.claim.jti.include sasl.oauthbearer.assertion.claim.nbf.seconds
sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file sasl.oauthbearer.assertion.jwt.template.file
sasl.oauthbearer.assertion.private.key.file sasl.oauthbearer.assertion.private.key.passphrase
sasl.oauthbearer.assertion.private.key.pem sasl.oauthbearer.client.credentials.client.id
sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.client.id sasl.oauthbearer.client.secret
sasl.oauthbearer.config sasl.oauthbearer.extensions sasl.oauthbearer.grant.type
sasl.oauthbearer.metadata.authentication.type sasl.oauthbearer.method sasl.oauthbearer.scope
sasl.oauthbearer.sub.claim.name sasl.oauthbearer.token.endpoint.url sasl.password sasl.username security.protocol
socket.blocking.max.ms socket.connection.setup.timeout.ms socket.keepalive.enable socket.max.fails
socket.nagle.disable socket.receive.buffer.bytes socket.send.buffer.bytes socket.timeout.ms ssl.ca.certificate.stores
ssl.ca.location ssl.ca.pem ssl.certificate.location ssl.certificate.pem ssl.cipher.suites ssl.crl.location
ssl.curves.list ssl.endpoint.identification.algorithm ssl.engine.id ssl.engine.location ssl.key.location
ssl.key.password ssl.key.pem ssl.keystore.location ssl.keystore.password ssl.providers ssl.sigalgs.list
statistics.interval.ms topic.blacklist topic.metadata.propagation.max.ms topic.metadata.refresh.fast.cnt
topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms topic.metadata.refresh.sparse
"""
CONSUMER_ONLY = """
auto.commit.enable auto.commit.interval.ms auto.offset.reset check.crcs consume.callback.max.messages
coordinator.query.interval.ms enable.auto.commit enable.auto.offset.store enable.partition.eof fetch.error.backoff.ms
fetch.max.bytes fetch.message.max.bytes fetch.min.bytes fetch.queue.backoff.ms fetch.wait.max.ms group.id
group.instance.id group.protocol group.protocol.type group.remote.assignor heartbeat.interval.ms isolation.level
max.partition.fetch.bytes max.poll.interval.ms max.poll.records offset.store.method offset.store.path
offset.store.sync.interval.ms partition.assignment.strategy queued.max.messages.kbytes queued.min.messages
session.timeout.ms share.acknowledgement.mode
"""
PRODUCER_ONLY = """
acks batch.num.messages batch.size compression.codec compression.level compression.type delivery.report.only.error
delivery.timeout.ms enable.gapless.guarantee enable.idempotence linger.ms message.send.max.retries message.timeout.ms
partitioner produce.offset.report queue.buffering.backpressure.threshold queue.buffering.max.kbytes
queue.buffering.max.messages queue.buffering.max.ms queuing.strategy request.required.acks request.timeout.ms retries
sticky.partitioning.linger.ms transaction.timeout.ms transactional.id
"""
CONSUMER_PROPERTIES = frozenset((ANY_CLIENT + CONSUMER_ONLY).split())
PRODUCER_PROPERTIES = frozenset((ANY_CLIENT + PRODUCER_ONLY).split())
ALL_PROPERTIES = CONSUMER_PROPERTIES | PRODUCER_PROPERTIES

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "metadata.broker.list": "bootstrap.servers",
        "max.in.flight": "max.in.flight.requests.per.connection",
        "sasl.mechanisms": "sasl.mechanism",
        "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
        "fetch.message.max.bytes": "max.partition.fetch.bytes",
        "queue.buffering.max.ms": "linger.ms",
        "message.send.max.retries": "retries",
        "compression.codec": "compression.type",
        "request.required.acks": "acks",
        "message.timeout.ms": "delivery.timeout.ms",
    }
)

SECRET_PROPERTIES = frozenset(
    {
        "https.ca.pem",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.password",
        "ssl.ca.pem",
        "ssl.certificate.pem",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
    }
)

RESERVED_PROPERTIES = frozenset(
    {
        "auto.commit.enable",
        "auto.offset.reset",
        "delivery.report.only.error",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.partition.eof",
        "enabled_events",
        "log.queue",
    }
)

JAVA_EQUIVALENTS: Mapping[str, str] = MappingProxyType(
    {
        "sasl.jaas.config": "sasl.username and sasl.password",
        "ssl.keystore.certificate.chain": "ssl.certificate.pem",
        "ssl.keystore.key": "ssl.key.pem",
        "ssl.truststore.certificates": "ssl.ca.pem",
        "ssl.truststore.location": "ssl.ca.location, a PEM file",
    }
)


def resolve_property_name(name: str, origin: str) -> str:
    """Return the name of the property ``name``, with aliases resolved.

    Raises:
        SettingsError: librdkafka has no such property, or the tools set it themselves.
    """
    if name in JAVA_EQUIVALENTS:
        raise SettingsError(f"{origin}: {name} is a property of Java's clients; here it is {JAVA_EQUIVALENTS[name]}")
    if name not in ALL_PROPERTIES:
        raise SettingsError(f"{origin}: librdkafka has no {name[:60]!r}{suggest_name(name, ALL_PROPERTIES)}")
    if name in RESERVED_PROPERTIES:
        raise SettingsError(f"{origin}: {name} can't be set, because the tools set it themselves; leave it out")
    return ALIASES.get(name, name)


def suggest_name(text: str, names: Iterable[str]) -> str:
    """Return ``; did you mean NAME?`` with the most similar of ``names``, or an empty text if none is similar."""
    by_lower = {name.lower(): name for name in sorted(names)}
    near = get_close_matches(text.lower()[:100], by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""
