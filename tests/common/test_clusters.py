"""Settings: the file that is used, flags over environment over file, secrets, and messages for wrong settings."""

import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import confluent_kafka
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.errors import SettingsError
from agentlog.event.partitioner import PARTITIONERS, SYNONYMS
from agentlog.settings.clusters import BOOTSTRAP, TOP_LEVEL, Cluster, Settings, build_cluster, load_settings
from agentlog.settings.librdkafka_properties import RESERVED_PROPERTIES
from agentlog.settings.time_expression import parse_position

DOCS = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")

TWO = """\
cluster = "us-east-1"
[clusters.us-east-1]
"bootstrap.servers" = "us:9092"
"sasl.password" = "hunter2"
[clusters.eu-west-1]
"bootstrap.servers" = "eu:9092"
"""

HEADERS = ["[clusters]", "[clusters.a]", "[clusters.a.ssl]", "[[clusters.a]]", "[topics.t]", "# x", "\0"]
KEYS = ["cluster", "topic", "a", "bootstrap.servers", '"ssl.ca.location"', "partitioner", "''", "clusters.a"]
VALUES = ['"a"', '"h:1"', '"\\u0000"', "nan", "true", "1979-05-27", "[[{}]]", "{}", '{env = "V"}', "{env = 1}"]
VALUES += ['{file = "gone"}', '{env = "V", file = "x"}', "{a.b = {}}", '"murmur2"', "'''\n[a]\n'''"]
SETTINGS_LINES = st.sampled_from(HEADERS) | st.builds("{} = {}".format, st.sampled_from(KEYS), st.sampled_from(VALUES))

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def written(text: str, environment: Mapping[str, str] | None = None) -> Settings:
        (tmp_path / "agentlog.toml").write_text(text, encoding="utf-8")
        return load_settings(environment or {}, tmp_path)

    return written


