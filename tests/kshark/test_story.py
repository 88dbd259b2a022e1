"""The demo's story: the same bytes each time, with all that the README promises."""

import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import isclose
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog.event.partitioner import PARTITIONERS
from kshark import story as demo_story
from kshark.story import StoryRecord, assign_places, build_story
from kshark.story.agents import MODELS, Tokens, cost_usd

Event = dict[str, Any]

REQUIRED = ("event_id", "session_id", "agent_id", "timestamp", "event_type", "payload", "context")
PAYLOADS = {
    "session_start": {"goal"},
    "user_message": {"text"},
    "agent_message": {"text"},
    "llm_call": {"model", "input", "input_tokens", "output_tokens", "cached_tokens", "cost_usd", "latency_ms"},
    "tool_call": {"tool", "input", "latency_ms"},
    "retrieval": {"query", "documents", "latency_ms"},
    "decision": {"action", "alternatives"},
    "delegation": {"to_agent_id", "task"},
    "delegation_result": {"from_agent_id"},
    "memory_write": {"key", "value"},
    "error": {"type", "message"},
    "call_started": {"call_id", "call_type", "input"},
    "session_end": {"status"},
}
SPECIAL = {
    demo_story.INVOICE_847,
    demo_story.INVOICE_OK,
    demo_story.SUPPORT_SEARCH,
    demo_story.REPORT_HISTORY,
    demo_story.TRIP_PLANNER,
    demo_story.VISA_CHECK,
    demo_story.CRASHED,
    demo_story.LATE,
    demo_story.CLOCK_SKEW,
    demo_story.LARGE,
    demo_story.HOSTILE,
}


class Kept(NamedTuple):
    """A record that holds an event, and the event."""

    record: StoryRecord
    event: Event


@pytest.fixture(scope="module")
def records() -> list[StoryRecord]:
    return build_story()


@pytest.fixture(scope="module")
def kept(records: list[StoryRecord]) -> list[Kept]:
    """Return the records that hold an event, with copies, in the order of arrival."""
    return [Kept(record, event) for record in records if (event := decoded(record)) is not None]


@pytest.fixture(scope="module")
def sessions(kept: list[Kept]) -> dict[str, list[Event]]:
    """Return the events of each session, each once, in the order of arrival."""
    found: dict[str, dict[str, Event]] = defaultdict(dict)
    for _, event in kept:
        found[event["session_id"]].setdefault(event["event_id"], event)
    return {session_id: list(events.values()) for session_id, events in found.items()}


def decoded(record: StoryRecord) -> Event | None:
    try:
        event: Event = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return None
    return event


def of_type(events: list[Event], *event_types: str) -> list[Event]:
    return [event for event in events if event["event_type"] in event_types]


def payloads(events: list[Event], event_type: str) -> list[dict[str, Any]]:
    return [event["payload"] for event in of_type(events, event_type)]


def moment(event: Event) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def began(event: Event) -> datetime:
    return moment(event) - timedelta(milliseconds=event["payload"].get("latency_ms", 0))


def status(events: list[Event]) -> str | None:
    ends = payloads(events, "session_end")
    return ends[0]["status"] if ends else None


def test_the_story_is_the_same_on_each_call(records: list[StoryRecord]) -> None:
    assert build_story() == records


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_story_is_the_same_in_each_process(records: list[StoryRecord], hash_seed: str) -> None:
    hashed = "sha256(repr(build_story()).encode()).hexdigest()"
    script = f"from hashlib import sha256; from kshark.story import build_story; print({hashed})"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == hashlib.sha256(repr(records).encode()).hexdigest()


def test_another_seed_tells_it_with_other_numbers(records: list[StoryRecord]) -> None:
    other = build_story(seed=1)
    assert other != records
    assert {record.key for record in other} == {record.key for record in records}


@settings(max_examples=10)
@given(st.integers())
def test_its_counts_hold_for_any_seed(seed: int) -> None:
    events = [event for record in build_story(seed=seed) if (event := decoded(record)) is not None]
    assert len(events) - len({event["event_id"] for event in events}) == demo_story.LATE_DUPLICATES
    runaway = [event for event in events if event["session_id"] == demo_story.INVOICE_847]
    assert len(of_type(runaway, "tool_call")) == demo_story.RUNAWAY_TOOL_CALLS
    assert 4_000 <= len(events) <= 8_000


