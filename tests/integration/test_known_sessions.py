"""Sessions in the catalogue: read from their known offsets, the newest one, and completion of ids."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from devkafka import Message, produce
from devkafka.client import SILENT_LOGGER
from tests.recording import SESSION_EVENTS, Event, make_messages, make_session_end, make_tool_call
from tests.running import CompletedRun, RunningTool, Terminal, run

TopicFactory = Callable[..., str]
Kshark = Callable[..., CompletedRun]


@pytest.fixture
def kshark(kafka: str, tmp_path: Path) -> Kshark:
    """Return a function that runs kshark on a topic, with the test's own cache folder."""

    def ran(command: str, topic: str, *arguments: str) -> CompletedRun:
        where = ("--cluster", kafka, "--topic", topic)
        return run("kshark", command, *arguments, *where, variables={"XDG_CACHE_HOME": str(tmp_path)})

    return ran


def others(first: int, count: int, partition: int | None = None) -> list[Message]:
    """Make the records of other sessions."""
    events = [make_tool_call(n, session_id=f"sess_other_{n}") for n in range(first, first + count)]
    return make_messages(events, partition)


def mine(*events: Event, partition: int | None = 0) -> list[Message]:
    return make_messages(events, partition)


def document(done: CompletedRun) -> dict[str, Any]:
    assert done.code == 0, done.error_text
    found: dict[str, Any] = orjson.loads(done.out)
    return found


