"""Ids by their role: new ids make no difference wherever they stand, and an id in another's place always does."""

import json
import random
import string
import uuid
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kdiff.align.id_index import IdIndex
from kdiff.align.payload_compare import Payloads
from kdiff.judge.verdict import VerdictKind
from kdiff.reading.normalize import IgnoreRules
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
    lines = [
        f"{name}: see https://billing.example/invoices/{each}?open=1" for each, name in zip(ids, NAMES, strict=False)
    ]
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


def write_session(name, seed, *, read, act, kind, targets, is_reasoned):
    rng = random.Random(seed)
    ids = [ID_KINDS[kind](rng) for _ in NAMES]
    script = SessionScript(name).add("session_start", {"goal": "put the invoices right"})
    read(script, ids, rng)
    for target in targets:
        if is_reasoned:
            script.add(
                "llm_call", {"model": "m", "output": {"call": f"call_7a{rng.getrandbits(90):x}", "on": ids[target]}}
            )
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
    assume((how["read"], how["kind"]) != (read_files, "short"))  # a short id is none in the name of a file
    found = compare_events(write_session("a", seed, **how), write_session("b", seed + 1_000, **how))
    assert (found.verdict.kind, found.kinds) == (VerdictKind.SAME, [])


@given(seed=st.integers(0, 999), is_renamed=st.booleans(), at=st.integers(0, 3), other=st.integers(1, 3), **sessions)
def test_a_change_of_another_thing_is_decisive(compare_events, seed, is_renamed, *, at, other, targets, **how):
    at %= len(targets)
    wrong = [*targets[:at], (targets[at] + other) % len(NAMES), *targets[at + 1 :]]
    a = write_session("a", seed, targets=targets, **how)
    b = write_session("b", seed + 1_000 if is_renamed else seed, targets=wrong, **how)
    found = compare_events(a, b)
    assert found.verdict.kind is VerdictKind.DIFFERENT
    assert int(found.decisive.weight) == 3
    assert found.decisive.group.kind == "tool_call"


def write_calls(name, seed, kind, calls):
    """Write a session that reads a list of things and then makes calls: pairs of a tool and a thing's number."""
    rng = random.Random(seed)
    ids = [ID_KINDS[kind](rng) for _ in NAMES]
    script, keys = SessionScript(name), random.Random(name)
    read_rows(script, ids, rng)
    for tool, thing in calls:
        script.calls(tool, {"id": ids[thing], "key": make_uuid(keys)}, "done")
    return script.ends().events


KINDS = pytest.mark.parametrize("kind", sorted(ID_KINDS))
SEEDS = pytest.mark.parametrize("seed", [1, 1_001], ids=["the same ids", "new ids"])


@KINDS
@SEEDS
def test_a_call_left_out_among_its_like_is_the_missing_one(compare_events, kind, seed):
    a = write_calls("a", 1, kind, [("cancel", thing) for thing in (0, 1, 2, 3)])
    b = write_calls("b", seed, kind, [("cancel", thing) for thing in (0, 2, 3)])
    found = compare_events(a, b)
    assert found.kinds == ["missing"]
    assert found.decisive.a.index == 3


@KINDS
@SEEDS
def test_calls_about_two_things_in_another_order_are_moved_and_not_changed(compare_events, kind, seed):
    a = write_calls("a", 1, kind, [("cancel", 0), ("cancel", 1), ("notify", 2)])
    b = write_calls("b", seed, kind, [("cancel", 1), ("cancel", 0), ("notify", 2)])
    assert compare_events(a, b).kinds == ["moved"]


@KINDS
@SEEDS
def test_one_more_call_about_another_thing_is_extra_and_no_repetition(compare_events, kind, seed):
    a = write_calls("a", 1, kind, [("cancel", 0)])
    b = write_calls("b", seed, kind, [("cancel", 0), ("cancel", 3)])
    found = compare_events(a, b)
    assert (found.kinds, found.decisive.b.index) == (["extra"], 3)


@KINDS
@SEEDS
def test_retries_with_fresh_keys_are_repetitions_of_one_call(compare_events, kind, seed):
    a = write_calls("a", 1, kind, [("cancel", 0)])
    b = write_calls("b", seed, kind, [("cancel", 0)] * 6)
    found = compare_events(a, b)
    assert (found.decisive.kind, found.decisive.count) == ("repeated", 6)


