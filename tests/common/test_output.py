"""Text laid out in columns."""

from hypothesis import given
from hypothesis import strategies as st

from agentlog.event.escape import join_lines, split_lines
from agentlog.terminal.output import cell_width, escape_line, wrap_line, wrap_text

WORDS = st.text("ab._-/漢", min_size=1, max_size=40)


def test_a_long_name_is_broken_at_its_joints() -> None:
    assert wrap_text("stripe.retrieve_customer", 11) == ["stripe.", "retrieve_", "customer"]
    assert wrap_text("claude-sonnet-4-5", 11) == ["claude-", "sonnet-4-5"]
    assert wrap_text("abcdefghijklmnop", 11) == ["abcdefghijk", "lmnop"]


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
