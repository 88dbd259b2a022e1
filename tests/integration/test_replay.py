"""`kshark replay` on real Kafka, as a user runs it: the cluster, the partitions searched, and error messages."""

import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from agentlog.event.partitioner import list_candidate_partitions
from devkafka import KafkaCluster, Message, create_topic, produce
from devkafka.client import SILENT_LOGGER
from devkafka.ports import get_port, reserve_port
from tests.recording import make_event, make_messages, make_session_end, make_tool_call
from tests.running import CompletedRun, make_command, make_environment, run

SESSION = [make_tool_call(1), make_tool_call(2, "mail.find", error="no_disk: full"), make_session_end(3)]
FORMATS = ("text", "tree", "ndjson", "json", "markdown")

TopicFactory = Callable[..., str]


def replay(folder: Path, topic: str, *arguments: str, session: str = "sess_1", **variables: str) -> CompletedRun:
    return run("kshark", "replay", session, "--topic", topic, *arguments, cwd=folder, variables=variables)


def ids(done: CompletedRun) -> list[str]:
    """Return the ids of the events in NDJSON output."""
    return [orjson.loads(line)["event_id"] for line in done.out.splitlines()]


def elsewhere(session: str, count: int) -> int:
    """Return a partition where no client's partitioner puts a session."""
    return next(p for p in range(count) if p not in list_candidate_partitions(session.encode(), count))


@pytest.fixture(scope="module")
def written(kafka: str, topic: TopicFactory) -> str:
    """Return a topic of 12 partitions with the session, other sessions, and unreadable records."""
    name = topic(partitions=12)
    likely = list_candidate_partitions(b"sess_1", 12)[0]
    produce(kafka, name, make_messages(SESSION, likely))
    unreadable = [b"no json", None, orjson.dumps({"session_id": "sess_\x1b[2J\n\u202eother"})]
    produce(kafka, name, [Message("sess_1", value, 1_768_485_600_000, partition=likely) for value in unreadable])
    produce(kafka, name, make_messages([make_event(n, session_id=f"sess_{n}00") for n in range(2, 8)]))
    return name


def test_a_cluster_is_named_by_its_name_its_address_or_the_environment(folder: Path, kafka: str, written: str) -> None:
    by_default = replay(folder, written)
    by_name = replay(folder, written, "--cluster", "local")
    by_address = replay(folder / "..", written, "--cluster", kafka, HOME=str(folder))
    by_property = replay(folder, written, "--cluster", "local", "-X", f"bootstrap.servers={kafka}")
    by_environment = replay(folder, written, AGENTLOG_CLUSTER=kafka)
    assert ids(by_default) == ["evt_1", "evt_2", "evt_3"]
    assert {by_name.out, by_address.out, by_property.out, by_environment.out} == {by_default.out}


def test_ndjson_says_where_each_record_lay_and_replays_without_kafka(folder: Path, written: str) -> None:
    done = replay(folder, written)
    places = [orjson.loads(line)["_record"] for line in done.out.splitlines()]
    assert [(each["topic"], each["offset"]) for each in places] == [(written, 0), (written, 1), (written, 2)]
    assert run("kshark", "replay", "sess_1", "--file", "-", stdin=done.out).out == done.out


def test_the_footer_says_which_partitions_were_read_and_how_far_to_trust_them(folder: Path, written: str) -> None:
    partitions = ", ".join(map(str, sorted(list_candidate_partitions(b"sess_1", 12))))
    told = " ".join(replay(folder, written, "--format", "text").text.split())
    assert f"read topic {written} of local, partitions {partitions} of 12: " in told
    assert "3 unreadable; the log reaches back beyond the beginning" in told


def test_what_cannot_be_read_is_named_in_every_format_and_steers_nothing(folder: Path, written: str) -> None:
    likely = list_candidate_partitions(b"sess_1", 12)[0]
    for shape in FORMATS:
        done = replay(folder, written, "--format", shape)
        assert done.code == 0
        no_json, *others = [line.removeprefix("unreadable: ") for line in done.error_text.splitlines()]
        assert no_json.startswith(f"{written}[{likely}]@3: not JSON: ")
        assert others == [
            f"{written}[{likely}]@4: a tombstone: it has no value",
            f"{written}[{likely}]@5: no event_id",
        ]


def test_a_record_with_the_key_of_another_session_is_of_the_one_that_it_names(
    folder: Path, kafka: str, topic: TopicFactory
) -> None:
    name, hostile = topic(partitions=12), "sess_\x1b[2J\n\u202eother"
    likely = list_candidate_partitions(b"sess_1", 12)[0]
    strays = [make_event(4, session_id=hostile)]
    produce(
        kafka, name, [*make_messages(SESSION, likely), Message("sess_1", orjson.dumps(strays[0]), partition=likely)]
    )
    done = replay(folder, name)
    assert ids(done) == ["evt_1", "evt_2", "evt_3"]
    assert done.error_text.startswith("records of this topic have other keys than their session's id: so all 12 ")
    assert ids(replay(folder, name, session=hostile)) == ["evt_4"]
    told = replay(folder, name, session="nobody").error_text
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_json_names_what_was_searched(folder: Path, written: str) -> None:
    searched = orjson.loads(replay(folder, written, "--format", "json").out)["searched"]
    assert searched["source"] == f"topic {written} of local"
    assert searched["partitions"] == sorted(list_candidate_partitions(b"sess_1", 12))
    assert (searched["partition_count"], searched["beginning"]) == (12, "whole")
    assert [(each["topic"], each["offset"]) for each in searched["unreadable"]] == [(written, n) for n in (3, 4, 5)]