@KINDS
def test_an_id_that_was_made_up_doesnt_stand_for_one_that_was_read(compare_events, kind):
    a, b = (write_calls(name, seed, kind, [("cancel", 2)]) for name, seed in (("a", 1), ("b", 1_001)))
    b[-2]["payload"]["input"]["id"] = ID_KINDS[kind](random.Random(7))
    for events in ([a, b], [b, a]):
        assert (compare_events(*events).decisive.label, compare_events(*events).kinds) == ("cancel", ["changed"])
    del a[0], b[0]
    assert compare_events(a, b).verdict.kind is (VerdictKind.DIFFERENT if kind == "short" else VerdictKind.SAME)


@KINDS
def test_the_answer_to_another_question_gives_no_role(compare_events, kind):
    def write(name, seed, customer):
        own = ID_KINDS[kind](random.Random(seed))
        script = SessionScript(name).calls("find_customer", {"name": customer}, {"id": own, "name": customer})
        return script.calls("delete_customer", {"id": own}, "deleted").ends().events

    found = compare_events(write("a", 1, "Ann"), write("b", 2, "Bob"))
    assert found.decisive.label == "delete_customer"
    assert compare_events(write("a", 1, "Ann"), write("b", 2, "Ann")).verdict.kind is VerdictKind.SAME


def test_the_order_of_a_list_is_a_difference_unless_it_is_the_order_of_its_new_ids(compare_events):
    def write(name, rows):
        return SessionScript(name).calls("search", {}, [{"id": each, "name": who} for each, who in rows]).ends().events

    first, second = "1f0e2d3c-4b5a-4978-8877-665544332211", "9f0e2d3c-4b5a-4978-8877-665544332211"
    third, fourth = "2a0e2d3c-4b5a-4978-8877-665544332211", "8a0e2d3c-4b5a-4978-8877-665544332211"
    a = write("a", [(first, "Ann"), (second, "Bob")])
    assert compare_events(a, write("b", [(third, "Bob"), (fourth, "Ann")])).verdict.kind is VerdictKind.SAME
    assert compare_events(a, write("b", [(fourth, "Bob"), (third, "Ann")])).kinds == ["changed"]


def test_one_uuid_is_one_id_in_each_of_its_spellings(compare_events):
    rng = random.Random(3)

    def write(name, ids, spell):
        script = SessionScript(name).calls("list_invoices", {}, ids)
        return script.calls("cancel_invoice", {"ref": spell(ids[1])}, "ok").ends().events

    a_ids, b_ids = ([make_uuid(rng) for _ in range(2)] for _ in range(2))
    for spell in (
        str.upper,
        lambda each: each.replace("-", ""),
        "urn:uuid:{}".format,
        "invoice-{}".format,
        "{{{}}}".format,
    ):
        a = write("a", a_ids, spell)
        assert compare_events(a, write("b", b_ids, spell)).verdict.kind is VerdictKind.SAME
        assert compare_events(a, write("b", b_ids[::-1], spell)).kinds in ([], ["changed"], ["changed", "changed"])
        wrong = write("b", b_ids, lambda each, spell=spell: spell(b_ids[0]))
        assert (compare_events(a, wrong).decisive.label, compare_events(a, wrong).kinds) == (
            "cancel_invoice",
            ["changed"],
        )


@pytest.mark.parametrize("name", ["run_id", "operation_id", "request_id", "created", "updated", "id", "job"])
@pytest.mark.parametrize("kind", ["uuid", "hex", "prefixed"])
def test_a_thing_is_told_by_its_id_whatever_the_member_is_called(compare_events, name, kind):
    def write(session, seed, target):
        rng = random.Random(seed)
        ids = [ID_KINDS[kind](rng) for _ in range(2)]
        script = SessionScript(session)
        for each in ids:
            script.calls("jobs.start", {"on": "x"}, {name: each, "trace_id": make_uuid(rng)})
        return script.calls("jobs.cancel", {name: ids[target], "nonce": make_uuid(rng)}, "ok").ends().events

    assert compare_events(write("a", 1, 1), write("b", 2, 1)).verdict.kind is VerdictKind.SAME
    assert compare_events(write("a", 1, 1), write("b", 2, 0)).decisive.label == "jobs.cancel"
    assert compare_events(write("a", 1, 1), write("b", 1, 0)).decisive.label == "jobs.cancel"


