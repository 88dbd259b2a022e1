"""`kshark export` and `import` on real Kafka: records go unchanged from one topic to another, each once."""

import fcntl
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from agentlog.event.escape import escape_controls
from agentlog.event.partitioner import crc32_partition, murmur2_partition
from devkafka import Message, eventually, produce
from devkafka.client import SILENT_LOGGER
from tests.recording import SESSION_EVENTS, START_TIME, encode_events, make_event, make_messages, write_capture_file
from tests.running import CompletedRun, Terminal, make_command, make_environment, run
from tests.tracing import run_program

TopicFactory = Callable[..., str]


class Lies(NamedTuple):
    """A record of a topic as Kafka holds it."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: list[tuple[str, bytes | None]]


def _fetch_bounds(consumer: Consumer, partition: TopicPartition) -> tuple[int, int] | None:
    """Return a partition's bounds; None while it moves to another leader, or has just been created."""
    try:
        return consumer.get_watermark_offsets(partition, timeout=10)
    except KafkaException:
        return None


def held(bootstrap: str, topic: str) -> list[Lies]:
    """Return all records of a topic, by partition and offset."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "test", "enable.partition.eof": False}, logger=SILENT_LOGGER
    )
    found: list[Lies] = []
    try:
        for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
            bounds = eventually(partial(_fetch_bounds, consumer, TopicPartition(topic, partition)))
            assert bounds is not None
            low, high = bounds
            consumer.assign([TopicPartition(topic, partition, low)])
            wanted = len(found) + high - low
            while len(found) < wanted:
                for each in consumer.consume(1000, 0.05):
                    lies = (each.partition(), each.key(), each.value(), each.timestamp()[1], each.headers() or [])
                    found.append(Lies(*lies))  # type: ignore[arg-type]
    finally:
        consumer.close()
    return sorted(found, key=lambda each: each.partition)


def import_(kafka: str, topic: str, file: Path | str, *options: str, stdin: bytes = b"") -> CompletedRun:
    return run("kshark", "import", file, "--cluster", kafka, "--topic", topic, *options, stdin=stdin)


def export(kafka: str, topic: str, *sessions: str) -> bytes:
    done = run("kshark", "export", *sessions, "--cluster", kafka, "--topic", topic, "-o", "-")
    assert done.code == 0, done.error_text
    return done.out


def as_recorded(content: bytes) -> list[tuple[bytes, int, object]]:
    """Return the event, time and headers of each line, without the record's place."""
    found = []
    for line in content.splitlines():
        value, _, record = line.rpartition(b',"_record":')
        lay = orjson.loads(record[:-1])
        found.append((value + b"}", lay["timestamp"], lay["headers"]))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a capture file with a session of five records, one of them a copy."""
    return write_capture_file(tmp_path / "run.ndjson", *SESSION_EVENTS)


json_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).filter(
    lambda text: escape_controls(text) == text
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(-1e9, 1e9) | json_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_text, inner, max_size=3),
    max_leaves=6,
)
stored_headers = st.lists(st.tuples(st.sampled_from(["a", "agentlog.process", "é"]), st.none() | st.binary(max_size=6)))


@st.composite
def stored(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[str, bytes | None]]]:
    """Make a value, time and headers as any producer may write them: odd spaces, unknown members, any order."""
    number = draw(st.integers(0, 40))
    fields = make_event(number, draw(st.sampled_from(["tool_call", "call_started", "of_our_own"])))
    fields["session_id"] = draw(st.sampled_from(["sess_1", "sess_é", "sess_3"]))
    fields["payload"] = draw(st.dictionaries(json_text, json_values, max_size=3))
    fields |= draw(st.dictionaries(json_text.map(lambda name: "x" + name), json_values, max_size=2))
    members = draw(st.permutations(list(fields.items())))
    gap = draw(st.sampled_from(["", " ", "  "]))
    pairs = (f"{orjson.dumps(name).decode()}:{gap}{orjson.dumps(value).decode()}" for name, value in members)
    at = draw(st.integers(1, 2_000_000_000_000))
    return ("{" + f",{gap}".join(pairs) + gap + "}").encode(), at, draw(stored_headers)


def test_export_import_export_gives_the_same_bytes_times_and_headers(
    kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    path = tmp_path / "run.ndjson"
    unlimited = {"message.timestamp.after.max.ms": str(2**63 - 1)}

    @settings(max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(records=st.lists(stored(), min_size=1, max_size=30))
    def holds(records: list[tuple[bytes, int, list[tuple[str, bytes | None]]]]) -> None:
        first, second = topic(partitions=3, config=unlimited), topic(partitions=5, config=unlimited)
        keys = [orjson.loads(value)["session_id"].encode() for value, _, _ in records]
        produce(kafka, first, [Message(key, *record) for key, record in zip(keys, records, strict=True)])
        sessions = sorted({key.decode() for key in keys})
        exported = export(kafka, first, *sessions)
        path.write_bytes(exported)
        done = import_(kafka, second, path)
        assert done.code == 0, done.error_text
        assert as_recorded(export(kafka, second, *sessions)) == as_recorded(exported)
        lies = held(kafka, second)
        assert sorted(each[1:] for each in lies) == sorted(
            (key, value, at, list(headers)) for key, (value, at, headers) in zip(keys, records, strict=True)
        )
        assert {each.partition == murmur2_partition(each.key or b"", 5) for each in lies} == {True}
        again = import_(kafka, second, path)
        assert (again.code, held(kafka, second)) == (0, lies)
        assert again.error_text.startswith("nothing to write: ")

    holds()


def test_the_frame_of_a_schema_registry_survives_export_and_import(
    kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    first, second, path = topic(), topic(), tmp_path / "run.ndjson"
    frames = [b"\x00\x00\x00\x00\x0a", b"", b"\x00" * 8 + b"\x07", b"\x03\x00" + bytes(16)]
    values = [frame + orjson.dumps(make_event(n)) for n, frame in enumerate(frames)]
    produce(kafka, first, [Message("sess_1", value) for value in values])
    path.write_bytes(export(kafka, first, "sess_1"))
    assert orjson.loads(run("kshark", "sessions", "--file", path, "--format", "ndjson").out)["events"] == len(values)
    done = import_(kafka, second, path)
    assert done.code == 0, done.error_text
    assert [each.value for each in held(kafka, second)] == values
    assert import_(kafka, second, path).error_text.startswith("nothing to write: ")
    assert import_(kafka, first, path).error_text.startswith("nothing to write: ")


def test_a_second_import_writes_nothing_and_says_so(kafka: str, topic: TopicFactory, file: Path) -> None:
    name = topic(partitions=3)
    first = import_(kafka, name, file)
    assert (first.code, first.out) == (0, b"")
    assert first.error_text == f"wrote 5 events of 1 session into topic {name} of {kafka}\n"
    second = import_(kafka, name, file)
    assert (second.code, len(held(kafka, name))) == (0, 5)
    assert second.error_text == f"nothing to write: topic {name} of {kafka} already has all 5 events of {file}\n"


def test_what_is_there_in_part_is_made_whole_in_whatever_partition_it_lies(
    kafka: str, topic: TopicFactory, file: Path
) -> None:
    name = topic(partitions=8)
    produce(kafka, name, make_messages(SESSION_EVENTS[1:3], 7))
    produce(
        kafka,
        name,
        [Message(None, b"no json"), Message("sess_1", None), *make_messages([make_event(2, session_id="sess_2")])],
    )
    done = import_(kafka, name, file)
    assert done.error_text.endswith("; 2 were already there\n")
    mine = [
        orjson.loads(each.value or b"")["event_id"]
        for each in held(kafka, name)
        if each.key == b"sess_1" and each.value
    ]
    assert sorted(mine) == ["evt_0", "evt_1", "evt_2", "evt_2", "evt_3"]


def test_the_settings_say_which_partitioner_a_topic_has(kafka: str, topic: TopicFactory, file: Path) -> None:
    name = topic(partitions=12)
    (file.parent / "agentlog.toml").write_text(f'[topics.{name}]\npartitioner = "crc32"\n')
    run("kshark", "import", file, "--cluster", kafka, "--topic", name, cwd=file.parent)
    assert {each.partition for each in held(kafka, name)} == {crc32_partition(b"sess_1", 12)}


def interrupt(arguments: tuple[str | Path, ...], number: signal.Signals, count: Callable[[], int]) -> None:
    """Run kshark, and send it a signal once ``count`` has grown."""
    before = count()
    process = subprocess.Popen(
        make_command("kshark", *arguments), env=make_environment(), stderr=subprocess.PIPE, text=True
    )
    eventually(lambda: count() > before or process.poll() is not None, timeout=30)
    process.send_signal(number)
    told = process.communicate(timeout=30)[1]
    assert process.returncode in (0, 128 + number, -number)
    assert "Traceback" not in told


def test_an_interrupted_import_is_finished_by_the_next(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    sessions = [f"sess_{n % 50}" for n in range(60_000)]
    path = write_capture_file(
        tmp_path / "long.ndjson", *(make_event(n, session_id=each) for n, each in enumerate(sessions))
    )
    name = topic(partitions=4)
    for number in (signal.SIGINT, signal.SIGKILL):
        interrupt(("import", path, "--cluster", kafka, "--topic", name), number, lambda: len(held(kafka, name)))
    assert import_(kafka, name, path).code == 0
    lies = held(kafka, name)
    assert len(lies) == 60_000
    assert len({orjson.loads(each.value or b"")["event_id"] for each in lies}) == 60_000
    for session in set(sessions):
        mine = [each.timestamp for each in lies if each.key == session.encode()]
        assert mine == sorted(mine)


def test_a_damaged_line_is_named_with_file_and_line_and_the_rest_is_written(
    kafka: str, topic: TopicFactory, file: Path
) -> None:
    content = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([content[0], b"no json\n", *content[1:], b'{"event_id": "evt_9"}\n']))
    done = import_(kafka, topic(), file)
    assert done.code == 0
    bad, worse, wrote, keep = done.error_text.splitlines()
    assert bad.startswith(f"unreadable: {file}:2: not JSON: ")
    assert worse == f"unreadable: {file}:7: no event_id" or worse.startswith(f"unreadable: {file}:7: no ")
    assert wrote.startswith("wrote 5 events of 1 session ")
    assert keep == f"2 lines of {file} couldn't be read: keep the file"


def test_a_file_that_holds_no_event_is_4(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    (tmp_path / "none.ndjson").write_text("no\nnone\n")
    done = import_(kafka, topic(), tmp_path / "none.ndjson")
    assert done.code == 4
    assert "has no event: 2 lines unreadable" in done.error_text


def test_a_pipe_can_be_imported(kafka: str, topic: TopicFactory, file: Path) -> None:
    name = topic()
    done = import_(kafka, name, "-", stdin=file.read_bytes())
    assert (done.code, len(held(kafka, name))) == (0, 5)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (
            {"retention.ms": "604800000"},
            "keeps records for 7 d 0 h, and the oldest of {file}, of 2026-01-15 14:00:00 UTC, is older",
        ),
        ({"cleanup.policy": "compact"}, "is compacted, so it keeps one event of each session"),
        ({"message.timestamp.type": "LogAppendTime"}, "replaces timestamps by the time of arrival"),
        ({"message.timestamp.before.max.ms": "3600000"}, "refuses records more than 1 h 0 m old"),
        ({"max.message.bytes": "200"}, "takes records of up to 200 bytes (max.message.bytes), and event evt_"),
    ],
)
def test_a_topic_that_would_not_keep_the_events_is_refused_and_left_alone(
    kafka: str, topic: TopicFactory, file: Path, config: dict[str, str], why: str
) -> None:
    name = topic(config=config)
    done = import_(kafka, name, file)
    assert done.code == 2
    assert f"kshark: topic {name} of {kafka} {why.format(file=file)}" in done.error_text
    assert held(kafka, name) == []


def test_events_of_the_future_are_refused(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    ahead = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    path = write_capture_file(tmp_path / "run.ndjson", make_event(1, timestamp=ahead))
    done = import_(kafka, topic(config={"message.timestamp.after.max.ms": "3600000"}), path)
    assert done.code == 2
    assert "refuses records more than 1 h 0 m ahead of its clock" in done.error_text


def test_large_events_go_into_a_topic_that_takes_them_and_small_ones_where_batches_are_small(
    kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    large = write_capture_file(tmp_path / "large.ndjson", make_event(1, payload={"text": "x" * 3_000_000}))
    assert import_(kafka, topic(config={"max.message.bytes": "4000000"}), large).code == 0
    many = write_capture_file(
        tmp_path / "many.ndjson", *(make_event(n, payload={"text": f"{n * n}" * 40}) for n in range(3_000))
    )
    assert import_(kafka, topic(config={"max.message.bytes": "5000"}), many, "-X", "compression.type=none").code == 0


def test_shifting_moves_all_events_so_that_the_last_is_of_then(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    spaced = b'{"payload": {"timestamp": "2020-01-01T00:00:00Z"}, "event_id": "evt_9", "session_id": "sess_1", '
    spaced += b'"agent_id": "a", "event_type": "x",  "timestamp" : "2026-01-15T15:00:04+01:00", "n": 1.50}\n'
    (tmp_path / "run.ndjson").write_bytes(encode_events(SESSION_EVENTS) + spaced)
    name = topic(config={"retention.ms": "604800000"})
    began = time.time() * 1000
    done = import_(kafka, name, tmp_path / "run.ndjson", "--shift-to", "now")
    assert done.code == 0, done.error_text
    assert "moved by " in done.error_text
    lies = held(kafka, name)
    assert abs(lies[-1].timestamp - began) < 60_000
    assert [each.timestamp - lies[0].timestamp for each in lies] == [0, 1000, 2000, 2000, 3000, 4000]
    by_ms = lies[0].timestamp - round(START_TIME.timestamp() * 1000)
    assert {tuple(each.headers) for each in lies} == {(("agentlog.shifted", str(by_ms).encode()),)}
    at = datetime.fromtimestamp(lies[-1].timestamp / 1000, timezone(timedelta(hours=1)))
    new = at.isoformat(timespec="milliseconds").encode()
    assert lies[-1].value == spaced.rstrip().replace(b"2026-01-15T15:00:04+01:00", new)


def test_a_shifted_import_that_was_interrupted_goes_on_with_the_same_shift(
    kafka: str, topic: TopicFactory, file: Path
) -> None:
    name = topic()
    part = file.with_name("part.ndjson")
    part.write_bytes(encode_events(SESSION_EVENTS[:2]))
    import_(kafka, name, part, "--shift-to", "2026-03-01T08:00:00Z")
    done = import_(kafka, name, file, "--shift-to", "now")
    assert "has some of these events, moved by 44 d 17 h: the others move equally" in done.error_text
    times = [each.timestamp for each in held(kafka, name)]
    assert [each - times[0] for each in times] == [0, 1000, 2000, 2000, 3000]
    assert import_(kafka, name, file, "--shift-to", "now").error_text.splitlines()[-1].startswith("nothing to write: ")


def test_create_makes_the_topic_and_without_it_a_missing_one_is_3(kafka: str, topic: TopicFactory, file: Path) -> None:
    name = topic() + "-new"
    refused = import_(kafka, name, file)
    assert refused.code == 3
    assert refused.error_text.endswith("; --create N creates it with N partitions\n")
    assert import_(kafka, name, file, "--create", "4").code == 0
    assert {each.partition for each in held(kafka, name)} == {murmur2_partition(b"sess_1", 4)}
    assert import_(kafka, name, file, "--create", "9").error_text.startswith("nothing to write")


def test_a_spool_that_a_tracer_has_is_left_to_it(kafka: str, topic: TopicFactory, file: Path) -> None:
    with file.open("ab") as spool:
        fcntl.flock(spool, fcntl.LOCK_EX)
        done = import_(kafka, topic(), file)
    assert done.code == 2
    assert f"{file} is in use by an AgentTracer" in done.error_text


SPOOLING = """
import sys
from agentlog import AgentTracer
topic, spool = sys.argv[1:]
tracer = AgentTracer("sess_1", agent_id="a", cluster="127.0.0.1:1", topic=topic,
                     on_outage="spool", outage_s=0.2, exit_s=1.0, spool=spool)
