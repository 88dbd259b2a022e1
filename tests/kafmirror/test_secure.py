"""TLS and passwords from agentlog.toml, and properties that kafmirror refuses by name."""

import uuid
from pathlib import Path

import pytest

from devkafka import KafkaCluster, Message, create_topic, produce
from tests.kafmirror.logs import read_log
from tests.kafmirror.side import CompletedRun, Pair, run_kafmirror


def settings(folder: Path, secure: KafkaCluster, plain: KafkaCluster, **changed: str) -> Path:
    """Write an agentlog.toml with the secure cluster as ``safe`` and the plain one as ``open``."""
    properties = {
        **secure.client_properties("admin"),
        **{name.replace("_", "."): value for name, value in changed.items()},
    }
    lines = [f'"{name}" = "{value}"' for name, value in properties.items()]
    text = "\n".join(["[clusters.safe]", *lines, "[clusters.open]", f'"bootstrap.servers" = "{plain.bootstrap}"', ""])
    (folder / "agentlog.toml").write_text(text)
    return folder


def between(folder: Path, source: str, target: str, command: str, *more: str) -> CompletedRun:
    return run_kafmirror([command, "--source", source, "--target", target, *more], cwd=folder)


@pytest.fixture
def topic(secure_kafka: KafkaCluster) -> str:
    made = create_topic(secure_kafka.bootstrap, f"test-{uuid.uuid4().hex[:8]}")
    produce(secure_kafka.bootstrap, made, [Message("k", f"{n}") for n in range(100)])
    return made


def test_a_topic_is_copied_over_tls_with_a_password_both_ways(
    pair: Pair, secure_kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    folder = settings(tmp_path, secure_kafka, pair.target)
    ran = between(folder, "safe", "open", "replicate", "--topics", topic, "--once")
    assert ran.code == 0, ran.err
    assert read_log(pair.target.bootstrap, topic) == read_log(secure_kafka.bootstrap, topic)
    other = create_topic(pair.target.bootstrap, f"{topic}-back")
    produce(pair.target.bootstrap, other, [Message("k", "v")])
    ran = between(folder, "open", "safe", "replicate", "--topics", other, "--once")
    assert ran.code == 0, ran.err
    assert read_log(pair.target.bootstrap, other) == read_log(secure_kafka.bootstrap, other)


def test_a_wrong_password_is_reported_and_never_shown(
    pair: Pair, secure_kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    folder = settings(tmp_path, secure_kafka, pair.target, sasl_password="hunter2")
    ran = between(folder, "safe", "open", "plan", "--topics", topic)
    assert ran.code == 3
    assert "password" in ran.err
    assert "hunter2" not in ran.err + ran.out


def test_an_authority_that_did_not_sign_the_broker_s_certificate_is_refused(
    pair: Pair, secure_kafka: KafkaCluster, topic: str, tmp_path: Path
) -> None:
    folder = settings(tmp_path, secure_kafka, pair.target, ssl_ca_location="/etc/ssl/certs/ca-certificates.crt")
    ran = between(folder, "safe", "open", "plan", "--topics", topic)
    assert ran.code == 3
    assert "no TLS connection" in ran.err


def test_missing_rights_are_named(pair: Pair, secure_kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    changed = {"sasl_username": "stranger", "sasl_password": secure_kafka.users["stranger"]}
    folder = settings(tmp_path, secure_kafka, pair.target, **changed)
    ran = between(folder, "safe", "open", "plan", "--topics", topic)
    assert ran.code == 3
    assert f"has no topic {topic}" in ran.err
    assert "that we may see" in ran.err
    into = between(folder, "open", "safe", "plan", "--topics", create_topic(pair.target.bootstrap, f"{topic}-x"))
    assert into.code != 0
    assert "authori" in (into.err + into.out).lower()


def test_a_property_that_kafmirror_does_not_support_is_refused_by_its_name(pair: Pair, tmp_path: Path) -> None:
    for setting in ("ssl.cipher.suites=DEFAULT", "enable.ssl.certificate.verification=false"):
        ran = pair.run("plan", "-X", setting)
        assert ran.code == 2
        assert setting.partition("=")[0] in ran.err
        assert "-X" in ran.err
