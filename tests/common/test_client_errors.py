"""What a broker says of our certificate is told apart from what we say of the broker's."""

import pytest

from agentlog.errors import KafkaRefused, KafkaUnavailable
from agentlog.log.connection.client import ClientErrors, LibrdkafkaError
from agentlog.settings.clusters import Settings

PREFIX = "sasl_ssl://127.0.0.1:9/bootstrap: "


def explain(code: int, text: str) -> Exception:
    """Return the error that explains a reported error of librdkafka to a recorder."""
    client_errors = ClientErrors(Settings({}, None).get_cluster("127.0.0.1:9", []))
    client_errors(LibrdkafkaError(code, PREFIX + text))
    return client_errors.explain("recording")


@pytest.mark.parametrize(
    "alert",
    [
        "tlsv13 alert certificate required: SSL alert number 116",
        "sslv3 alert certificate unknown: SSL alert number 46",
        "sslv3 alert bad certificate: SSL alert number 42",
        "tlsv1 alert unknown ca: SSL alert number 48",
        "sslv3 alert certificate expired: SSL alert number 45",
    ],
)
def test_an_alert_about_our_certificate_names_its_setting(alert: str) -> None:
    told = explain(LibrdkafkaError._TRANSPORT, f"Receive failed: error:0A00045C:SSL routines::{alert}")
    assert type(told) is KafkaRefused
    assert "wants a certificate of ours (ssl.certificate.location and ssl.key.location)" in str(told)


def test_a_certificate_of_the_broker_that_is_not_valid_names_ours_to_trust() -> None:
    told = explain(LibrdkafkaError._SSL, "SSL handshake failed: error:0A000086::certificate verify failed: broker")
    assert type(told) is KafkaRefused
    assert "couldn't be verified (ssl.ca.location): unknown authority, expired, or for another host name" in str(told)


def test_another_failure_of_the_connection_blames_no_certificate() -> None:
    told = explain(LibrdkafkaError._TRANSPORT, "Connect to ipv4#127.0.0.1:9 failed: Connection refused")
    assert type(told) is KafkaUnavailable
    assert "certificate" not in str(told)
