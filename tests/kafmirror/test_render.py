"""Tables and plans that fit the terminal, alerts about a lag, and the health of a mirror."""

import io
import logging
import time

import pytest

from agentlog.terminal.live_screen import Screen, write_log_above
from agentlog.terminal.style import paint_plain
from kafmirror.commands.metrics import MAX_SILENCE_S, StatusPage
from kafmirror.commands.text import Terminal, live_lines, plan_lines, table_lines
from kafmirror.kafka.metadata import Partition
from kafmirror.lag.lag import NO_LAG, UNKNOWN_LAG, Lag, Threshold
from kafmirror.lag.partition_status import PartitionStatus
from kafmirror.lag.threshold_alerts import LOG_AGAIN_S, ThresholdAlerts
from kafmirror.plan.plan import Plan, TopicPlan


def make_status(
    number: int, lag: Lag = NO_LAG, topic: str = "agent-events", problem: str | None = None
) -> PartitionStatus:
    partition = Partition(topic, number)
    return PartitionStatus(partition, partition, 1_000_000, 1_000_000, 1_000_000, lag, problem=problem)


@pytest.mark.parametrize("columns", [20, 40, 80, 160])
def test_a_table_fits_its_columns_and_leaves_out_what_is_least_needed(columns: int) -> None:
    rows = [make_status(number, Lag(1200, 3.2)) for number in range(3)]
    lines = table_lines(rows, paint_plain, columns, {})
    assert max(map(len, lines)) <= columns
    heads = ["partition", "position", "source end", "behind", "lag", "records/s", "data/s"]
    shown = [head for head in heads if head in lines[0]]
    assert shown[0] == "partition"
    assert ("lag" in shown, "behind" in shown, "data/s" in shown) == (columns > 20, columns > 20, columns > 40)
    assert shown == [head for head in heads if head in shown]


@pytest.mark.parametrize("columns", [40, 80, 100])
def test_a_plan_is_broken_to_the_width_and_says_each_thing_beside_its_label(columns: int) -> None:
    changes = {"retention.ms": "-1", "message.timestamp.before.max.ms": "9223372036854775807", "segment.ms": None}
    refusals = ("t[0] holds records that aren't the source's: at offset 7 they differ in value",)
    topic = TopicPlan("t", "t", 2, True, True, changes, {}, 12, 3000, refusals, ("the topic is compacted",))
    lines = list(plan_lines(Plan("us-east-1", "eu-west-1", (topic,)), paint_plain, columns))
    assert max(map(len, lines)) <= columns
    fields = {line[2:10].strip(): line[12:] for line in lines if line.startswith("  ") and line[2] != " "}
    assert list(fields) == ["create", "widen", "settings", "to copy", "note", "refused"]
    assert (fields["create"], fields["to copy"]) == ("2 partitions, 3.0 kB on disk", "12 records")
    flowing = " ".join(line.strip() for line in lines)
    assert "retention.ms=-1" in flowing
    assert "segment.ms=(default)" in flowing


def test_a_long_name_is_cut_in_its_middle_and_leaves_room_for_the_lag() -> None:
    heads, *rows = table_lines([make_status(n, topic="a" * 200) for n in (7, 8)], paint_plain, 100)
    assert heads.split() == ["partition", "position", "source", "end", "behind", "lag"]
    assert [row.split()[0][-6:] for row in rows] == ["aaa[7]", "aaa[8]"]
    assert [len(row.split()[0]) for row in rows] == [50, 50]


def test_a_problem_is_broken_to_the_width_and_never_obeyed() -> None:
    lines = table_lines([make_status(0, UNKNOWN_LAG, problem="gone \x1b[31m " + "word " * 30)], paint_plain, 40)
    assert max(map(len, lines)) <= 40
    assert "\x1b" not in "".join(lines)


def test_a_terminal_with_too_few_lines_shows_the_partitions_that_are_furthest_behind() -> None:
    rows = [make_status(number, Lag(number, float(number))) for number in range(50)]
    lines = live_lines(
        [*rows, make_status(50, UNKNOWN_LAG)], {}, ["waiting for eu-west-1"], Terminal(79, 10, paint_plain)
    )
    assert len(lines) <= 9
    assert [line.split()[0] for line in lines[1:7]] == [f"agent-events[{n}]" for n in range(45, 51)]
    assert lines[7] == "and 45 more, none further behind"


def test_a_line_of_the_log_appears_above_the_table() -> None:
    terminal = io.StringIO()
    screen, log = Screen(terminal), logging.getLogger("test-screen")
    handler = logging.StreamHandler(terminal)
    logging.getLogger().addHandler(handler)
    try:
        with write_log_above(screen, terminal):
            screen.draw(["one", "two"])
            log.warning("said")
            screen.draw(["three"])
    finally:
        logging.getLogger().removeHandler(handler)
    assert terminal.getvalue() == "one\ntwo\n\x1b[2F\x1b[Jsaid\none\ntwo\n\x1b[2F\x1b[Jthree\n"


def test_a_lag_is_logged_when_it_begins_while_it_lasts_and_when_it_is_over(
    caplog: pytest.LogCaptureFixture,
) -> None:
    alerts = ThresholdAlerts(Threshold(seconds=10))
    alerts.update([make_status(0, Lag(5, 11.0)), make_status(1, Lag(1, 9.0))], 100.0)
    alerts.update([make_status(0, Lag(9, 20.0)), make_status(1)], 109.0)
    assert alerts.describe_alerts(109.0) == ["agent-events[0] has been over 10 s for 9 s: behind by 9 records, 20.0 s"]
    alerts.update([make_status(0, Lag(9, 41.0))], 100.0 + LOG_AGAIN_S)
    alerts.update([make_status(0)], 140.0)
    assert caplog.messages == [
        "agent-events[0] is over 10 s: behind by 5 records, 11.0 s",
        "agent-events[0] has been over 10 s for 30 s: behind by 9 records, 41.0 s",
        "agent-events[0] is within 10 s again, after 40 s",
    ]


def test_an_unknown_lag_is_logged_as_unknown(caplog: pytest.LogCaptureFixture) -> None:
    alerts = ThresholdAlerts(Threshold(seconds=10))
    alerts.update([make_status(0, UNKNOWN_LAG), make_status(1, Lag(5, None))], 100.0)
    assert caplog.messages == [
        "agent-events[0] counts as over 10 s: its lag is unknown",
        "agent-events[1] counts as over 10 s: behind by 5 records, for an unknown time",
    ]


def test_a_mirror_that_no_longer_reports_its_state_is_not_healthy() -> None:
    page = StatusPage()
    page.update([make_status(0)], [], [])
    assert page.check_health() == (200, "ok")
    page.updated_at = time.monotonic() - MAX_SILENCE_S - 1
    assert page.check_health()[0] == 503
