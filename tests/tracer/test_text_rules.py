"""The rules for texts: hints change nothing but the time, and neither does a search piece by piece."""

import re
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings

from agentlog.recording.prepare import text_rules
from agentlog.recording.prepare.secrets import _compile_text_rules, redact_secrets
from agentlog.recording.prepare.text_rules import PIECE_CHARACTERS, TextRules, find_matches, replace_matches
from tests.tracer import test_pasted_secrets, test_redaction

RULES = _compile_text_rules()._rules
TEXTS = test_redaction.TEXT | test_pasted_secrets.TEXT
SHORT_PIECE = 5


def apply_all_rules(text: str) -> str:
    """Apply each rule to the whole text at once, whether its hint is there or not."""
    for rule in RULES:
        text = rule.pattern.sub(rule.replace, text)
    return text


@settings(max_examples=1_000)
@given(TEXTS)
def test_a_rule_without_its_hint_would_change_nothing(text: str) -> None:
    assert redact_secrets(text) == apply_all_rules(text)


def test_all_rules_apply_where_hints_cant_be_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = TextRules(RULES)
    monkeypatch.setattr(text_rules.hyperscan, "Scratch", None)
    assert rules.apply("token=hunter2xyzzy") == "token=[redacted]"


@given(TEXTS)
def test_a_search_piece_by_piece_finds_what_one_search_finds(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rules, "PIECE_CHARACTERS", SHORT_PIECE)
        patch.setattr(text_rules, "_compile_before_match", text_rules._compile_before_match.__wrapped__)
        for rule in RULES:
            found = [match.span() for match in find_matches(rule.pattern, text)]
            assert found == [match.span() for match in rule.pattern.finditer(text)]
            assert replace_matches(rule.pattern, rule.replace, text) == rule.pattern.sub(rule.replace, text)


@pytest.mark.parametrize("around", ["x", "é", "\n", "\U0001f600"])
@pytest.mark.parametrize("before", range(PIECE_CHARACTERS - 12, PIECE_CHARACTERS + 2))
def test_a_secret_across_the_border_of_two_pieces_is_hidden(around: str, before: int) -> None:
    text = f"{around * (before - 1)} token=hunter2xyzzy {around * PIECE_CHARACTERS}"
    assert redact_secrets(text) == text.replace("hunter2xyzzy", "[redacted]")


def test_a_secret_that_is_longer_than_a_piece_is_hidden_up_to_its_end() -> None:
    key = f"-----BEGIN PRIVATE KEY-----\n{'MIIE' * PIECE_CHARACTERS}\n-----END PRIVATE KEY-----"
    assert redact_secrets(f"{'x ' * PIECE_CHARACTERS}{key} after") == f"{'x ' * PIECE_CHARACTERS}[redacted] after"


SECRET_LINE = "token=abcdefghijkl\n"
LOG_LINE = "2026-01-01 12:00:00 INFO app.auth user=x path=/v1/items?page=2 took=12ms\n"
LONG: dict[str, Callable[[], str]] = {
    "one secret at the end": lambda: LOG_LINE * 40_000 + SECRET_LINE,
    "one line": lambda: (LOG_LINE * 40_000 + SECRET_LINE).replace("\n", " "),
    "a secret in each line": lambda: SECRET_LINE * 30_000,
    "flags and addresses": lambda: "run --verbose https://x/y?a=b --token abc\n" * 30_000,
    "numbers": lambda: "4111 1111 1111 1112 " * 40_000,
    "a value without an end": lambda: 'password="' + "x y " * 400_000,
    "spaces": lambda: "token: " + " " * 1_500_000 + "x",
    "a long command": lambda: "curl " + "-u me:pw x " * 150_000,
    "dashes": lambda: "-" * 1_500_000 + " --token abc",
    "a key": lambda: "-----BEGIN PRIVATE KEY-----" + "x y " * 400_000,
    "text of JSON": lambda: '{\\"name\\": \\"a\\", \\"value\\": \\"4\\"}, ' * 50_000 + SECRET_LINE,
}


@pytest.mark.parametrize("kind", LONG)
def test_other_threads_go_on_while_a_long_text_is_searched(kind: str) -> None:
    """Another thread takes the process's own CPU time again and again, so that a busy machine changes nothing."""
    text, times, is_done = LONG[kind](), list[float](), threading.Event()

    def take_times() -> None:
        while not is_done.wait(0.001):
            times.append(time.process_time())

    other = threading.Thread(target=take_times)
    other.start()
    redacted = redact_secrets(text)
    is_done.set()
    other.join()
    assert redacted != text or kind == "numbers"
    assert max(later - earlier for earlier, later in pairwise(times)) < 0.2


def test_a_pattern_with_flags_and_groups_of_its_own_is_searched_alike() -> None:
    pattern = re.compile(r"(?P<a>B)+(?(a)c)", re.IGNORECASE)
    text = "xbbC" * PIECE_CHARACTERS
    assert [match["a"] for match in find_matches(pattern, text)] == ["b"] * PIECE_CHARACTERS
