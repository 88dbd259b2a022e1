"""`kshark sessions` on real Kafka: with and without its catalogue, and with changes of the topic or the catalogue."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from agentlog.log.reader import KafkaReader
from agentlog.session.coverage import SearchReport
from agentlog.session.summary import Summary
from agentlog.settings.clusters import Cluster
from devkafka import KafkaCluster, create_topic, eventually, produce
from devkafka.client import SILENT_LOGGER
from kshark.catalogue.recompute import group_sessions, reread_sessions, store_recomputed
from kshark.catalogue.store import Store
from kshark.catalogue.update import CatalogueUpdate
from tests.recording import make_call_started, make_event, make_messages, make_session_end, make_tool_call
from tests.running import CompletedRun, make_environment, run

TopicFactory = Callable[..., str]
Listing = Callable[..., CompletedRun]


@pytest.fixture
def listed(kafka: str, tmp_path: Path) -> Listing:
    """Return a function that runs `kshark sessions` with the test's own cache folder."""

    def sessions(topic: str, *options: str) -> CompletedRun:
        where = ("--topic", topic) if "--cluster" in options else ("--cluster", kafka, "--topic", topic)
        arguments = (*where, "--format", "ndjson", *options)
        return run("kshark", "sessions", *arguments, variables={"XDG_CACHE_HOME": str(tmp_path)})

    return sessions


def rows(done: CompletedRun) -> list[dict[str, Any]]:
    assert done.code == 0, done.error_text
    return [orjson.loads(line) for line in done.out.splitlines()]


def catalogue(folder: Path) -> Path:
    (found,) = folder.rglob("*.sqlite")
    return found


def test_the_session_that_ran_away_is_on_top(kafka: str, topic: TopicFactory, listed: Listing) -> None:
    name = topic(partitions=6)
    assert run("kshark", "demo", "--cluster", kafka, "--topic", name).code == 0
    (top,) = rows(listed(name, "--sort", "calls", "--limit", "1"))
    assert (top["session_id"], top["tool_calls"], top["errors"]) == ("sess_invoice_847", 847, 164)
    assert (top["status"], top["top_tool"], top["top_tool_calls"]) == ("failed", "stripe.list_invoices", 355)
    again = listed(name, "--format", "json")
    assert orjson.loads(again.out)["searched"]["new"] == 0
    assert rows(listed(name)) == rows(listed(name, "--no-catalog"))


def test_what_came_since_is_added_and_a_call_counts_once(kafka: str, topic: TopicFactory, listed: Listing) -> None:
    name = topic(partitions=3)
    produce(kafka, name, make_messages([make_event(0, "session_start"), make_call_started(1, "evt_2")]))
    assert rows(listed(name))[0]["tool_calls"] == 1
    produce(kafka, name, make_messages([make_tool_call(2), make_tool_call(2), make_session_end(3)]))
    (row,) = rows(listed(name))
    assert (row["tool_calls"], row["events"], row["status"]) == (1, 4, "succeeded")
    assert row["cost_usd"] is None
    assert rows(listed(name, "--no-catalog")) == [row]


def test_what_the_log_no_longer_holds_is_not_counted(kafka: str, topic: TopicFactory, listed: Listing) -> None:
    name = topic()
    produce(kafka, name, make_messages([make_tool_call(1), make_tool_call(2), make_tool_call(3, session_id="sess_2")]))
    assert len(rows(listed(name))) == 2
    admin = AdminClient({"bootstrap.servers": kafka}, logger=SILENT_LOGGER)
    for deleted in admin.delete_records([TopicPartition(name, 0, 1)]).values():
        deleted.result(timeout=30)
    with_it = rows(listed(name))
    assert {row["session_id"]: row["events"] for row in with_it} == {"sess_1": 1, "sess_2": 1}
    assert rows(listed(name, "--no-catalog")) == with_it


def test_a_damaged_catalogue_is_made_anew(kafka: str, topic: TopicFactory, listed: Listing, tmp_path: Path) -> None:
    name = topic()
    produce(kafka, name, make_messages([make_tool_call(1), make_session_end(2)]))
    before = rows(listed(name))
    file = catalogue(tmp_path)
    file.write_bytes(b"no database" * 1000)
    assert rows(listed(name)) == before
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * len(content[4096:])
    file.write_bytes(content)
    assert rows(listed(name)) == before


