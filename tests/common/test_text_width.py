"""Text laid out in columns."""

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.escape import escape_controls, join_lines, settle_text, split_lines
from agentlog.terminal.output import DEFAULT_WIDTH, get_width
from agentlog.terminal.text_width import cell_width, elide_middle, escape_line, wrap_line, wrap_text

WORDS = st.text("ab._-/漢", min_size=1, max_size=40)


def test_a_long_name_is_broken_at_its_joints() -> None:
    assert wrap_text("stripe.retrieve_customer", 11) == ["stripe.", "retrieve_", "customer"]
    assert wrap_text("claude-sonnet-4-5", 11) == ["claude-", "sonnet-4-5"]
    assert wrap_text("abcdefghijklmnop", 11) == ["abcdefghijk", "lmnop"]


@pytest.mark.parametrize(
    ("said", "columns"),
    [("60", 60), ("250", 250), ("20", 40), *((no_width, DEFAULT_WIDTH) for no_width in ("", "0", "-5", "wide"))],
)
def test_columns_says_how_wide_a_pipe_is_where_it_is_a_width(
    monkeypatch: pytest.MonkeyPatch, said: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", said)
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as pipe:
        assert get_width(pipe) == columns


def test_without_columns_a_pipe_is_100_columns_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as pipe:
        assert get_width(pipe) == 100


def test_an_id_keeps_its_end_and_its_beginning() -> None:
    assert elide_middle("sess_invoice_847", 16) == "sess_invoice_847"
    assert elide_middle("sess_invoice_847", 15) == "sess...oice_847"
    assert elide_middle("sess_\x1b_847", 99) == "sess_\\u001b_847"
    assert elide_middle("a" * 10**6 + "b", 10) == "aa...aaaab"


@given(st.text(st.sampled_from("ab漢é\u0301👩\u200d\x1b\n\u202e"), max_size=40), st.integers(0, 30))
def test_an_id_that_is_cut_fits_and_steers_nothing(text: str, columns: int) -> None:
    shown = elide_middle(text, columns)
    assert cell_width(shown) <= columns
    assert escape_controls(shown) == shown
    assert shown == escape_controls(text) or cell_width(escape_controls(text)) > columns


@given(WORDS, st.integers(2, 20))
def test_whatever_is_broken_fits_and_nothing_is_lost(word: str, columns: int) -> None:
    lines = wrap_text(word, columns)
    assert "".join(lines) == word
    assert all(cell_width(line) <= columns for line in lines)


def test_tabs_reach_the_next_fourth_column_also_behind_wide_characters() -> None:
    assert escape_line("\tx\ty") == "    x   y"
    assert escape_line("abcd\tx") == "abcd    x"
    assert escape_line("\u754c\tx") == "\u754c  x"
    assert escape_line("e\u0301\tx") == "e\u0301   x"
    assert escape_line("\x1b\tx") == "\\u001b  x"


def test_only_newlines_end_a_line_and_every_other_separator_is_shown() -> None:
    text = "a\r\nb\rc\x0bd\x0ce\x85f\u2028g\u2029h\nj\n\n"
    assert [escape_line(line) for line in split_lines(text)] == [
        "a",
        "b\\rc\\u000bd\\u000ce\\u0085f\\u2028g\\u2029h",
        "j",
    ]


def test_lines_are_joined_by_one_space() -> None:
    assert join_lines("\n a  b \r\n\n\tc\n") == "a  b c"


def test_a_line_that_needs_more_lines_than_it_may_take_says_so() -> None:
    assert wrap_line("one two three four five", 9, 2) == ["one two", "three..."]
    assert wrap_line("one two", 9, 2) == ["one two"]
    assert wrap_line("one two three", 9, 1) == ["one tw..."]


@pytest.mark.parametrize(
    ("recorded", "shown"),
    [
        ("\x1b[1;31mError\x1b[0m: no \x1b[38:5:9mdisk\x1b[m", "Error: no disk"),
        ("0%\r50%\r100%\ndone", "100%\ndone"),
        ("get 0% |  | 0/3 kB\rget 99% |# | 2/3 kB\rget 100% |##| 3/3 kB\r\nok", "get 100% |##| 3/3 kB\r\nok"),
        ("\x1b[1G\x1b[0K⠋\x1b[1G\x1b[0K⠙\x1b[1G\x1b[0Kadded 3", "added 3"),
        ("objects: 50% (1/2)\x1b[K\robjects: 100% (2/2), done.\x1b[K\n", "objects: 100% (2/2), done.\x1b[K\n"),
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("rm -rf build\rls", "rm -rf build\rls"),
        ("fetching a\rfetching b\r", "fetching a\rfetching b\r"),
        ("\x1b[2J\x1b[5A\x1b]0;owned\x07", "\x1b[2J\x1b[5A\x1b]0;owned\x07"),
    ],
)
def test_colours_are_left_out_and_a_progress_bar_stands_in_its_last_state(recorded: str, shown: str) -> None:
    assert settle_text(recorded) == shown


@given(st.text(st.sampled_from("ab%1 \r\n\x1b[m"), max_size=30))
def test_no_letter_is_lost_but_in_front_of_the_same_letters(text: str) -> None:
    settled = settle_text(text)
    assert settle_text(settled) == settled
    assert settled.count("\n") == text.count("\n")
    for line, shown in zip(text.split("\n"), settled.split("\n"), strict=True):
        words = ["".join(filter(str.isalpha, re.sub("\x1b\\[[0-9;:]*m", "", part))) for part in line.split("\r")]
        assert all(any(own in "".join(filter(str.isalpha, part)) for part in shown.split("\r")) for own in words)
