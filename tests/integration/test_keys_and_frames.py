"""Records as other programs write them into real Kafka: under other keys, and behind a schema registry's frame."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from devkafka import Message, produce
from tests.recording import make_event, make_session_end, make_tool_call
from tests.running import CompletedRun, run

TopicFactory = Callable[..., str]
Kshark = Callable[..., CompletedRun]

FRAME = b"\x00\x00\x00\x00\x07"
AVRO = b"\x0cevt_01\x0csess_t\x02a"
PROTOBUF = b"\x00\x0a\x06evt_01\x12\x06sess_t"
EVENTS = [
    make_event(1, "session_start", session_id="sess_t", payload={"goal": "send mail"}),
    make_tool_call(2, session_id="sess_t"),
    make_session_end(3) | {"session_id": "sess_t"},
]


@pytest.fixture
def kshark(kafka: str, tmp_path: Path) -> Kshark:
    """Return a function that runs kshark on a topic, with the test's own cache folder."""

    def run_kshark(command: str, topic: str, *arguments: str) -> CompletedRun:
        where = ("--cluster", kafka, "--topic", topic)
        return run("kshark", command, *arguments, *where, variables={"XDG_CACHE_HOME": str(tmp_path / "cache")})

    return run_kshark


def make_framed(events: Sequence[dict[str, Any]] = EVENTS) -> list[bytes]:
    return [FRAME + orjson.dumps(event) for event in events]


def read_ids(done: CompletedRun) -> list[str]:
    assert done.code == 0, done.error_text
    return [orjson.loads(line)["event_id"] for line in done.out.splitlines()]


# Frames.


def test_json_behind_a_frame_is_listed_and_replayed(kafka: str, topic: TopicFactory, kshark: Kshark) -> None:
    name = topic(partitions=2)
    produce(kafka, name, [Message("sess_t", value) for value in make_framed()])
    for way in ((), ("--no-catalog",)):
        listed = kshark("sessions", name, "--format", "json", *way)
        assert (listed.code, listed.error_text) == (0, "")
        (row,) = orjson.loads(listed.out)["sessions"]
        assert (row["session_id"], row["events"], row["goal"], row["status"]) == ("sess_t", 3, "send mail", "succeeded")
        replayed = kshark("replay", name, "sess_t", *way)
        assert read_ids(replayed) == ["evt_1", "evt_2", "evt_3"]
        assert [orjson.loads(line)["_record"]["frame"] for line in replayed.lines] == ["0000000007"] * 3
    assert orjson.loads(kshark("stats", name, "--from", "2020-01-01", "--format", "ndjson").out)["events"] == 3


def test_avro_and_protobuf_are_named_once_with_their_number_and_schemas(
    kafka: str, topic: TopicFactory, kshark: Kshark
) -> None:
    name = topic()
    others = [FRAME + AVRO, FRAME + PROTOBUF, FRAME[:-1] + b"\x0c" + AVRO, FRAME + AVRO, FRAME + PROTOBUF]
    produce(kafka, name, [Message("sess_t", value) for value in [*others, *make_framed()]])
    frame = "behind a schema registry's frame"
    told = [
        f"unreadable: {name}[0]@0, the first of 3: Avro {frame} (schemas 7, 12); events are JSON",
        f"unreadable: {name}[0]@1, the first of 2: Protobuf {frame} (schema 7); events are JSON",
    ]
    for done in (
        kshark("sessions", name),
        kshark("sessions", name, "--no-catalog"),
        kshark("replay", name, "sess_t"),
        kshark("replay", name, "sess_t", "--no-catalog"),
        kshark("stats", name, "--from", "2020-01-01"),
    ):
        assert (done.code, sorted(done.error_text.splitlines())) == (0, told)