def test_a_session_that_is_nowhere_is_4_with_all_that_was_searched_and_the_nearest(folder: Path, written: str) -> None:
    done = replay(folder, written, session="sess_30")
    assert (done.code, done.out) == (4, b"")
    first, second = done.error_text.splitlines()
    assert re.fullmatch(
        rf"kshark: no session sess_30\. Searched topic {written} of local, all partitions: \d+ records.*\.", first
    )
    assert second.startswith("Nearest: sess_300, ")


def test_a_topic_that_is_not_there_is_3_with_the_nearest_name(folder: Path, written: str) -> None:
    done = replay(folder, written[:-1])
    assert (done.code, done.out) == (3, b"")
    assert done.error_text.endswith(f"has no topic {written[:-1]}; did you mean {written}?\n")


def test_a_session_in_an_unexpected_partition_is_found(folder: Path, kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=12)
    produce(kafka, name, make_messages(SESSION, elsewhere("sess_1", 12)))
    done = replay(folder, name, "--format", "text")
    assert done.code == 0
    assert "all 12 partitions" in done.text


def test_strays_beside_a_session_are_found_with_all_partitions(folder: Path, kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=12)
    produce(kafka, name, make_messages(SESSION, list_candidate_partitions(b"sess_1", 12)[0]))
    produce(kafka, name, make_messages([make_tool_call(0)], elsewhere("sess_1", 12)))
    assert ids(replay(folder, name)) == ["evt_1", "evt_2", "evt_3"]
    assert ids(replay(folder, name, "--all-partitions")) == ["evt_0", "evt_1", "evt_2", "evt_3"]
    assert "all 12 partitions" in replay(folder, name, "--all-partitions", "--format", "text").text


def test_a_partitioner_in_the_settings_narrows_the_search_to_one(folder: Path, kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=12)
    (right,) = list_candidate_partitions(b"sess_1", 12, "fnv1a")
    produce(kafka, name, make_messages(SESSION, right))
    with (folder / "agentlog.toml").open("a") as settings:
        settings.write(f'[topics.{name}]\npartitioner = "fnv1a"\n')
    done = replay(folder, name, "--format", "json")
    assert orjson.loads(done.out)["searched"]["partitions"] == [right]