def test_an_equal_id_in_a_long_text_is_another_if_it_stands_for_another(compare_events):
    def write(name, made):
        script = SessionScript(name).calls("orders.create", {"n": 1}, {"order": made})
        return script.calls("mail.send", {"body": "word " * 60 + "about ord_71a9"}, "sent").ends().events

    assert compare_events(write("a", "ord_71a9"), write("b", "ord_93c1")).decisive.label == "mail.send"


def write_memory(script, ids, wrong):
    script.add("memory_write", {"key": f"invoice:{ids[wrong]}", "value": "paid"})


def write_delegation(script, ids, wrong):
    worker = f"worker-{ids[3]}"
    script.add("delegation", {"to_agent_id": worker, "task": f"cancel {ids[wrong]}", "child_session_id": ids[2]})
    script.add(
        "delegation_result", {"from_agent_id": worker, "result": "done"}, parent_event_id=script.events[-1]["event_id"]
    )


def write_tool_of_server(script, ids, wrong):
    script.calls(f"mcp_{ids[3]}.cancel", {"invoice": ids[wrong]}, "ok")


def write_open_call(script, ids, wrong):
    call = {"call_id": "x", "call_type": "tool_call", "tool": "cancel", "input": {"invoice": ids[wrong]}}
    script.add("call_started", call)


def write_json_in_json(script, ids, wrong):
    script.calls("http.post", {"body": json.dumps({"text": json.dumps({"id": ids[wrong]})})}, "ok")


def write_transfer(script, ids, wrong):
    script.calls("transfer", {"from": ids[wrong], "to": ids[1 - wrong], "amount": 3}, "ok")


def write_object_of_two(script, ids, wrong):
    script.calls("update", {"paid": {ids[0]: bool(wrong), ids[1]: not wrong}}, "ok")


def write_message(script, ids, wrong):
    script.calls("mail.send", {"to": "ann", "message": f"Invoice {ids[wrong]} is cancelled."}, "sent")


@pytest.mark.parametrize("kind", ["uuid", "hex", "ulid", "prefixed"])
@pytest.mark.parametrize("write", [
    write_memory, write_delegation, write_tool_of_server, write_open_call, write_json_in_json, write_transfer,
    write_object_of_two, write_message,
])  # fmt: skip
def test_whatever_a_call_is_made_to_its_ids_are_compared_by_their_role(compare_events, kind, write):
    def run(name, seed, wrong):
        ids = [ID_KINDS[kind](random.Random(seed + n)) for n in range(4)]
        script = SessionScript(name).calls("list_invoices", {}, ids)
        write(script, ids, wrong)
        return script.ends().events

    assert compare_events(run("a", 10, 1), run("b", 20, 1)).verdict.kind is VerdictKind.SAME
    for seed in (10, 20):
        found = compare_events(run("a", 10, 1), run("b", seed, 0))
        assert int(found.decisive.weight) >= 2
        assert found.decisive.b.index in (2, 3)


@pytest.mark.parametrize("alphabet", ["abcdefghijkmnpqrstuvwxyz23456789-_", "ABCDEFGHIJKLMNOPabcdefgh0123456789+/="])
def test_an_id_of_any_form_is_told_by_the_name_of_its_member(compare_events, alphabet):
    def run(name, seed, wrong):
        rng = random.Random(seed)
        ids = ["".join(rng.choices(alphabet, k=20)) for _ in range(2)]
        script = SessionScript(name).calls("list", {}, [{"id": each, "n": n} for n, each in enumerate(ids)])
        return script.calls("delete", {"id": ids[wrong]}, "ok").ends().events

    for seed in range(20):
        assert compare_events(run("a", seed, 1), run("b", seed + 100, 1)).verdict.kind is VerdictKind.SAME
        assert compare_events(run("a", seed, 1), run("b", seed + 100, 0)).decisive.label == "delete"