def wrong(load: Load, text: str, environment: Mapping[str, str] | None = None, chosen: str | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        load(text, environment).get_cluster(chosen)
    return str(refused.value)


def test_without_any_settings_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings({"HOME": str(tmp_path)}, tmp_path)
    assert (settings.file, settings.cluster_names, settings.get_topic(None)) == (None, (), "agent-events")


def test_clusters_are_listed_in_the_order_of_the_file(load: Load) -> None:
    assert load(TWO).cluster_names == ("us-east-1", "eu-west-1")


class TestAClustersProperties:
    def test_quoted_dotted_nested_and_inline_say_the_same(self, load: Load) -> None:
        for text in (
            '[clusters.a]\n"bootstrap.servers" = "h:1"\n"sasl.username" = "u"\n"sasl.password" = "p"\n',
            '[clusters.a]\nbootstrap.servers = "h:1"\nsasl.username = "u"\nsasl.password = "p"\n',
            '[clusters.a.bootstrap]\nservers = "h:1"\n[clusters.a.sasl]\nusername = "u"\npassword = "p"\n',
            'clusters.a = {bootstrap = {servers = "h:1"}, sasl = {username = "u", "password" = "p"}}\n',
        ):
            properties = load(text).get_cluster("a").properties
            assert properties == {"bootstrap.servers": "h:1", "sasl.username": "u", "sasl.password": "p"}

    def test_numbers_and_booleans_become_librdkafkas_strings(self, load: Load) -> None:
        cluster = load(
            '[clusters.a]\nbootstrap.servers = "h:1"\nsocket.keepalive.enable = true\nlinger.ms = 0.5\n'
            "log.connection.close = false\nsocket.timeout.ms = 5_000\n"
        ).get_cluster("a")
        del cluster.properties["bootstrap.servers"]
        assert cluster.properties == {
            "socket.keepalive.enable": "true",
            "linger.ms": "0.5",
            "log.connection.close": "false",
            "socket.timeout.ms": "5000",
        }
        confluent_kafka.Producer(cluster.properties)

    def test_a_relative_location_is_relative_to_the_files_folder(self, load: Load, tmp_path: Path) -> None:
        cluster = load(
            '[clusters.a]\nbootstrap.servers = "h:1"\nssl.ca.location = "certs/ca.pem"\n'
            'ssl.key.location = "/etc/key.pem"\nssl.crl.location = "~/crl.pem"\nhttps.ca.location = "probe"\n'
            'ssl.keystore.location = {env = "STORE"}\n',
            {"HOME": "/home/u", "STORE": "store.p12"},
        ).get_cluster("a")
        assert cluster.properties["ssl.ca.location"] == str(tmp_path / "certs/ca.pem")
        assert cluster.properties["ssl.key.location"] == "/etc/key.pem"
        assert cluster.properties["ssl.crl.location"] == "/home/u/crl.pem"
        assert cluster.properties["https.ca.location"] == "probe"
        assert cluster.properties["ssl.keystore.location"] == str(tmp_path / "store.p12")

    def test_a_location_from_a_flag_or_the_environment_is_left_as_it_is(self, load: Load) -> None:
        settings = load(TWO, {"AGENTLOG_KAFKA_SSL_CA_LOCATION": "ca.pem"})
        cluster = settings.get_cluster(None, ["ssl.key.location=key.pem"])
        assert cluster.properties["ssl.ca.location"] == "ca.pem"
        assert cluster.properties["ssl.key.location"] == "key.pem"

    def test_two_names_for_one_property_are_one_property(self, load: Load) -> None:
        text = '[clusters.a]\nmetadata.broker.list = "h:1"\nsasl.mechanisms = "PLAIN"\n'
        cluster = load(text).get_cluster("a", ["sasl.mechanism=GSSAPI"])
        assert cluster.properties == {"bootstrap.servers": "h:1", "sasl.mechanism": "GSSAPI"}

    def test_a_flag_wins_over_the_environment_and_that_over_the_file(self, load: Load) -> None:
        text = (
            '[clusters.a]\nbootstrap.servers = "h:1"\n'
            'sasl.username = "file"\nsasl.password = "file"\nclient.id = "file"\n'
        )
        environment = {"AGENTLOG_KAFKA_SASL_PASSWORD": "environment", "AGENTLOG_KAFKA_CLIENT_ID": "environment"}
        cluster = load(text, environment).get_cluster("a", ["client.id=first", "client.id=a=b"])
        assert cluster.properties == {
            "bootstrap.servers": "h:1",
            "sasl.username": "file",
            "sasl.password": "environment",
            "client.id": "a=b",
        }
        assert cluster.origins == {
            "bootstrap.servers": "agentlog.toml:2",
            "sasl.username": "agentlog.toml:3",
            "sasl.password": "environment AGENTLOG_KAFKA_SASL_PASSWORD",
            "client.id": "-X",
        }

    def test_an_empty_variable_counts_as_not_set(self, load: Load) -> None:
        environment = {
            "AGENTLOG_KAFKA_SASL_PASSWORD": "",
            "AGENTLOG_CLUSTER": "",
            "AGENTLOG_TOPIC": "",
            "AGENTLOG_CONFIG": "",
        }
        settings = load(TWO, environment)
        assert settings.get_cluster(None).properties["sasl.password"] == "hunter2"
        assert settings.get_topic(None) == "agent-events"


class TestWhichCluster:
    @pytest.mark.parametrize(
        ("chosen", "environment", "name"),
        [
            (None, {}, "us-east-1"),
            (None, {"AGENTLOG_CLUSTER": "eu-west-1"}, "eu-west-1"),
            ("us-east-1", {"AGENTLOG_CLUSTER": "eu-west-1"}, "us-east-1"),
            ("h:1", {"AGENTLOG_CLUSTER": "eu-west-1"}, "h:1"),
            (None, {"AGENTLOG_CLUSTER": "h:1"}, "h:1"),
        ],
    )
    def test_the_flag_wins_over_the_environment_and_that_over_the_file(
        self, load: Load, chosen: str | None, environment: dict[str, str], name: str
    ) -> None:
        assert load(TWO, environment).get_cluster(chosen).name == name

    def test_the_only_one_is_the_default(self, load: Load) -> None:
        assert load('[clusters.only]\nbootstrap.servers = "h:1"\n').get_cluster(None).name == "only"

    @pytest.mark.parametrize(
        ("chosen", "servers"),
        [
            ("localhost:9092", "localhost:9092"),
            ("a:1, b:2 ,c", "a:1,b:2,c"),
            ("[::1]:9092", "[::1]:9092"),
            ("SASL_SSL://a:1", "SASL_SSL://a:1"),
        ],
    )
    def test_an_address_needs_no_settings(self, tmp_path: Path, chosen: str, servers: str) -> None:
        cluster = load_settings({}, tmp_path).get_cluster(chosen)
        assert (cluster.name, cluster.properties) == (chosen, {"bootstrap.servers": servers})
        assert cluster.origins == {"bootstrap.servers": "the command line"}

    def test_an_address_takes_properties_of_flags_and_environment_but_not_its_own_from_the_environment(
        self, load: Load
    ) -> None:
        settings = load(TWO, {"AGENTLOG_KAFKA_BOOTSTRAP_SERVERS": "other:1", "AGENTLOG_KAFKA_SASL_USERNAME": "u"})
        cluster = settings.get_cluster("h:1", ["sasl.password=p"])
        assert cluster.properties == {"bootstrap.servers": "h:1", "sasl.username": "u", "sasl.password": "p"}

    def test_the_address_may_come_from_the_environment_or_a_property_alone(self, tmp_path: Path) -> None:
        settings = load_settings({"AGENTLOG_KAFKA_BOOTSTRAP_SERVERS": "h:1"}, tmp_path)
        assert settings.get_cluster(None).name == "h:1"
        assert settings.get_cluster(None, ["bootstrap.servers=i:2"]).properties["bootstrap.servers"] == "i:2"

    def test_without_settings_the_message_says_what_to_do_and_what_it_says_works(
        self, load: Load, tmp_path: Path
    ) -> None:
        with pytest.raises(SettingsError, match=r"--cluster HOST:PORT") as refused:
            load_settings({}, tmp_path).get_cluster(None)
        assert load(str(refused.value).partition("\n")[2]).get_cluster(None).name == "local"

    def test_with_several_and_no_default_they_are_named(self, load: Load) -> None:
        assert wrong(load, TWO.partition("\n")[2]) == (
            "which cluster? agentlog.toml has us-east-1, eu-west-1; write --cluster NAME, "
            'or cluster = "NAME" at its top'
        )

    @pytest.mark.parametrize(
        ("chosen", "environment", "message"),
        [
            (
                "us-esat-1",
                {},
                "the command line: there is no cluster 'us-esat-1'; agentlog.toml has us-east-1, eu-west-1; "
                "did you mean us-east-1?",
            ),
            (
                None,
                {"AGENTLOG_CLUSTER": "localhost"},
                "environment AGENTLOG_CLUSTER: there is no cluster 'localhost'; agentlog.toml has us-east-1, "
                "eu-west-1; an address is written HOST:PORT",
            ),
            ("h:0", {}, "the command line: 'h:0' has no port from 1 to 65535 behind its last colon"),
            ("h:65536", {}, "the command line: 'h:65536' has no port from 1 to 65535 behind its last colon"),
            ("h:", {}, "the command line: 'h:' has no port from 1 to 65535 behind its last colon"),
            ("h:9o92", {}, "the command line: 'h:9o92' has no port from 1 to 65535 behind its last colon"),
            ("h:\u0661", {}, "the command line: 'h:\u0661' has no port from 1 to 65535 behind its last colon"),
            ("a:1,,b:2", {}, "the command line: '' is not an address, HOST:PORT"),
            ("http://h:1/x", {}, "the command line: 'http://h:1/x' is not an address, HOST:PORT"),
            (
                "::1",
                {},
                "the command line: '::1' is not an address, HOST:PORT; an IPv6 address stands in brackets: [::1]:9092",
            ),
        ],
    )
    def test_one_that_is_wrong_is_explained(
        self, load: Load, chosen: str | None, environment: dict[str, str], message: str
    ) -> None:
        explained = wrong(load, TWO, environment, chosen)
        assert explained.startswith(message)

    def test_one_without_servers_is_named_with_its_line(self, load: Load) -> None:
        text = '\n[clusters.a]\nclient.id = "x"\n'
        assert wrong(load, text) == "agentlog.toml:2: cluster a has no bootstrap.servers"

    def test_a_bad_port_in_the_file_is_named_with_its_line(self, load: Load) -> None:
        message = wrong(load, '[clusters.a]\nclient.id = "x"\nbootstrap.servers = "h:99999"\n')
        assert message == "agentlog.toml:3: 'h:99999' has no port from 1 to 65535 behind its last colon"


class TestSecrets:
    TEXT = """\
[clusters.a]
bootstrap.servers = "h:1"
sasl.username = "reader"
sasl.password = {env = "PASSWORD"}
ssl.key.password = {file = "secrets/key"}
client.id = {env = "CLIENT"}
ssl.ca.pem = "literal-pem"
"""
    ENVIRONMENT: Mapping[str, str] = {"PASSWORD": "p4ss", "CLIENT": "c1ient", "AGENTLOG_KAFKA_SSL_KEY_PEM": "k3y"}

    @pytest.fixture
    def cluster(self, load: Load, tmp_path: Path) -> Cluster:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "key").write_bytes(b"p4ss and more \n")
        return load(self.TEXT, self.ENVIRONMENT).get_cluster("a", ["sasl.oauthbearer.client.secret=0auth"])

    def test_they_come_from_the_environment_and_from_files_without_the_last_newline(self, cluster: Cluster) -> None:
        assert cluster.properties["sasl.password"] == "p4ss"
        assert cluster.properties["ssl.key.password"] == "p4ss and more "
        assert cluster.origins["sasl.password"] == "agentlog.toml:4, environment PASSWORD"
        assert cluster.origins["ssl.key.password"] == "agentlog.toml:5, file secrets/key"

    @pytest.mark.parametrize(
        "text_of", [repr, str, lambda cluster: f"{cluster}", lambda cluster: str(cluster.get_redacted_properties())]
    )
    def test_as_text_a_cluster_shows_none(self, cluster: Cluster, text_of: Callable[[Cluster], str]) -> None:
        shown = text_of(cluster)
        assert not [value for name, value in cluster.properties.items() if name in cluster.secrets and value in shown]
        assert "'sasl.username': 'reader'" in shown
        assert shown.count("***") == 6

    def test_they_are_taken_out_of_any_text_the_longest_first(self, cluster: Cluster) -> None:
        text = "user reader failed with p4ss and more , p4ss, c1ient, literal-pem, k3y and 0auth"
        assert cluster.redact(text) == "user reader failed with ***, ***, ***, ***, *** and ***"

    def test_the_settings_show_none(self, load: Load) -> None:
        settings = load(TWO, self.ENVIRONMENT)
        assert "hunter2" not in repr(settings) + repr(settings.file)
        assert "p4ss" not in repr(settings)

    @pytest.mark.parametrize(
        ("environment", "secret", "message"),
        [
            ({}, b"x", ":4: sasl.password comes from the environment variable PASSWORD, which is not set"),
            (
                {"PASSWORD": ""},
                b"x",
                ":4: sasl.password comes from the environment variable PASSWORD, which is empty",
            ),
            ({"PASSWORD": "p"}, b"\n", "key, which is empty"),
            ({"PASSWORD": "p"}, b"\xff", "key, which can't be read: it is not UTF-8 text"),
            ({"PASSWORD": "p"}, None, "key, which can't be read: No such file or directory"),
        ],
    )
    def test_one_that_is_not_there_is_named_with_its_line(
        self, load: Load, tmp_path: Path, environment: dict[str, str], secret: bytes | None, message: str
    ) -> None:
        (tmp_path / "secrets").mkdir()
        if secret is not None:
            (tmp_path / "secrets" / "key").write_bytes(secret)
        assert message in wrong(load, self.TEXT, environment)

    def test_one_that_is_not_there_does_not_matter_to_another_cluster_nor_when_overridden(self, load: Load) -> None:
        settings = load(TWO.replace('"hunter2"', '{env = "GONE"}'))
        assert settings.get_cluster("eu-west-1").name == "eu-west-1"
        assert settings.get_cluster("us-east-1", ["sasl.password=given"]).properties["sasl.password"] == "given"

    @pytest.mark.parametrize(
        "line",
        [
            '"sasl.pasword" = "s3cret"',
            '"sasl.password" = ["s3cret"]',
            '"sasl.password" = {env = "A", file = "s3cret"}',
            '"sasl.password" = {value = "s3cret"}',
            '"sasl.password" = s3cret',
            '"sasl.password" = "s3cret',
            '"sasl.password" = "s3cret\\u0000"',
            '"sasl.jaas.config" = "password=s3cret"',
            '"sasl.password" = "s3cret"\n"sasl.password" = "s3cret"',
            '"sasl.password" = "s3cret"\nsasl = {password = "s3cret"}',
            'bootstrap.servers = {env = "SERVERS"}',
        ],
    )
    def test_no_message_holds_one(self, load: Load, line: str) -> None:
        message = wrong(load, f"[clusters.a]\n{line}\n", {"SERVERS": "s3cret:bad"})
        assert message.startswith("agentlog.toml:")
        assert "s3cret" not in message

    @pytest.mark.parametrize(
        "pair", ["s3cret", "sasl.password:s3cret", "sasl.pasword=s3cret", "sasl.jaas.config=s3cret"]
    )
    def test_no_message_about_a_flag_holds_one(self, load: Load, pair: str) -> None:
        with pytest.raises(SettingsError, match=r"^-X") as refused:
            load(TWO).get_cluster(None, [pair])
        assert "s3cret" not in str(refused.value)

    def test_no_message_about_a_variable_holds_one(self, load: Load) -> None:
        message = wrong(load, TWO, {"AGENTLOG_KAFKA_SASL_PASWORD": "s3cret"})
        assert message == (
            "environment AGENTLOG_KAFKA_SASL_PASWORD: librdkafka has no such property; "
            "did you mean AGENTLOG_KAFKA_SASL_PASSWORD?"
        )