def replayed(kshark: Kshark, topic: str, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Replay `sess_1`; return the timeline and what was searched."""
    found = document(kshark("replay", topic, "sess_1", "--format", "json", *options))
    return found, found.pop("searched")


def same_but_quicker(kshark: Kshark, topic: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check that the catalogue changes nothing in the replay; return what was searched with it and without."""
    with_it, by_catalogue = replayed(kshark, topic)
    without, by_log = replayed(kshark, topic, "--no-catalog")
    assert with_it == without
    assert by_catalogue["catalogue"]
    assert by_log["catalogue"] is None
    names = ("beginning", "late", "duplicates", "unreadable", "log_begins")
    assert {name: by_catalogue[name] for name in names} == {name: by_log[name] for name in names}
    return by_catalogue, by_log


def test_a_known_session_is_read_from_where_it_lies(kafka: str, topic: TopicFactory, kshark: Kshark) -> None:
    name = topic(partitions=2)
    produce(kafka, name, [*others(0, 300, 0), *mine(*SESSION_EVENTS), *others(300, 300, 0)])
    kshark("sessions", name)
    by_catalogue, by_log = same_but_quicker(kshark, name)
    assert (by_catalogue["records"], by_log["records"]) == (5, 605)
    assert by_catalogue["missing_offsets"] == 0
    text = kshark("replay", name, "sess_1", "--format", "text").text
    assert "by the catalogue: 5 records, 1 duplicate; the log reaches back beyond the" in " ".join(text.split())


def test_what_came_since_the_catalogue_was_written_is_shown_too(
    kafka: str, topic: TopicFactory, kshark: Kshark
) -> None:
    name = topic(partitions=2)
    produce(kafka, name, [*others(0, 50, 0), *mine(make_tool_call(1), make_tool_call(2)), *others(50, 50, 0)])
    kshark("sessions", name)
    produce(kafka, name, [*others(100, 20, 0), *mine(make_tool_call(3), make_session_end(4))])
    by_catalogue, by_log = same_but_quicker(kshark, name)
    assert (by_catalogue["records"], by_log["records"]) == (24, 124)


def test_records_that_a_partitioner_of_its_own_put_elsewhere_are_found(
    kafka: str, topic: TopicFactory, kshark: Kshark
) -> None:
    name = topic(partitions=8)
    produce(kafka, name, [m for p in range(8) for m in mine(make_tool_call(p + 1), partition=p)])
    kshark("sessions", name)
    found, searched = replayed(kshark, name)
    assert [step["event"]["event_id"] for step in found["steps"]] == [f"evt_{n}" for n in range(1, 9)]
    assert searched["partitions"] == list(range(8))


def test_where_the_log_begins_is_known_as_without_the_catalogue(
    kafka: str, topic: TopicFactory, kshark: Kshark
) -> None:
    name = topic()
    produce(kafka, name, [*others(-9, 9), *mine(make_tool_call(5), make_session_end(6)), *others(7, 9)])
    kshark("sessions", name)
    delete_before(kafka, name, 4)
    by_catalogue, _ = same_but_quicker(kshark, name)
    assert by_catalogue["log_begins"] == "2026-01-15T13:59:55.000000Z"
    assert by_catalogue["records"] == 2


def test_a_session_whose_first_records_were_deleted_is_read_by_the_log(
    kafka: str, topic: TopicFactory, kshark: Kshark
) -> None:
    name = topic()
    produce(kafka, name, [*mine(make_tool_call(1), make_tool_call(2), make_tool_call(3)), *others(9, 9)])
    kshark("sessions", name)
    delete_before(kafka, name, 1)
    found, searched = replayed(kshark, name)
    assert len(found["steps"]) == 2
    assert (searched["catalogue"], searched["beginning"]) == (None, "trimmed")


def delete_before(kafka: str, topic: str, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": kafka}, logger=SILENT_LOGGER)
    for deleted in admin.delete_records([TopicPartition(topic, 0, offset)]).values():
        deleted.result(timeout=30)


def test_unreadable_records_are_named_though_they_are_not_read_again(
    kafka: str, topic: TopicFactory, kshark: Kshark
) -> None:
    name = topic()
    bad = [Message("sess_1", b"{", partition=0), Message(None, b"[", partition=0), Message("sess_2", b"{", partition=0)]
    produce(kafka, name, [*bad, *mine(make_tool_call(1)), *bad, *mine(make_session_end(2)), *bad])
    kshark("sessions", name)
    same_but_quicker(kshark, name)
    named = {each["where"] for each in replayed(kshark, name)[1]["unreadable"]}
    assert named == {f"{name}[0]@{offset}" for offset in (0, 1, 4, 5, 8, 9)}


def test_a_catalogue_that_is_wrong_damaged_or_of_another_version_is_not_believed(
    kafka: str, topic: TopicFactory, kshark: Kshark, tmp_path: Path
) -> None:
    name = topic()
    produce(kafka, name, [*others(0, 9), *mine(make_tool_call(1), make_session_end(2)), *others(9, 9)])
    kshark("sessions", name)
    (file,) = tmp_path.rglob("*.sqlite")
    expected, _ = replayed(kshark, name, "--no-catalog")
    for damage in (
        "UPDATE sessions SET records = records + 1",
        "UPDATE lays SET last = 99",
        "PRAGMA user_version = 99",
    ):
        with closing(sqlite3.connect(file)) as db, db:
            db.execute(damage)
        found, searched = replayed(kshark, name)
        assert found == expected
        assert (searched["catalogue"], searched["records"]) == (None, 20)
    file.write_bytes(b"no database" * 1000)
    assert replayed(kshark, name)[0] == expected


def test_a_part_of_a_session_and_all_partitions_are_read_by_the_log(
    kafka: str, topic: TopicFactory, kshark: Kshark
) -> None:
    name = topic()
    produce(kafka, name, [*others(0, 9), *mine(make_tool_call(1), make_tool_call(9)), *others(9, 9)])
    kshark("sessions", name)
    for options in (("--from", "2026-01-15T14:00:05Z"), ("--all-partitions",)):
        assert replayed(kshark, name, *options)[1]["catalogue"] is None


def test_a_known_session_is_followed(kafka: str, topic: TopicFactory, kshark: Kshark, tmp_path: Path) -> None:
    name = topic()
    produce(kafka, name, [*others(0, 9), *mine(make_tool_call(1)), *others(9, 9)])
    kshark("sessions", name)
    where = ("--cluster", kafka, "--topic", name, "--format", "ndjson")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path))
        running = RunningTool("kshark", "replay", "sess_1", "--follow", *where)
    assert "evt_1" in running.read_line()
    produce(kafka, name, mine(make_tool_call(2), make_session_end(3)))
    assert "evt_2" in running.read_line()
    code, lines, told = running.wait_for_end()
    assert (code, len(lines), told) == (0, 1, [])