def test_an_id_without_a_digit_is_one_among_its_like(compare_events):
    def run(name, ids):
        script = SessionScript(name).calls("get_user", {"user": "ann"}, {"reservations": ids, "state": "ACTIVE"})
        return script.calls("get_reservation", {"reservation_id": ids[1]}, {"seats": 1}).ends().events

    renewed = run("a", ["4OG6T3", "AQLBTL"]), run("b", ["7KD2X9", "XKKGWS"])
    assert compare_events(*renewed).verdict.kind is VerdictKind.SAME
    assert compare_events(run("a", ["ACTIVE", "AQLBTL"]), run("b", ["CLOSED", "XKKGWS"])).kinds != []


def test_relations_between_ids_are_held_and_repetitions_count(compare_events):
    rng = random.Random(5)
    a, b = ([make_uuid(rng) for _ in range(3)] for _ in range(2))

    def run(name, known, paid):
        answer = {"list": known[:2], "nested": {"id": known[1], "list": known[:2]}, "other": known[2]}
        return SessionScript(name).calls("get", {}, answer).calls("pay", {"ids": paid}).ends().events

    pay_twice = run("a", a, [a[0], a[1], a[0]])
    assert compare_events(pay_twice, run("b", b, [b[0], b[1], b[0]])).verdict.kind is VerdictKind.SAME
    for paid in ([b[0], b[1]], [b[0], b[1], b[1]], [b[1], b[0], b[1]]):
        assert compare_events(pay_twice, run("b", b, paid)).decisive.label == "pay"


def test_the_ids_of_a_models_own_calls_make_no_difference(compare_events):
    rng = random.Random(6)

    def run(name):
        asked = {"id": f"adk-{make_uuid(rng)}", "name": "web_search", "args": {"q": "x"}}
        script = SessionScript(name).add("llm_call", {"model": "m", "output": {"tool_uses": [asked]}})
        return script.calls("web_search", {"q": "x", "id": asked["id"]}, "ok").ends().events

    assert compare_events(run("a"), run("b")).verdict.kind is VerdictKind.SAME


CHOSEN_WORDS = [
    ("feature1", "feature2"), ("test_case1", "test_case2"), ("SEV1", "SEV3"), ("HTTP200", "HTTP201"),
    ("int64", "int32"), ("EUR4500", "EUR9500"), ("12000EUR", "15000EUR"), ("CVE-2024-1234", "CVE-2023-9999"),
    ("2.0.0-beta2", "1.0.0-beta1"), ("Q3-2024", "Q4-2025"), ("FY2026", "FY2025"), ("E1001", "E2002"),
    ("quarterlyreport2025", "quarterlyreport2026"), ("johnsmithmiller1985", "annebrownwilson1990"),
    ("acmeproductiondata2024", "acmeproductiondata2025"), ("checkoutservice2prod", "checkoutservice3prod"),
    ("QuarterlyReportFinal2025", "QuarterlyReportFinal2026"), ("20260310T140000Z", "20270411T160000Z"),
    ("0xff0000", "0x00ff00"), ("/tmp/data/2024", "/tmp/data/2025"), ("/tmp/acme2024.csv", "/tmp/acme2025.csv"),
]  # fmt: skip
MADE_UP_WORDS = [
    ("ord_71a9", "ord_82b3"), ("user_mia_3668", "user_mia_4921"), ("ZFA04Y", "K1NW8N"), ("EHGLP3", "VAAOX7"),
    ("1234567a", "7654321b"), ("abcdef0123456789", "9876543210fedcba"), ("xk7qm2vb9zt4wp6r", "hd3nj8sc5yl1fg0t"),
    ("0x7f3a5c2b1d90", "0x7f1122334455"), ("/tmp/pytest-12/out", "/tmp/pytest-13/out"),
    ("/tmp/tmpab3x9k2_/out", "/tmp/tmp1qz8r4w0/out"),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), CHOSEN_WORDS)
def test_a_chosen_word_with_digits_is_no_id(new_script, compare_events, a, b):
    sessions = [new_script("s").calls("check", {}, f"It was {word} then").ends().events for word in (a, b)]
    assert compare_events(*sessions).verdict.kind is not VerdictKind.SAME


@pytest.mark.parametrize(("a", "b"), MADE_UP_WORDS)
def test_a_made_up_word_with_digits_is_an_id(new_script, compare_events, a, b):
    sessions = [new_script("s").calls("check", {}, f"It was {word} then").ends().events for word in (a, b)]
    assert compare_events(*sessions).verdict.kind is VerdictKind.SAME


