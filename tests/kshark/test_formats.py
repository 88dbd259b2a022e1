"""The formats for programs, tickets and colleagues: NDJSON, JSON, Markdown and the tree."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from agentlog.session.timeline import Timeline
from agentlog.terminal.style import paint_plain
from kshark.replay.json_document import render_json
from kshark.replay.markdown import render_markdown
from kshark.replay.tree import render_tree
from kshark.view.layout import Layout
from kshark.view.ndjson import render_ndjson
from tests.recording import encode_events, make_call_started, make_event, make_session_end, make_tool_call

Loaded = Any  # of conftest.py
Load = Callable[..., Loaded]

GITHUB = MarkdownIt("gfm-like", {"linkify": False}).disable("linkify")
TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
HARMLESS = TABLE | {"heading", "bullet_list", "list_item", "paragraph", "strong", "fence"}
NASTY = st.text(st.sampled_from("a :`|\\*_<>[]()!#&\n\x1b\u202e~-+=."), max_size=40)
FIELDS = {
    "document": "session_id agent_id goal outcome began ended duration_ms totals lanes steps searched",
    "totals": "events tool_calls llm_calls retrievals errors input_tokens cached_tokens output_tokens cost_usd "
    "unpriced calls failures cost_by_model",
    "lane": "lane agent_id depth parent delegation result",
    "step": "index step kind label lane parent began since_start_ms duration_ms open late_ms moved odd_clock failed "
    "error event record announced",
    "searched": "source partitions partition_count records duplicates clashes late missing_offsets beginning catalogue "
    "log_begins from to keys unreadable unavailable",
}


def as_json(found: Loaded) -> dict[str, Any]:
    """Return the JSON document, decoded."""
    made: dict[str, Any] = orjson.loads(
        render_json(found.timeline, found.timeline.steps, found.covered, found.unreadable)
    )
    return made


def as_ndjson(timeline: Timeline) -> bytes:
    return b"".join(render_ndjson(timeline.steps))


def as_markdown(found: Loaded) -> str:
    look = Layout(80, paint_plain, found.timeline.began)
    return "\n".join(render_markdown(found.timeline, found.timeline.steps, found.covered, look))


def tokens(text: str) -> Iterable[Token]:
    """Return the top-level blocks that a Markdown library finds in ``text``."""
    for token in GITHUB.parse(text):
        yield from token.children if token.children is not None else [token]


def test_ndjson_reads_back_to_the_same_bytes_and_the_same_timeline(sessions: dict[str, Loaded], load: Load) -> None:
    for name, found in sessions.items():
        written = as_ndjson(found.timeline)
        again = load(name, content=written)
        assert as_ndjson(again.timeline) == written
        told, kept = as_json(found), as_json(again)
        assert {**kept, "searched": None} == {**told, "searched": None}


def test_ndjson_holds_each_event_once_as_stored_with_the_place_where_it_lay(load: Load) -> None:
    first, twice = make_tool_call(1, "mail.send", input={"to": "a", "cc": [1, 2.50, None]}), make_tool_call(2)
    stored = [{**first, "x-trace": {"id": 7}}, twice, twice, make_call_started(3, "evt_9"), make_tool_call(9)]
    lines = as_ndjson(load("sess_1", content=encode_events(stored)).timeline).splitlines()
    assert [orjson.loads(line)["event_id"] for line in lines] == ["evt_1", "evt_2", "evt_3", "evt_9"]
    assert lines[0].startswith(orjson.dumps(stored[0])[:-1] + b',"_record":')
    assert orjson.loads(lines[1])["_record"] == {
        "topic": None, "partition": -1, "offset": 2, "timestamp": None, "headers": []
    }  # fmt: skip


def test_json_has_the_fields_that_the_docs_promise(sessions: dict[str, Loaded]) -> None:
    for found in sessions.values():
        made = as_json(found)
        assert " ".join(made) == FIELDS["document"]
        assert " ".join(made["totals"]) == FIELDS["totals"]
        assert " ".join(made["searched"]) == FIELDS["searched"]
        assert {" ".join(lane) for lane in made["lanes"]} == {FIELDS["lane"]}
        assert {" ".join(step) for step in made["steps"]} == {FIELDS["step"]}


def test_json_holds_each_event_as_stored(sessions: dict[str, Loaded]) -> None:
    for found in sessions.values():
        for step, shown in zip(found.timeline.steps, as_json(found)["steps"], strict=True):
            assert shown["event"] == orjson.loads(step.record.value)
            assert shown["record"]["offset"] == step.record.place.offset
            assert shown["announced"] == [orjson.loads(record.value) for record in step.announced]


def test_json_numbers_lead_to_the_steps_and_lanes_that_they_name(sessions: dict[str, Loaded]) -> None:
    made = as_json(sessions["sess_trip_planner"])
    currency = next(lane for lane in made["lanes"] if lane["agent_id"] == "currency-agent")
    assert made["steps"][currency["delegation"]]["event"]["payload"]["to_agent_id"] == "currency-agent"
    assert made["steps"][currency["result"]]["event"]["payload"]["from_agent_id"] == "currency-agent"
    assert made["lanes"][currency["parent"]]["agent_id"] == "fares-agent"
    assert [step["index"] for step in made["steps"]] == list(range(len(made["steps"])))
    assert [step["step"] for step in made["steps"]] == list(range(1, len(made["steps"]) + 1))


def test_json_totals_are_those_of_the_story(sessions: dict[str, Loaded]) -> None:
    made = as_json(sessions["sess_invoice_847"])
    assert (made["outcome"], made["totals"]["tool_calls"], made["totals"]["errors"]) == ("failed", 847, 164)
    assert made["totals"]["failures"] == {"stripe.create_invoice": 164}
    assert round(sum(made["totals"]["cost_by_model"].values()), 9) == made["totals"]["cost_usd"]


def test_json_names_what_could_not_be_read(load: Load) -> None:
    made = as_json(load("sess_1", content=encode_events([make_session_end(1)]) + b"{nonsense\n"))
    (unreadable,) = made["searched"]["unreadable"]
    assert unreadable["where"] == "standard input:2"
    assert "not JSON" in unreadable["reason"]


def test_json_says_what_is_open_late_and_moved(sessions: dict[str, Loaded]) -> None:
    assert as_json(sessions["sess_crashed"])["outcome"] is None
    assert as_json(sessions["sess_crashed"])["steps"][-1]["open"] is True
    assert any(step["late_ms"] > 60_000 for step in as_json(sessions["sess_late_claim"])["steps"])
    assert as_json(sessions["sess_late_claim"])["searched"]["duplicates"] == 6
    assert any(step["moved"] for step in as_json(sessions["sess_clock_skew"])["steps"])


def test_markdown_has_one_heading_and_else_only_tables_lists_and_code(sessions: dict[str, Loaded]) -> None:
    for found in sessions.values():
        check_markdown(as_markdown(found))


KINDS = st.sampled_from(["tool_call", "llm_call", "decision", "delegation", "session_start", "session_end"])
EVENTS = st.lists(st.tuples(KINDS | NASTY, NASTY, NASTY), min_size=1, max_size=4)


@settings(max_examples=100)
@example([(" ", "a", "")])
@given(EVENTS)
def test_no_text_of_an_event_means_anything_in_markdown(load: Load, events: list[tuple[str, str, str]]) -> None:
    made = []
    for number, (kind, one, other) in enumerate(events):
        payload = {"goal": one, "tool": one, "status": one, "input": {one: other}, "error": other, "action": other}
        context = {"reasoning": other, "model": one}
        made.append(make_event(number, kind or "x", agent_id=one or "a", payload=payload, context=context))
    check_markdown(as_markdown(load("sess_1", content=encode_events(made))))


def check_markdown(text: str) -> None:
    """Check that only our own structure is Markdown: text from events is in code, or a plain word."""
    found = list(tokens(text))
    kinds = {token.type.removesuffix("_open").removesuffix("_close") for token in found}
    assert kinds <= HARMLESS | {"code_inline", "text"}, kinds
    assert sum(token.type == "heading_open" for token in found) == 1
    assert all(line.isprintable() for token in found if token.type == "fence" for line in token.content.split("\n"))
    prose = "".join(token.content for token in found if token.type == "text")
    assert re.search(r"[<>\[\]`*_\\\x00-\x1f\u202e]", prose) is None, prose


def test_markdown_stays_a_list_where_a_deep_lane_goes_on_behind_a_shallow_one(load: Load) -> None:
    made = [make_event(0, "session_start", payload={"goal": "dig"}, agent_id="a0")]
    for n in range(1, 6):
        context = {"parent_event_id": f"evt_{n - 1}"}
        made.append(
            make_event(n, "delegation", payload={"to_agent_id": f"a{n}"}, context=context, agent_id=f"a{n - 1}")
        )
    made += [
        make_tool_call(10, agent_id="a0"),
        make_tool_call(11, agent_id="a5", context={"parent_event_id": "evt_5"}),
        make_session_end(12),
    ]
    text = as_markdown(load("sess_1", content=encode_events(made)))
    check_markdown(text)
    assert sum(token.type == "list_item_open" for token in tokens(text)) == 9


def test_markdown_shows_a_text_exactly_as_it_is(load: Load) -> None:
    hostile = "a|b `` c\\| <img src=x onerror=alert(1)> [x](javascript:1) **no** &amp; ` "
    found = load(
        "sess_1",
        content=encode_events([make_event(1, "session_start", payload={"goal": hostile}), make_session_end(2)]),
    )
    shown = [token.content for token in tokens(as_markdown(found)) if token.type == "code_inline"]
    assert shown.count(hostile) == 2


FENCES = "before\n```\nrm -rf\n````\n# no heading\n~~~~~\n``````\n- no item\n<b>x</b>\n    four spaces\n\nafter"


@pytest.mark.parametrize("full", [False, True])
def test_no_line_of_a_value_ends_the_block_of_code_that_it_stands_in(load: Load, full: bool) -> None:
    events = [
        make_tool_call(1, output=FENCES, input={"path": "a.md", "text": FENCES}, error=FENCES),
        make_session_end(2),
    ]
    found = load("sess_1", content=encode_events(events))
    look = Layout(80, paint_plain, found.timeline.began, is_full=full)
    text = "\n".join(render_markdown(found.timeline, found.timeline.steps, found.covered, look))
    check_markdown(text)
    given, answered, wrong = (token.content for token in tokens(text) if token.type == "fence")
    assert sum(token.type == "list_item_open" for token in tokens(text)) == (7 if full else 5)
    assert wrong.rstrip("\n") == FENCES
    if full:
        assert answered == wrong
        assert given == "path a.md\ntext\n" + "".join(f"    {line}".rstrip() + "\n" for line in FENCES.split("\n"))
    else:
        assert answered == "before\n```\nrm -rf\n````\n... 6 more lines\n\nafter\n"


def test_markdown_has_a_steps_number_before_its_time(sessions: dict[str, Loaded]) -> None:
    lines = as_markdown(sessions["sess_invoice_847"]).splitlines()
    assert "- 12 14:23:16 (+6.9 s) **decision** `retry stripe.create_invoice at once until it goes through`" in lines
    assert any(line.startswith("- **x162** `stripe.create_invoice  steps 14 to 175: all rate_limit") for line in lines)


def test_markdown_keeps_the_name_of_an_unknown_event_type(load: Load) -> None:
    found = load("sess_1", content=encode_events([make_event(1, "__init__ & <b>")]))
    assert "__init__ & <b>" in [token.content for token in tokens(as_markdown(found))]


def test_a_tree_puts_each_step_under_what_it_ran_inside_of(sessions: dict[str, Loaded]) -> None:
    found = sessions["sess_trip_planner"]
    lines = list(
        render_tree(found.timeline, found.timeline.steps, found.covered, Layout(100, paint_plain, found.timeline.began))
    )
    depths = {line[13:].lstrip("|` -").partition("  ")[0]: line.index("-- ") for line in lines if "-- " in line}
    assert depths["delegate research-agent: when is the blossom, and what do flights cost then"] == 14
    assert depths["tool web.fetch"] == 18
    assert depths["tool rates.get"] == 26
    assert next(line for line in lines if "hotels.search" in line).startswith("      8.0 s  |   |-- ")


def test_a_tree_hangs_a_step_whose_parent_is_filtered_out_on_the_next_one_outwards(sessions: dict[str, Loaded]) -> None:
    found = sessions["sess_trip_planner"]
    chosen = [step for step in found.timeline.steps if step.label in ("rates.get", "research-agent")]
    lines = list(render_tree(found.timeline, chosen, found.covered, Layout(100, paint_plain, found.timeline.began)))
    assert [line[13:].partition(" ")[0] for line in lines if "-- " in line] == ["|--", "|", "`--"]


@pytest.mark.parametrize("depth", [3, 60])
def test_a_tree_as_deep_as_it_may_be_stays_a_tree(load: Load, depth: int) -> None:
    events = [make_event(0, "session_start", payload={"goal": "dig"}, agent_id="a0")]
    for n in range(1, depth):
        context = {"parent_event_id": f"evt_{n - 1}"}
        events.append(
            make_event(n, "delegation", payload={"to_agent_id": f"a{n}"}, context=context, agent_id=f"a{n - 1}")
        )
    found = load("sess_1", content=encode_events(events))
    lines = list(
        render_tree(found.timeline, found.timeline.steps, found.covered, Layout(80, paint_plain, found.timeline.began))
    )
    assert sum("delegate" in line for line in lines) == depth - 1
    assert all(len(line) <= 80 for line in lines)
