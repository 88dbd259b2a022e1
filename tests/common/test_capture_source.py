"""The contract of all sources: a topic in real Kafka, and capture files, plain, compressed and through a pipe."""

import gzip
import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import zstandard

from agentlog.capture_format.capture import write_line
from agentlog.event.codec import decode
from agentlog.event.event import Headers, Place, Record, Unreadable
from agentlog.event.position import Moment, Offset, PositionRange
from agentlog.log.capture_file import CaptureSource
from agentlog.log.reader import KafkaReader
from agentlog.log.source import Source
from agentlog.log.topic_source import TopicSource
from agentlog.session.timeline import build_timeline
from agentlog.settings.clusters import Settings
from devkafka import Message, produce

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
NO_STDIN = io.BufferedReader(io.BytesIO())  # type: ignore[arg-type]
ALL = PositionRange()


class Row(NamedTuple):
    """A record to be read. In a file, a record without an event is only its bytes."""

    value: bytes
    key: bytes = b"s"
    partition: int = 0
    timestamp: int = 1768478400000
    headers: Headers = ()


def row(event_id: str, at: float = 0, session: str = "s", partition: int = 0, **fields: Any) -> Row:
    """Make an event that was recorded `at` seconds after noon."""
    time = NOON + timedelta(seconds=at)
    headers = fields.pop("headers", ())
    event = {"event_id": event_id, "session_id": session, "agent_id": "a", "timestamp": time.isoformat()}
    value = orjson.dumps({"event_type": "tool_call", **event, **fields})
    return Row(value, session.encode(), partition, round(time.timestamp() * 1000), headers)


def placed(rows: list[Row]) -> list[tuple[Row, Place]]:
    """Return the place of each row; every partition counts its own offsets."""
    ends: Counter[int] = Counter()
    found = []
    for each in rows:
        found.append((each, Place("t", each.partition, ends[each.partition], each.timestamp, each.headers)))
        ends[each.partition] += 1
    return found


def captured(rows: list[Row]) -> bytes:
    return b"".join(
        write_line(each.value, place) if isinstance(decode(each.value, place, ""), Record) else each.value + b"\n"
        for each, place in placed(rows)
    )


def piped(content: bytes) -> io.BufferedReader:
    """Return a pipe into which a thread writes `content`."""
    reading, writing = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb", buffering=0) as pipe:
            pipe.write(content)

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reading, "rb")


class Store(NamedTuple):
    """Return a kind of source, and a function that makes one with some rows."""

    kind: str
    of: Callable[[list[Row]], Source]