def test_a_catalogue_of_an_older_version_is_made_anew_without_a_word(
    kafka: str, topic: TopicFactory, listed: Listing, tmp_path: Path
) -> None:
    name = topic()
    produce(
        kafka, name, make_messages([make_event(1, "session_start", payload={"goal": "send mail"}), make_session_end(2)])
    )
    before = listed(name)
    assert rows(before)[0]["goal"] == "send mail"
    with closing(sqlite3.connect(catalogue(tmp_path))) as db:
        db.execute("ALTER TABLE sessions DROP COLUMN goal")
        db.execute("PRAGMA user_version = 2")
    assert listed(name) == before
    assert rows(listed(name, "--text", "MAIL")) == rows(before)


def test_without_a_cache_folder_the_answer_is_the_same(
    kafka: str, topic: TopicFactory, listed: Listing, tmp_path: Path
) -> None:
    name = topic()
    produce(kafka, name, make_messages([make_tool_call(1)]))
    (tmp_path / "agentlog").write_text("a file in the way")
    done = listed(name)
    assert [row["session_id"] for row in rows(done)] == ["sess_1"]
    assert "can't be used" in done.error_text


def test_a_catalogue_that_has_no_room_to_grow_is_kept_and_the_answer_comes_without_it(
    kafka: str, topic: TopicFactory, listed: Listing, tmp_path: Path
) -> None:
    name = topic(partitions=6)
    produce(kafka, name, make_messages([make_tool_call(1)]))
    assert len(rows(listed(name))) == 1
    file = catalogue(tmp_path)
    before = file.stat().st_ino
    assert run("kshark", "demo", "--cluster", kafka, "--topic", name).code == 0
    kshark = Path(sys.executable).with_name("kshark")
    limited = ("bash", "-c", f"ulimit -f 80; exec {kshark} sessions --cluster {kafka} --topic {name} --format ndjson")
    variables = make_environment(XDG_CACHE_HOME=str(tmp_path))
    done = subprocess.run(limited, capture_output=True, env=variables, timeout=60, check=False)
    told = done.stderr.decode()
    assert done.returncode == 0, told
    assert "can't be used" in told
    assert len(done.stdout.splitlines()) == 48
    assert file.stat().st_ino == before
    assert len(rows(listed(name))) == 48


def test_an_unreadable_record_is_named_and_counted(kafka: str, topic: TopicFactory, listed: Listing) -> None:
    name = topic()
    produce(kafka, name, [*make_messages([make_tool_call(1)]), *make_messages([make_tool_call(2)])[:0]])
    produce(kafka, name, [make_messages([make_tool_call(3)])[0]._replace(value=b"{no json")])
    for _ in range(2):
        done = listed(name)
        assert f"unreadable: {name}[0]@1: not JSON" in done.error_text
        assert len(rows(done)) == 1


@pytest.mark.parametrize("key", [None, b"", b"other"])
def test_an_unreadable_record_with_another_key_or_none_hides_no_event_beside_it(
    kafka: str, topic: TopicFactory, listed: Listing, key: bytes | None
) -> None:
    name = topic()
    first, second = make_messages([make_tool_call(1), make_tool_call(2)])
    produce(kafka, name, [first, first._replace(key=key, value=b"{no json", partition=0), second])
    done = listed(name)
    assert f"unreadable: {name}[0]@1: not JSON" in done.error_text
    assert [row["events"] for row in rows(done)] == [2]


def test_processes_that_begin_a_catalogue_at_once_all_say_the_same(
    kafka: str, topic: TopicFactory, listed: Listing
) -> None:
    name = topic(partitions=6)
    assert run("kshark", "demo", "--cluster", kafka, "--topic", name).code == 0
    with ThreadPoolExecutor() as several:
        found = list(several.map(lambda _: rows(listed(name)), range(4)))
    assert found == [rows(listed(name, "--no-catalog"))] * 4
    assert rows(listed(name)) == found[0]


def test_a_topic_that_was_made_anew_has_nothing_of_the_old_one(
    kafka: str, topic: TopicFactory, listed: Listing
) -> None:
    name = topic()
    produce(kafka, name, make_messages([make_tool_call(1), make_tool_call(2, session_id="sess_2")]))
    assert len(rows(listed(name))) == 2
    admin = AdminClient({"bootstrap.servers": kafka}, logger=SILENT_LOGGER)
    admin.delete_topics([name])[name].result(timeout=30)
    eventually(lambda: name not in admin.list_topics(timeout=10).topics)
    create_topic(kafka, name)
    produce(kafka, name, make_messages([make_tool_call(1), make_tool_call(2), make_session_end(3)]))
    (row,) = rows(listed(name))
    assert (row["session_id"], row["events"]) == ("sess_1", 3)


