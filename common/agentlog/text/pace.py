"""The pace of calls in a row: how often they came, if most gaps between them are alike. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from ..formatting import format_duration
from ..session.step import Step


def describe_pace(calls: Sequence[Step]) -> str:
    """Return ``every 0.55 s``, or an empty text if most gaps aren't like the median, as with gaps that grow."""
    gaps = [later.began - earlier.began for earlier, later in pairwise(calls)]
    usual = median(gaps)
    is_even = sum(usual <= gap * 1.5 and gap <= usual * 1.5 for gap in gaps) * 4 >= len(gaps) * 3
    return f"every {format_duration(round(usual))}" if is_even else ""
