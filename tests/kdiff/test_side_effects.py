"""Side effects: which calls change state, and by which rule."""

import pytest

from kdiff.reading.side_effects import Effect, ToolPatterns, is_read_only_command, judge_effect

CHANGES, READS, HANDS_OVER = Effect.CHANGES, Effect.READS, Effect.HANDS_OVER


@pytest.mark.parametrize(
    ("tool", "given", "what"),
    [
        ("stripe.create_invoice", {}, CHANGES),
        ("get_reservation_details", {}, READS),
        ("mcp__github__list_issues", {}, READS),
        ("createInvoice", {}, CHANGES),
        ("getBookingStatus", {}, READS),
        ("bank.get_transfer", {}, READS),
        ("bank.transfer", {}, CHANGES),
        ("transfer_to_human_agents", {}, HANDS_OVER),
        ("frobnicate", {}, CHANGES),
        ("http.request", {"method": "GET", "url": "u"}, READS),
        ("http.request", {"method": "POST", "url": "u"}, CHANGES),
        ("sql", {"query": "select * from t"}, READS),
        ("sql", {"query": "update t set x = 1"}, CHANGES),
        ("sql", {"query": "with x as (delete from t returning *) select * from x"}, CHANGES),
        ("execute_bash", {"command": "ls -l | grep x"}, READS),
        ("execute_bash", {"command": "rm -rf build"}, CHANGES),
        ("str_replace_editor", {"command": "view", "path": "p"}, READS),
        ("str_replace_editor", {"command": "str_replace", "path": "p", "old_str": "a"}, CHANGES),
    ],
)
def test_a_tools_name_and_arguments_say_whether_it_changes_state(tool, given, what):
    assert judge_effect("tool_call", tool, {"tool": tool, "input": given}, ToolPatterns()).effect is what


def test_the_tools_own_annotation_goes_before_its_name():
    payload = {"tool": "create_report", "annotations": {"readOnlyHint": True}}
    found = judge_effect("tool_call", "create_report", payload, ToolPatterns())
    assert (found.effect, "readOnlyHint" in found.rule) == (READS, True)


def test_the_users_word_goes_before_all_else_and_the_longer_pattern_before_the_shorter():
    declared = ToolPatterns(mutating_tools=("crm.*",), read_only_tools=("crm.last_*",))
    assert judge_effect("tool_call", "crm.get", {}, declared).effect is CHANGES
    assert judge_effect("tool_call", "crm.last_contact", {}, declared).effect is READS


@pytest.mark.parametrize("command", ["cat x > y", "ls; rm x", "find . -delete", "echo $(rm x)", "git commit -m x", ""])
def test_a_command_that_may_write_is_no_read(command):
    assert not is_read_only_command(command)


@pytest.mark.parametrize(
    "command", ["cd /a && ls -l", "git status", "cat x | sort | uniq -c", "grep -r x . 2>/dev/null"]
)
def test_a_command_of_reads_is_a_read(command):
    assert is_read_only_command(command)
