"""The lines of `kshark tail`: one for each event, no wider than the terminal, one colour for each session."""

from datetime import date

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.codec import decode
from agentlog.event.event import Place, Record
from agentlog.session.timeline import Step, make_single_step
from agentlog.terminal.style import paint_coloured, paint_plain
from agentlog.terminal.text_width import cell_width
from kshark.live.event_line import EventLineFormatter, choose_colour
from tests.recording import Event, make_call_started, make_event, make_tool_call

TODAY = date(2026, 1, 15)


def step(fields: Event) -> Step:
    found = decode(orjson.dumps(fields), Place("t", 0, 0, 0), "here")
    assert isinstance(found, Record), found
    return make_single_step(found)


def line(fields: Event, columns: int = 80, today: date = TODAY) -> str:
    return EventLineFormatter(columns, paint_plain, today).format_event(step(fields))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (make_tool_call(1, input={"to": "ann"}), "14:00:01.000  sess_1    tool       mail.send  0.25 s  to ann"),
        (
            make_tool_call(1, error="no_disk: full"),
            "14:00:01.000  sess_1    tool       mail.send  0.25 s  no_disk: full",
        ),
        (make_call_started(1, "evt_2"), "14:00:01.000  sess_1    tool       mail.send  [still open]"),
        (make_event(1, "error", payload={"type": "x", "message": "y"}), "14:00:01.000  sess_1    error      x: y"),
        (make_event(1, "made_up", payload={"n": 1}), "14:00:01.000  sess_1    made_up    n 1"),
        (make_event(1, "session_end", payload={"error": "gone"}), "14:00:01.000  sess_1    end        ended: gone"),
    ],
)
def test_an_event_is_a_line(fields: Event, expected: str) -> None:
    assert line(fields) == expected


def test_a_wide_terminal_gets_the_agent_too_a_narrow_one_no_milliseconds() -> None:
    assert line(make_tool_call(1), 120) == "14:00:01.000  sess_1    agent               tool       mail.send  0.25 s"
    assert line(make_tool_call(1), 40) == "14:00:01  sess_1    tool       mail.s..."


def test_an_event_of_another_day_says_which() -> None:
    assert line(make_tool_call(1), today=date(2026, 1, 16)).startswith("01-15 14:00   sess_1 ")
    assert line(make_tool_call(1), 40, date(2026, 1, 16)).startswith("01-15     sess_1 ")


def test_of_a_long_id_the_end_is_shown() -> None:
    assert "  ..e_agent_00000000000042  " in line(make_tool_call(1, session_id="sess_invoice_agent_00000000000042"))


def test_a_session_has_one_colour_wherever_it_is_shown_and_never_that_of_errors() -> None:
    painted = EventLineFormatter(80, paint_coloured, TODAY).format_event(step(make_tool_call(1)))
    assert f"\x1b[{choose_colour('sess_1')}msess_1" in painted
    tints = {choose_colour(f"sess_{n}") for n in range(200)}
    assert len(tints) == 10
    assert "31" not in tints
    assert "\x1b[31mno" in EventLineFormatter(80, paint_coloured, TODAY).format_event(
        step(make_tool_call(1, error="no"))
    )


@given(text=st.text(min_size=1), columns=st.sampled_from([40, 59, 60, 80, 100, 200]))
def test_no_line_is_wider_than_the_terminal_or_steers_it(text: str, columns: int) -> None:
    text = text.encode(errors="replace").decode() + "\x1b[2J\n\u202e"
    fields = make_tool_call(1, text, session_id=text, agent_id=text, input={text: text})
    shown = line(fields, columns)
    assert cell_width(shown) <= columns
    assert not set(shown) & {"\x1b", "\n", "\u202e"}


@pytest.mark.parametrize("columns", [80, 100, 120, 160])
@pytest.mark.parametrize("tool", ["stripe.create_invoice", "t" * 300])
def test_an_error_has_room_behind_whatever_name_failed(columns: int, tool: str) -> None:
    fields = make_tool_call(1, tool, error="card_closed: no", agent_id="a" * 300, session_id="sess_" + "0" * 40)
    shown = line(fields, columns)
    assert "card_c" in shown
    assert tool[:7] in shown
    assert "0.25 s" in shown
    assert cell_width(shown) <= columns