def test_a_log_that_ends_before_what_was_read_is_read_anew(fragile_kafka: KafkaCluster, listed: Listing) -> None:
    broker = fragile_kafka.brokers[0]
    there = ("--cluster", fragile_kafka.bootstrap)
    name = create_topic(fragile_kafka.bootstrap)
    produce(fragile_kafka.bootstrap, name, make_messages([make_tool_call(n) for n in range(5)]))
    assert rows(listed(name, *there))[0]["events"] == 5
    broker.kill()
    for segment in (broker.log_file.parent / "data" / f"{name}-0").glob("0*"):  # what a disk lost that was never synced
        segment.unlink()
    broker.start()
    produce(fragile_kafka.bootstrap, name, make_messages([make_tool_call(1, session_id="sess_2"), make_session_end(2)]))
    done = listed(name, *there)
    assert {row["session_id"]: row["events"] for row in rows(done)} == {"sess_1": 1, "sess_2": 1}
    assert f"topic {name} has lost records" in done.error_text
    assert "lost" not in listed(name, *there).error_text


def summed(kafka: str, topic: str, store: Store, alone: int) -> tuple[int, dict[str, Summary]]:
    """Return the number of records read, and the rows, including those of doubtful sessions."""
    searched = SearchReport("")
    with KafkaReader(
        Cluster("test", {"bootstrap.servers": kafka}, {"bootstrap.servers": "test"}, frozenset())
    ) as reader:
        CatalogueUpdate(reader, topic, store, searched, alone).run()
        while unsure := store.load_sessions_to_recompute():
            for group in group_sessions(unsure):
                records = reread_sessions(reader, topic, group, has_other_keys=store.has_other_keys())
                store_recomputed(store, group, records)
    return searched.records, {row.session_id: row for row in store.query_rows("TRUE", "session_id", {})}


def test_processes_that_share_the_partitions_say_what_one_says(kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=6)
    half = make_messages([make_tool_call(n, session_id=f"sess_{n % 40}") for n in range(400)])
    elsewhere = make_messages([make_tool_call(n + 400, session_id=f"sess_{n}") for n in range(40)], partition=0)
    with Store() as shared, Store() as alone:
        for more in (half, elsewhere, make_messages([make_event(500, "session_end", session_id="sess_3")])):
            produce(kafka, name, more)
            assert summed(kafka, name, shared, alone=0) == summed(kafka, name, alone, alone=1_000)
            assert shared.read_progress() == alone.read_progress()


@pytest.mark.parametrize("python", ["/bin/false", "/no/such/program"])
def test_what_a_helper_did_not_read_is_read_without_it(
    kafka: str, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch, python: str
) -> None:
    name = topic(partitions=6)
    produce(kafka, name, make_messages([make_tool_call(n, session_id=f"sess_{n % 40}") for n in range(400)]))
    monkeypatch.setattr(sys, "executable", python)
    with Store() as store:
        read, found = summed(kafka, name, store, alone=0)
    assert (read, len(found), sum(row.events for row in found.values())) == (400, 40, 400)


def test_another_rule_for_what_means_failed_makes_the_catalogue_anew(
    kafka: str, topic: TopicFactory, tmp_path: Path
) -> None:
    name = topic(partitions=2)
    events = [
        make_tool_call(0, "shop.buy", output="out of stock"),
        make_tool_call(1, "a", output={"ok": False}),
    ]
    produce(kafka, name, make_messages(events))
    arguments = ("sessions", "--cluster", kafka, "--topic", name, "--format", "ndjson")
    settings = tmp_path / "agentlog.toml"

    def count_errors() -> int:
        (row,) = rows(run("kshark", *arguments, cwd=tmp_path, variables={"XDG_CACHE_HOME": str(tmp_path)}))
        return int(row["errors"])

    assert count_errors() == 1
    settings.write_text("[failed.tools.'shop.*']\ntext = 'out of stock'")
    assert count_errors() == 2
    assert count_errors() == 2
    settings.write_text("[failed]\nnever = ['*']")
    assert count_errors() == 0
    settings.unlink()
    assert count_errors() == 1