class TestAWrongSetting:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("x = [\n", "agentlog.toml:1: is not TOML: Invalid value, at the file's end"),
            ('topic = "a"\ncluster "b"\n', "agentlog.toml:2: is not TOML: Expected '=' after a key"),
            ('topic = "a"\ntopic = "b"\n', "agentlog.toml:2: is not TOML: Cannot overwrite a value"),
            ('\nclutser = "a"\n', "agentlog.toml:2: unknown setting 'clutser'; did you mean cluster?"),
            ("\n[cluster.a]\n", "agentlog.toml:2: cluster is a table, not a string"),
            ('clusters = "a"\n', "agentlog.toml:1: clusters is a string, not a table"),
            ('clusters.a = "h:1"\n', "agentlog.toml:1: clusters.a is a string, not a table"),
            ("[[clusters]]\n", "agentlog.toml:1: clusters is an array, not a table"),
            ("topic = 5\n", "agentlog.toml:1: topic is a number, not a string"),
            (
                '[clusters.a]\nbootstrap.servers = "h:1"\n\nsasl.mecanism = "PLAIN"\n',
                "agentlog.toml:4: librdkafka has no 'sasl.mecanism'; did you mean sasl.mechanism?",
            ),
            (
                '[clusters.a]\n"Bootstrap.Servers" = "h:1"\n',
                "agentlog.toml:2: librdkafka has no 'Bootstrap.Servers'; did you mean bootstrap.servers?",
            ),
            ("[clusters.a]\nnothing.like.it = 1\n", "agentlog.toml:2: librdkafka has no 'nothing.like.it'"),
            (
                "[clusters.a]\nenable.auto.commit = true\n",
                "agentlog.toml:2: enable.auto.commit can't be set, because the tools set it themselves; leave it out",
            ),
            (
                '[clusters.a]\nssl.truststore.location = "x"\n',
                "agentlog.toml:2: ssl.truststore.location is a property of Java's clients; "
                "here it is ssl.ca.location, a PEM file",
            ),
            (
                '[clusters.a]\nbootstrap.servers = ["h:1", "i:2"]\n',
                "agentlog.toml:2: bootstrap.servers is an array, not a string, a number, true or false; "
                "write one string, with commas between the items",
            ),
            (
                "[clusters.a]\nsasl.password = 2026-01-15\n",
                "agentlog.toml:2: sasl.password is a date or time, not a string, a number, true or false",
            ),
            (
                "[clusters.a]\nsasl.password = {env = 5}\n",
                'agentlog.toml:2: sasl.password needs either {env = "VARIABLE"} or {file = "path"}',
            ),
            (
                '[clusters.a]\nsasl.mechanism = "PLAIN"\n[clusters.a.sasl.x]\n[clusters.b]\n'
                'sasl.mechanism = "PLAIN"\n"sasl.mechanisms" = "PLAIN"\n',
                "agentlog.toml:6: sasl.mechanism (also called sasl.mechanisms) is set twice; the other is "
                "agentlog.toml:5",
            ),
            (
                '[clusters.eu.west]\nbootstrap.servers = "h:1"\n',
                'agentlog.toml:2: a cluster\'s name with dots stands in quotes: [clusters."eu.west"]',
            ),
            (
                '[topics.agent-events]\npartitoner = "murmur2"\n',
                "agentlog.toml:2: unknown setting 'partitoner' of topic agent-events; did you mean partitioner?",
            ),
            (
                '[topics.agent.events]\npartitioner = "murmur2"\n',
                "agentlog.toml:1: unknown setting 'events' of topic agent; "
                'a topic with dots stands in quotes: [topics."agent.events"]',
            ),
            (
                '[topics.t]\npartitioner = "murmur3"\n',
                "agentlog.toml:2: there is no partitioner 'murmur3'; known are murmur2, crc32, fnv1a",
            ),
            ("[topics.t]\npartitioner = 2\n", "agentlog.toml:2: partitioner is a number, not a string"),
        ],
    )
    def test_is_explained_with_file_line_and_nearest_name(self, load: Load, text: str, message: str) -> None:
        assert wrong(load, text).startswith(message)

    @pytest.mark.parametrize("text", ["x = " + "[" * 5000, "x = " + "9" * 5000, f"clusters.a.{'b.' * 5000}c = 1", "\0"])
    def test_is_a_settings_error_however_monstrous(self, load: Load, text: str) -> None:
        assert wrong(load, text).startswith("agentlog.toml")

    @given(st.lists(SETTINGS_LINES))
    def test_is_a_settings_error_whatever_it_is(
        self, tmp_path_factory: pytest.TempPathFactory, lines: list[str]
    ) -> None:
        folder = tmp_path_factory.mktemp("any")
        (folder / "agentlog.toml").write_text("\n".join(lines), encoding="utf-8")
        with suppress(SettingsError):
            settings = load_settings({"V": "v"}, folder)
            settings.get_topic(None)
            settings.get_partitioner("t")
            settings.get_cluster(None)

    def test_of_a_variable_without_text_is_refused_before_librdkafka_sees_it(self, load: Load) -> None:
        message = wrong(load, TWO, {"AGENTLOG_KAFKA_CLIENT_ID": "caf\udce9"})
        assert message == "environment AGENTLOG_KAFKA_CLIENT_ID: client.id is not text that librdkafka takes"

    @pytest.mark.parametrize("pair", ["sasl.username", "sasl.username=", "=x", ""])
    def test_of_a_flag_without_name_or_value_is_refused(self, load: Load, pair: str) -> None:
        with pytest.raises(SettingsError, match=r"^-X"):
            load(TWO).get_cluster(None, [pair])


