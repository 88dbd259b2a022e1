"""Descriptors that the program closes under us: nothing of ours is written into another file, and nothing is lost."""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from agentlog.errors import UsageError
from agentlog.recording.delivery.accounting import Ledger
from agentlog.recording.delivery.spool import SpoolQueue
from agentlog.recording.sinks.file_sink import FileSink
from tests.tracer.test_spool import WHEN, accounts, ids, options, records
from tests.tracing import Recording, read_file_events

CONTENT = b"OTHER DATA " * 1_000


def find_descriptors(path: Path) -> list[int]:
    """Return our descriptors of the file at `path`, also if it was removed."""
    found = list[int]()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # another thread of the tests closes its own meanwhile
            if str(link.readlink()).removesuffix(" (deleted)") == str(path):
                found.append(int(link.name))
    return found


class OtherFile:
    """A file of the program, which it opens under the numbers of the descriptors of `path`."""

    def __init__(self, path: Path, flags: int = os.O_RDWR) -> None:
        self.path = path.with_name("other.db")
        self.path.write_bytes(CONTENT)
        self.numbers = find_descriptors(path)
        assert self.numbers
        opened = os.open(self.path, flags)
        for number in self.numbers:
            os.dup2(opened, number)
        os.close(opened)

    @property
    def is_untouched(self) -> bool:
        return self.path.read_bytes() == CONTENT and all(os.fstat(number) for number in self.numbers)

    def close(self) -> None:
        for number in self.numbers:
            os.close(number)


def close_all(path: Path) -> None:
    for number in find_descriptors(path):
        os.close(number)


def texts(path: Path) -> list[str]:
    return [event["payload"]["text"] for event in read_file_events(path) if event["event_type"] == "user_message"]


def test_events_reach_their_file_after_its_descriptor_became_another_files(recording: Recording) -> None:
    recording.tracer.user_message("before")
    assert recording.tracer.flush(10)
    other = OtherFile(recording.path)
    recording.tracer.user_message("after")
    assert recording.tracer.flush(10)
    assert texts(recording.path) == ["before", "after"]
    assert other.is_untouched
    assert [orjson.loads(line)["_record"]["offset"] for line in recording.path.read_bytes().splitlines()] == [1, 2]
    other.close()


def test_events_reach_their_file_after_its_descriptor_was_closed(recording: Recording) -> None:
    recording.tracer.user_message("before")
    assert recording.tracer.flush(10)
    close_all(recording.path)
    recording.tracer.user_message("after")
    assert recording.tracer.flush(10)
    assert texts(recording.path) == ["before", "after"]


def test_a_descriptor_of_the_same_file_that_would_overwrite_it_isnt_taken_for_ours(recording: Recording) -> None:
    recording.tracer.user_message("before")
    assert recording.tracer.flush(10)
    (number,) = find_descriptors(recording.path)
    opened = os.open(recording.path, os.O_RDWR)  # it doesn't append
    os.dup2(opened, number)
    recording.tracer.user_message("after")
    assert recording.tracer.flush(10)
    assert texts(recording.path) == ["before", "after"]
    os.close(number)
    os.close(opened)


def test_an_event_that_finds_no_way_to_its_file_isnt_counted_as_delivered(recording: Recording) -> None:
    recording.tracer.user_message("before")
    assert recording.tracer.flush(10)
    other = OtherFile(recording.path)
    recording.path.rename(recording.path.with_name("moved"))
    recording.path.mkdir()
    recording.tracer.user_message("after")
    assert not recording.tracer.flush(0.3)
    assert recording.tracer.stats().delivered == 1
    assert other.is_untouched
    recording.path.rmdir()
    assert recording.tracer.flush(10)
    assert texts(recording.path) == ["after"]
    other.close()