def test_another_beginning_moves_every_record_by_the_same_time(records: list[StoryRecord]) -> None:
    moved = build_story(demo_story.START_TIME + timedelta(days=3))
    assert {new.timestamp - old.timestamp for new, old in zip(moved, records, strict=True)} == {3 * 86_400_000}


def test_there_are_thousands_of_events_over_some_forty_sessions(
    kept: list[Kept], sessions: dict[str, list[Event]]
) -> None:
    assert 4_000 <= len(kept) <= 8_000
    assert 40 <= len(sessions) <= 50
    assert sessions.keys() > SPECIAL


def test_it_all_happens_within_two_or_three_hours_of_one_day(kept: list[Kept]) -> None:
    moments = [moment(event) for _, event in kept]
    assert timedelta(hours=2) <= max(moments) - min(moments) <= timedelta(hours=3)
    assert {each.date() for each in moments} == {demo_story.START_TIME.date()}


def test_sessions_are_interleaved(records: list[StoryRecord]) -> None:
    switches = sum(one.key != other.key for one, other in pairwise(records))
    assert switches > len(records) / 6


def test_others_are_at_work_while_the_runaway_runs(records: list[StoryRecord]) -> None:
    keys = [record.key.decode() for record in records]
    first, last = keys.index(demo_story.INVOICE_847), len(keys) - keys[::-1].index(demo_story.INVOICE_847)
    assert len(set(keys[first:last])) > 8


def test_every_event_has_what_its_type_calls_for(kept: list[Kept]) -> None:
    for _, event in kept:
        assert tuple(event) == REQUIRED
        assert PAYLOADS[event["event_type"]] <= event["payload"].keys(), event
    assert {event["event_type"] for _, event in kept} == PAYLOADS.keys()


def test_a_record_has_its_sessions_key_and_its_events_time(kept: list[Kept]) -> None:
    for record, event in kept:
        assert record.key == event["session_id"].encode()
        assert record.timestamp == moment(event).timestamp() * 1000
        assert event["timestamp"] == datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(
            timespec="milliseconds"
        ).replace("+00:00", "Z")


def test_every_record_names_the_process_that_recorded_it(records: list[StoryRecord]) -> None:
    for record in records:
        assert [name for name, _ in record.headers] == ["agentlog.process"]
        assert record.headers[0][1]


def test_a_process_records_for_one_agent_in_one_session(kept: list[Kept]) -> None:
    owners = defaultdict(set)
    for record, event in kept:
        owners[record.headers, event["session_id"]].add(event["agent_id"])
    assert {len(agents) for agents in owners.values()} == {1}


def test_no_record_is_larger_than_a_recorder_keeps(records: list[StoryRecord]) -> None:
    assert max(len(record.value or b"") for record in records) <= 10_000


def test_an_event_id_comes_twice_only_where_a_client_sent_it_again(kept: list[Kept]) -> None:
    counts = Counter(event["event_id"] for _, event in kept)
    copies = [Kept(*each) for each in kept if counts[each.event["event_id"]] > 1]
    assert set(counts.values()) == {1, 2}
    assert {each.event["session_id"] for each in copies} == {demo_story.LATE}
    assert len(copies) == 2 * demo_story.LATE_DUPLICATES


def test_every_parent_exists(kept: list[Kept]) -> None:
    ids = {event["event_id"] for _, event in kept}
    parents = {event["context"]["parent_event_id"] for _, event in kept if "parent_event_id" in event["context"]}
    assert parents <= ids | open_calls([event for _, event in kept])


def open_calls(events: list[Event]) -> set[str]:
    own = {event["event_id"] for event in events}
    return {payload["call_id"] for payload in payloads(events, "call_started")} - own


def test_a_call_that_was_announced_began_when_it_was_announced(sessions: dict[str, list[Event]]) -> None:
    for events in sessions.values():
        calls = {event["event_id"]: event for event in events}
        for started in of_type(events, "call_started"):
            call = calls.get(started["payload"]["call_id"])
            if call is not None:
                assert began(call) == moment(started)
                assert call["event_type"] == started["payload"]["call_type"]


def test_a_call_costs_its_tokens_at_list_price(kept: list[Kept]) -> None:
    for _, event in kept:
        if event["event_type"] == "llm_call":
            used = event["payload"]
            tokens = Tokens(used["input_tokens"], used["output_tokens"], used["cached_tokens"])
            assert 0 <= tokens.cached <= tokens.input
            assert used["cost_usd"] == cost_usd(used["model"], tokens)


