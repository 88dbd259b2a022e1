"""The table ``[failed]`` of agentlog.toml."""

from pathlib import Path

import pytest

from agentlog.errors import SettingsError
from agentlog.session.failure_rules import FailureRules, ToolRule
from agentlog.settings.clusters import load_settings


def read_rules(folder: Path, content: str) -> FailureRules:
    (folder / "agentlog.toml").write_text(content)
    return load_settings({}, folder).failure_rules


def test_without_the_table_there_are_no_rules(tmp_path: Path) -> None:
    assert load_settings({}, tmp_path).failure_rules.is_empty
    assert read_rules(tmp_path, 'topic = "a"').is_empty


def test_the_table_names_tools_that_never_fail_and_what_means_failed(tmp_path: Path) -> None:
    content = """
        [failed]
        never = ["logs.*"]
        [failed.tools."shop.*"]
        text = "(?i)out of stock"
        members = { "order.state" = ["declined", 7], found = false }
    """
    rule = ToolRule("shop.*", "(?i)out of stock", (("order.state", ("declined", 7)), ("found", (False,))))
    assert read_rules(tmp_path, content) == FailureRules(("logs.*",), (rule,))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("failed = 1", "agentlog.toml:1: failed is a number, not a table"),
        ("[failed]\nnevr = []", "agentlog.toml:2: unknown setting 'nevr' of failed"),
        ('[failed]\nnever = "a"', "agentlog.toml:2: never is a list of tools"),
        ("[failed]\ntools = 1", "agentlog.toml:2: tools is a table for each tool"),
        ("[failed.tools]\na = 1", 'agentlog.toml:2: a tool has a table: [failed.tools."a"]'),
        ("[failed.tools.a]", "agentlog.toml:1: a has neither text nor members"),
        ("[failed.tools.a.b]\ntext = 'x'", 'a tool with dots stands in quotes: [failed.tools."a.b"]'),
        ("[failed.tools.a]\ntext = '('", "agentlog.toml:2: '(' is no regular expression"),
        ("[failed.tools.a]\ntext = 1", "agentlog.toml:2: text is a regular expression, in quotes"),
        ("[failed.tools.a]\nmembers = 1", "agentlog.toml:2: members is a table of values"),
        ("[failed.tools.a]\nmembers = {b = {}}", "agentlog.toml:2: b has a text, a number, true, false, or a list"),
        ("[failed.tools.a]\nmembers = {b = []}", "agentlog.toml:2: b has a text, a number, true, false, or a list"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_rules(tmp_path, content)
    assert said in str(caught.value)