class TestTheTopic:
    def test_of_the_flag_wins_over_the_environment_and_that_over_the_file(self, load: Load) -> None:
        environment = {"AGENTLOG_TOPIC": "environment"}
        assert load('topic = "file"\n').get_topic(None) == "file"
        assert load('topic = "file"\n', environment).get_topic(None) == "environment"
        assert load('topic = "file"\n', environment).get_topic("flag") == "flag"

    @pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "x" * 250, "caf\u00e9", "a\n"])
    def test_that_kafka_would_refuse_is_refused_with_its_origin(self, load: Load, name: str) -> None:
        with pytest.raises(SettingsError, match=r"^the command line: .* can't be a topic"):
            load("").get_topic(name)

    def test_has_the_partitioner_that_the_file_tells(self, load: Load) -> None:
        settings = load(
            '[topics.a]\npartitioner = "consistent_random"\n[topics.b]\n[topics."c.d"]\npartitioner = "fnv1a"\n'
        )
        assert [settings.get_partitioner(topic) for topic in ("a", "b", "c.d", "e")] == ["crc32", None, "fnv1a", None]


class TestTheDocs:
    BLOCKS = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)

    def test_examples_load(self, load: Load, tmp_path: Path) -> None:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "client.key.password").write_text("file-secret\n")
        assert self.BLOCKS
        for block in self.BLOCKS:
            settings = load(block, {"US_EAST_PASSWORD": "env-secret"})
            if "[clusters." not in block:
                continue
            assert settings.get_cluster(None).properties["sasl.password"] == "env-secret"
            assert settings.get_cluster("eu-west-1").properties["ssl.key.password"] == "file-secret"
            assert settings.get_partitioner(settings.get_topic(None)) == "murmur2"

    def test_name_all_that_may_stand_at_the_top_of_the_file(self) -> None:
        table = DOCS.partition("| at the top of the file")[2].partition("\n\n")[0]
        assert set(re.findall(r"^\| `\[?(\w+)", table, re.MULTILINE)) == {*TOP_LEVEL}

    def test_name_all_that_is_left_to_the_tools(self) -> None:
        said = DOCS.partition("**Left to the tools.**")[2].partition("can't be set")[0]
        assert set(re.findall(r"`([\w.]+)`", said)) == RESERVED_PROPERTIES

    def test_name_all_partitioners(self) -> None:
        table = DOCS.partition("| `partitioner` | clients |")[2].partition("\n\n")[0]
        assert set(re.findall(r"`(\w+)`", table)) == {*PARTITIONERS, *SYNONYMS}

    def test_list_times_and_offsets_that_are_understood(self) -> None:
        table = DOCS.partition("| written | understood as |")[2].partition("\n\n")[0]
        written = [text for row in table.splitlines()[2:] for text in re.findall(r"`(.+?)`", row.split("|")[1])]
        assert len(written) > 20
        assert all(parse_position(text, datetime(2026, 1, 16, tzinfo=UTC)).describe() for text in written)


