"""The same value in another form, such as a JSON text, is the same; another value is found in any form."""

import orjson
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kdiff.judge.verdict import VerdictKind
from kdiff.reading.noise import TEXT_EDGE
from kdiff.reading.normalize import _ESCAPES, IgnoreRules, has_id_names, unify_values, write_comparable

CHARACTERS = st.text('a0"\\\n\t\x00\x01\x02\x1b{}[]:,\u00e9', max_size=6)
NAMES = CHARACTERS.filter(lambda name: not has_id_names((name,)))  # else an object is written as a list of its members
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | CHARACTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
)


@settings(deadline=None)
@given(VALUES)
def test_a_value_can_be_read_back_from_its_comparable_text_so_no_two_values_share_one(value):
    assume(unify_values(value) == value)
    text = write_comparable([value], IgnoreRules(), ("payload",)).replace('"', "\x01").replace(TEXT_EDGE, '"')
    for escape, character in reversed(_ESCAPES):
        text = text.replace(character, escape)
    assert orjson.loads(text) == [value]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('{"order": 7, "amount": 45}', {"amount": 45.0, "order": 7}),
        ({"inner": '{"b": [1.0, {"c": "[2]"}]}'}, '{"inner": {"b": [1, {"c": [2.0]}]}}'),
        ('{"b": 1, "a": 2}', '{"a":2,"b":1}'),
        ("[1, 2]", [1, 2]),
        ({"name": "Ren\u00e9"}, {"name": "Rene\u0301"}),
        ({"Ren\u00e9": 1}, {"Rene\u0301": 1}),
        ({"text": "a \r\nb\r\n"}, {"text": "a\nb"}),
        *((a, b) for a in ("{}", "", " ", None, {}, [], "null") for b in ({}, None, "{ }")),
    ],
)
def test_the_same_arguments_in_another_form_are_the_same(a, b, new_script, compare_events):
    sides = [new_script(name).calls("mail.send", each).ends().events for name, each in (("a", a), ("b", b))]
    assert compare_events(*sides).verdict.kind is VerdictKind.SAME
    del sides[0][0]["payload"]["input"]
    is_nothing = not b or b == "{ }"
    assert (compare_events(*sides).verdict.kind is VerdictKind.SAME) is is_nothing


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ('{"amount": 45}', {"amount": 450}),
        ('{"amount": 45}', {"amount": 45.5}),
        ('{"amount": 45}', {"amount": "45"}),
        ('{"inner": "{\\"b\\": 1}"}', {"inner": {"b": 2}}),
        ("", {"all": True}),
        ({"all": []}, {}),
        ({"text": "a b"}, {"text": "ab"}),
        ({"name": "Ren\u00e9"}, {"name": "Rene"}),
        ({"path": "/tmp/report.csv"}, {"path": "/tmp/summary.csv"}),
        ({"port": 8080}, {"port": 8081}),
        ({"port": 49152}, {"port": 51744}),
    ],
)
def test_other_arguments_are_found_in_any_form(a, b, new_script, compare_events):
    sides = [new_script(name).calls("mail.send", each).ends().events for name, each in (("a", a), ("b", b))]
    found = compare_events(*sides).decisive
    assert (found.kind, found.label) == ("changed", "mail.send")


def test_the_effect_of_a_call_is_judged_alike_from_a_json_text(new_script, compare_events):
    sides = [
        new_script(name).calls("bash.run", given).ends().events
        for name, given in (("a", {"command": "ls -l"}), ("b", '{"command": "ls -l"}'))
    ]
    found = compare_events(*sides)
    assert [pair.a.changes_state or pair.b.changes_state for pair in found.comparison.pairs] == [False, False]
