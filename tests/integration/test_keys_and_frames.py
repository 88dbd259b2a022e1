"""Records as other programs write them into real Kafka: under other keys, and behind a schema registry's frame."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentlog.event.event import Record, Unreadable
from agentlog.event.partitioner import list_candidate_partitions
from agentlog.event.position import Offset, PositionRange
from agentlog.log.reader import KafkaReader
from agentlog.log.topic_source import TopicSource
from agentlog.settings.clusters import Cluster
from devkafka import Message, produce
from tests.recording import make_event, make_session_end, make_tool_call
from tests.running import CompletedRun, run

TopicFactory = Callable[..., str]
Kshark = Callable[..., CompletedRun]

WHOLE = PositionRange()
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


# Keys.

KEYS: dict[str, bytes | None] = {
    "JSON": b'"sess_t"',
    "a registry's text": FRAME + b"sess_t",
    "a registry's JSON": FRAME + b'"sess_t"',
    "a registry's Avro": FRAME + b"\x0csess_t",
    "a registry's Protobuf": FRAME + b"\x00\x0a\x06sess_t",
    "a JSON object": b'{"session_id":"sess_t"}',
    "UTF-16": "sess_t".encode("utf-16"),
    "a prefix": b"session:sess_t",
    "a serialized Java string": b"\xac\xed\x00\x05t\x00\x06sess_t",
    "another field": b"user-42",
    "a number": (42).to_bytes(8, "big"),
    "empty": b"",
    "none": None,
}


def make_noise(sessions: int = 6) -> list[Message]:
    """Make sessions of a topic whose writer uses each session's id as the key."""
    return [Message(f"sess_{n}", orjson.dumps(make_tool_call(n, session_id=f"sess_{n}"))) for n in range(sessions)]


def make_session(session_id: str, key: bytes | None, partition: int) -> list[Message]:
    return [Message(key, orjson.dumps(event | {"session_id": session_id}), partition=partition) for event in EVENTS]


@pytest.fixture(scope="module")
def reader(kafka: str) -> Iterator[KafkaReader]:
    with KafkaReader(Cluster("test", {"bootstrap.servers": kafka}, {"bootstrap.servers": "test"}, frozenset())) as one:
        yield one


def read(source: TopicSource, session_id: str = "sess_t", span: PositionRange = WHOLE) -> list[str]:
    """Return the ids of the events that a source yields, and why others are unreadable."""
    items = source.records(session_id, span)
    return sorted(each.event.event_id if isinstance(each, Record) else each.reason for each in items)


@pytest.mark.parametrize("form", KEYS)
@pytest.mark.parametrize("partition", range(3))
def test_a_session_is_found_under_the_key_that_its_writer_used(
    kafka: str, topic: TopicFactory, reader: KafkaReader, form: str, partition: int
) -> None:
    name = topic(partitions=3)
    produce(kafka, name, [*make_noise(), *make_session("sess_t", KEYS[form], partition)])
    for all_partitions in (False, True):
        source = TopicSource(reader, name, None, all_partitions)
        assert read(source) == ["evt_1", "evt_2", "evt_3"]
        assert source.searched.keys == {KEYS[form]: 3}


def test_a_session_that_two_writers_wrote_under_two_keys_is_found_whole(
    kafka: str, topic: TopicFactory, reader: KafkaReader
) -> None:
    name = topic(partitions=6)
    first, second, third = (
        Message(key, orjson.dumps(event), partition=p)
        for key, event, p in zip((b"sess_t", b'"sess_t"', None), EVENTS, (None, 4, 5), strict=True)
    )
    stray = make_session("sess_u", b'"sess_u"', list_candidate_partitions(b"sess_t", 6)[0])
    produce(kafka, name, [first, second, third, *stray])
    source = TopicSource(reader, name, None, all_partitions=False)
    assert read(source) == ["evt_1", "evt_2", "evt_3"]
    assert source.searched.keys == {b'"sess_t"': 1, None: 1}
    assert source.searched.has_read_more


def test_sub_agents_sessions_under_the_key_of_the_session_that_began_them_are_found(
    kafka: str, topic: TopicFactory, reader: KafkaReader
) -> None:
    name = topic(partitions=3)
    for n in range(40):
        root = f"root_{n}"
        own = [Message(root, orjson.dumps(make_tool_call(i, session_id=root))) for i in range(200)]
        produce(kafka, name, [*own, Message(root, orjson.dumps(make_tool_call(n, session_id=f"child_{n}"))), *own])
    for n in (0, 17, 39):
        source = TopicSource(reader, name, None, all_partitions=False)
        assert read(source, f"child_{n}") == [f"evt_{n}"]
        assert source.searched.keys == {f"root_{n}".encode(): 1}
    source = TopicSource(reader, name, None, all_partitions=False)
    assert len(read(source, "root_17")) == 400
    assert source.searched.keys == {}