def write_old(path: Path, text: str, *, age_s: float = 10.0) -> None:
    """Write a file, with a time that isn't the present one."""
    path.write_text(text)
    then = time.time() - age_s
    os.utime(path, (then, then))


def settings_text(host: str) -> str:
    return f'[clusters.a]\n"bootstrap.servers" = "{host}"\n'


def test_settings_are_read_again_only_where_the_file_changed(tmp_path: Path) -> None:
    file = tmp_path / "agentlog.toml"
    write_old(file, settings_text("a:1"))
    first = load_settings({}, tmp_path)
    assert load_settings({}, tmp_path) is first
    write_old(file, settings_text("b:1"), age_s=9.0)
    assert load_settings({}, tmp_path).get_cluster("a").properties[BOOTSTRAP] == "b:1"
    (tmp_path / "next.toml").write_text(settings_text("c:1"))
    os.utime(tmp_path / "next.toml", ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    (tmp_path / "next.toml").replace(file)
    assert load_settings({}, tmp_path).get_cluster("a").properties[BOOTSTRAP] == "c:1"
    file.unlink()
    with pytest.raises(SettingsError):
        load_settings({}, tmp_path).get_cluster("a")


def test_a_file_that_changes_twice_at_once_is_read_twice(tmp_path: Path) -> None:
    for host in ("a:1", "b:1", "c:1"):
        (tmp_path / "agentlog.toml").write_text(settings_text(host))
        assert load_settings({}, tmp_path).get_cluster("a").properties[BOOTSTRAP] == host


def test_a_file_that_stands_before_the_known_one_counts_as_soon_as_it_is_there(tmp_path: Path) -> None:
    environment, folder = {"HOME": str(tmp_path)}, tmp_path / "work"
    (tmp_path / ".config/agentlog").mkdir(parents=True)
    folder.mkdir()
    write_old(tmp_path / ".config/agentlog/agentlog.toml", settings_text("a:1"))
    assert load_settings(environment, folder).get_cluster("a").properties[BOOTSTRAP] == "a:1"
    write_old(folder / "agentlog.toml", settings_text("b:1"))
    assert load_settings(environment, folder).get_cluster("a").properties[BOOTSTRAP] == "b:1"


def test_a_variable_that_changes_and_a_secret_in_a_file_that_changes_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = '"sasl.password" = {file = "secret"}\n"sasl.username" = {env = "WHO"}\n'
    write_old(tmp_path / "agentlog.toml", settings_text("a:1") + reference)
    for password, user in (("one", "me"), ("two", "me"), ("two", "you")):
        (tmp_path / "secret").write_text(password)
        monkeypatch.setenv("WHO", user)
        properties = load_settings(os.environ, tmp_path).get_cluster("a").properties
        assert (properties["sasl.password"], properties["sasl.username"]) == (password, user)
    monkeypatch.setenv("AGENTLOG_TOPIC", "other")
    assert load_settings(os.environ, tmp_path).get_topic(None) == "other"


def test_equal_properties_of_other_types_are_other_properties() -> None:
    made = [build_cluster({BOOTSTRAP: "a:1", "linger.ms": value}, "kafka=") for value in (1, 1.0, "1")]
    assert [cluster.properties["linger.ms"] for cluster in made] == ["1", "1.0", "1"]