def test_copies_count_once_and_are_said(folder: Path, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    produce(kafka, name, make_messages([SESSION[0], *SESSION]))
    assert ids(replay(folder, name)) == ["evt_1", "evt_2", "evt_3"]
    assert "4 records, 1 duplicate;" in " ".join(replay(folder, name, "--format", "text").text.split())


def test_a_beginning_that_retention_deleted_is_said(folder: Path, kafka: str, topic: TopicFactory) -> None:
    name = topic()
    produce(kafka, name, make_messages([make_event(0, "session_start", payload={"goal": "x"}), *SESSION]))
    admin = AdminClient({"bootstrap.servers": kafka}, logger=SILENT_LOGGER)
    for deleted in admin.delete_records([TopicPartition(name, 0, 2)]).values():
        deleted.result(timeout=30)
    done = replay(folder, name, "--format", "text")
    told = " ".join(done.text.split())
    assert (
        "retention has deleted records from before 2026-01-15 14:00:02 UTC: the session's beginning may be missing"
        in told
    )
    assert orjson.loads(replay(folder, name, "--format", "json").out)["searched"]["beginning"] == "trimmed"


@pytest.mark.parametrize(
    ("bounds", "found"),
    [
        (["--from", "2026-01-15T14:00:02Z"], ["evt_2", "evt_3"]),
        (["--from", "2026-01-15T15:00:02+01:00", "--to", "2026-01-15T14:00:02Z"], ["evt_2"]),
        (["--from", "@1", "--to", "@1"], ["evt_2"]),
        (["--from", "@0:2"], ["evt_3"]),
    ],
)
def test_bounds_hold_for_a_topic(folder: Path, bounded: str, bounds: list[str], found: list[str]) -> None:
    done = replay(folder, bounded, *bounds)
    assert ids(done) == found
    assert done.error_text.startswith("shown from ")


@pytest.fixture(scope="module")
def bounded(kafka: str, topic: TopicFactory) -> str:
    """Return a topic of one partition with the session."""
    name = topic()
    produce(kafka, name, make_messages(SESSION))
    return name


def test_a_partition_that_is_not_there_is_2(folder: Path, bounded: str) -> None:
    done = replay(folder, bounded, "--from", "@7:0")
    assert (done.code, done.error_text) == (
        2,
        f"kshark: topic {bounded} has no partition 7; it has 1, the first being 0\n",
    )


def test_a_stopped_broker_is_3_with_where_the_address_came_from(tmp_path: Path) -> None:
    with reserve_port() as held:
        address = f"127.0.0.1:{get_port(held)}"
        (tmp_path / "agentlog.toml").write_text(f'[clusters.down]\n"bootstrap.servers" = "{address}"\n')
        done = replay(tmp_path, "agent-events")
    assert (done.code, done.out) == (3, b"")
    assert f"cluster down ({address}) can't be reached" in done.error_text
    assert "Connection refused; bootstrap.servers is from agentlog.toml:2" in done.error_text
    assert len(done.error_text.splitlines()) == 1


def test_a_host_that_nobody_knows_is_3(tmp_path: Path) -> None:
    done = replay(tmp_path, "agent-events", "--cluster", "no-such-host.invalid:9092")
    assert done.code == 3
    assert "cluster no-such-host.invalid:9092: its host name can't be resolved" in done.error_text


def test_a_broker_that_hangs_is_left_at_the_first_ctrl_c(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(
            make_command("kshark", "replay", "sess_1", "--cluster", address),
            cwd=tmp_path,
            env=make_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode == 130


@pytest.fixture
def settings(secure_kafka: KafkaCluster, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes an `agentlog.toml` with one cluster, `secure`, and returns its folder."""

    def write(user: str, **properties: str) -> Path:
        known = {name.replace("_", "."): value for name, value in properties.items()}
        lines = [f'"{k}" = "{v}"' for k, v in {**secure_kafka.client_properties(user), **known}.items() if v]
        (tmp_path / "agentlog.toml").write_text("\n".join(["[clusters.secure]", *lines]))
        return tmp_path

    return write


@pytest.fixture(scope="module")
def secured(secure_kafka: KafkaCluster) -> str:
    name = create_topic(secure_kafka.bootstrap)
    produce(secure_kafka.bootstrap, name, make_messages(SESSION))
    return name


def test_the_password_of_the_settings_opens_it(
    settings: Callable[..., Path], secure_kafka: KafkaCluster, secured: str
) -> None:
    done = replay(settings("admin"), secured)
    assert ids(done) == ["evt_1", "evt_2", "evt_3"]


def test_the_password_of_an_environment_variable_opens_it(
    settings: Callable[..., Path], secure_kafka: KafkaCluster, secured: str
) -> None:
    folder = settings("admin", sasl_password="")
    with (folder / "agentlog.toml").open("a") as file:
        file.write('\n"sasl.password" = {env = "SECURE_PASSWORD"}\n')
    assert ids(replay(folder, secured, SECURE_PASSWORD=secure_kafka.users["admin"])) == ["evt_1", "evt_2", "evt_3"]
    without = replay(folder, secured)
    assert without.code == 2
    assert "sasl.password comes from the environment variable SECURE_PASSWORD, which is not set" in without.error_text


def test_a_wrong_password_is_3_and_never_shown(settings: Callable[..., Path], secured: str) -> None:
    for verbose in ([], ["--verbose"], ["--verbose", "-X", "debug=all"]):
        done = replay(settings("admin", sasl_password="hunter2-wrong"), secured, *verbose)
        assert done.code == 3
        assert "refused the user name or the password" in done.error_text
        assert "hunter2-wrong" not in done.error_text


def test_a_wrong_password_of_the_command_line_is_never_shown(settings: Callable[..., Path], secured: str) -> None:
    done = replay(settings("admin"), secured, "-X", "sasl.password=hunter3-wrong", "--verbose")
    assert done.code == 3
    assert "hunter3-wrong" not in done.error_text


def test_missing_rights_are_3_and_named(settings: Callable[..., Path], secured: str) -> None:
    done = replay(settings("stranger"), secured)
    assert done.code == 3
    assert f"not authorised on topic {secured}; the rights READ and DESCRIBE are needed" in done.error_text


def test_a_certificate_that_nobody_signed_is_3(settings: Callable[..., Path], secured: str) -> None:
    done = replay(settings("admin", ssl_ca_location=""), secured)
    assert done.code == 3
    assert "no TLS connection" in done.error_text
    assert "ssl.ca.location" in done.error_text


def test_plain_text_to_a_tls_listener_asks_for_tls(secure_kafka: KafkaCluster, tmp_path: Path) -> None:
    done = replay(tmp_path, "agent-events", "--cluster", secure_kafka.secure_bootstrap)
    assert done.code == 3
    assert "does it want TLS or a password (security.protocol)?" in done.error_text


def test_tls_to_a_plain_listener_is_3(secure_kafka: KafkaCluster, tmp_path: Path) -> None:
    arguments = ("--cluster", secure_kafka.bootstrap, "-X", "security.protocol=SSL")
    done = replay(tmp_path, "agent-events", *arguments)
    assert done.code == 3
    assert "can't be reached" in done.error_text
    assert "SSL" in done.error_text