def test_keys_that_are_the_sessions_ids_are_trusted_and_one_partition_read(
    kafka: str, topic: TopicFactory, reader: KafkaReader
) -> None:
    name = topic(partitions=6)
    produce(kafka, name, [*make_noise(40), *(Message("sess_t", orjson.dumps(event)) for event in EVENTS)])
    source = TopicSource(reader, name, "crc32", all_partitions=False)
    assert read(source) == ["evt_1", "evt_2", "evt_3"]
    assert (source.searched.partitions, source.searched.keys) == (list_candidate_partitions(b"sess_t", 6, "crc32"), {})
    assert not source.searched.has_read_more


@pytest.mark.parametrize("key", [b'"sess_t"', b"user-42"])
def test_an_unreadable_record_with_a_key_of_the_session_is_named(
    kafka: str, topic: TopicFactory, reader: KafkaReader, key: bytes
) -> None:
    name = topic(partitions=3)
    damaged = [Message(each, b"{no json", partition=1) for each in (key, b"user-7", b"sess_1")]
    produce(kafka, name, [*damaged, *make_session("sess_t", key, 1), *damaged])
    source = TopicSource(reader, name, None, all_partitions=False)
    items = list(source.records("sess_t", WHOLE))
    assert sorted(each.place.offset for each in items if isinstance(each, Unreadable)) == [0, 6]
    assert (len(items), source.searched.unreadable) == (5, 2)


def test_a_part_of_a_session_with_another_key_is_read_by_offset_and_by_time(
    kafka: str, topic: TopicFactory, reader: KafkaReader
) -> None:
    name = topic(partitions=3)
    produce(kafka, name, make_session("sess_t", b"user-42", 1))
    source = TopicSource(reader, name, None, all_partitions=False)
    assert read(source, span=PositionRange(Offset(1, 1), Offset(1, 1))) == ["evt_2"]


def test_every_command_finds_what_sessions_lists(
    kafka: str, topic: TopicFactory, kshark: Kshark, tmp_path: Path
) -> None:
    name = topic(partitions=3)
    produce(kafka, name, [*make_session("sess_t", b'"sess_t"', 2), *make_session("sess_u", b"user-42", 0)])
    replayed = kshark("replay", name, "sess_t")
    assert read_ids(replayed) == ["evt_1", "evt_2", "evt_3"]
    assert replayed.error_text == (
        'session sess_t has 3 records under the key "sess_t" (as JSON): so all 3 partitions were read, and each '
        "record's value was looked at; records of different partitions are in the order of their times\n"
    )
    shown = " ".join(kshark("replay", name, "sess_t", "--format", "text").text.split())
    assert 'all 3 partitions: 6 records, 3 of the session under the key "sess_t" (as JSON); ' in shown
    listed = orjson.loads(kshark("sessions", name, "--format", "json").out)
    assert {row["session_id"]: row["events"] for row in listed["sessions"]} == {"sess_t": 3, "sess_u": 3}
    assert listed["searched"]["unreadable"] == []
    for session, key, form in (("sess_t", '"sess_t"', "JSON"), ("sess_u", "user-42", "other")):
        searched = orjson.loads(kshark("why", name, session, "--format", "json").out)["searched"]
        assert searched["keys"] == [{"key": key, "form": form, "schema": None, "records": 3}]
        assert searched["catalogue"] is not None
    exported = kshark("export", name, "sess_t", "sess_u", "-o", "-")
    assert [orjson.loads(line)["_record"]["key"] for line in exported.lines] == ['"sess_t"'] * 3 + ["user-42"] * 3
    (tmp_path / "run.ndjson").write_bytes(exported.out)
    assert kshark("import", name, str(tmp_path / "run.ndjson")).error_text.startswith("nothing to write")
    assert read_ids(kshark("replay", name, "--last")) in (["evt_1", "evt_2", "evt_3"],) * 2
    for command in ("memory", "report"):
        rest = ("-o", str(tmp_path / "page.html")) if command == "report" else ()
        assert kshark(command, name, "sess_u", *rest).code == 0
    told = kshark("replay", name, "user-42")
    assert told.code == 4
    assert "3 records with this key name another session: sess_u (3)" in told.error_text
    compared = run("kdiff", "compare", "sess_t", "sess_u", "--cluster", kafka, "--topic", name)
    assert (compared.code, "no divergence" in compared.text) == (0, True)
    assert "session sess_u has 3 records under the key user-42" in compared.error_text


def test_new_records_under_another_key_are_followed_in_all_partitions(
    kafka: str, topic: TopicFactory, reader: KafkaReader
) -> None:
    name = topic(partitions=4)
    produce(kafka, name, make_session("sess_t", b"user-42", 1)[:1])
    source = TopicSource(reader, name, None, all_partitions=False)
    assert read(source) == ["evt_1"]
    produce(kafka, name, [*make_noise(), *make_session("sess_t", b"user-43", 3)[1:2]])
    items = source.follow("sess_t", lambda _: None)
    found = next(item for item in items if item is not None)
    assert isinstance(found, Record)
    assert (found.event.event_id, found.place.key) == ("evt_2", b"user-43")
    items.close()  # type: ignore[attr-defined]
