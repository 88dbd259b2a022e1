"""Helpers that read recorded events from topics and files, and that run programs which record."""

import os
import resource
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, TopicPartition

from agentlog import AgentTracer
from agentlog.capture_format.capture import split_line
from agentlog.errors import AgentlogError
from agentlog.event.event import Place
from devkafka.client import SILENT_LOGGER

ROOT = Path(__file__).parents[1]


class StoredRecord(NamedTuple):
    """A record in a topic."""

    partition: int
    offset: int
    key: bytes
    event: dict[str, Any]
    timestamp: int
    headers: dict[str, bytes]


def read_records(bootstrap: str, topic: str) -> list[StoredRecord]:
    """Read all records of `topic`, ordered by partition and offset."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "tests", "enable.partition.eof": True}, logger=SILENT_LOGGER
    )
    partitions = list(consumer.list_topics(topic, timeout=20).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    records, ended = [], 0
    while ended < len(partitions):
        message = consumer.poll(20)
        assert message is not None, "the broker doesn't answer"
        if message.error() is not None:
            ended += 1
            continue
        event = orjson.loads(message.value())
        headers = dict(message.headers() or [])
        place = message.partition(), message.offset()
        records.append(StoredRecord(*place, message.key(), event, message.timestamp()[1], headers))
    consumer.close()
    return sorted(records, key=lambda record: record[:2])


def group_by_session(records: list[StoredRecord]) -> dict[str, list[dict[str, Any]]]:
    """Group events by their session, in the order of the log."""
    sessions = defaultdict(list)
    for record in records:
        sessions[record.event["session_id"]].append(record.event)
    return dict(sessions)


def list_call_numbers(events: list[dict[str, Any]]) -> list[int]:
    """List the input `n` of the tool calls among `events`."""
    return [event["payload"]["input"]["n"] for event in events if event["event_type"] == "tool_call"]


def read_file_events(path: Path) -> list[dict[str, Any]]:
    """Read the events of a capture file, in the order of its lines."""
    return [orjson.loads(split_line(line, Place(None, -1, 0))[0]) for line in path.read_bytes().splitlines()]


class Recording:
    """A tracer that records to a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tracer = AgentTracer("sess_1", agent_id="agent", file=path)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        assert self.tracer.flush(10)
        return [event for event in read_file_events(self.path) if event["event_type"] in kinds]

    def call(self, kind: str = "llm_call") -> dict[str, Any]:
        (event,) = self.events(kind)
        return event["payload"]


def get_error(tracer: AgentTracer, kind: type[AgentlogError]) -> str:
    """Return the text of the error that the tracer's next call would raise; an empty text without one."""
    try:
        tracer._recorder.check_delivery()
    except kind as error:
        return str(error)
    return ""


def start_program(text: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start a Python program, given as text. Its standard input, output and error are pipes."""
    return start_python("-c", text, *arguments, **variables)


def start_python(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start Python with our packages on its path."""
    paths = os.pathsep.join([str(ROOT / "common"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", **variables}
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def run_program(text: str, *arguments: str, **variables: str) -> tuple[int, str, str]:
    """Run a Python program, given as text, to its end. Return its exit code, output and errors."""
    process = start_program(text, *arguments, **variables)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@contextmanager
def full_disk(bytes_left: int) -> Iterator[None]:
    """Limit the size of this process's files to `bytes_left` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
