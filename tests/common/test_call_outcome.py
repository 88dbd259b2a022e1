"""What a tool's name says of its outcome, and repeated calls."""

import pytest

from agentlog.analysis.call_outcome import find_period, is_handover


@pytest.mark.parametrize(
    ("acts", "found"),
    [([1, 2, 1], (1, 1)), ([1, 1, 2], (1, 2)), ([1, 2, 1, 2], (1, 1)), ([1, 2, 1, 2, 1, 2, 1], (2, 3)), ([], (1, 1))],
)
def test_a_call_repeats_from_its_second_time_on_a_group_from_its_third(acts: list[int], found: tuple[int, int]) -> None:
    assert find_period(acts, 0) == found


def test_a_tool_that_hands_over_to_a_person_is_known_by_its_name() -> None:
    assert is_handover("transfer_to_human_agents")
    assert not is_handover("bank.transfer")
