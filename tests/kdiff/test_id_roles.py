"""Ids by their role: new ids make no difference wherever they stand, and an id in another's place always does."""

import copy
import json
import random
import string
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdiff.judge.verdict import VerdictKind
from tests.kdiff.conftest import SessionScript


def make_uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def make_text(alphabet: str, length: int, prefix: str = "") -> Callable[[random.Random], str]:
    return lambda rng: prefix + "7a" + "".join(rng.choices(alphabet, k=length - 2))


ID_KINDS: dict[str, Callable[[random.Random], str]] = {
    "uuid": make_uuid,
    "hex": make_text("0123456789abcdef", 24),
    "ulid": make_text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 26),
    "prefixed": make_text(string.ascii_letters + string.digits, 24, "in_"),
    "call": make_text(string.ascii_letters + string.digits, 24, "call_"),
    "prefixed uuid": lambda rng: f"invoice-{make_uuid(rng)}",
    "short": make_text("0123456789abcdef", 6, "inv_"),
}
NAMES = ["Ann", "Bob", "Cem", "Dea"]

# The ways in which an agent comes to know ids, and in which it hands one on.


def read_rows(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    rows = [{"invoice": each, "customer": name} for each, name in zip(ids, NAMES, strict=False)]
    script.calls("list_invoices", {}, rows)


def read_rows_sorted_by_id(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    rows = [{"invoice": each, "customer": name} for each, name in zip(ids, NAMES, strict=False)]
    script.calls("list_invoices", {}, sorted(rows, key=lambda row: row["invoice"]))


def read_json_text(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    rows = [{"id": each, "customer": name} for each, name in zip(ids, NAMES, strict=False)]
    script.calls("list_invoices", {}, json.dumps({"rows": rows}))


def read_object_by_id(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    script.calls("list_invoices", {}, {each: {"customer": name} for each, name in zip(ids, NAMES, strict=False)})


def read_object_of_equals(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    script.calls("list_invoices", {}, dict.fromkeys(ids, "open"))


def read_each(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    for each, name in zip(ids, NAMES, strict=False):
        script.calls("find_invoice", {"customer": name}, {"id": each})


def read_sorted_ids_and_then_each(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    script.calls("list_ids", {}, sorted(ids))
    for each, name in zip(ids, NAMES, strict=False):
        script.calls("get_invoice", {"id": each}, {"customer": name})


def read_text(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    lines = [f"{name}: see https://billing.example/invoices/{each}?open=1" for each, name in zip(ids, NAMES, strict=False)]
    script.calls("web.read", {"page": "invoices"}, "\n".join([*lines, "end " * 80]))


def read_files(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    script.calls("list_files", {}, " ".join(f"archive/{each}.json" for each in ids))


def hear_from_user(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    script.add("user_message", {"text": "My invoices are " + ", ".join(ids) + "."}, agent="user")


def make_each(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    for each, name in zip(ids, NAMES, strict=False):
        script.calls("create_invoice", {"customer": name, "request": make_uuid(rng)}, {"created": {"id": each}})


def make_alike(script: SessionScript, ids: list[str], rng: random.Random) -> None:
    for each in ids:
        script.calls("create_invoice", {"key": make_uuid(rng)}, {"id": each})


READS = [
    read_rows, read_rows_sorted_by_id, read_json_text, read_object_by_id, read_object_of_equals, read_each,
    read_sorted_ids_and_then_each, read_text, read_files, hear_from_user, make_each, make_alike,
]  # fmt: skip


def act_by_argument(script: SessionScript, target: str) -> None:
    script.calls("cancel_invoice", {"invoice_id": target, "reason": "wrong"}, "ok")


def act_by_url(script: SessionScript, target: str) -> None:
    script.calls("http.request", {"method": "DELETE", "url": f"https://x.example/invoices/{target}/lines?all=1"}, 204)


def act_by_command(script: SessionScript, target: str) -> None:
    script.calls("bash", {"command": f"rm -rf archive/{target}"}, "")


def act_in_list(script: SessionScript, target: str) -> None:
    script.calls("refund_invoices", {"ids": [target], "notify": True}, {"done": 1})


def act_by_name(script: SessionScript, target: str) -> None:
    script.calls("update_invoices", {"updates": {target: {"state": "void"}}}, {"done": target})


ACTS = [act_by_argument, act_by_url, act_by_command, act_in_list, act_by_name]


def write_session(name, seed, read, act, kind, targets, *, is_reasoned):  # noqa: PLR0913  one session's making
    rng = random.Random(seed)  # noqa: S311  the same seed gives the same session
    ids = [ID_KINDS[kind](rng) for _ in NAMES]
    script = SessionScript(name).add("session_start", {"goal": "put the invoices right"})
    read(script, ids, rng)
    for target in targets:
        if is_reasoned:
            script.add("llm_call", {"model": "m", "output": {"call": f"call_7a{rng.getrandbits(90):x}", "on": ids[target]}})
        act(script, ids[target])
    return script.ends().events


sessions = {
    "read": st.sampled_from(READS),
    "act": st.sampled_from(ACTS),
    "kind": st.sampled_from(sorted(ID_KINDS)),
    "targets": st.lists(st.integers(0, len(NAMES) - 1), min_size=1, max_size=4),
    "is_reasoned": st.booleans(),
}


@given(seed=st.integers(0, 999), **sessions)
def test_a_session_with_new_ids_is_the_same(compare_events, seed, **how):
    found = compare_events(write_session("a", seed, **how), write_session("b", seed + 1_000, **how))
    assert (found.verdict.kind, found.kinds) == (VerdictKind.SAME, [])


@given(seed=st.integers(0, 999), is_renamed=st.booleans(), at=st.integers(0, 3), other=st.integers(1, 3), **sessions)
def test_a_change_of_another_thing_is_decisive(compare_events, seed, is_renamed, at, other, targets, **how):
    at %= len(targets)
    wrong = [*targets[:at], (targets[at] + other) % len(NAMES), *targets[at + 1 :]]
    a = write_session("a", seed, targets=targets, **how)
    b = write_session("b", seed + 1_000 if is_renamed else seed, targets=wrong, **how)
    found = compare_events(a, b)
    assert found.verdict.kind is VerdictKind.DIFFERENT
    assert int(found.decisive.weight) == 3
    assert found.decisive.group.kind == "tool_call"