@pytest.fixture(params=["plain", "gz", "zst", "pipe", "topic"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    packers: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gz": gzip.compress, "zst": zstandard.compress}

    def in_file(rows: list[Row]) -> Source:
        path = tmp_path / "any name"
        path.write_bytes(packers[request.param](captured(rows)))
        return CaptureSource(str(path), NO_STDIN)

    def in_topic(rows: list[Row]) -> Source:
        bootstrap, topic = request.getfixturevalue("kafka"), request.getfixturevalue("topic")(partitions=3)
        messages = [Message(r.key, r.value, r.timestamp, r.headers, r.partition) for r in rows]
        produce(bootstrap, topic, messages)
        reader = KafkaReader(Settings({}, None).get_cluster(bootstrap))
        request.addfinalizer(lambda: reader.__exit__(None, None, None))
        return TopicSource(reader, topic, None, all_partitions=True)

    def in_pipe(rows: list[Row]) -> Source:
        return CaptureSource("-", piped(captured(rows)))

    return Store(request.param, {"topic": in_topic, "pipe": in_pipe}.get(request.param, in_file))


def records(source: Source, span: PositionRange = ALL, session_id: str = "s") -> list[Record]:
    found = list(source.records(session_id, span))
    assert not [bad for bad in found if isinstance(bad, Unreadable)]
    return [record for record in found if isinstance(record, Record)]


def ids(found: list[Record]) -> list[str]:
    return [record.event.event_id for record in found]


def test_only_the_sessions_records_come(store: Store) -> None:
    source = store.of([row("a"), row("x", session="other"), row("b"), row("y", session="s2"), row("c")])
    assert ids(records(source)) == ["a", "b", "c"]
    assert (source.searched.records, source.searched.unreadable) == (5, 0)
    assert {b"other", b"s2"} <= source.searched.others


def test_a_record_is_its_event_its_bytes_and_where_it_lay(store: Store) -> None:
    headers = (("agentlog.process", b"p1"), ("twice", b"\xff"), ("twice", None))
    rows = [row("a", partition=2), row("b", 1.5, partition=2, payload={"n": [1, None]}, shard=7, headers=headers)]
    [_, found] = records(store.of(rows))
    place = found.place._replace(topic=None)
    assert place == Place(None, 2, 1, 1768478401500, headers)
    assert place.process == "p1"
    assert found.value == rows[1].value
    assert found.event.payload == {"n": [1, None]}


def test_each_partition_comes_in_its_order_with_its_copies(store: Store) -> None:
    rows = [row("a", 9), row("b", 1), row("c", 5, partition=1), row("a", 9), row("d", 0, partition=1), row("b", 1)]
    found = records(store.of(rows))
    assert [(r.place.offset, r.event.event_id) for r in found if r.place.partition == 0] == [
        (0, "a"),
        (1, "b"),
        (2, "a"),
        (3, "b"),
    ]
    assert ids([r for r in found if r.place.partition == 1]) == ["c", "d"]


def test_what_cannot_be_read_is_named_and_hides_nothing(store: Store) -> None:
    broken = [Row(b"\x1f\x8b junk"), Row(b'{"session_id": "s"}'), Row(b"[" * 10_000)]
    source = store.of([row("a"), broken[0], row("b"), broken[1], broken[2], row("c")])
    found = list(source.records("s", ALL))
    assert ids([r for r in found if isinstance(r, Record)]) == ["a", "b", "c"]
    bad = [r for r in found if isinstance(r, Unreadable)]
    assert [r.reason for r in bad] == ["compressed (gzip)", "no event_id", "no event: Expected object, got array"]
    assert [r.place.offset for r in bad] == ([1, 3, 4] if store.kind == "topic" else [2, 4, 5])
    assert bad[0].where.endswith("[0]@1" if store.kind == "topic" else ":2")
    assert (source.searched.records, source.searched.unreadable) == (6, 3)


def test_what_is_broken_in_another_session_is_not_named(store: Store) -> None:
    source = store.of([Row(b'{"session_id": "other"}', b"other"), row("a")])
    assert ids(records(source)) == ["a"]


def test_a_session_that_is_not_there_yields_nothing_and_all_was_searched(store: Store) -> None:
    source = store.of([row("a", partition=p) for p in range(3)])
    assert records(source, session_id="missing") == []
    assert source.searched.records == 3
    assert b"s" in source.searched.others


def test_an_empty_source_yields_nothing(store: Store) -> None:
    source = store.of([])
    assert records(source) == []
    assert source.searched.records == 0


def moment(at: float) -> Moment:
    return Moment(NOON + timedelta(seconds=at))


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        (10, None, ["d", "c", "b", "f"]),
        (None, 10, ["a", "c", "e"]),
        (10, 20, ["d", "c", "b"]),
        (10.0001, 19.9999, ["d"]),
        (99, None, []),
        (None, -99, []),
    ],
)
def test_both_ends_of_a_time_span_are_inside_however_the_times_are_ordered(
    store: Store, start: float | None, end: float | None, inside: list[str]
) -> None:
    rows = [row("a", 0), row("d", 15), row("c", 10), row("b", 20), row("e", 5), row("f", 30)]
    span = PositionRange(moment(start) if start is not None else None, moment(end) if end is not None else None)
    assert ids(records(store.of(rows), span)) == inside


@pytest.mark.parametrize(
    ("span", "inside"),
    [
        (PositionRange(Offset(None, 1)), {"b", "c", "y"}),
        (PositionRange(Offset(1, 1), None), {"y"}),
        (PositionRange(None, Offset(0, 1)), {"a", "b"}),
        (PositionRange(Offset(0, 1), Offset(0, 1)), {"b"}),
        (PositionRange(Offset(0, 1), moment(1)), {"b"}),
        (PositionRange(Offset(None, 99)), set()),
    ],
)
def test_a_span_may_be_given_in_offsets(store: Store, span: PositionRange, inside: set[str]) -> None:
    rows = [row("a", 0), row("b", 1), row("c", 2), row("x", 0, partition=1), row("y", 1, partition=1)]
    assert set(ids(records(store.of(rows), span))) == inside


def test_reading_may_end_before_the_end(store: Store) -> None:
    found = store.of([row(f"e{n}") for n in range(2000)]).records("s", ALL)
    first = next(iter(found))
    assert isinstance(first, Record)
    assert first.event.event_id == "e0"
    assert isinstance(found, Iterator)
    found.close()  # type: ignore[attr-defined]


