"""Alignment: both sequences are covered once and in order, in the worst cases too."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdiff.align.sequence import _find_longest_rising, split_into_ranges

tokens = st.lists(st.integers(0, 6), max_size=40)


def _check(a, b):
    at_a = at_b = 0
    equal = 0
    for is_equal, (i, i2, j, j2) in split_into_ranges(a, b, (0, len(a), 0, len(b))):
        assert (i, j) == (at_a, at_b)
        if is_equal:
            assert a[i:i2] == b[j:j2]
            equal += i2 - i
        at_a, at_b = i2, j2
    assert (at_a, at_b) == (len(a), len(b))
    return equal


@given(tokens, tokens)
def test_spans_cover_both_sequences_once_and_in_order(a, b):
    _check(a, b)


@given(tokens)
def test_a_sequence_matches_all_of_itself(a):
    assert _check(a, list(a)) == len(a)


@given(tokens, st.integers(0, 39))
def test_a_token_more_leaves_all_others_matched(a, at):
    assert _check(a, [*a[:at], 99, *a[at:]]) == len(a)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=30))
def test_the_longest_rising_run_rises(pairs):
    found = [q for _, q in _find_longest_rising(pairs)]
    assert all(x < y for x, y in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("a", "b", "at_least"),
    [
        pytest.param([1] * 50_000, [1] * 40_000, 40_000, id="all alike"),
        pytest.param(list(range(50_000)), list(range(50_000, 100_000)), 0, id="nothing in common"),
        pytest.param(list(range(50_000)), list(range(50_000))[::-1], 1, id="reversed"),
    ],
)
def test_the_worst_cases_are_aligned(a, b, at_least):
    assert _check(a, b) >= at_least


def test_few_changes_among_many_are_found():
    rng = random.Random(5)
    a = [rng.randrange(3_000) for _ in range(20_000)]
    b = [token for token in a if rng.random() > 0.01]
    assert _check(a, b) == len(b)