def test_an_id_in_a_temporary_path_is_the_id_that_was_read(new_script, compare_events):
    ids = ["3f2a1b4c-1111-4222-8333-444455556666", "9c2a1b4c-1111-4222-8333-444455556666"]
    rows = [{"id": each, "name": name} for each, name in zip(ids, ("Ann", "Bob"), strict=True)]
    sessions = [
        new_script("s").calls("list", {}, rows).calls("bash", {"command": f"rm -rf /tmp/{each}"}).ends().events
        for each in ids
    ]
    assert compare_events(*sessions).verdict.kind is not VerdictKind.SAME


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [("ref", "main", "dev"), ("key", "production", "staging"), ("category_id", 3, 9), ("status_id", 1, 5)],
)
def test_a_name_or_a_kind_under_the_name_of_an_id_is_compared(new_script, compare_events, name, a, b):
    sessions = [
        new_script("s").calls("get", {}, {name: each}).calls("deploy", {name: each}).ends().events for each in (a, b)
    ]
    assert compare_events(*sessions).verdict.kind is not VerdictKind.SAME


def test_the_end_of_a_day_is_a_chosen_time(new_script, compare_events):
    sessions = [
        new_script("s").calls("task.create", {"due": f"{year}-01-31T23:59:59"}).ends().events for year in (2026, 2027)
    ]
    assert compare_events(*sessions).verdict.kind is not VerdictKind.SAME


def refund(name, users, owner, refunded, *, member="user_id", owned_by="owner_id"):
    """Write a session that reads users and the owner of an order, and refunds a user."""
    rows = [{"id": each, "name": who} for each, who in zip(users, ("Bob", "Eve"), strict=True)]
    script = SessionScript(name).calls("get_users", {}, rows).calls("get_order", {}, {owned_by: owner, "state": "open"})
    return script.calls("refund", {member: refunded}, "ok").ends().events


@pytest.mark.parametrize(
    "users", [(17, 42), ("17", "42"), ("u-bob", "u-eve"), ("ord_17", "ord_42"), ("PROJ-123", "PROJ-456")]
)
@pytest.mark.parametrize("member", ["user_id", "owner_id", "id", "userId"])
def test_another_of_two_things_that_both_have_read_is_a_difference_whatever_its_id_looks_like(
    compare_events, users, member
):
    bob, eve = users
    found = compare_events(refund("a", users, bob, bob, member=member), refund("b", users, eve, eve, member=member))
    assert found.kinds == ["changed", "changed"]
    assert found.decisive.label == "refund"
    found = compare_events(refund("a", users, bob, bob, member=member), refund("b", users, bob, eve, member=member))
    assert (found.kinds, found.decisive.label) == (["changed"], "refund")


@pytest.mark.parametrize("users", [(1017, 1042), ("1017", "1042"), ("u-ann", "u-zoe")])
@pytest.mark.parametrize("member", ["user_id", "owner_id", "id"])
def test_new_ids_of_any_look_are_the_same_where_they_stand_for_the_same_things(compare_events, users, member):
    old, new = ("u-bob", "u-eve") if users[0] == "u-ann" else (17, 42), users
    if isinstance(new[0], str) and new[0].isdecimal():
        old = "17", "42"
    a = refund("a", old, old[0], old[0], member=member)
    assert compare_events(a, refund("b", new, new[0], new[0], member=member)).verdict.kind is VerdictKind.SAME
    found = compare_events(a, refund("b", new, new[0], new[1], member=member))
    assert found.decisive.label == "refund"


def test_two_things_whose_numbers_are_swapped_are_two_things(compare_events):
    a, b = refund("a", (17, 42), 17, 17), refund("b", (42, 17), 42, 17)
    assert compare_events(a, b).kinds != []


def test_an_equal_number_is_another_thing_if_it_stands_for_another(compare_events):
    a, b = refund("a", (17, 42), 17, 17), refund("b", (1017, 1042), 1017, 17)
    assert compare_events(a, b).decisive.label == "refund"


