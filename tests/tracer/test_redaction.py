"""Redaction: secrets are found by name and by shape in any field, and all other values stay as they were."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog import AgentTracer
from agentlog.recording.prepare import ids
from agentlog.recording.prepare.redaction import Redactor
from agentlog.recording.prepare.secret_scan import SecretScanner
from agentlog.recording.prepare.secrets import redact_secrets
from tests.tracing import read_file_events

REDACTOR = Redactor(None, use_builtin_rules=True)
WHO = {"event_id": "evt_1", "session_id": "sess_1", "agent_id": "a", "timestamp": "t", "event_type": "tool_call"}
SECRET = "hunter2-xyzzy"
TOKENS = [
    "sk-proj-abcdefghijklmnopqrstuvwx",
    "sk-ant-api03-abcdefghijklmnopqrst",
    "sk_live_abcdefghijklmnopqrstuvwx",
    "rk_test_abcdefghijklmnopqrstuvwx",
    "glpat-abcdefghijklmnopqrst",
    "npm_abcdefghijklmnopqrstuvwxyz",
    "pypi-abcdefghijklmnopqrstuvwxyz",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghij_klmnop",
    "xoxb-123456789012-abcdefghijkl",
    "AKIAABCDEFGHIJKLMNOP",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJzdWIiOiIxMjM0NTY3.SflKxwRJSMeKKF2QT4",
    "ya29.a0AfH6SMBabcdefghijklmnopqrstuvwxyz",
    "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789",
    "hf_abcdefghijklmnopqrstuvwxyz",
    "xapp-1-A0123456789-1234567890123-abcdef",
    "whsec_abcdefghijklmnopqrstuvwxyz",
    "GOCSPX-abcdefghijklmnopqrstuvwxyz",
    *("gsk_abcdefghijklmnopqrstuvwxyz", "xai-abcdefghijklmnopqrstuvwxyz", "pplx-abcdefghijklmnopqrstuvwxyz"),
    *("tvly-dev-abcdefghijklmnopqrst", "lsv2_pt_abcdefghijklmnop_qrst", "r8_abcdefghijklmnopqrstuvwxyz"),
    *("hvs.CAESIabcdefghijklmnop", "dapi0123456789abcdef0123456789abcdef", "shpat_0123456789abcdef0123456789abcdef"),
    *("glrt-abcdefghijklmnopqrst", "dop_v1_0123456789abcdef", "glsa_abcdefghijklmnopqrstuvwxyz"),
    "hooks.slack.com/services/T01ABCDEF/B01ABCDEF/abcdefghijklmnopqrstuvwx",
    "https://discord.com/api/webhooks/123456789012345678/abcdefghijklmnopqrstuvwxyz_-0123",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\nlQHYBF\n-----END PGP PRIVATE KEY BLOCK-----",
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "378282246310005",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
]
NAMED = [
    "password",
    "Authorization",
    "api_key",
    "apiKey",
    "X-API-Key",
    "client_secret",
    "access_token",
    "token",
    "cookie",
    "db-password",
    "DB_PASS",
    "smtp-pass",
    "passphrase",
    "cvv",
    "AWS_SECRET_ACCESS_KEY",
    "private_key",
    "Set-Cookie",
    "credentials",
    *("githubToken", "access-token", "refreshToken", "bearer_token", "auth_token", "id_token", "session_token"),
    *("security_token", "csrf-token", "xsrf-token", "signing_key", "encryptionKey", "account_key", "shared_key"),
    *("passwd", "pwd", "cvc", "ssn", "secret-key", "access_key"),
    "cookies",
    "password1",
    "password_confirmation",
]


def after(payload: Any, context: Any = None) -> dict[str, Any]:
    (redacted,) = REDACTOR.redact_events([orjson.dumps({**WHO, "payload": payload, "context": context or {}})])
    return cast(dict[str, Any], json.loads(redacted))


@pytest.mark.parametrize("name", NAMED)
def test_a_value_with_a_telling_name_is_hidden_wherever_it_stands(name: str) -> None:
    texts = [
        f"{name}={SECRET}",
        f'{{"{name}": "{SECRET}"}}',
        json.dumps(json.dumps({name: SECRET})),
        f"the {name}: {SECRET}",
        f"run --{name} {SECRET}",
        f"['--my_{name}', '{SECRET}']",
    ]
    for payload in ({name: SECRET}, {"a": [{name: {"deep": SECRET}}]}, *({"output": text} for text in texts)):
        assert SECRET not in json.dumps(after(payload))
    assert SECRET not in json.dumps(after({}, {"reasoning": f"I was told that {name}: {SECRET}"}))


@pytest.mark.parametrize("token", TOKENS)
def test_a_secret_with_a_telling_shape_is_hidden_wherever_it_stands(token: str) -> None:
    for text in (token, f"use {token} now", f"({token})", f"key={token}", f"line\\n{token}", f"a%3D{token}"):
        for event in (after({"input": {"x": [text]}}), after({"error": text}), after({}, {"reasoning": text})):
            assert json.dumps(token)[1:-1] not in json.dumps(event)
            assert "[redacted]" in json.dumps(event)


@pytest.mark.parametrize("number", [0x286167648679753, 0x286167648679753AAAAAAAAA])
def test_no_id_of_ours_is_hidden_like_a_card_number(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert redact_secrets({"x": f"evt_{number:x}"}) != {"x": f"evt_{number:x}"}
    monkeypatch.setattr(ids._random, "getrandbits", lambda bits: number & (1 << bits) - 1)
    monkeypatch.setattr(ids, "_event_ids", [])
    found = {"call_id": ids.new_event_id(), "session": ids.new_session_id()}
    assert redact_secrets(found) == found


def test_a_number_that_is_a_card_number_and_a_password_in_an_address_are_hidden() -> None:
    assert after({"n": 4111111111111111})["payload"] == {"n": "[redacted]"}
    redacted = after({"error": f"no connection to postgres://app:{SECRET}@db/x"})["payload"]["error"]
    assert redacted == "no connection to postgres://app:[redacted]@db/x"


@pytest.mark.parametrize(
    "payload",
    [
        {"input_tokens": 12, "output_tokens": 3, "max_tokens": 99, "token_count": 4},
        {"id": "123e4567-e89b-12d3-a456-426614174000", "at": 1795456168386000000, "monkey": "banana", "turkey": "x"},
        {
            "time_to_first_token": 0.31,
            "cost_per_token": 2.5e-06,
            "npm_config_user_agent_string": "hf_transformers_models",
        },
        {"logprobs": [{"token": "Hello", "logprob": -0.1, "top_logprobs": [{"token": "Hi", "logprob": -2}]}]},
        {"tools": {"properties": {"api_key": {"type": "string", "description": "the key to the service"}}}},
        {"sha256": "9f4111111111111111a" + "b" * 45, "commit": "4111111111111111" + "c" * 24},
        {"error": 'duplicate key value violates unique constraint "pk_orders_customer_id_idx"'},
        {"password": None, "token": "", "secret": False},
        {"cache": "key-9f86d081884c7d659a2feaa0c55a", "page": "https://hooks.slack.com/services/", "x": "gsk_"},
        {"text": "The secretary keys in a passport number; token limits apply: 5"},
        {"url": "https://example.com/a/very/long/path-with-many-words-and-dashes?x=1", "mail": "a@example.com"},
        {"order": "4111111111111112"},
        {"text": "the names: ['a', 'b', and secretary: ['c'"},
        {"first_pass": "done", "text": "two-pass: yes, the db_passenger: Ada, bypass=on"},
        {"required": ["password", "email"], "columns": [["a", "b"]], "flag": "--token-limit 5, --secretary me"},
        {"url": "http://localhost:8080/x?mail=a@example.com", "name": "key", "value": 5},
        {
            "rows": [["password", "email", "user"], ["Accept", "*/*"], "password", "x"],
            "n": [["password"], ["password", None]],
        },
        {"argv": ["app", "--password", "-v", "--token-limit", "5", "--secret"], "kind": "risk_assessment_department"},
    ],
)
def test_what_is_no_secret_stays_as_it_was(payload: dict[str, Any]) -> None:
    assert after(payload)["payload"] == payload


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from(NAMED), st.sampled_from(TOKENS))
def test_whatever_stands_around_it_a_secret_is_found(around: Any, name: str, token: str) -> None:
    redacted = json.dumps(after({"a": around, name: SECRET, "b": [around, f"see {token} there"], "c": around}))
    assert SECRET not in redacted
    assert json.dumps(token)[1:-1] not in redacted


WORDS = [
    '", "',
    "', '",
    "--token",
    "name",
    "key",
    "value",
    "auth",
    "pass word",
    "--",
    "x",
    "7",
    "Name",
    "Value",
    "4111",
    "https://a:b@c",
    "bearer ",
]
PIECES = st.sampled_from(
    [*NAMED, *TOKENS, *WORDS, "\\n", "\\u003D", "%20", *":=,[]{}()'\"\\ -_.@\n\t\x10\x1f\xa0\u00e9\u0660\u212a"]
)
TEXT = st.lists(PIECES, max_size=5).map("".join)
SUSPECTS = st.recursive(
    TEXT | st.sampled_from([None, True, "", 7, 4111111111111111]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXT, inner, max_size=3)
        | st.lists(st.tuples(TEXT, inner), max_size=2)
        | st.tuples(inner, TEXT).map(lambda both: {"value": both[0], "name": both[1]})
        | inner.map(json.dumps)
    ),
    max_leaves=6,
)


@settings(max_examples=1_000)
@given(SUSPECTS, SUSPECTS)
def test_the_cheap_search_finds_whatever_looking_at_each_text_would_change(payload: Any, context: Any) -> None:
    payload, context = {"input": payload}, {"reasoning": context}
    redacted = after(payload, context)
    assert redacted["payload"] == redact_secrets(json.loads(json.dumps(payload)))
    assert redacted["context"] == redact_secrets(json.loads(json.dumps(context)))


@given(st.lists(SUSPECTS, min_size=2, max_size=6))
def test_events_that_are_searched_together_are_redacted_each_for_itself(payloads: list[Any]) -> None:
    events = [orjson.dumps({**WHO, "payload": {"input": payload}, "context": {}}) for payload in payloads]
    assert REDACTOR.redact_events(events) == [REDACTOR.redact_events([event])[0] for event in events]


def test_an_event_without_secrets_leaves_as_it_came_beside_others_that_have_some() -> None:
    events = [orjson.dumps({**WHO, "payload": {"input": {name: "x"}}, "context": {}}) for name in ("a", "token")]
    clean, redacted = REDACTOR.redact_events(events)
    assert clean is events[0]
    assert b'"token":"[redacted]"' in redacted


def test_an_id_that_looks_like_a_secret_lets_no_event_be_opened() -> None:
    who = {**WHO, "session_id": f"sess_4111111111111111_{TOKENS[0]}", "agent_id": "auth"}
    event = orjson.dumps({**who, "payload": {"input": "a"}, "context": {}})
    assert SecretScanner().find_suspects([event, event]) == []


def test_secrets_are_hidden_too_where_events_cant_be_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: SecretScanner, values: Sequence[bytes]) -> list[int]:
        raise MemoryError

    monkeypatch.setattr(SecretScanner, "find_suspects", broken)
    assert after({"password": SECRET, "n": 1})["payload"] == {"password": "[redacted]", "n": 1}


@pytest.mark.parametrize(
    ("payload", "hidden"),
    [
        (
            {"headers": [["Authorization", SECRET], ["Accept", "*/*"]]},
            [["Authorization", "[redacted]"], ["Accept", "*/*"]],
        ),
        (
            {
                "headers": [
                    ["Cookie", SECRET],
                    ["Accept", "<more than can be recorded>"],
                    ["<2 more, which are left out>"],
                ]
            },
            [["Cookie", "[redacted]"], ["Accept", "<more than can be recorded>"], ["<2 more, which are left out>"]],
        ),
        (
            {"headers": ["a note", ["Cookie", SECRET], ["a", "b", "c"], None, ["otp", "738291"]]},
            ["a note", ["Cookie", "[redacted]"], ["a", "b", "c"], None, ["otp", "[redacted]"]],
        ),
        ({"headers": [1, ["password", SECRET]]}, [1, ["password", "[redacted]"]]),
        ({"pairs": [[TOKENS[0], 1], ["a", TOKENS[1]]]}, [["[redacted]", 1], ["a", "[redacted]"]]),
        ({"pairs": [["--password", SECRET], ["a", "b"]]}, [["--password", "[redacted]"], ["a", "b"]]),
        ({"env": [{"name": "DB_PASSWORD", "value": SECRET}]}, [{"name": "DB_PASSWORD", "value": "[redacted]"}]),
        (
            {"found": {"Name": "/prod/db/password", "Type": "String", "Value": SECRET}},
            {"Name": "/prod/db/password", "Type": "String", "Value": "[redacted]"},
        ),
        ({"argv": f"mysql --user me --db-password {SECRET} -v"}, "mysql --user me --db-password [redacted] -v"),
        ({"sh": f"mysql --password 'a b {SECRET}' -v"}, "mysql --password [redacted] -v"),
        ({"config": f'{{"args": ["--api-key", "{SECRET}", "-v"]}}'}, '{"args": ["--api-key", "[redacted]", "-v"]}'),
        ({"config": f"['--api-key' , '{SECRET}']"}, "['--api-key' , '[redacted]']"),
        ({"config": json.dumps(json.dumps(["--token", SECRET]))}, json.dumps(json.dumps(["--token", "[redacted]"]))),
        ({"argv": ["mysql", "--password", SECRET, "-v"]}, ["mysql", "--password", "[redacted]", "-v"]),
        ({"auth": ["me", SECRET]}, "[redacted]"),
        ({"url": f"postgres://me@corp.com:p@{SECRET}@db/x?y=1"}, "postgres://me@corp.com:[redacted]@db/x?y=1"),
        ({"counts": {TOKENS[0]: 1, TOKENS[1]: 2}}, {"[redacted]": 1, "[redacted] 2": 2}),
        ({"secrets": [SECRET]}, "[redacted]"),
        ({"cut": f"Config(passwords=['{SECRET}', '{SECRET} <9 more"}, "Config(passwords=[redacted]"),
        ({"cut": f'{{"n": [1], "token": ["{SECRET}", "x'}, '{"n": [1], "token": [redacted]'),
        ({"cut": json.dumps(f'{{"secrets": {{"a": "{SECRET}')[:-1]}, '"{\\"secrets\\": [redacted]'),
        ({"env": {"value": SECRET, "name": "DB_PASSWORD"}}, {"value": "[redacted]", "name": "DB_PASSWORD"}),
        ({"output": f"the key:\n{TOKENS[0]}\n"}, "the key:\n[redacted]\n"),
        ({"output": f"a password\t= {SECRET}"}, "a password\t= [redacted]"),
        ({"path": f"C:\\{TOKENS[3]}"}, "C:\\[redacted]"),
        ({"code": "os.environ['API_KEY'] = b'" + SECRET + "'"}, "os.environ['API_KEY'] = b'[redacted]'"),
        (
            {"code": f"password => '{SECRET}', password := \"{SECRET}\""},
            "password => '[redacted]', password := \"[redacted]\"",
        ),
        ({"answer": f"**Password:** {SECRET}, `token`: `{SECRET}`"}, "**Password:** [redacted], `token`: `[redacted]"),
        ({"output": "{'password': 'a\"" + SECRET + "', 'n': 1}"}, "{'password': '[redacted]', 'n': 1}"),
        ({"output": '{"secrets": [{"a}": ["' + SECRET + '"]}], "n": 1}'}, '{"secrets": [redacted], "n": 1}'),
        ({"output": '{\'token\': \'\'}, {"token": "", "n": 1}'}, '{\'token\': \'\'}, {"token": "", "n": 1}'),
        ({"sent": f"Cookie: a=b; sid={SECRET}\nAccept: */*"}, "Cookie: [redacted]\nAccept: */*"),
        (
            {"got": f"Set-Cookie: sid={SECRET}; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Secure\nVia: x"},
            "Set-Cookie: [redacted]\nVia: x",
        ),
        ({"sh": f"curl -H 'Cookie: a=b; sid={SECRET}' https://x"}, "curl -H 'Cookie: [redacted]' https://x"),
        ({"sent": f"Authorization: token {SECRET} and"}, "Authorization: [redacted] and"),
        ({"sent": f'{{"Authorization": "ApiKey {SECRET}", "n": 1}}'}, '{"Authorization": "[redacted]", "n": 1}'),
        (
            {"sent": f'Authorization: Digest username="me", response="{SECRET}"\nVia: x'},
            "Authorization: [redacted]\nVia: x",
        ),
        (
            {"sent": f"authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature={SECRET}"},
            "authorization: [redacted]",
        ),
        ({"paid": "4111 1111 1111 1111 12/27 123"}, "[redacted] 12/27 123"),
        ({"paid": "4111-1111-1111-1111 1227"}, "[redacted] 1227"),
        ({"paid": "3782 822463 10005 1227"}, "[redacted] 1227"),
        ({"cards": "378282246310005\n4111 1111 1111 1111"}, "[redacted]\n[redacted]"),
        ({"password": {"type": "string", "value": SECRET, "sensitive": True}}, "[redacted]"),
        ({"password": {"type": "string", "default": SECRET}}, "[redacted]"),
    ],
)
def test_a_secret_is_hidden_in(payload: dict[str, Any], hidden: Any) -> None:
    assert list(after(payload)["payload"].values()) == [hidden]


LONG: dict[str, Callable[[int], Any]] = {
    "words joined by dashes": lambda size: "password: x, see https://a@b " + "a-" * size,
    "addresses": lambda size: "http://a:" * size + "@",
    "names that are secrets": lambda size: {f"sk-{n:020}": n for n in range(size // 10)},
    "names before a value": lambda size: "password=" * size,
    "spaces before a value": lambda size: "password: " + " " * size,
    "quotes": lambda size: 'password="' + '\\"' * size,
    "backslashes": lambda size: "password:" + "\\" * size,
    "brackets": lambda size: "password:[" * size,
    "lists that are cut": lambda size: "password:['" * size,
    "cookies": lambda size: "cookie: a" + "; a=b" * size,
    "flags": lambda size: "--token '" * size,
    "numbers in groups": lambda size: "4111 " * size,
    "card numbers that are none": lambda size: "4111111111111112 " * size,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_text_takes_no_longer_than_its_length_tells(kind: str) -> None:
    """Compare CPU times of the thread for texts 16 times as long. Quadratic work would take 256 times as long."""
    after(LONG[kind](10))
    took = []
    for size in (2_000, 32_000):
        event = orjson.dumps({**WHO, "payload": {"input": LONG[kind](size)}, "context": {}})
        began = time.thread_time()
        REDACTOR.redact_events([event])
        took.append(time.thread_time() - began)
    assert took[1] < 3 * 16 * took[0] + 0.2


@pytest.mark.parametrize("depth", range(1, 6))
@pytest.mark.parametrize("secret", ["plain", 'a "quoted" one', "a\\b\\\\", "it's\n\\\"", ["a", {"b": "c"}]])
def test_a_value_in_json_inside_of_json_is_hidden_up_to_its_end(depth: int, secret: Any) -> None:
    text: Any = {"password": secret, "n": 1}
    for _ in range(depth):
        text = json.dumps([text, "after"])
    found = after({"output": text})["payload"]["output"]
    if isinstance(secret, list):
        assert "c" not in found.replace("[redacted]", "")
        return
    for _ in range(depth):
        found = json.loads(found)[0]
    assert found == {"password": "[redacted]", "n": 1}


@pytest.mark.parametrize("returned", ["no object", {"payload": "no object"}, {"payload": {"a": {1, 2}}}, None])
def test_what_the_users_function_returns_is_left_out_where_it_is_no_event(returned: Any, tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "x.ndjson", redact=lambda _: returned)
    tracer.track_tool_call("mail", "x" * 20_000, lambda: 1)
    assert tracer.flush(10)
    (event,) = read_file_events(tmp_path / "x.ndjson")
    assert "left out: redact raised" in event["payload"]["redaction"]


def test_a_function_of_the_users_own_gets_each_event_and_has_the_last_word(tmp_path: Path) -> None:
    def own(event: dict[str, Any]) -> dict[str, Any]:
        if event["payload"].get("tool") == "fails":
            raise ValueError(SECRET)
        event["payload"]["input"] = str(event["payload"]["input"]).replace("Acme", "a customer")
        return {**event, "event_id": "changed"}

    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "x.ndjson", redact=own)
    tracer.track_tool_call("mail", f"to Acme, password={SECRET}", lambda: 1)
    tracer.track_tool_call("fails", SECRET, lambda: 1)
    assert tracer.flush(10)
    first, second = read_file_events(tmp_path / "x.ndjson")
    assert first["payload"]["input"] == "to a customer, password=[redacted]"
    assert first["event_id"] != "changed"
    assert second["payload"] == {"redaction": "left out: redact raised ValueError"}
    assert SECRET not in (tmp_path / "x.ndjson").read_text()


def test_headers_of_which_only_a_part_can_be_copied_are_redacted(tmp_path: Path) -> None:
    """The copy ends within a list of headers; those before the end still hold their secrets."""
    names = (b"cookie", b"host", b"accept", b"x", b"y")
    requests = [{"headers": [(name, SECRET.encode()) for name in names[: 2 + n % 4]]} for n in range(5_000)]
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "x.ndjson", payloads=tmp_path / "kept")
    for shift in range(4):
        tracer.track_tool_call("serve", {}, requests[shift:].copy)
    assert tracer.flush(20)
    kept = [json.loads(path.read_text()) for path in (tmp_path / "kept").rglob("*.json")]
    assert len(kept) == 4
    for found in kept:
        assert ["cookie", "[redacted]"] in found[0]["headers"]
        assert ["cookie", SECRET] not in [pair for request in found for pair in request["headers"]]


def test_redaction_can_be_turned_off(tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "x.ndjson", redact=False)
    tracer.track_tool_call("mail", {"password": SECRET}, lambda: 1)
    assert tracer.flush(10)
    assert SECRET in (tmp_path / "x.ndjson").read_text()
