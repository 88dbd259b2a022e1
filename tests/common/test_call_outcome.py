"""The outcome of a call by its name and answer, and repeated calls."""

from typing import Any

import pytest

from agentlog.analysis.call_outcome import find_period, has_failed, is_handover


@pytest.mark.parametrize(
    "payload",
    [
        {"error": "x"},
        {"output": "Error: no seats"},
        {"output": {"isError": True}},
        {"output": {"exit_code": 2}},
        {"output": {"ok": False}},
    ],
)
def test_an_error_is_known_by_what_was_answered(payload: dict[str, Any]) -> None:
    assert has_failed("tool_call", payload)


@pytest.mark.parametrize("payload", [{"output": "no error found"}, {"output": {"exit_code": 0}}, {}, {"output": None}])
def test_an_answer_is_no_error(payload: dict[str, Any]) -> None:
    assert not has_failed("tool_call", payload)


@pytest.mark.parametrize(
    ("acts", "found"),
    [([1, 2, 1], (1, 1)), ([1, 1, 2], (1, 2)), ([1, 2, 1, 2], (1, 1)), ([1, 2, 1, 2, 1, 2, 1], (2, 3)), ([], (1, 1))],
)
def test_a_call_repeats_from_its_second_time_on_a_group_from_its_third(acts: list[int], found: tuple[int, int]) -> None:
    assert find_period(acts, 0) == found


def test_a_tool_that_hands_over_to_a_person_is_known_by_its_name() -> None:
    assert is_handover("transfer_to_human_agents")
    assert not is_handover("bank.transfer")
