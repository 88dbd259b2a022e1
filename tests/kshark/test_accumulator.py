"""The sums of `kshark sessions` equal those of each session's timeline, in any order of records."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog.event import codec
from agentlog.event.event import Place, Record
from agentlog.event.partial_decode import PartialEvent, decode_partial
from agentlog.session.summary import Summary, summarize_timeline
from agentlog.session.timeline import build_timeline
from kshark.catalogue.recompute import group_sessions, store_recomputed
from kshark.catalogue.store import Store
from kshark.catalogue.write_batch import WriteBatch, merge_from
from tests.recording import make_call_started, make_event, make_tool_call, write_capture_file
from tests.running import run

NOON = datetime.fromisoformat("2026-01-15T12:00:00Z")
IDS = [f"evt_{n}" for n in range(8)]
AGENTS = ["main", "helper", "user"]
AMOUNT = st.sampled_from([None, 0, 0.1, 0.25, 3, 1e15, -1, "x"])
OUTCOME = st.sampled_from([None, "succeeded", "failed", "odd"])
ANSWER = st.sampled_from(
    [
        None,
        "",
        "sent",
        "Error: gone",
        "a\nexit status 1\n",
        {"ok": True},
        {"ok": False},
        '{"error": "gone"}',
        ["Error: gone"],
        7,
    ]
)
PAYLOAD = st.fixed_dictionaries(
    {},
    optional={
        "tool": st.sampled_from(["mail.send", "crm.find", "", 7]),
        "model": st.sampled_from(["m1", None]),
        "latency_ms": st.sampled_from([0, 500, 4000, "long"]),
        "error": st.sampled_from([None, "", "broken", {"type": "x"}]),
        "cost_usd": AMOUNT,
        "input_tokens": AMOUNT,
        "output_tokens": AMOUNT,
        "call_id": st.sampled_from([*IDS, "gone", None]),
        "call_type": st.sampled_from(["tool_call", "llm_call", "retrieval", "dance", None]),
        "to_agent_id": st.sampled_from(AGENTS),
        "from_agent_id": st.sampled_from(AGENTS),
        "status": OUTCOME,
        "goal": st.sampled_from(["send mail", "find Ann", "", 7]),
        "output": ANSWER,
        "documents": ANSWER,
        "result": ANSWER,
        "exit_code": st.sampled_from([0, 1]),
    },
)
DAYS_OFF = st.sampled_from([0] * 12 + [4_000, -20_000])
"""By how many days a clock is off."""
KINDS = (
    "tool_call", "llm_call", "retrieval", "call_started", "error", "delegation", "delegation_result", "session_start",
    "session_end",
)  # fmt: skip


@st.composite
def a_log(draw: Callable[..., Any]) -> list[Record]:
    """Draw records of two sessions, with rising offsets, copies, clocks set back and announced calls."""
    found = []
    for offset in range(draw(st.integers(0, 14))):
        fields = {
            "event_id": draw(st.sampled_from(IDS)),
            "session_id": draw(st.sampled_from(["s1", "s2"])),
            "agent_id": draw(st.sampled_from(AGENTS)),
            "timestamp": (NOON + timedelta(days=draw(DAYS_OFF), seconds=draw(st.integers(0, 20)))).isoformat(),
            "event_type": draw(st.sampled_from(KINDS)),
            "payload": draw(PAYLOAD),
            "context": draw(st.fixed_dictionaries({}, optional={"parent_event_id": st.sampled_from(IDS)})),
        }
        if status := draw(OUTCOME):
            fields["status"] = status
        headers = draw(st.sampled_from([(), (("agentlog.process", b"p"),)]))
        place = Place("t", draw(st.integers(0, 1)), offset, None, headers)
        record = codec.decode(orjson.dumps(fields), place, "")
        assert isinstance(record, Record)
        found.append(record)
    return found


def kept(runs: list[list[Record]]) -> dict[str, Summary]:
    """Return the rows after several runs of the command, each of which reads a part of the log."""
    with Store() as store:
        for number, run in enumerate(runs):
            add(store, run)
            settled(store, list(chain(*runs[: number + 1])))
        return settled(store, [])


def add(store: Store, records: list[Record]) -> None:
    chunk = WriteBatch(store)
    events = decode_partial([record.value for record in records], lambda number: records[number].place)
    chunk.add(
        (event, record.place.partition, record.place.offset)
        for event, record in zip(events, records, strict=True)
        if isinstance(event, PartialEvent)
    )
    chunk.commit()


def settled(store: Store, log: list[Record]) -> dict[str, Summary]:
    """Return the rows after the sessions in doubt were computed from the whole log."""
    there: dict[str, list[Record]] = defaultdict(list)
    for record in log:
        there[record.event.session_id].append(record)
    while unsure := store.load_sessions_to_recompute():
        for group in group_sessions(unsure):
            store_recomputed(store, group, there)
    return {row.session_id: row for row in store.query_rows("TRUE", "session_id", {})}


def by_timeline(log: list[Record]) -> dict[str, Summary]:
    sessions: dict[str, list[Record]] = defaultdict(list)
    for record in log:
        sessions[record.event.session_id].append(record)
    return {
        session_id: summarize_timeline(build_timeline(session_id, own)) for session_id, own in sorted(sessions.items())
    }


@settings(max_examples=600)
@given(a_log(), st.lists(st.integers(0, 14), max_size=3))
def test_the_rows_are_those_of_the_timelines_in_however_many_runs_they_were_read(
    log: list[Record], cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(log)]
    runs = [log[a:b] for a, b in pairwise(edges)]
    assert kept(runs) == by_timeline(log)


@settings(max_examples=100)
@given(a_log())
def test_sums_of_some_partitions_joined_with_those_of_the_others_say_what_the_timelines_say(log: list[Record]) -> None:
    with TemporaryDirectory() as folder, Store() as store:
        path = Path(folder, "other.sqlite")
        with Store(path, is_durable=False) as other:
            for into, partition in ((store, 0), (other, 1)):
                add(into, [record for record in log if record.place.partition == partition])
        merge_from(store, path, {})
        assert settled(store, log) == by_timeline(log)


def test_a_file_that_can_be_read_only_once_is_read_right(tmp_path: Path) -> None:
    file = write_capture_file(tmp_path / "run.ndjson", make_tool_call(1), make_tool_call(2), make_tool_call(1))
    kshark = Path(sys.executable).with_name("kshark")
    script = f"{kshark} sessions --file <(cat {file}) --format ndjson"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=30, check=True)
    assert orjson.loads(done.stdout)["events"] == 2


@pytest.mark.parametrize("seed", ["0", "1", "7"])
def test_sessions_that_must_be_read_again_are_settled_whatever_order_sets_have(tmp_path: Path, seed: str) -> None:
    events = [make_event(n, "delegation", payload={"to_agent_id": f"a{n}"}) for n in range(9)]
    file = write_capture_file(tmp_path / "run.ndjson", *events, events[0], make_call_started(9, "evt_3"))
    arguments = ("sessions", "--file", file, "--format", "ndjson")
    done = run("kshark", *arguments, variables={"PYTHONHASHSEED": seed})
    assert orjson.loads(done.out)["events"] == 10


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_clock_that_is_years_off_changes_no_sessions_times(tmp_path: Path, stamp: str) -> None:
    events = [make_event(n, timestamp=f"2026-01-15T14:00:0{n}Z") for n in range(4)]
    events[2]["timestamp"] = stamp
    write_capture_file(tmp_path / "run.ndjson", *events)
    [row] = map(orjson.loads, run("kshark", "sessions", "-f", tmp_path / "run.ndjson", "--format", "ndjson").lines)
    assert (row["started"], row["ended"]) == ("2026-01-15T14:00:00.000000Z", "2026-01-15T14:00:03.000000Z")
    assert row["events"] == len(events)


def test_a_session_that_lies_wholly_outside_of_our_time_is_not_the_newest(tmp_path: Path) -> None:
    events = [make_event(n, timestamp="2026-01-15T14:00:00Z") for n in range(2)]
    events.append(make_event(5, session_id="odd", timestamp="9999-12-31T23:59:59Z"))
    write_capture_file(tmp_path / "run.ndjson", *events)
    lines = run("kshark", "sessions", "-f", tmp_path / "run.ndjson", "--format", "ndjson").lines
    assert [orjson.loads(line)["session_id"] for line in lines] == [events[0]["session_id"], "odd"]
    assert orjson.loads(lines[1])["status"] == "never-ended"
