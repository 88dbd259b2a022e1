"""Changes inside two payloads: deepdiff finds the changes that a plain walk finds, in any payload."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdiff.align.diff_operators import MAX_LEVELS, _narrow, search_changes
from kdiff.align.payload_compare import find_changes
from kdiff.align.payload_diff import ABSENT, Change, ComparisonContext, Ids, find_role_conflicts, is_equal
from kdiff.reading.normalize import IgnoreRules, parse_ignore_rules
from tests.recording import make_session_end, make_tool_call
from tests.running import run

ROOT = ("payload",)
NO_RULES = IgnoreRules()


def context(ignored=NO_RULES, **kinds):
    return ComparisonContext(ignored, Ids(lambda _: (False, False)), **kinds)


def changes(a, b, limit=100, **more):
    return find_changes(a, b, context(**more), ROOT, limit)


def nested(levels, leaf, container):
    for _ in range(levels):
        leaf = {"k": leaf} if container is dict else [leaf]
    return leaf


@pytest.mark.parametrize("find", [find_changes, search_changes])
@pytest.mark.parametrize("container", [dict, list])
@pytest.mark.parametrize("levels", [MAX_LEVELS - 1, MAX_LEVELS, MAX_LEVELS + 1, 5_000])
def test_values_of_any_depth_are_compared(levels, container, find):
    path = ".".join(["payload", *["k" if container is dict else "0"] * levels])
    a, b = nested(levels, {"x": 1, "y": 1}, container), nested(levels, {"x": 2, "y": 2}, container)
    assert find(a, b, context(), ROOT, 100) == [Change(f"{path}.{name}", 1, 2) for name in "xy"]


def test_a_json_text_that_is_nested_deeper_than_an_event_can_be_is_compared():
    a, b = (orjson.loads("[" * 1_000 + leaf + "]" * 1_000) for leaf in "12")
    assert [(each.a, each.b) for each in changes({"x": [a, 7]}, {"x": [b]})] == [(7, ABSENT), (1, 2)]
    a, b = ('{"x": ' + "[" * 1_000 + leaf + "]" * 1_000 + "}" for leaf in "12")
    assert [(each.a, each.b) for each in changes({"x": a}, {"x": b})] == [(1, 2)]


def test_members_whose_names_begin_with_underscores_are_compared():
    assert changes({"__a": 1, "__b__": {"_c": 1}}, {"__a": 2, "__b__": {"_c": 2}}) == [
        Change("payload.__a", 1, 2),
        Change("payload.__b__._c", 1, 2),
    ]


def test_objects_with_few_members_in_common_are_compared_member_by_member():
    assert changes({"a": 1, "same": 1, "b": 2}, {"same": 2, "c": 3, "d": None}) == [
        Change("payload.a", 1, ABSENT),
        Change("payload.same", 1, 2),
        Change("payload.b", 2, ABSENT),
        Change("payload.c", ABSENT, 3),
    ]


@pytest.mark.parametrize("name", ["it's", 'a"b', "a']['b", "", "a.b", "root", "0", "\n", "é\u202e", "\\", "[0]"])
def test_a_member_of_any_name_is_compared(name):
    assert changes({name: {name: 1}}, {name: {name: 2}}) == [Change(f"payload.{name}.{name}", 1, 2)]


@pytest.mark.parametrize("wrapped", [lambda x: x, lambda x: [x], lambda x: {"n": x}, lambda x: [[x, "text"]]])
@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        (2, 2.0, True),
        (True, 1, False),
        (False, 0, False),
        (1, 1.5, False),
        (0, None, False),
        ("1", 1, False),
        ([], {}, False),
        ("", None, False),
        (2**70, 2**70, True),
        (2**70, 2**70 + 1, False),
        (2**53 + 1, float(2**53), False),
    ],
)
def test_numbers_are_the_same_whatever_their_type_and_nothing_else_is(a, b, is_same, wrapped):
    for x, y in ((a, b), (b, a)):
        assert [(each.a, each.b) for each in changes({"x": wrapped(x)}, {"x": wrapped(y)})] == [(x, y)] * (not is_same)


def test_changes_of_every_kind_stand_in_the_order_of_the_payload():
    a = {"a": 1, "b": "x", "c": None, "d": [1, {"e": True}], "f": '{"g": [1, 2]}', "h": {}}
    b = {"h": [], "f": '{"g": [1, 3]}', "d": ["1", {"e": False}], "c": 3, "b": "y"}
    assert [each.path for each in changes(a, b)] == [
        f"payload.{path}" for path in ("a", "b", "c", "d.0", "d.1.e", "f.g.1", "h")
    ]


def test_an_item_is_compared_with_the_one_that_is_like_it():
    a = [{"name": "apple", "n": 1}, {"name": "pear", "n": 2}, {"name": "plum", "n": 3}]
    b = [{"name": "pear", "n": 2}, {"name": "plum", "n": 4}]
    assert changes({"x": a}, {"x": b}) == [Change("payload.x.0", a[0], ABSENT), Change("payload.x.2.n", 3, 4)]
    assert changes({"x": b}, {"x": a}) == [Change("payload.x.0", ABSENT, a[0]), Change("payload.x.1.n", 4, 3)]


def test_two_items_with_one_index_that_only_one_side_has_are_both_reported():
    a, b = ["first", "a", "b", "c", "x", "y", "last"], ["first", "x", "y", "new", "last"]
    assert changes({"x": a}, {"x": b}) == [
        Change("payload.x.1", "a", ABSENT),
        Change("payload.x.2", "b", ABSENT),
        Change("payload.x.3", "c", ABSENT),
        Change("payload.x.3", ABSENT, "new"),
    ]


def test_deepdiff_gets_only_the_row_that_differs_of_many():
    a = [{"id": f"row_{n}", "n": n} for n in range(10_000)]
    b = [*a[:5_000], {**a[5_000], "n": -1}, *a[5_001:]]
    assert [len(side) for side in _narrow(a, b, context(), ROOT)] == [3, 3]
    assert changes({"rows": a}, {"rows": b}) == [Change("payload.rows.5000.n", 5_000, -1)]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_the_first_changes_are_found_up_to_the_limit(limit):
    a, b = {f"m{n}": {"x": n, "y": [n]} for n in range(90)}, {f"m{n}": {"x": -1, "y": [-1]} for n in range(90)}
    assert changes(a, b, limit=limit) == changes(a, b, limit=1_000)[:limit]


def test_no_role_is_learnt_after_the_limit():
    known = context(is_creation=True)
    a, b = {"x": 1, "y": 1, "order": "ord_71a9"}, {"x": 2, "y": 2, "order": "ord_93c1"}
    assert find_changes(a, b, known, ROOT, 1) == [Change("payload.x", 1, 2)]
    assert find_changes({"order": "ord_71a9"}, {"order": "ord_55b2"}, known, ROOT, 1) == []


def test_an_id_of_another_role_is_a_change_even_if_both_sides_hold_the_same_id():
    a = {"order": "ord_71a9", "then": ["ord_71a9", "text", {"id": "ord_71a9"}, '["ord_71a9"]'], "n": 1}
    b = {**a, "order": "ord_93c1", "n": 2}
    assert [each.path for each in changes(a, b, is_creation=True)] == [
        "payload.then.0",
        "payload.then.2.id",
        "payload.then.3.0",
        "payload.n",
    ]


def test_an_id_of_another_role_is_a_change_in_equal_payloads_too():
    learnt = context(is_creation=True)
    assert find_changes({"order": "ord_71a9"}, {"order": "ord_93c1"}, learnt, ROOT, 100) == []
    same = {"shipped": [{"order": "ord_71a9"}, {"order": "ord_55b2"}]}
    assert list(find_role_conflicts(same, learnt, ROOT)) == [
        Change("payload.shipped.0.order", "ord_71a9", "ord_71a9"),
    ]


def test_what_the_user_ignores_is_left_out_at_any_depth_and_inside_json_texts():
    a = {"x": {"y": 1, "z": [{"w": 1}]}, "t": '{"y": 1}'}
    b = {"x": {"y": 2, "z": [{"w": 2}]}, "t": '{"y": 2}'}
    assert changes(a, b, ignored=parse_ignore_rules(["payload.x.z.w", "payload.*.y"], [])) == []


words = st.sampled_from(["", "alpha", "beta gamma", "x\ny"])
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([1.0, 0.5, 2**70]), words)
names = st.sampled_from(["a", "b", "c", "__d", "it's"])


def values(lists):
    return st.recursive(scalars, lambda inner: st.one_of(st.dictionaries(names, inner, max_size=4), lists(inner)))


any_lists = values(lambda inner: st.lists(inner, max_size=4))
pairs_as_lists = values(lambda inner: st.tuples(inner, inner).map(list))
objects = st.dictionaries(names, any_lists, max_size=4)
objects_of_pairs = st.dictionaries(names, pairs_as_lists, max_size=4)


def expected(a, b, path):
    """Yield the changes between two values with lists of equal length, found by a plain walk."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in [*a, *(name for name in b if name not in a)]:
            if name in a and name in b:
                yield from expected(a[name], b[name], (*path, name))
            elif (a.get(name), b.get(name)) != (None, None):
                yield Change(".".join((*path, name)), a.get(name, ABSENT), b.get(name, ABSENT))
    elif isinstance(a, list) and isinstance(b, list):
        for n in range(2):
            yield from expected(a[n], b[n], (*path, str(n)))
    elif as_comparable(a) != as_comparable(b):
        yield Change(".".join(path), a, b)


