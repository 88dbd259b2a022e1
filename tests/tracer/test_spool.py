"""The spool files: who owns them, and how they survive a full disk and half a line."""

import fcntl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentlog.recording.delivery.accounting import Ledger
from agentlog.recording.delivery.options import RecordingOptions
from agentlog.recording.delivery.spool import SpoolQueue
from agentlog.recording.sinks.outbound import MILLISECOND, Author, Loss, OutboundEvent
from agentlog.settings.clusters import Settings
from tests.tracing import full_disk, read_file_events

WHEN = datetime(2026, 1, 15, 14, 0, tzinfo=UTC)
CLUSTER = Settings({}, None).get_cluster("127.0.0.1:9092")


def options(folder: Path, cluster: Any = CLUSTER, topic: str = "agent-events") -> RecordingOptions:
    return RecordingOptions(target=cluster, topic=topic, on_outage="spool", spool_folder=folder)


def records(ledger: Ledger, *numbers: int) -> list[OutboundEvent]:
    found = []
    for n in numbers:
        event = {"event_id": f"evt_{n}", "session_id": "sess_1", "agent_id": "agent", "event_type": "tool_call"}
        value = orjson.dumps(event | {"timestamp": "2026-01-15T14:00:00Z", "payload": {"text": "x" * 1_000}})
        found.append(
            OutboundEvent(Author("sess_1", "agent"), value, WHEN + n * MILLISECOND, [("agentlog.process", b"p")])
        )
        ledger.add_taken(found[-1:])
    return found


def ids(path: Path) -> list[str]:
    return [event["event_id"] for event in read_file_events(path)]


def accounts() -> Ledger:
    return Ledger(lambda _: None)


def test_what_a_full_disk_has_no_room_for_is_counted_as_lost_and_the_rest_stays_whole(tmp_path: Path) -> None:
    ledger = accounts()
    spools = SpoolQueue(options(tmp_path), ledger, "host-1-aa")
    spools.write(records(ledger, 1, 2))
    with full_disk(4_000):
        spools.write(records(ledger, 3, 4))
    spools.write(records(ledger, 5))
    (file,) = tmp_path.iterdir()
    assert ids(file) == ["evt_1", "evt_2", "evt_5"]
    assert (ledger.spooled, ledger.dropped) == (3, 2)
    assert [record.value for record in spools.next_chunk()] == [line.value for line in records(ledger, 1, 2, 5)]
    spools.release()


@pytest.mark.parametrize(
    ("cluster", "topic"),
    [
        ("127.0.0.1:9092", "agent-events.eu"),
        ("127.0.0.1:9093", "agent-events"),
        ("127-0-0-1:9092", "agent-events"),
        ("127.0.0.1:9092", "other"),
        ("127.0.0.1:9092", "o" * 249),
    ],
)
def test_events_for_another_topic_or_cluster_are_left_where_they_are(cluster: str, topic: str, tmp_path: Path) -> None:
    ledger = accounts()
    theirs = SpoolQueue(options(tmp_path, Settings({}, None).get_cluster(cluster), topic), ledger, "host-1-aa")
    theirs.write(records(ledger, 1))
    theirs.release()
    assert SpoolQueue(options(tmp_path), accounts(), "host-2-bb").is_empty
    again = SpoolQueue(options(tmp_path, Settings({}, None).get_cluster(cluster), topic), accounts(), "host-2-bb")
    assert not again.is_empty
    again.release()


def test_a_loss_that_could_not_be_told_is_told_again_with_what_was_lost_since() -> None:
    ledger = accounts()
    for record in records(ledger, 7, 8):
        ledger.count_dropped(record, "Kafka was away")
    (told,) = ledger.losses.items()
    assert told == (Author("sess_1", "agent"), Loss(2, 1_768_485_600_007, ("Kafka was away",)))
    ledger.losses = {}
    notice, event = records(ledger, 9, 10)
    notice.tells = told[1]
    ledger.count_dropped(notice, "Kafka was away again")
    ledger.count_dropped(event, "it was refused")
    assert ledger.losses == {told[0]: Loss(3, 1_768_485_600_007, ("Kafka was away", "it was refused"))}
    assert ledger.dropped == 4


def test_the_counts_have_their_sum_also_while_events_are_settled() -> None:
    ledger = accounts()
    first = records(ledger, 1)

    def record_and_settle_another() -> int:
        ledger.count_delivered(first + records(ledger, 2))
        return 2

    stats = ledger.stats(record_and_settle_another, None)
    assert stats.recorded == stats.delivered + stats.queued + stats.spooled + stats.dropped == 2


def test_half_a_line_that_a_killed_process_left_is_counted_apart_and_the_rest_is_sent(tmp_path: Path) -> None:
    ledger = accounts()
    killed = SpoolQueue(options(tmp_path), ledger, "host-1-aa")
    killed.write(records(ledger, 1, 2))
    killed.release()
    (file,) = tmp_path.iterdir()
    with file.open("ab") as lines:
        lines.write(b'{"event_id": "evt_3", "sess')
    ledger = accounts()
    later = SpoolQueue(options(tmp_path), ledger, "host-2-bb")
    chunk = later.next_chunk()
    assert [record.at_ms % 10 for record in chunk] == [1, 2]
    for record in chunk:
        later.settle(record)
    assert later.next_chunk() == []
    assert (ledger.resent, later.is_empty, list(tmp_path.iterdir())) == (2, True, [])


def test_what_has_been_sent_is_not_sent_again_by_a_later_run(tmp_path: Path) -> None:
    killed = SpoolQueue(options(tmp_path), ledger := accounts(), "host-1-aa")
    killed.write(records(ledger, *range(2_500)))
    killed.release()
    for run, sent in enumerate((1_000, 1_000, 500)):
        spools = SpoolQueue(options(tmp_path), ledger := accounts(), "host-2-bb")
        chunk = spools.next_chunk()
        assert [record.at_ms for record in chunk] == [1_768_485_600_000 + run * 1_000 + n for n in range(sent)]
        assert not spools.stop_sending()
        for record in chunk:
            spools.settle(record)
        assert spools.stop_sending()
        assert (spools.next_chunk(), ledger.resent) == ([], sent)
        spools.release()
    assert list(tmp_path.iterdir()) == []


def test_events_of_a_spool_whose_file_was_removed_are_sent_all_the_same(tmp_path: Path) -> None:
    spools = SpoolQueue(options(tmp_path / "spool"), ledger := accounts(), "host-1-aa")
    (tmp_path / "spool").rmdir()
    spools.write(records(ledger, 1, 2))
    (file,) = (tmp_path / "spool").iterdir()
    file.unlink()
    assert [record.at_ms % 10 for record in spools.next_chunk()] == [1, 2]
    spools.release()


def test_a_spool_that_another_process_has_just_sent_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = SpoolQueue(options(tmp_path), ledger := accounts(), "host-1-aa")
    killed.write(records(ledger, 1))
    killed.release()
    (file,) = tmp_path.iterdir()
    lock = fcntl.flock

    def locked_too_late(held: int, how: int) -> None:
        file.unlink(missing_ok=True)
        lock(held, how)

    monkeypatch.setattr(fcntl, "flock", locked_too_late)
    assert SpoolQueue(options(tmp_path), accounts(), "host-2-bb").is_empty
