"""Text laid out in columns."""

from hypothesis import given
from hypothesis import strategies as st

from agentlog.terminal.output import cell_width, wrap_text

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