def test_the_list_price_counts_cached_tokens_apart() -> None:
    price = MODELS["claude-sonnet-4-5"]
    assert (price.input, price.cached, price.output) == (3, 0.3, 15)
    assert cost_usd("claude-sonnet-4-5", Tokens(1_000_000, 100_000, 400_000)) == pytest.approx(1.8 + 0.12 + 1.5)


def test_decisions_say_why_and_how_sure(kept: list[Kept]) -> None:
    for _, event in kept:
        if event["event_type"] == "decision":
            assert event["context"]["reasoning"]
            assert event["context"]["model"] in MODELS
            assert 0 < event["context"]["confidence"] <= 1


def test_the_runaway_makes_847_calls_of_which_164_are_one_refused_request(sessions: dict[str, list[Event]]) -> None:
    calls = payloads(sessions[demo_story.INVOICE_847], "tool_call")
    refused = [call for call in calls if "error" in call]
    assert (len(calls), len(refused)) == (demo_story.RUNAWAY_TOOL_CALLS, demo_story.RUNAWAY_ERRORS) == (847, 164)
    assert {orjson.dumps([call["tool"], call["input"], call["error"]]) for call in refused} == {
        orjson.dumps([refused[0]["tool"], refused[0]["input"], refused[0]["error"]])
    }
    assert refused[0]["tool"] == "stripe.create_invoice"
    assert refused[0]["error"].startswith("rate_limit")


def test_the_runaway_retries_every_055_seconds_for_90_seconds_after_its_decision(
    sessions: dict[str, list[Event]],
) -> None:
    events = sessions[demo_story.INVOICE_847]
    decision = next(event for event in of_type(events, "decision") if "retry" in event["payload"]["action"])
    retries = [event for event in of_type(events, "tool_call") if "error" in event["payload"]][1:]
    assert decision["context"]["confidence"] == 0.94
    assert "not sent yet" in decision["context"]["reasoning"]
    assert {event["context"]["parent_event_id"] for event in retries} == {decision["event_id"]}
    gaps = [began(later) - began(sooner) for sooner, later in pairwise(retries)]
    assert timedelta(seconds=0.54) <= min(gaps) <= max(gaps) <= timedelta(seconds=0.56)
    assert timedelta(seconds=88) < moment(retries[-1]) - began(retries[0]) < timedelta(seconds=91)


def test_the_runaway_costs_what_it_is_known_for(sessions: dict[str, list[Event]]) -> None:
    asked = payloads(sessions[demo_story.INVOICE_847], "llm_call")
    own = [call["input_tokens"] for call in asked if call["model"] != "claude-haiku-4-5"]
    assert len(asked) == demo_story.RUNAWAY_LLM_CALLS
    assert sum(call["input_tokens"] + call["output_tokens"] for call in asked) == demo_story.RUNAWAY_TOKENS
    assert round(sum(call["cost_usd"] for call in asked), 2) == demo_story.RUNAWAY_COST_USD
    assert own == sorted(own)


def test_the_runaway_starts_at_142309_asks_for_help_and_fails(sessions: dict[str, list[Event]]) -> None:
    events = sessions[demo_story.INVOICE_847]
    assert events[0]["timestamp"].startswith("2026-01-15T14:23:09")
    assert payloads(events, "delegation")[0] == {"to_agent_id": "research-agent", "task": "find the billing address"}
    assert "1 Market Street" in payloads(events, "delegation_result")[0]["result"]
    assert of_type(events, "retrieval")
    assert status(events) == "failed"
    assert timedelta(minutes=2) < moment(events[-1]) - moment(events[0]) < timedelta(minutes=12)


def test_the_same_goal_succeeds_in_nine_calls(sessions: dict[str, list[Event]]) -> None:
    good, bad = sessions[demo_story.INVOICE_OK], sessions[demo_story.INVOICE_847]
    assert payloads(good, "session_start") == payloads(bad, "session_start")
    assert len(of_type(good, "tool_call")) == demo_story.OK_TOOL_CALLS == 9
    assert status(good) == "succeeded"


def test_both_invoices_go_the_same_way_up_to_the_decision_after_the_refusal(sessions: dict[str, list[Event]]) -> None:
    def steps(session_id: str) -> list[Event]:
        return of_type(sessions[session_id], "user_message", "tool_call", "decision")

    pairs = list(zip(steps(demo_story.INVOICE_OK), steps(demo_story.INVOICE_847), strict=False))
    first = next(at for at, (good, bad) in enumerate(pairs) if good["payload"] != bad["payload"])
    good, bad = pairs[first]
    assert "error" in pairs[first - 1][0]["payload"]
    assert (good["event_type"], bad["event_type"]) == ("decision", "decision")
    assert ("wait" in good["payload"]["action"], "at once" in bad["payload"]["action"]) == (True, True)