def test_a_sink_that_is_gone_closes_its_own_descriptor_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "run.ndjson"
    sink = FileSink(path)
    (number,) = find_descriptors(path)
    other = OtherFile(path)
    del sink
    assert os.fstat(number)
    other.close()
    sink = FileSink(path)
    del sink
    assert not find_descriptors(path)
    with pytest.raises(UsageError):
        FileSink(tmp_path)


def has_lock(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def spool_two(folder: Path) -> tuple[SpoolQueue, Ledger, Path]:
    spools = SpoolQueue(options(folder), ledger := accounts(), "host-1-aa")
    spools.write(records(ledger, 1, 2))
    (path,) = folder.iterdir()
    return spools, ledger, path


def send_all(spools: SpoolQueue) -> list[int]:
    """Send all spooled events. Return their times, in milliseconds after that of the first possible one."""
    sent = []
    while not spools.is_empty:
        for record in spools.next_chunk():
            sent.append(record.at_ms - round(WHEN.timestamp() * 1000))
            spools.settle(record)
    return sent


def test_a_spool_whose_descriptor_became_another_files_is_written_read_and_removed_by_its_path(tmp_path: Path) -> None:
    spools, ledger, path = spool_two(tmp_path / "spool")
    others = [OtherFile(path)]
    spools.write(records(ledger, 3))
    assert has_lock(path)
    assert ids(path) == ["evt_1", "evt_2", "evt_3"]
    others.append(OtherFile(path))
    chunk = spools.next_chunk()
    assert len(chunk) == 3
    others.append(OtherFile(path))
    spools.write(records(ledger, 4))
    others.append(OtherFile(path))
    for record in chunk:
        spools.settle(record)
    assert send_all(spools) == [4]
    assert not path.exists()
    assert all(other.is_untouched for other in others)
    assert (ledger.delivered, ledger.spooled, ledger.dropped) == (4, 0, 0)
    for other in others:
        other.close()


@pytest.mark.parametrize("end", [SpoolQueue.release, SpoolQueue.stop_sending])
def test_a_spool_that_is_left_to_a_later_run_closes_no_other_file(
    end: Callable[[SpoolQueue], object], tmp_path: Path
) -> None:
    spools, _, path = spool_two(tmp_path / "spool")
    other = OtherFile(path)
    end(spools)
    assert other.is_untouched
    assert ids(path) == ["evt_1", "evt_2"]
    other.close()


def test_a_spool_that_was_closed_and_removed_is_told_as_lost_and_what_comes_later_is_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spools, ledger, path = spool_two(tmp_path / "spool")
    close_all(path)
    path.unlink()
    spools.write(records(ledger, 3))
    assert send_all(spools) == [3]
    assert (ledger.delivered, ledger.spooled, ledger.dropped) == (1, 0, 2)
    assert f"2 events are lost; the spool {path}: No such file or directory" in caplog.text


def test_a_spool_that_another_run_took_meanwhile_is_left_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spools, ledger, path = spool_two(tmp_path / "spool")
    other = OtherFile(path)
    later_run = SpoolQueue(options(tmp_path / "spool"), later_ledger := accounts(), "host-2-bb")
    spools.write(records(ledger, 3))
    assert send_all(spools) == [3]
    assert (ledger.delivered, ledger.spooled, ledger.dropped) == (1, 2, 0)
    assert f"the events in {path} are left to another process" in caplog.text
    assert send_all(later_run) == [1, 2]
    assert later_ledger.resent == 2
    assert other.is_untouched
    other.close()


def test_a_file_that_stands_in_a_spools_place_is_not_removed(tmp_path: Path) -> None:
    spools, ledger, path = spool_two(tmp_path / "spool")
    chunk = spools.next_chunk()
    close_all(path)
    (tmp_path / "new").write_bytes(CONTENT)
    (tmp_path / "new").replace(path)
    for record in chunk:
        spools.settle(record)
    assert spools.next_chunk() == []
    assert spools.is_empty
    assert path.read_bytes() == CONTENT
    assert (ledger.delivered, ledger.spooled) == (2, 0)
