"""`kshark clusters`: one table that explains each kind of failure, even if one cluster never answers."""

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from rich.cells import cell_len

from devkafka import KafkaCluster, create_topic, eventually, produce
from devkafka.ports import get_port, reserve_port
from tests.recording import make_messages, make_tool_call
from tests.running import CompletedRun, make_command, make_environment, run

TopicFactory = Callable[..., str]

SECRETS = ("hunter2-in-the-file", "hunter3-in-the-environment")


def table(name: str, **properties: str) -> str:
    lines = [f'"{key.replace("_", ".")}" = {value}' for key, value in properties.items()]
    return "\n".join([f"[clusters.{name}]", *lines, ""])


def quoted(properties: dict[str, str]) -> dict[str, str]:
    return {name: f'"{value}"' for name, value in properties.items()}


@pytest.fixture(scope="module")
def asked(
    kafka: str, secure_kafka: KafkaCluster, topic: TopicFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Return a folder whose settings name a cluster of each kind, and a topic of two of them."""
    folder = tmp_path_factory.mktemp("clusters")
    name = topic(partitions=3)
    produce(kafka, name, make_messages([make_tool_call(n) for n in range(5)]))
    create_topic(secure_kafka.bootstrap, name)
    admin, stranger = (quoted(secure_kafka.client_properties(user)) for user in ("admin", "stranger"))
    with reserve_port() as held, socket.create_server(("127.0.0.1", 0)) as silent:
        tables = [
            f'topic = "{name}"\n',
            table("good", bootstrap_servers=f'"{kafka}"'),
            table("secure", **admin),
            table("stranger", **stranger),
            table("wrong-password", **{**admin, "sasl.password": f'"{SECRETS[0]}"'}),
            table("wrong-variable", **{**admin, "sasl.password": '{env = "SOME_PASSWORD"}'}),
            table("unsigned", **{k: v for k, v in admin.items() if k != "ssl.ca.location"}),
            table("plain-to-tls", bootstrap_servers=admin["bootstrap.servers"]),
            table("refused", bootstrap_servers=f'"127.0.0.1:{get_port(held)}"'),
            table("unknown", bootstrap_servers='"no-such-host.invalid:9092"'),
            table("silent", bootstrap_servers=f'"127.0.0.1:{silent.getsockname()[1]}"'),
            table("also-secure", bootstrap_servers=f'"{secure_kafka.bootstrap}"'),
        ]
        (folder / "agentlog.toml").write_text("\n".join(tables))
        (folder / "quick.toml").write_text("\n".join(each for each in tables if "[clusters.silent]" not in each))
        yield folder


@pytest.fixture(scope="module")
def as_ndjson(asked: Path) -> CompletedRun:
    arguments = ("clusters", "--timeout", "8", "--format", "ndjson")
    return run("kshark", *arguments, cwd=asked, variables={"SOME_PASSWORD": SECRETS[1]})


@pytest.fixture(scope="module")
def as_text(asked: Path) -> CompletedRun:
    variables = {"SOME_PASSWORD": SECRETS[1], "AGENTLOG_CONFIG": "quick.toml"}
    return run("kshark", "clusters", "--format", "text", cwd=asked, variables=variables)


EXPECTED = {
    "good": None,
    "secure": None,
    "stranger": "not authorised on topic",
    "wrong-password": "refused the user name or the password",
    "wrong-variable": "refused the user name or the password",
    "unsigned": "no TLS connection",
    "plain-to-tls": "does it want TLS or a password (security.protocol)?",
    "refused": "Connection refused; bootstrap.servers is from ",
    "unknown": "its host name can't be resolved",
    "silent": "gave no answer in time",
    "also-secure": None,
}


def test_each_cluster_answers_or_says_why_not_though_one_is_silent(as_ndjson: CompletedRun) -> None:
    answers = [orjson.loads(line) for line in as_ndjson.out.splitlines()]
    assert [answer["name"] for answer in answers] == list(EXPECTED)
    for answer in answers:
        expected = EXPECTED[answer["name"]]
        assert answer["answers"] is (expected is None), answer
        assert expected is None or expected in answer["problem"]
    assert as_ndjson.code == 3


def test_a_cluster_that_answers_says_how_much_its_topic_holds(as_ndjson: CompletedRun) -> None:
    good = orjson.loads(as_ndjson.out.splitlines()[0])
    assert (good["partitions"], good["records"], good["problem"]) == (3, 5, None)


def test_the_text_says_the_same_in_lines_that_fit(as_text: CompletedRun) -> None:
    assert as_text.code == 3
    told = " ".join(as_text.text.split())
    for name, problem in EXPECTED.items() - {("silent", EXPECTED["silent"])}:
        assert f"{name} {'fails' if problem else 'answers'} " in told
        assert problem is None or problem in told
    assert "3 partitions, 5 records" in told
    assert [line for line in as_text.lines if cell_len(line) > 100 or line != line.rstrip()] == []


def test_no_secret_is_shown(as_ndjson: CompletedRun, as_text: CompletedRun, secure_kafka: KafkaCluster) -> None:
    for secret in (*SECRETS, *secure_kafka.users.values()):
        for written in (*as_ndjson[1:], *as_text[1:]):
            assert secret.encode() not in written


def test_a_topic_that_a_cluster_does_not_have_is_said_of_a_cluster_that_answers(folder: Path) -> None:
    done = run("kshark", "clusters", "--topic", "no-such-topic", "--format", "text", cwd=folder)
    assert done.code == 0
    assert done.lines[0].startswith("local  answers  ")
    assert "cluster local has no topic no-such-topic" in " ".join(done.text.split())
    assert done.error_text == "from agentlog.toml\n"


def test_a_secret_that_is_not_there_fails_its_own_cluster_alone(folder: Path) -> None:
    with (folder / "agentlog.toml").open("a") as settings:
        settings.write(table("other", bootstrap_servers='"h:1"', sasl_password='{env = "NO_SUCH_VARIABLE"}'))
    done = run("kshark", "clusters", "--topic", "no-such-topic", "--format", "ndjson", cwd=folder)
    first, second = (orjson.loads(line) for line in done.out.splitlines())
    assert (done.code, first["answers"], second["answers"]) == (3, True, False)
    assert "environment variable NO_SUCH_VARIABLE, which is not set" in second["problem"]


def test_settings_that_are_wrong_are_2_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "agentlog.toml").write_text("clutser = 1\n")
    done = run("kshark", "clusters", cwd=tmp_path)
    assert (done.code, done.out) == (2, b"")
    assert done.error_text.startswith("kshark: agentlog.toml:1: unknown setting 'clutser'; did you mean cluster")


def test_ctrl_c_twice_leaves_a_silent_cluster_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "agentlog.toml").write_text(
            table("silent", bootstrap_servers=f'"127.0.0.1:{silent.getsockname()[1]}"')
        )
        process = subprocess.Popen(
            make_command("kshark", "clusters", "--timeout", "600"),
            cwd=tmp_path,
            env=make_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(1)
            eventually(lambda: process.poll() is not None or process.send_signal(signal.SIGINT))
            assert process.communicate(timeout=30) == (b"", b"")
    assert process.returncode in (130, -signal.SIGINT)
