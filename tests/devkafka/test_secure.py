"""The secure listener accepts the right password over TLS, and refuses everything else for the right reason."""

from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from devkafka.client import SILENT_LOGGER
from devkafka.tls import make_certificate


def is_refused(properties: dict[str, str], code: int) -> bool:
    """Whether a client with these properties gets this error, at first or after errors of its connections."""
    told: list[int] = []
    admin = AdminClient({**properties}, error_cb=lambda error: told.append(error.code()), logger=SILENT_LOGGER)
    return eventually(lambda: admin.poll(0.05) >= 0 and code in told)


def test_admin_with_the_right_password_reads_and_writes(secure_kafka: KafkaCluster) -> None:
    topic = create_topic(secure_kafka.bootstrap)
    admin = secure_kafka.client_properties("admin")
    assert produce(secure_kafka.secure_bootstrap, topic, [Message("key", "value")], admin) == [(0, 0)]


def test_a_wrong_password_is_refused(secure_kafka: KafkaCluster) -> None:
    wrong = {**secure_kafka.client_properties("admin"), "sasl.password": "wrong"}
    assert is_refused(wrong, KafkaError._AUTHENTICATION)


def test_a_certificate_by_another_authority_is_refused(secure_kafka: KafkaCluster, tmp_path: Path) -> None:
    other = {**secure_kafka.client_properties("admin"), "ssl.ca.location": str(make_certificate(tmp_path).ca_file)}
    assert is_refused(other, KafkaError._SSL)


def test_a_stranger_may_connect_but_not_write(secure_kafka: KafkaCluster) -> None:
    topic = create_topic(secure_kafka.bootstrap)
    stranger = secure_kafka.client_properties("stranger")
    assert topic not in AdminClient({**stranger}).list_topics(timeout=10).topics
    with pytest.raises(KafkaException) as refused:
        produce(secure_kafka.secure_bootstrap, topic, [Message("key", "value")], stranger)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_cluster_that_is_not_secure_has_no_certificate() -> None:
    with pytest.raises(ValueError, match="isn't secure"):
        _ = KafkaCluster("plain").ca_file