def test_the_story_is_the_same_by_the_catalogue_and_by_the_log(kafka: str, topic: TopicFactory, kshark: Kshark) -> None:
    name = topic(partitions=6)
    assert run("kshark", "demo", "--cluster", kafka, "--topic", name).code == 0
    kshark("sessions", name)
    for session in ("sess_invoice_847", "sess_trip_planner", "sess_late_claim"):
        told = [kshark("why", name, session, "--format", "json", *more) for more in ((), ("--no-catalog",))]
        by_catalogue, by_log = map(document, told)
        assert by_catalogue.pop("searched")["catalogue"]
        assert by_log.pop("searched")["catalogue"] is None
        assert by_catalogue == by_log


def test_the_newest_session_needs_no_id(kafka: str, topic: TopicFactory, kshark: Kshark) -> None:
    name = topic(partitions=2)
    assert kshark("replay", name, "--last").code == 4
    produce(kafka, name, [*others(0, 9), *make_messages([make_tool_call(99, session_id="sess_newest")]), *others(9, 9)])
    (line,) = kshark("replay", name, "--last").lines
    assert orjson.loads(line)["session_id"] == "sess_newest"
    bounded = kshark("replay", name, "--last", "--to", "2026-01-15T14:00:03Z")
    assert orjson.loads(bounded.lines[0])["session_id"] == "sess_other_3"
    assert document(kshark("why", name, "--last", "--format", "json"))["session_id"] == "sess_newest"


def test_the_shell_completes_ids_of_the_topic_that_was_asked_for(
    kafka: str, topic: TopicFactory, kshark: Kshark, tmp_path: Path
) -> None:
    name, other = topic(), topic()
    ids = ["sess_1", "sess_2", "run_3", "sess_$(reboot)", "sess_a b", "sess_4"]
    produce(kafka, name, make_messages([make_tool_call(n, session_id=each) for n, each in enumerate(ids)]))
    produce(kafka, other, make_messages([make_tool_call(1, session_id="sess_elsewhere")]))
    for each in (name, other):
        kshark("sessions", each)

    def completed(words: str) -> list[str]:
        asked = {"_KSHARK_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = run("kshark", variables={"XDG_CACHE_HOME": str(tmp_path), **asked})
        assert (done.code, done.error_text) == (0, "")
        return [line.removeprefix("plain,") for line in done.lines if line]

    of_topic = f"--cluster {kafka} --topic {name}"
    assert completed(f"kshark replay {of_topic} sess_") == ["sess_4", "sess_2", "sess_1"]
    assert completed(f"kshark why {of_topic} r") == ["run_3"]
    assert completed(f"kshark export {of_topic} sess_1 sess_4") == ["sess_4"]
    assert completed("kshark replay --cluster nowhere:1 sess_") == []
    assert completed("kshark replay --file run.ndjson sess_") == []
    next(tmp_path.rglob("*.sqlite")).with_name("another.sqlite").write_bytes(b"no database" * 1000)
    assert completed(f"kshark why {of_topic} r") == ["run_3"]
    for file in tmp_path.rglob("*.sqlite"):
        file.write_bytes(b"no database" * 1000)
    assert completed(f"kshark replay {of_topic} sess_") == []


def test_on_a_terminal_the_newest_sessions_are_offered(kafka: str, topic: TopicFactory, tmp_path: Path) -> None:
    name = topic()
    produce(kafka, name, others(1, 20))
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    terminal = Terminal("kshark", "replay", "--cluster", kafka, "--topic", name, variables=cache)
    terminal.wait_for_text("Which one? [1]:")
    assert any(line.startswith(" 1  sess_other_20 ") for line in terminal.lines)
    assert not any("sess_other_5 " in line for line in terminal.lines)
    terminal.process.sendline("3")
    assert terminal.wait_for_end() == 0
    assert any(line.startswith("sess_other_18") for line in terminal.lines)
    leaving = Terminal("kshark", "replay", "--cluster", kafka, "--topic", name, variables=cache)
    leaving.wait_for_text("Which one? [1]:")
    leaving.process.sendeof()
    assert (leaving.wait_for_end(), leaving.lines[-1]) == (2, "kshark: no session was picked")
