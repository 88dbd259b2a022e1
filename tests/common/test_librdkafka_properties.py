"""Our tables of librdkafka's properties, compared with librdkafka itself."""

import re

import confluent_kafka
import pytest

from agentlog.settings.librdkafka_properties import (
    ALIASES,
    ALL_PROPERTIES,
    CONSUMER_PROPERTIES,
    JAVA_EQUIVALENTS,
    PRODUCER_PROPERTIES,
    RESERVED_PROPERTIES,
    SECRET_PROPERTIES,
)

TAKEN_BY_CONFLUENT_KAFKA = {"delivery.report.only.error"}
HIDDEN_WORDS = re.compile("password|passphrase|secret|pem$|jaas|token|key")


def librdkafkas_answer(client: type, name: str) -> str:
    """Return what librdkafka says of a property. It creates no client with an unknown property."""
    with pytest.raises(confluent_kafka.KafkaException) as refused:
        client({name: "1", "group.id": "g", "no.such": "1"})
    return str(refused.value)


class TestLibrdkafkasProperties:
    @pytest.mark.parametrize("name", sorted(ALL_PROPERTIES - TAKEN_BY_CONFLUENT_KAFKA))
    def test_exist_in_librdkafka(self, name: str) -> None:
        client = confluent_kafka.Consumer if name in CONSUMER_PROPERTIES else confluent_kafka.Producer
        assert f'No such configuration property: "{name}"' not in librdkafkas_answer(client, name)

    @pytest.mark.parametrize("name", sorted(JAVA_EQUIVALENTS))
    def test_of_java_do_not_exist_in_librdkafka(self, name: str) -> None:
        assert name not in ALL_PROPERTIES
        answer = librdkafkas_answer(confluent_kafka.Consumer, name)
        assert f'No such configuration property: "{name}"' in answer or "Java" in answer

    def test_that_the_lists_single_out_are_among_them(self) -> None:
        assert {*ALIASES, *ALIASES.values(), *SECRET_PROPERTIES, *RESERVED_PROPERTIES} <= ALL_PROPERTIES
        assert not {*ALIASES.values(), *SECRET_PROPERTIES, *RESERVED_PROPERTIES} & ALIASES.keys()
        assert all(
            (name in CONSUMER_PROPERTIES, name in PRODUCER_PROPERTIES)
            == (same in CONSUMER_PROPERTIES, same in PRODUCER_PROPERTIES)
            for name, same in ALIASES.items()
        )

    def test_that_sound_secret_are_secret_but_for_paths_and_addresses(self) -> None:
        sounding = {ALIASES.get(name, name) for name in ALL_PROPERTIES if HIDDEN_WORDS.search(name)}
        harmless = {name for name in sounding if name.endswith((".location", ".file", ".url", ".keytab"))}
        assert (
            sounding - harmless - SECRET_PROPERTIES
            == {"socket.keepalive.enable", "enable.sasl.oauthbearer.unsecure.jwt"} & sounding
        )