def as_comparable(value):
    """Return a value that Python compares as kdiff does: without members that are null, and booleans as texts."""
    if isinstance(value, dict):
        return {name: as_comparable(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [as_comparable(each) for each in value]
    return str(value) if isinstance(value, bool) else value


def exactly(found):
    return [(each.path, repr(each.a), repr(each.b)) for each in found]


@pytest.mark.parametrize("find", [find_changes, search_changes])
@given(objects_of_pairs, objects_of_pairs)
def test_deepdiff_finds_what_a_plain_walk_finds(find, a, b):
    assert exactly(find(a, b, context(), ROOT, 10_000)) == exactly(expected(a, b, ROOT))


@given(objects_of_pairs, objects_of_pairs)
def test_swapped_sides_give_the_same_changes_mirrored(a, b):
    there, back = changes(a, b, limit=10_000), changes(b, a, limit=10_000)
    assert sorted(exactly(there)) == sorted(exactly(each._replace(a=each.b, b=each.a) for each in back))


@given(objects, objects)
def test_there_is_no_change_exactly_if_both_are_the_same(a, b):
    assert (changes(a, b) == []) == (as_comparable(a) == as_comparable(b))


@given(objects)
def test_equal_objects_are_known_as_equal_without_deepdiff(a):
    assert is_equal(a, copy.deepcopy(a))


@given(objects, objects)
def test_every_path_leads_to_the_value_of_a(a, b):
    for change in changes(a, b, limit=10_000):
        value = a
        for part in change.path.split(".")[1:] if change.a is not ABSENT else ():
            value = value[int(part) if isinstance(value, list) else part]
        assert change.a is ABSENT or value == change.a


ids = st.sampled_from(["ord_71a9", "ord_72b8", "inv_1x07", "3f2b8c1e-1234-4abc-9def-0123456789ab"])
texts = st.builds("{0} {1} of {2}".format, st.sampled_from(["order", "ship"]), ids, ids)
roles = st.recursive(
    st.one_of(ids, texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(names, ids), inner, max_size=4),
        inner.map(lambda value: orjson.dumps(value).decode()),
    ),
)


@given(st.dictionaries(names, roles, max_size=4))
def test_ids_that_are_renamed_everywhere_make_no_change(a):
    text = orjson.dumps(a).decode()
    for old, new in {"71a9": "93c1", "72b8": "94d2", "1x07": "2y08", "3f2b8c1e": "9e2b8c1e"}.items():
        text = text.replace(old, new)
    assert changes(a, orjson.loads(text), is_observation=True) == []


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """A file of three sessions: one, a copy with other ids, and a different one. Each has a number of over 64 bits."""
    lines = []
    for name, number, item in (
        ("good", 2**70, "ord_71a9"),
        ("same", 2**70, "ord_93c1"),
        ("bad", 2**70 + 1, "ord_71a9"),
    ):
        payload = {"input": {"n": number, "m": [number]}, "output": {"item": item}}
        events = [make_tool_call(1, "orders.create", **payload), make_session_end(2)]
        lines += [json.dumps({**each, "session_id": name, "event_id": name + each["event_id"]}) for each in events]
    path = tmp_path / "sessions.ndjson"
    path.write_text("\n".join(lines) + "\n")
    return path


def loads_deepdiff(*arguments: str | Path) -> bool:
    """Whether Python loads deepdiff when it runs with these arguments."""
    ran = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=False)
    assert "Traceback" not in ran.stderr
    return "deepdiff" in {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}