def test_one_number_may_name_a_user_and_an_order(compare_events):
    def run(name, user, order, cancelled):
        script = SessionScript(name).calls("get", {}, {"user_id": user, "order_id": order})
        return script.calls("cancel", {"order_id": cancelled}, "ok").ends().events

    a = run("a", 17, 17, 17)
    assert compare_events(a, run("b", 18, 25, 25)).verdict.kind is VerdictKind.SAME
    assert compare_events(a, run("b", 18, 17, 17)).verdict.kind is VerdictKind.SAME
    assert compare_events(a, run("b", 18, 25, 18)).decisive.label == "cancel"


@pytest.mark.parametrize("name", ["ids", "user_ids", "userIds", "order_numbers"])
@pytest.mark.parametrize("new", [(1017, 1042), ("u-ann", "u-zoe"), ("PROJ-1017", "PROJ-1042")])
def test_a_list_named_like_ids_holds_ids(compare_events, name, new):
    def run(session, known, meant):
        script = SessionScript(session).calls("list", {}, {name: known, "count": 2})
        return script.calls("close", {name: meant}, "ok").ends().events

    old = {1017: (17, 42), "u-ann": ("u-bob", "u-eve"), "PROJ-1017": ("PROJ-17", "PROJ-42")}[new[0]]
    a = run("a", list(old), [old[1]])
    assert compare_events(a, run("b", list(new), [new[1]])).verdict.kind is VerdictKind.SAME
    assert compare_events(a, run("b", list(new), [new[0]])).decisive.label == "close"
    assert compare_events(a, run("b", list(old), [old[0]])).decisive.label == "close"


def make_things(name, made, named):
    """Write a session that makes things with numbers, and makes a last call that names one of them."""
    script = SessionScript(name)
    for thing, number in made:
        script.calls(f"create_{thing}", {"name": thing}, {f"{thing}_id": number})
    (tool, arguments) = named
    return script.calls(tool, arguments, "ok").ends().events


@pytest.mark.parametrize(
    ("a", "b", "closed_a", "closed_b"),
    [
        ([("ticket", 17), ("user", 17)], [("ticket", 17), ("user", 18)], {"ticket_id": 17}, {"ticket_id": 18}),
        ([("customer", 1001)], [("customer", 1002)], {"order_id": 1001}, {"order_id": 1002}),
        ([("order", 17), ("user", 17)], [("order", 21), ("user", 17)], {"user_id": 17}, {"user_id": 21}),
        ([("user", 1001)], [("user", 1002)], {"amount": 1001}, {"amount": 1002}),
    ],
)
def test_the_new_number_of_one_thing_says_nothing_about_another(compare_events, a, b, closed_a, closed_b):
    found = compare_events(make_things("a", a, ("close", closed_a)), make_things("b", b, ("close", closed_b)))
    assert found.decisive.label == "close"


def test_the_new_number_of_a_thing_holds_for_that_thing(compare_events):
    a = make_things("a", [("ticket", 17), ("user", 17)], ("close", {"user_id": 17}))
    b = make_things("b", [("ticket", 17), ("user", 18)], ("close", {"user_id": 18}))
    assert compare_events(a, b).verdict.kind is VerdictKind.SAME


RANDOM_IDS = st.integers(0, 99).map(lambda number: str(uuid.UUID(int=random.Random(number).getrandbits(128))))
ID_CALLS = st.lists(
    st.tuples(
        st.sampled_from(["order.get", "order.cancel"]),
        st.lists(RANDOM_IDS, min_size=1, max_size=1),
        st.lists(RANDOM_IDS, min_size=1, max_size=2),
    ),
    min_size=2,
    max_size=3,
)