for n in range(20):
    tracer.user_message(f"message {n}")
"""


def test_what_a_tracer_spooled_is_sent_and_the_file_may_be_deleted(
    kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    name = topic(partitions=3)
    assert run_program(SPOOLING, name, str(tmp_path))[0] == 0
    (spool,) = tmp_path.iterdir()
    done = import_(kafka, name, spool)
    assert done.code == 0
    assert done.error_text.endswith(f"{spool} is a spool file, and all its events have arrived: it may be deleted\n")
    texts = [orjson.loads(each.value or b"")["payload"].get("text") for each in held(kafka, name)]
    assert [text for text in texts if text] == [f"message {n}" for n in range(20)]
    assert {name for each in held(kafka, name) for name, _ in each.headers} == {"agentlog.process"}


def test_a_missing_file_and_a_cluster_that_is_away(tmp_path: Path, file: Path) -> None:
    missing = import_("127.0.0.1:1", "t", tmp_path / "no.ndjson")
    assert (missing.code, "No such file" in missing.error_text) == (2, True)
    away = import_("127.0.0.1:1", "t", file)
    assert (away.code, "can't be reached" in away.error_text) == (3, True)


def test_progress_shows_in_a_terminal(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    path = write_capture_file(tmp_path / "long.ndjson", *(make_event(n) for n in range(150_000)))
    terminal = Terminal("kshark", "import", path, "--cluster", kafka, "--topic", topic(), columns=100)
    terminal.wait_for_text("events")
    assert terminal.wait_for_end() == 0
    assert terminal.lines[-1].startswith("wrote 150,000 events of 1 session into topic ")