def test_deepdiff_is_loaded_where_two_payloads_differ_and_not_before(sessions: Path) -> None:
    assert not loads_deepdiff("-c", "import agentlog")
    assert not loads_deepdiff("-m", "kdiff", "--help")
    assert not loads_deepdiff("-m", "kdiff", "compare", "good", "same", "--file", sessions)
    assert loads_deepdiff("-m", "kdiff", "compare", "good", "bad", "--file", sessions)


def test_numbers_of_more_than_64_bits_are_compared(sessions: Path) -> None:
    done = run("kdiff", "compare", "good", "bad", "--file", sessions, "--format", "json")
    assert done.code == 1
    assert json.loads(done.out)["decisive"]["changes"] == [
        {"path": f"payload.input.{path}", "a": 2**70, "b": 2**70 + 1} for path in ("n", "m.0")
    ]
    assert run("kdiff", "compare", "good", "same", "--file", sessions).code == 0


@pytest.mark.parametrize("shape", ["text", "json", "markdown", "html"])
def test_events_nested_as_deep_as_can_be_read_are_compared(tmp_path: Path, shape: str) -> None:
    events = [
        {**make_tool_call(1, "orders.create", input=None, output=1), "session_id": name, "event_id": name}
        for name in "ab"
    ]
    path = tmp_path / "deep.ndjson"
    path.write_bytes(
        b"".join(
            orjson.dumps(each).replace(b'"input":null', b'"input":' + b'{"k":[' * 400 + leaf + b"]}" * 400) + b"\n"
            for each, leaf in zip(events, (b"1", b"2"), strict=True)
        )
    )
    done = run("kdiff", "compare", "a", "b", "--file", path, "--format", shape, "--show-divergence")
    assert (done.code, done.error_text) == (1, "")