def test_every_kind_of_source_gives_the_same_timeline(store: Store) -> None:
    process = (("agentlog.process", b"p"),)
    called = {"call_id": "call", "tool": "erp.post"}
    rows = [
        row("start", 0, event_type="session_start", payload={"goal": "an invoice"}),
        row("said", 1, event_type="call_started", payload=called, headers=process),
        row("call", 5, payload={"tool": "erp.post", "cost_usd": 0.25}, headers=process),
        row("child", -3, partition=2, context={"parent_event_id": "call"}),
        row("back", 2, headers=process),
        row("far", 60, partition=1),
        row("late", 7, partition=1),
        row("call", 5, payload={"tool": "erp.post", "cost_usd": 0.25}, partition=1),
    ]
    straight = [decode(each.value, place, "") for each, place in placed(rows)]
    wanted = build_timeline("s", [record for record in straight if isinstance(record, Record)])
    found = build_timeline("s", records(store.of(rows)))
    assert ids(list(found.records())) == ids(list(wanted.records()))
    assert [(s.began, s.recorded, s.late_us, s.was_moved) for s in found.steps] == [
        (s.began, s.recorded, s.late_us, s.was_moved) for s in wanted.steps
    ]
    assert (found.totals, found.duplicates) == (wanted.totals, 1)


# Capture files alone.


def source_in(path: Path, content: bytes) -> CaptureSource:
    path.write_bytes(content)
    return CaptureSource(str(path), NO_STDIN)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_file_may_be_of_several_parts(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    parts = [pack(captured([row(f"e{n}")])) for n in range(3)]
    assert ids(records(source_in(tmp_path / "x", b"".join(parts)))) == ["e0", "e1", "e2"]


def test_a_file_packed_bit_by_bit_is_read_whole() -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    rows = captured([row(f"e{n}", payload={"text": str(n) * 50}) for n in range(400)])
    packed = b"".join(
        packer.compress(line) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for line in rows.splitlines(True)
    )
    assert len(records(CaptureSource("-", piped(packed + packer.flush())))) == 400


def checked(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("fill", [b"\0", b"\0" * 512, b"\0" * 200_000])
def test_zeros_behind_a_packed_file_fill_it_up(tmp_path: Path, pack: Callable[[bytes], bytes], fill: bytes) -> None:
    packed = pack(captured([row("a"), row("b")]).rstrip(b"\n"))
    assert ids(records(source_in(tmp_path / "x", packed + fill))) == ["a", "b"]
    two = packed + fill + pack(b"\n" + captured([row("c")]))
    assert ids(records(source_in(tmp_path / "x", two))) == ["a", "b", "c"]


@pytest.mark.parametrize("pack", [gzip.compress, checked])
@pytest.mark.parametrize("rest", [b"??", b"some other text that no program packed", b"\0\0rest of it" * 9])
def test_what_stands_behind_a_packed_file_takes_nothing_of_its_last_line(
    tmp_path: Path, pack: Callable[[bytes], bytes], rest: bytes
) -> None:
    packed = pack(captured([row("a"), row("b")]).rstrip(b"\n"))
    *found, bad = source_in(tmp_path / "x", packed + rest).records("s", ALL)
    assert ids(found) == ["a", "b"]
    assert isinstance(bad, Unreadable)
    assert bad.reason.startswith("the file is damaged from here on: ")


@pytest.mark.parametrize("pack", [gzip.compress, checked])
@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:5], lambda b: b[:-6] + b"??????", lambda b: b + b"??"]
)
def test_what_is_damaged_in_a_packed_file_is_named_and_what_stands_before_it_read(
    tmp_path: Path, pack: Callable[[bytes], bytes], damage: Callable[[bytes], bytes]
) -> None:
    source = source_in(tmp_path / "x", damage(pack(captured([row("a"), row("b")]))))
    found = list(source.records("s", ALL))
    bad = found.pop()
    assert isinstance(bad, Unreadable)
    assert bad.where == f"{tmp_path / 'x'}:{len(found) + 1}"
    assert bad.reason.startswith("the file is damaged from here on: ")
    assert source.searched.unreadable == 1


def test_a_line_that_cannot_be_read_is_named_by_file_and_line(tmp_path: Path) -> None:
    source = source_in(tmp_path / "run", b"\n" + captured([row("a")]) + b"\noops\n")
    bad = list(source.records("s", ALL))[-1]
    assert (bad.where, bad.place) == (f"{tmp_path / 'run'}:4", Place(None, -1, 4))  # type: ignore[union-attr]


def test_a_record_comes_out_of_a_pipe_before_its_end_is_there() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        pipe.write(captured([row("a")]))
        found = CaptureSource("-", os.fdopen(reading, "rb")).records("s", ALL)
        first = next(found)
        assert isinstance(first, Record)
        pipe.write(captured([row("b")]))
        second = next(found)
        assert isinstance(second, Record)
    assert (ids([first, second]), list(found)) == (["a", "b"], [])
