"""`kshark stats` on real Kafka: its sums equal those of the raw records."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import fsum
from typing import Any

import orjson
import pytest

from agentlog.event.codec import decode
from agentlog.event.event import Place, Record
from devkafka import Message, produce
from tests.integration.test_import import Lies, held
from tests.recording import Event, make_event, make_messages, make_tool_call
from tests.running import RunningTool, Terminal, run

TopicFactory = Callable[..., str]


def recent(seconds: float, event_id: str, event_type: str = "tool_call", **fields: Any) -> Event:
    """Make an event of some seconds ago."""
    at = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return make_event(0, event_type, event_id=event_id, timestamp=at, **fields)


def stats(kafka: str, topic: str, *options: str) -> dict[str, Any]:
    done = run("kshark", "stats", "--cluster", kafka, "--topic", topic, "--format", "ndjson", *options)
    assert done.code == 0, done.error_text
    (line,) = done.lines
    return dict(orjson.loads(line))


@pytest.fixture(scope="module")
def story(kafka: str, topic: TopicFactory) -> str:
    """Return a topic with the story, shifted to this morning."""
    name = topic(partitions=5)
    done = run("kshark", "demo", "--cluster", kafka, "--topic", name, "--began", "-5h")
    assert done.code == 0, done.error_text
    return name


def readable(lies: list[Lies]) -> list[tuple[dict[str, Any], int]]:
    """Yield every event of the raw records, and its size."""
    found = []
    for each in lies:
        record = decode(each.value, Place("t", 0, 0), "")
        if isinstance(record, Record) and each.key in (None, record.event.session_id.encode()):
            found.append((orjson.loads(each.value or b""), len(each.value or b"")))
    return found


@pytest.mark.parametrize(("start", "end"), [("-1d", None), ("-4h", None), ("-1d", "-4h")])
def test_the_sums_are_those_of_the_raw_records(kafka: str, story: str, start: str, end: str | None) -> None:
    said = stats(kafka, story, "--from", start, "--top", "1000", *(["--to", end] if end else []))
    bounds = [datetime.fromisoformat(said[name]).timestamp() * 1000 for name in ("from", "to")]
    lies = [each for each in held(kafka, story) if bounds[0] <= each.timestamp <= (bounds[1] if end else 2**63)]
    events = [each for each, _ in readable(lies)]
    sizes = sorted(size for _, size in readable(lies))
    costs = [e["payload"]["cost_usd"] for e in events if "cost_usd" in e.get("payload", {})]
    failed = [e for e in events if e["event_type"] == "error" or e.get("payload", {}).get("error")]
    assert said["events"] == len(events) > 500
    assert said["unreadable"] == len(lies) - len(events)
    assert said["sessions"] == len({e["session_id"] for e in events})
    assert said["types"] == Counter(e["event_type"] for e in events)
    assert said["errors"] == sum(e["event_type"] != "session_end" for e in failed)
    assert said["cost_usd"] == round(fsum(costs), 9)
    assert said["cost_usd_per_hour"] == pytest.approx(fsum(costs) * 3600 / said["seconds"])
    assert said["bytes"] == sum(sizes)
    assert (said["sizes"]["max"], said["sizes"]["p50"]) == (sizes[-1], sizes[-(-len(sizes) // 2) - 1])
    assert said["sizes"]["over"] == sum(size > 10_000 for size in sizes)
    assert {p["partition"]: p["records"] for p in said["partitions"]} == Counter(each.partition for each in lies)
    busiest = {s["session_id"]: s["events"] for s in said["busiest_sessions"]}
    assert busiest == Counter(e["session_id"] for e in events)
    assert said["events_per_s"] == round(len(events) / said["seconds"], 3)


def test_what_cannot_be_read_is_named(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    produce(kafka, name, [Message("sess_1", b"no json", round(time.time() * 1000))])
    done = run("kshark", "stats", "--cluster", kafka, "--topic", name, "--format", "ndjson")
    assert done.error_text.startswith(f"unreadable: {name}[0]@0: not JSON")
    assert orjson.loads(done.out)["unreadable"] == 1


def test_an_empty_topic_has_nothing_and_knows_no_cost(kafka: str, topic: TopicFactory) -> None:
    said = stats(kafka, topic())
    assert (said["events"], said["events_per_s"], said["cost_usd"], said["cost_usd_per_hour"]) == (0, 0, None, None)


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_a_picture(kafka: str, story: str, columns: int) -> None:
    arguments = ("stats", "--cluster", kafka, "--topic", story, "--from", "-1d")
    terminal = Terminal("kshark", *arguments, columns=columns, rows=40)
    assert terminal.wait_for_end() == 0
    wanted = ["events", "sessions", "cost", "sizes", "types", "errors", "partitions"]
    names = [line.split(" ", maxsplit=1)[0] for line in terminal.lines if line and line[0] != " "]
    assert [each for each in names if each in wanted] == wanted
    assert any("sess_invoice_847 888" in line for line in terminal.lines)


def test_follow_goes_on_with_what_comes_in_and_forgets_what_is_older(kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=2)
    produce(kafka, name, make_messages([recent(60, "evt_old"), recent(2, "evt_new")]))
    arguments = ("--follow", "--from", "-8s", "--cluster", kafka, "--topic", name, "--format", "ndjson")
    running = RunningTool("kshark", "stats", *arguments)
    try:
        while orjson.loads(running.read_line())["events"] != 1:
            pass
        produce(
            kafka, name, make_messages([make_tool_call(n) for n in range(5)])
        )  # of January: it counts when it came in
        while (said := orjson.loads(running.read_line()))["events"] != 6:
            pass
        assert said["types"] == {"tool_call": 6}
        while orjson.loads(running.read_line())["events"] != 5:  # the first is more than eight seconds old by now
            pass
        running.send_signal(signal.SIGINT)
        assert running.wait_for_end()[0] == 130
    finally:
        running.kill()
        running.wait_for_end()


def test_in_a_terminal_the_view_is_drawn_over_itself_until_ctrl_c(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    terminal = Terminal("kshark", "stats", "--follow", "--cluster", kafka, "--topic", name, rows=30)
    terminal.wait_for_text("events      0, ")
    produce(kafka, name, make_messages([recent(0, "evt_1", session_id="sess_\x1b[2J")]))
    terminal.wait_for_text("events      1, ")
    assert sum("topic " in line for line in terminal.screen.display) == 1
    assert any("sess_\\u001b[2J 1 (100%)" in line for line in terminal.lines)
    terminal.process.sendintr()
    assert terminal.wait_for_end() == 130


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--follow", "--to", "now"], "leave out --to"),
        (["--from", "@12"], "takes a time"),
        (["--from", "now", "--to", "-1h"], "lies before"),
    ],
)
def test_what_makes_no_sense_is_2(options: list[str], why: str) -> None:
    done = run("kshark", "stats", "--cluster", "127.0.0.1:1", *options)
    assert (done.code, why in done.error_text) == (2, True)
