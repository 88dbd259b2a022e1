"""The sums of `kshark stats` equal those over all records, for any division into parts."""

from collections import Counter
from math import fsum
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.codec import decode
from agentlog.event.event import Place
from agentlog.log.source import RecordOrUnreadable
from agentlog.terminal.style import paint_plain
from agentlog.terminal.text_width import cell_width
from kshark.live.counters import SlidingWindow, Tally, merge_tallies
from kshark.live.stats_text import Statistics, build_document, render_lines
from tests.recording import make_call_started, make_event, make_tool_call

costs = st.none() | st.floats(0, 5) | st.just("much")
payloads = st.fixed_dictionaries(
    {}, optional={"cost_usd": costs, "error": st.sampled_from([None, "", "no: gone", {"type": "x"}])}
)
written = st.builds(
    lambda kind, session, payload: orjson.dumps(make_event(0, kind, session_id=session, payload=payload)),
    st.sampled_from(["llm_call", "tool_call", "error", "session_end", "call_started", "made_up"]),
    st.sampled_from(["sess_a", "sess_b"]),
    payloads,
) | st.just(b"no json")


def found(value: bytes, partition: int = 0) -> RecordOrUnreadable:
    return decode(value, Place("t", partition, 0, 0), "here")


def tallied(values: list[bytes]) -> Tally:
    tally = Tally()
    for n, value in enumerate(values):
        tally.add(found(value, n % 3))
    return tally


@given(st.lists(written))
def test_the_sums_are_those_of_the_raw_records(values: list[bytes]) -> None:
    tally = tallied(values)
    events: list[dict[str, Any]] = [orjson.loads(value) for value in values if value != b"no json"]
    priced = [
        e for e in events if e["event_type"] != "call_started" and isinstance(e["payload"].get("cost_usd"), float)
    ]
    assert (tally.events, tally.unreadable) == (len(events), len(values) - len(events))
    assert tally.sessions == Counter(e["session_id"] for e in events)
    assert tally.types == Counter(e["event_type"] for e in events)
    assert tally.partitions == Counter(n % 3 for n in range(len(values)))
    assert tally.cost_usd == (round(fsum(e["payload"]["cost_usd"] for e in priced), 9) if priced else None)
    failed = [e for e in events if e["event_type"] == "error" or e["payload"].get("error")]
    assert tally.errors == sum(e["event_type"] != "session_end" for e in failed)
    llm = [e for e in events if e["event_type"] == "llm_call"]
    assert (tally.llm_calls, tally.unpriced) == (len(llm), sum(e not in priced for e in llm))
    sizes = sorted(len(value) for value in values if value != b"no json")
    assert tally.bytes == sum(sizes)
    for share in (0.5, 0.95, 1):
        assert tally.size_quantile(share) == (sizes[max(-int(-share * len(sizes) // 1), 1) - 1] if sizes else None)
    assert tally.count_over(180) == sum(size > 180 for size in sizes)


@given(st.lists(written), st.lists(written), st.lists(written))
def test_the_sum_of_parts_is_that_of_the_whole(first: list[bytes], second: list[bytes], third: list[bytes]) -> None:
    parts = merge_tallies(map(tallied, (first, second, third)))
    whole = tallied([*first, *second, *third])
    parts.partitions = whole.partitions  # which `tallied` deals out anew for each part
    assert build_document(Statistics("t", 0, 1000, parts, 5)) == build_document(Statistics("t", 0, 1000, whole, 5))


def test_a_window_forgets_what_is_older() -> None:
    window = SlidingWindow(60)
    for second in range(200):
        window.add(found(orjson.dumps(make_event(second))), 1_000_000 + second)
    assert window.sum_until(1_000_199.5).events == 60
    assert window.sum_until(1_000_229.5).events == 30
    assert window.sum_until(2_000_000).events == 0


def test_an_unknown_cost_is_unknown_and_not_nothing() -> None:
    unpriced = tallied([orjson.dumps(make_event(0, "llm_call", payload={"model": "m"}))])
    said = build_document(Statistics("t", 0, 60_000, unpriced, 5))
    assert (said["cost_usd"], said["cost_usd_per_hour"], said["unpriced"]) == (None, None, 1)
    assert "cost        unknown, 1 llm call of 1 without a price" in render_lines(
        Statistics("t", 0, 60_000, unpriced, 5), 80, paint_plain
    )


def test_an_hour_costs_what_the_time_costs_as_often_as_it_fits() -> None:
    priced = tallied([orjson.dumps(make_event(0, "llm_call", payload={"cost_usd": 0.25}))])
    assert build_document(Statistics("t", 0, 900_000, priced, 5))["cost_usd_per_hour"] == 1.0


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=20), st.sampled_from([40, 80, 160]))
def test_no_line_is_wider_than_the_terminal_or_steers_it(names: list[str], columns: int) -> None:
    steering = "\x1b[2J\u202e"
    calls = [orjson.dumps(make_tool_call(0, name, error=steering + name, session_id=name + steering)) for name in names]
    shown = Statistics("topic" * 30, 0, 1000, tallied([*calls, orjson.dumps(make_call_started(1, "evt"))]), 5)
    for line in render_lines(shown, columns, paint_plain):
        assert cell_width(line) <= columns
        assert line.isprintable() or not {"\x1b", "\u202e"} & set(line)


def test_nothing_is_said_of_what_is_not_there() -> None:
    assert (
        list(render_lines(Statistics("topic t", 0, 1000, Tally(), 5), 80, paint_plain))[-1]
        == "events      0, 0.0 a second, 0 bytes"
    )
    said = build_document(Statistics("topic t", 0, 1000, Tally(), 5))
    assert said["sizes"] == {"p50": None, "p95": None, "max": None, "limit": 10_000, "over": 0}


def test_an_answer_that_failed_is_an_error_with_a_name() -> None:
    events = [make_tool_call(n, output={"status_code": 503, "body": "try later"}) for n in range(2)]
    tally = tallied([orjson.dumps(event) for event in (*events, make_tool_call(2, output={"status_code": 200}))])
    assert (tally.errors, tally.error_names) == (2, Counter({"status_code 503": 2}))


def test_an_error_of_several_lines_is_named_by_its_telling_line() -> None:
    trace = "Traceback (most recent call last):\n  File x, line 1\nerp.Gateway: 502"
    errors = ["\n disk full \n\n on node 7", trace, "e" * 500]
    tally = tallied([orjson.dumps(make_tool_call(n, error=error)) for n, error in enumerate(errors)])
    assert set(tally.error_names) == {"disk full", "erp.Gateway: 502", f"{'e' * 77}...{'e' * 40}"}
