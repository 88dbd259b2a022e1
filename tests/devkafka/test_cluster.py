"""Clusters start, answer, and leave nothing behind, whatever ends their run."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from devkafka import KafkaCluster, Message, NotReady, create_topic, eventually, produce
from devkafka.java import POM
from devkafka.ports import get_port, reserve_port

ROOT = POM.parent.parent
ORPHANS = """
import sys
from devkafka import KafkaCluster, run_clusters
with run_clusters(KafkaCluster("one"), KafkaCluster("two")) as clusters:
    print(*(cluster.bootstrap for cluster in clusters), *(cluster.id for cluster in clusters), flush=True)
    sys.stdin.read()
"""

ON_THE_NAMED_BROKER = """
import os
from devkafka import Message, produce
def test_topics_are_made_on_the_named_broker(kafka, topic):
    assert kafka == os.environ["DEV_BOOTSTRAP"]
    assert produce(kafka, topic("of-a-test", partitions=2), [Message("key", "value", partition=1)]) == [(1, 0)]
"""


def listens(address: str) -> bool:
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_three_brokers_go_on_without_a_killed_leader() -> None:
    with KafkaCluster("trio", brokers=3) as cluster:
        topic = create_topic(cluster.bootstrap)
        admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
        leader = admin.list_topics(topic).topics[topic].partitions[0].leader
        assert produce(cluster.bootstrap, topic, [Message("key", "before")]) == [(0, 0)]
        [broker] = [each for each in cluster.brokers if each.id == leader]
        broker.kill()
        assert produce(cluster.bootstrap, topic, [Message("key", "after")]) == [(0, 1)]
        folder, addresses = broker.log_file.parent.parent, cluster.bootstrap.split(",")
        assert folder.exists()
    assert not folder.exists()
    assert not any(listens(address) for address in addresses)


def test_two_clusters_end_with_a_parent_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    parent = subprocess.Popen([sys.executable, "-c", ORPHANS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    addresses, ids = (words := parent.stdout.readline().split())[:2], words[2:]
    assert len(set(ids)) == len(list(tmp_path.iterdir())) == 2
    assert all(listens(address) for address in addresses)
    parent.kill()
    parent.communicate()
    eventually(lambda: not any(listens(address) for address in addresses))
    eventually(lambda: not list(tmp_path.iterdir()))


def test_a_program_of_kafkas_own_runs_beside_the_brokers(fragile_kafka: KafkaCluster) -> None:
    ids = fragile_kafka.start_program("kafka.tools.StorageTool", "random-uuid")
    eventually(lambda: ids.pid is None)
    assert len(ids.log_file.read_text().strip()) == 22


def test_a_named_broker_is_used_and_left_without_our_topics(fragile_kafka: KafkaCluster, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(ON_THE_NAMED_BROKER)
    env = {**os.environ, "DEV_BOOTSTRAP": fragile_kafka.bootstrap, "PYTHONPATH": str(ROOT), "PATH": ""}
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", str(tmp_path)]
    subprocess.run(command, cwd=tmp_path, env=env, check=True)
    admin = AdminClient({"bootstrap.servers": fragile_kafka.bootstrap})
    eventually(lambda: "of-a-test" not in admin.list_topics(timeout=10).topics)


def test_a_broker_that_cannot_start_is_an_error_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        pytest.raises(
            NotReady,
            match=r"(?s)broker 1 of broken at 127\.0\.0\.1:\d+ ended; the end of its log:.*log\.segment\.bytes",
        ),
        KafkaCluster("broken", properties={"log.segment.bytes": "none"}),
    ):
        pass
    assert not list(tmp_path.iterdir())


def test_a_reserved_port_is_given_to_nobody_else_until_it_is_closed() -> None:
    held = [reserve_port() for _ in range(100)]
    assert len({get_port(each) for each in held}) == 100
    with socket.socket() as broker:
        broker.bind(("127.0.0.1", get_port(held[0])))
    for each in held:
        each.close()


def test_a_port_that_something_listens_on_is_not_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    with reserve_port() as taken, reserve_port() as free, socket.create_server(("127.0.0.1", get_port(taken))):
        ports = [get_port(taken), get_port(free)]
    with socket.create_server(("127.0.0.1", ports[0])):
        monkeypatch.setattr("random.sample", lambda _population, k: ports)
        with reserve_port() as found:
            assert get_port(found) == ports[1]


def test_eventually_says_what_it_still_saw_when_time_is_up() -> None:
    with pytest.raises(TimeoutError, match=r"after 0 s the condition still returns \[\]"):
        eventually(list, timeout=0)
