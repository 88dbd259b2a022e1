"""Secrets leave no process: by name, by shape, in any field; and what is no secret stays as it was."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog import AgentTracer
from agentlog.recording.redaction import redacted, without_secrets
from tests.tracing import in_file

WHO = {"event_id": "evt_1", "session_id": "sess_1", "agent_id": "a", "timestamp": "t", "event_type": "tool_call"}
SECRET = "hunter2-xyzzy"
TOKENS = [
    "sk-proj-abcdefghijklmnopqrstuvwx",
    "sk-ant-api03-abcdefghijklmnopqrst",
    "sk_live_abcdefghijklmnopqrstuvwx",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghij_klmnop",
    "xoxb-123456789012-abcdefghijkl",
    "AKIAABCDEFGHIJKLMNOP",
    "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6.eyJzdWIiOiIxMjM0NTY3.SflKxwRJSMeKKF2QT4",
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
    "passphrase",
    "cvv",
    "AWS_SECRET_ACCESS_KEY",
    "private_key",
    "Set-Cookie",
    "credentials",
]


def after(payload: Any, context: Any = None) -> dict[str, Any]:
    event = json.dumps({**WHO, "payload": payload, "context": context or {}}, separators=(",", ":"))
    found: dict[str, Any] = json.loads(redacted(event.encode(), None, True))
    return found


@pytest.mark.parametrize("name", NAMED)
def test_a_value_with_a_telling_name_is_hidden_wherever_it_stands(name: str) -> None:
    texts = [
        f"{name}={SECRET}",
        f'{{"{name}": "{SECRET}"}}',
        json.dumps(json.dumps({name: SECRET})),
        f"the {name}: {SECRET}",
    ]
    for payload in ({name: SECRET}, {"a": [{name: {"deep": SECRET}}]}, *({"output": text} for text in texts)):
        assert SECRET not in json.dumps(after(payload))
    assert SECRET not in json.dumps(after({}, {"reasoning": f"I was told that {name}: {SECRET}"}))


@pytest.mark.parametrize("token", TOKENS)
def test_a_secret_with_a_telling_shape_is_hidden_wherever_it_stands(token: str) -> None:
    for text in (token, f"use {token} now", f"({token})", f"key={token}"):
        for event in (after({"input": {"x": [text]}}), after({"error": text}), after({}, {"reasoning": text})):
            assert json.dumps(token)[1:-1] not in json.dumps(event)
            assert "[redacted]" in json.dumps(event)


def test_a_number_that_is_a_card_number_and_a_password_in_an_address_are_hidden() -> None:
    assert after({"n": 4111111111111111})["payload"] == {"n": "[redacted]"}
    found = after({"error": f"no connection to postgres://app:{SECRET}@db/x"})["payload"]["error"]
    assert found == "no connection to postgres://app:[redacted]@db/x"


@pytest.mark.parametrize(
    "payload",
    [
        {"input_tokens": 12, "output_tokens": 3, "max_tokens": 99, "token_count": 4},
        {"id": "123e4567-e89b-12d3-a456-426614174000", "at": 1795456168386000000, "monkey": "banana", "turkey": "x"},
        {"password": None, "token": "", "secret": False},
        {"text": "The secretary keys in a passport number; token limits apply: 5"},
        {"url": "https://example.com/a/very/long/path-with-many-words-and-dashes?x=1", "mail": "a@example.com"},
        {"order": "4111111111111112"},
        {"required": ["password", "email"], "columns": [["a", "b"]], "flag": "--token-limit 5, --secretary me"},
        {"url": "http://localhost:8080/x?mail=a@example.com", "name": "key", "value": 5},
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
    found = json.dumps(after({"a": around, name: SECRET, "b": [around, f"see {token} there"], "c": around}))
    assert SECRET not in found
    assert json.dumps(token)[1:-1] not in found


WORDS = ["name", "key", "value", "auth", "pass word", "--", "x", "7", "4111", "https://a:b@c", "bearer "]
PIECES = st.sampled_from([*NAMED, *TOKENS, *WORDS, *":=,[]{}()'\"\\ -_.@\n\u00e9"])
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


@settings(max_examples=1_000, deadline=None)
@given(SUSPECTS, SUSPECTS)
def test_the_cheap_search_finds_whatever_looking_at_each_text_would_change(payload: Any, context: Any) -> None:
    payload, context = {"input": payload}, {"reasoning": context}
    found = after(payload, context)
    assert found["payload"] == without_secrets(json.loads(json.dumps(payload)))
    assert found["context"] == without_secrets(json.loads(json.dumps(context)))


@pytest.mark.parametrize(
    ("payload", "hidden"),
    [
        (
            {"headers": [["Authorization", SECRET], ["Accept", "*/*"]]},
            [["Authorization", "[redacted]"], ["Accept", "*/*"]],
        ),
        ({"env": [{"name": "DB_PASSWORD", "value": SECRET}]}, [{"name": "DB_PASSWORD", "value": "[redacted]"}]),
        ({"argv": f"mysql --user me --db-password {SECRET} -v"}, "mysql --user me --db-password [redacted] -v"),
        ({"auth": ["me", SECRET]}, "[redacted]"),
        ({"url": f"postgres://me@corp.com:p@{SECRET}@db/x?y=1"}, "postgres://me@corp.com:[redacted]@db/x?y=1"),
        ({"counts": {TOKENS[0]: 1, TOKENS[1]: 2}}, {"[redacted]": 1, "[redacted]'": 2}),
        ({"secrets": [SECRET]}, "[redacted]"),
        ({"env": {"value": SECRET, "name": "DB_PASSWORD"}}, {"value": "[redacted]", "name": "DB_PASSWORD"}),
        ({"output": f"the key:\n{TOKENS[0]}\n"}, "the key:\n[redacted]\n"),
        ({"output": f"a password\t= {SECRET}"}, "a password\t= [redacted]"),
        ({"path": f"C:\\{TOKENS[3]}"}, "C:\\[redacted]"),
    ],
)
def test_a_secret_is_hidden_in(payload: dict[str, Any], hidden: Any) -> None:
    assert list(after(payload)["payload"].values()) == [hidden]


@pytest.mark.parametrize("returned", ["no object", {"payload": "no object"}, {"payload": {"a": {1, 2}}}, None])
def test_what_the_users_function_returns_is_left_out_where_it_is_no_event(returned: Any, tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "x.ndjson", redact=lambda _: returned)
    tracer.track_tool_call("mail", "x" * 20_000, lambda: 1)
    assert tracer.flush(10)
    (event,) = in_file(tmp_path / "x.ndjson")
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
    first, second = in_file(tmp_path / "x.ndjson")
    assert first["payload"]["input"] == "to a customer, password=[redacted]"
    assert first["event_id"] != "changed"
    assert second["payload"] == {"redaction": "left out: redact raised ValueError"}
    assert SECRET not in (tmp_path / "x.ndjson").read_text()


def test_redaction_can_be_turned_off(tmp_path: Path) -> None:
    tracer = AgentTracer("sess_1", agent_id="agent", file=tmp_path / "x.ndjson", redact=False)
    tracer.track_tool_call("mail", {"password": SECRET}, lambda: 1)
    assert tracer.flush(10)
    assert SECRET in (tmp_path / "x.ndjson").read_text()