@given(ID_CALLS, ID_CALLS, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=8))
def test_ids_that_stand_in_one_step_alone_are_compared_like_any_others(compare_events, a, b, order):
    sides = []
    for name, calls in (("a", a), ("b", b)):
        script = SessionScript(name)
        for tool, asked, answered in calls:
            script.calls(tool, {"ids": asked}, {"found": answered})
        sides.append(script.events)
    quick = _find_all_changes(compare_events(*sides), order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(IdIndex, "is_fresh", lambda *_: False)
        slow = _find_all_changes(compare_events(*sides), order)
    assert quick == slow


def _find_all_changes(found, order):
    """Return the divergences, and the changes between steps that are compared one pair after the other."""
    comparison = found.comparison
    groups_a, groups_b = comparison.a.groups, comparison.b.groups
    payloads = Payloads(IgnoreRules(), comparison.a, comparison.b)
    return [(each.kind, each.order_key) for each in comparison.divergences], [
        (payloads.find_changes(groups_a[i], groups_b[j]), payloads.is_same(groups_a[i], groups_b[j]))
        for i, j in order
        if i < len(groups_a) and j < len(groups_b)
    ]


TEXTS_WITH_NUMBERS = [
    ("sql", "query", "DELETE FROM orders WHERE id = {}"),
    ("sql", "query", "UPDATE orders SET status = 'void' WHERE order_id IN ({})"),
    ("http.request", "url", "https://x.example/orders/{}/lines?force=1"),
    ("http.request", "url", "https://x.example/cancel?order_id={}&limit=5"),
    ("bash", "command", "shop cancel --order-id={} --force"),
]


def write_text_with_number(name, tool, member, text, *, order, meant):
    script = SessionScript(name).add("session_start", {"goal": "cancel it"})
    script.calls("create_user", {"name": "Ann"}, {"user_id": 1001})
    script.calls("create_order", {"for": "Ann"}, {"order_id": order})
    return script.calls(tool, {member: text.format(meant), "method": "DELETE"}).ends().events


@pytest.mark.parametrize("orders", [(1001, 1002), (17, 18)])
@pytest.mark.parametrize(("tool", "member", "text"), TEXTS_WITH_NUMBERS)
def test_a_number_in_a_statement_or_an_address_is_the_id_of_the_thing_that_it_names(
    compare_events, tool, member, text, orders
):
    old, new = orders
    a = write_text_with_number("a", tool, member, text, order=old, meant=old)
    same = write_text_with_number("b", tool, member, text, order=new, meant=new)
    assert compare_events(a, same).verdict.kind is VerdictKind.SAME
    stale = write_text_with_number("b", tool, member, text, order=new, meant=old)
    assert compare_events(a, stale).decisive.label == tool


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM users WHERE id = {}", "UPDATE users SET quota = {} WHERE name = 'x'", "https://x.example/users/{}",
        "adduser --uid={}",
    ],
)  # fmt: skip
def test_the_new_number_of_a_thing_is_no_number_of_another_in_a_text(compare_events, text):
    a = write_text_with_number("a", "run", "line", text, order=1001, meant=1001)
    b = write_text_with_number("b", "run", "line", text, order=1002, meant=1002)
    assert compare_events(a, b).decisive.label == "run"


@pytest.mark.parametrize("member", ["id", "user_id", "userId", "ref"])
def test_a_list_sorted_by_new_numbers_is_the_same(compare_events, member):
    def run(name, numbers, target):
        script = SessionScript(name).add("session_start", {"goal": "close it"})
        rows = [{member: number, "name": who} for number, who in zip(numbers, NAMES, strict=True)]
        script.calls("list_users", {}, {"users": sorted(rows, key=lambda row: row[member])})
        return script.calls("close_user", {member: numbers[target]}).ends().events

    a, new = run("a", [7, 8, 9, 10], 1), [33, 131, 9032, 32]
    assert compare_events(a, run("b", new, 1)).verdict.kind is VerdictKind.SAME
    assert compare_events(a, run("b", new, 2)).decisive.label == "close_user"
    assert compare_events(a, run("b", [7, 8, 9, 10], 2)).decisive.label == "close_user"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("next_cursor", "cursor"), ("endCursor", "after_cursor"), ("nextPageToken", "pageToken"),
        ("next_page_token", "page_token"), ("continuation_token", "continuation_token"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("eyJpZCI6MTAwfQ==", "eyJpZCI6MjQwfQ=="),
        ("CAEaBwoFbGFzdA", "CAEaBxoFbWFzdB"),
        ("abcdefgh", "zyxwvuts"),
        (90, 43),
    ],
)
def test_a_new_cursor_is_the_same_where_it_was_read(compare_events, given, named, old, new):
    def run(name, read, meant):
        script = SessionScript(name).calls("list_orders", {}, {"rows": [1, 2], given: read})
        return script.calls("list_orders", {named: meant}, {"rows": [3]}).ends().events

    a = run("a", old, old)
    assert compare_events(a, run("b", new, new)).verdict.kind is VerdictKind.SAME
    assert compare_events(a, run("b", new, old)).decisive.label == "list_orders"
