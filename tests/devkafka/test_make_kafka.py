"""`make kafka` as a user runs it: two clusters, the story in the first, and nothing left at the end."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from devkafka.java import POM

ROOT = POM.parent.parent


def test_two_clusters_are_up_with_the_story_in_the_first_until_a_signal_ends_them(tmp_path: Path) -> None:
    (run := tmp_path / "run").mkdir()
    here = {**os.environ, "TMPDIR": str(run), "PYTHONPATH": f"{ROOT}:{ROOT / 'common'}"}
    command = [sys.executable, "-m", "devkafka"]
    with subprocess.Popen(command, cwd=tmp_path, env=here, stderr=subprocess.PIPE) as launcher:
        try:
            assert launcher.stderr
            said = b"".join(until(b"Ctrl-C", launcher.stderr)).decode()
            assert "replay sess_invoice_847" in said
            clusters = tomllib.loads((tmp_path / "agentlog.toml").read_text())["clusters"]
            assert records(clusters["us-east-1"]["bootstrap.servers"]) > 1000
            assert records(clusters["eu-west-1"]["bootstrap.servers"]) == 0
            launcher.send_signal(signal.SIGINT)
            assert launcher.wait(timeout=300) == 128 + signal.SIGINT
        finally:
            launcher.kill()
    assert list(tmp_path.iterdir()) == [run]
    assert not list(run.iterdir())


def until(word: bytes, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines up to the first that contains `word`."""
    for line in lines:
        yield line
        if word in line:
            return


def records(bootstrap: str) -> int:
    """Return the number of records in the story's topic, 0 if there is no topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    topic = consumer.list_topics(timeout=10).topics.get("agent-events")
    partitions = [TopicPartition("agent-events", number) for number in (topic.partitions if topic else ())]
    bounds = [consumer.get_watermark_offsets(partition, timeout=10) for partition in partitions]
    consumer.close()
    return sum(end - beginning for beginning, end in bounds)