def test_support_searches_for_the_same_thing_in_every_iteration(sessions: dict[str, list[Event]]) -> None:
    events = sessions[demo_story.SUPPORT_SEARCH]
    queries = [payload["query"] for payload in payloads(events, "retrieval")]
    assert len(queries) == len(of_type(events, "llm_call")) == demo_story.SEARCHES
    assert len(set(queries)) == 1


def test_the_report_sends_its_whole_history_uncached(sessions: dict[str, list[Event]]) -> None:
    asked = payloads(sessions[demo_story.REPORT_HISTORY], "llm_call")
    assert [call["input_tokens"] for call in asked] == [
        demo_story.REPORT_FIRST_TOKENS + step * demo_story.REPORT_STEP_TOKENS for step in range(demo_story.REPORT_STEPS)
    ]
    assert {call["cached_tokens"] for call in asked} == {0}
    assert asked[-1]["cost_usd"] > 10 * asked[0]["cost_usd"]


def test_the_trip_is_planned_three_agents_deep(sessions: dict[str, list[Event]]) -> None:
    events = {event["event_id"]: event for event in sessions[demo_story.TRIP_PLANNER]}

    def asked_by(agent_id: str) -> str:
        first = next(event for event in events.values() if event["agent_id"] == agent_id)
        delegation = events[first["context"]["parent_event_id"]]
        assert delegation["event_type"] == "delegation"
        assert delegation["payload"]["to_agent_id"] == agent_id
        return str(delegation["agent_id"])

    chain = ["currency-agent", "fares-agent", "research-agent", "trip-planner"]
    assert [asked_by(agent_id) for agent_id in chain[:3]] == chain[1:]


def test_two_agents_of_the_trip_work_at_the_same_time(sessions: dict[str, list[Event]]) -> None:
    def span(agent_id: str) -> tuple[datetime, datetime]:
        own = [event for event in sessions[demo_story.TRIP_PLANNER] if event["agent_id"] == agent_id]
        return began(own[0]), moment(own[-1])

    (one_began, one_ended), (other_began, other_ended) = span("research-agent"), span("hotels-agent")
    assert max(one_began, other_began) < min(one_ended, other_ended)


def test_every_delegation_has_a_result_by_its_delegator(sessions: dict[str, list[Event]]) -> None:
    for events in sessions.values():
        results = {
            (event["context"]["parent_event_id"], event["agent_id"]) for event in of_type(events, "delegation_result")
        }
        assert results == {(event["event_id"], event["agent_id"]) for event in of_type(events, "delegation")}


def test_one_agent_of_the_trip_has_a_session_of_its_own(sessions: dict[str, list[Event]]) -> None:
    delegation = of_type(sessions[demo_story.TRIP_PLANNER], "delegation")[-1]
    assert delegation["payload"]["child_session_id"] == demo_story.VISA_CHECK
    first = sessions[demo_story.VISA_CHECK][0]
    assert first["event_type"] == "session_start"
    assert first["context"]["parent_event_id"] == delegation["event_id"]


def test_the_crash_leaves_an_open_call_and_no_end(sessions: dict[str, list[Event]]) -> None:
    events = sessions[demo_story.CRASHED]
    assert events[-1]["event_type"] == "call_started"
    assert open_calls(events) == {events[-1]["payload"]["call_id"]}
    assert status(events) is None


def test_only_the_crash_leaves_a_session_without_its_end(sessions: dict[str, list[Event]]) -> None:
    assert {session_id for session_id, events in sessions.items() if status(events) is None} == {demo_story.CRASHED}


def test_late_events_arrive_behind_what_was_recorded_a_minute_later(kept: list[Kept]) -> None:
    here = [event for _, event in kept if event["session_id"] == demo_story.LATE]
    newest = here[0]
    behind = Counter[str]()
    for event in here:
        newest = max(newest, event, key=moment)
        if moment(newest) - moment(event) > timedelta(seconds=60):
            behind[event["agent_id"]] += 1
    assert behind == {"courier-agent": 8}


def test_a_session_is_late_by_its_buffer_only_where_the_story_says_so(kept: list[Kept]) -> None:
    newest: dict[str, datetime] = {}
    late = set()
    for _, event in kept:
        session_id = event["session_id"]
        newest[session_id] = max(moment(event), newest.get(session_id, moment(event)))
        if newest[session_id] - moment(event) > timedelta(seconds=2):
            late.add(session_id)
    assert late == {demo_story.LATE, demo_story.CLOCK_SKEW}


@pytest.mark.parametrize("count", [3, 12, 20])
def test_the_late_session_lies_in_two_partitions(kept: list[Kept], count: int) -> None:
    key = demo_story.LATE.encode()
    assert PARTITIONERS["murmur2"](key, count) != PARTITIONERS["crc32"](key, count)
    here = [record.partition(count) for record, event in kept if event["session_id"] == demo_story.LATE]
    assert set(here) == {PARTITIONERS[name](key, count) for name in ("murmur2", "crc32")}


def test_every_other_session_lies_in_one_partition(kept: list[Kept]) -> None:
    assert {record.partitioner for record, event in kept if event["session_id"] != demo_story.LATE} == {"murmur2"}


def test_one_copy_lies_in_another_partition_than_its_event(kept: list[Kept]) -> None:
    partitions = defaultdict(set)
    for record, event in kept:
        partitions[event["event_id"]].add(record.partition(12))
    assert sum(len(each) > 1 for each in partitions.values()) == 1


def test_the_skewed_agent_begins_before_it_was_asked(sessions: dict[str, list[Event]]) -> None:
    events = sessions[demo_story.CLOCK_SKEW]
    delegation = of_type(events, "delegation")[0]
    first = next(event for event in events if event["agent_id"] == "fraud-check-agent")
    assert first["context"]["parent_event_id"] == delegation["event_id"]
    behind = moment(delegation) - began(first)
    assert isclose(behind.total_seconds() * 1000, demo_story.CLOCK_BEHIND_MS, abs_tol=200)


def test_large_values_are_kept_by_reference(sessions: dict[str, list[Event]]) -> None:
    call = payloads(sessions[demo_story.LARGE], "tool_call")[0]
    for reference in (call["input"]["document"], call["output"]):
        assert reference.keys() == {"$ref", "bytes", "sha256", "preview"}
        assert reference["$ref"].startswith("s3://")
        assert reference["bytes"] > 100_000
        assert len(reference["sha256"]) == 64


def test_two_records_hold_no_event(records: list[StoryRecord]) -> None:
    strange = [record for record in records if decoded(record) is None]
    assert [(record.key.decode(), record.value is None) for record in strange] == [
        (demo_story.ERASED, True),
        (demo_story.LATE, False),
    ]
    assert (strange[1].value or b"").startswith(b'{"event_id"')


def test_the_hostile_session_tries_what_a_text_can_do(sessions: dict[str, list[Event]]) -> None:
    texts = " ".join(str(payload) for payload in payloads(sessions[demo_story.HOSTILE], "user_message"))
    raw = "".join(payload["text"] for payload in payloads(sessions[demo_story.HOSTILE], "user_message"))
    assert all(
        each in raw
        for each in ("\x1b[2K", "\x1b]8;;", "\x9b", "\u202e", "\u2028", "\x00", "\n\nsess_invoice_847", "[red]", "<img")
    )
    assert "evt_fake" in texts


def test_ordinary_sessions_mostly_succeed(sessions: dict[str, list[Event]]) -> None:
    ordinary = {session_id: events for session_id, events in sessions.items() if session_id not in SPECIAL}
    ends = Counter(status(events) for events in ordinary.values())
    assert 30 <= len(ordinary) <= 40
    assert (ends["failed"], ends["cancelled"]) == (2, 1)
    assert {10 <= len(events) <= 300 for events in ordinary.values()} == {True}


@pytest.mark.parametrize("partitions", [1, 3, 12])
def test_records_are_placed_one_behind_another_in_the_order_of_arrival(
    records: list[StoryRecord], partitions: int
) -> None:
    lying = assign_places(records, "somewhere", partitions)
    offsets = defaultdict(list)
    for place, _ in lying:
        offsets[place.partition].append(place.offset)
    assert [value for _, value in lying] == [record.value for record in records]
    assert all(each == list(range(len(each))) for each in offsets.values())
    assert {place.topic for place, _ in lying} == {"somewhere"}
    assert all(
        (place.timestamp, place.headers, place.partition)
        == (record.timestamp, record.headers, record.partition(partitions))
        for (place, _), record in zip(lying, records, strict=True)
    )
