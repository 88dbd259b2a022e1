"""Secrets in the shapes that people paste are hidden, and what stands beside them stays."""

import json
import time
from collections.abc import Callable
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog.recording.prepare.redaction import Redactor
from agentlog.recording.prepare.secrets import redact_secrets

REDACTOR = Redactor(None, use_builtin_rules=True)
WHO = {"event_id": "evt_1", "session_id": "sess_1", "agent_id": "a", "timestamp": "t", "event_type": "tool_call"}
S = "Zx9qT7wLm2Rk8Vb4"
HIDDEN = "[redacted]"


def after(payload: Any) -> Any:
    (redacted,) = REDACTOR.redact_events([orjson.dumps({**WHO, "payload": {"input": payload}, "context": {}})])
    return cast(dict[str, Any], json.loads(redacted))["payload"]["input"]


# The text, with S for the secret, and all that has to stay.
TEXTS = [
    (f"password: |\n  {S}\nuser: me\n", ["user: me"]),
    (f"a:\n  db_password: |-\n    x\n    {S}\n\n    {S}\n  user: me\n", ["user: me"]),
    (f"password: >- # folded\n  a\n  {S}\n", []),
    (f"password: !!str |\r\n  {S}\r\nuser: me", ["user: me"]),
    (f"passwords:\n  - {S}\n  - x{S}\nusers:\n  - me\n", ["users:\n  - me"]),
    (f"  api_keys:\n  - {S}\n  - x{S}\n  users: me\n", ["users: me"]),
    (f"secrets:\n  first: a\n  second: {S}\nuser: me", ["user: me"]),
    (
        f"env:\n- name: DB_PASSWORD\n  value: {S}\n- name: USER\n  value: me\n",
        ["name: USER\n  value: me", "DB_PASSWORD"],
    ),
    (f"- name: DB_PASSWORD\n  value: a {S} b\n  x: 1", ["x: 1"]),
    (f"- name: USER\n  value: me\n- name: DB_PASSWORD\n  value: {S}\n", ["name: USER\n  value: me"]),
    (f'- name: "DB_PASSWORD"\n  value: "a {S}"\n', ["DB_PASSWORD"]),
    (f"- name: DB_PASSWORD\n  value: |\n    {S}\n- name: B", ["- name: B"]),
    (f"- name: DB_PASSWORD\n  type: text\n  value: {S}\n", ["type: text"]),
    (f"- value: {S}\n  name: DB_PASSWORD\n", ["name: DB_PASSWORD"]),
    (f'{{"name": "DB_PASSWORD", "type": "SECRET", "value": "{S}"}}', ["SECRET"]),
    (f'{{"value": "{S}", "name": "DB_PASSWORD"}}', ["DB_PASSWORD"]),
    (f"ParameterKey=DbPassword,ParameterValue={S} ParameterKey=User,ParameterValue=me", ["ParameterKey=User"]),
    (f'<add key="Smtp.Password" value="{S}" />', ["Smtp.Password"]),
    (f"<password>{S}</password><user>me</user>", ["<user>me</user>", "</password>"]),
    (f"<db:password type='x'>\n  {S} </db:password>", ["type='x'"]),
    (f"<password><![CDATA[{S}]]></password>", ["]]></password>"]),
    (f"\\u003cpassword\\u003e{S}\\u003c/password\\u003e", []),
    (f"&lt;apiKey&gt;{S}&lt;/apiKey&gt;", []),
    (f'<entry key="db.password">{S}</entry><entry key="user">me</entry>', [">me</entry>"]),
    (f"<property><name>x.password</name>\n<value>{S}</value></property>", ["x.password"]),
    (f"<key>Password</key>\n\t<string>{S}</string>", ["<key>Password</key>"]),
    (f"machine api.example.com login me password {S}\n", ["api.example.com", "login me"]),
    (f"machine api.example.com\n  login me\n  password {S}\n", ["login me"]),
    (f"default login me password {S}", ["login me"]),
    (f"sshpass -p {S} ssh host", ["ssh host"]),
    (f"sshpass -p{S} ssh host", ["ssh host"]),
    (f"sshpass -p '{S} x' ssh host", ["ssh host"]),
    (f"curl -u me:{S} https://example.com", ["me:", "https://example.com"]),
    (f"curl -fsSu 'me:{S}' https://example.com", ["me:", "https://example.com"]),
    (f"curl https://example.com \\\n  --user me:{S}", ["--user me:"]),
    (f"curl --proxy-user=me:{S} x", ["me:"]),
    (f"/usr/bin/curl -sS -ume:{S} x", ["me:"]),
    (f"mysql -u root -p{S} shop", ["-u root", "shop"]),
    (f"redis-cli -h host -a {S} ping", ["-h host", "ping"]),
    (f"ldapsearch -D cn=me -w {S} -b dc=x", ["-D cn=me", "-b dc=x"]),
    (f"docker login -u me -p {S} registry", ["-u me", "registry"]),
    (f"unzip -P {S} a.zip", ["a.zip"]),
    (f"openssl rsa -passin pass:{S} -in k", ["-in k"]),
    (f'password = """\n{S}\n"""\nuser = "me"', ['user = "me"']),
    (f"password = r'''{S}'''\nuser = 1", ["user = 1"]),
    (f"password = <<-EOT\n  {S}\n  EOT\nuser = 1", ["user = 1"]),
    (f"ALTER USER app WITH PASSWORD '{S}' VALID UNTIL 'x'", ["VALID UNTIL 'x'"]),
    (f"CREATE USER app IDENTIFIED WITH mysql_native_password BY '{S}';", ["app"]),
    (f'ConvertTo-SecureString "{S}" -AsPlainText', ["-AsPlainText"]),
    (f'ALTER USER app\\n PASSWORD\\r\\n"{S}" x', ["ALTER USER app", " x"]),
    (f"mongosh -u me -p {S} --port 1", ["-u me", "--port 1"]),
    (f"https://acc.blob.core.windows.net/c?sv=2022&sig={S}&se=2026", ["sv=2022", "se=2026"]),
    (f"https://b.s3.amazonaws.com/k?X-Amz-Date=2026&X-Amz-Signature={S}", ["X-Amz-Date=2026"]),
    (f"https://storage.googleapis.com/b?x-goog-signature={S}#a", ["#a"]),
    (f"https://x/y?a=b\\u0026Signature={S}", ["a=b"]),
    ("Your OTP: 738291, valid for 5 minutes", ["valid for 5 minutes"]),
    ('{"pin": "738291", "n": 1}', ['"n": 1']),
    ("mfa_code=738291&user=me", ["user=me"]),
]


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize(("text", "kept"), TEXTS)
def test_a_pasted_secret_is_hidden_and_the_rest_stays(text: str, kept: list[str], depth: int) -> None:
    value: Any = text
    for _ in range(depth):
        value = json.dumps({"output": value})
    found = after(value)
    assert S not in found
    assert "738291" not in found
    assert HIDDEN in found
    for _ in range(depth if S not in text or "\\" not in text else 0):
        found = json.loads(found)["output"]
        if depth == 1:
            assert [part for part in kept if part not in found] == []
    if depth == 0:
        assert [part for part in kept if part not in found] == []


@pytest.mark.parametrize(
    ("value", "hidden"),
    [
        ({"otp": "738291"}, {"otp": HIDDEN}),
        ({"pin": 7382}, {"pin": HIDDEN}),
        ({"userPin": "7382"}, {"userPin": HIDDEN}),
        ({"name": "otp", "value": "738291"}, {"name": "otp", "value": HIDDEN}),
        (["curl", "-u", f"me:{S}", "https://x"], ["curl", "-u", HIDDEN, "https://x"]),
        (["sshpass", "-p", S, "ssh"], ["sshpass", "-p", HIDDEN, "ssh"]),
        (["sshpass", f"-p{S}", "ssh", "h"], ["sshpass", f"-p{HIDDEN}", "ssh", "h"]),
        (["sshpass", "-p", S, "ssh", "-p", "22", "h"], ["sshpass", "-p", HIDDEN, "ssh", "-p", "22", "h"]),
        (["unzip", f"-P{S}", "f.zip"], ["unzip", f"-P{HIDDEN}", "f.zip"]),
        (["unzip", "-oP", S, "f.zip"], ["unzip", "-oP", HIDDEN, "f.zip"]),
        (["curl", f"-ume:{S}", "https://h"], ["curl", f"-ume:{HIDDEN}", "https://h"]),
        (["curl", f"-sSume:{S};&|x", "https://h"], ["curl", f"-sSume:{HIDDEN}", "https://h"]),
        (["curl", f"--user=me:{S}", "https://h"], ["curl", f"--user=me:{HIDDEN}", "https://h"]),
        (["mysql", "-uroot", f"-p{S}", "db"], ["mysql", "-uroot", f"-p{HIDDEN}", "db"]),
        (["/opt/mysql/mysqldump", "-u", "root", f"-p{S}"], ["/opt/mysql/mysqldump", "-u", "root", f"-p{HIDDEN}"]),
        (
            ["docker", "exec", "redis", "redis-cli", "-a", S, "ping"],
            ["docker", "exec", "redis", "redis-cli", "-a", HIDDEN, "ping"],
        ),
        (["redis-cli", "--pass", S], ["redis-cli", "--pass", HIDDEN]),
        (
            ["sudo", "-u", "x", "/usr/bin/curl", "-u", f"me:{S}", "https://h"],
            ["sudo", "-u", "x", "/usr/bin/curl", "-u", HIDDEN, "https://h"],
        ),
        (["mongosh", "-u", "x", "-p", S], ["mongosh", "-u", "x", "-p", HIDDEN]),
        (["ldapsearch", "-D", "cn=x", "-w", S], ["ldapsearch", "-D", "cn=x", "-w", HIDDEN]),
        (["ldapsearch", "-xw", S, "-b", "x"], ["ldapsearch", "-xw", HIDDEN, "-b", "x"]),
        (
            ["docker", "--config", "d", "login", "-u", "me", "-p", S],
            ["docker", "--config", "d", "login", "-u", "me", "-p", HIDDEN],
        ),
        (
            json.dumps({"cmd": ["curl", "-u", f"me:{S}", "https://h"]}),
            json.dumps({"cmd": ["curl", "-u", f"me:{HIDDEN}", "https://h"]}),
        ),
    ],
)
def test_a_secret_that_its_place_tells_is_hidden_in(value: Any, hidden: Any) -> None:
    assert after(value) == hidden


@pytest.mark.parametrize(
    "value",
    [
        {
            "pin": 17,
            "pins": [1000],
            "otp": "none",
            "spin": 7382,
            "pincode": 560001,
            "opinion": "1234",
            "pin_count": 1234,
        },
        {"pin": True, "verification_code": None, "text": "pin 13: high, spin=7382, the pin: red"},
        "docker run --user 1000:1000 -p 8080:80 nginx",
        "mysql -p shop < dump.sql; curl -sSL https://example.com/u:1 | sh",
        "the key: value pairs | name: password_file\n  value: /run/x",
        "usage: mysql -p<password> <database>, or <token> alone; <password></password>",
        "machine learning needs no password but a login",
        "keys:\n  - a\ntokens: 7\nuser: |\n  me\n",
        "def f(token):\n    return x\n",
        "signature: x, ?signed=1&signal=2&design=3",
        "values: [name, password]",
        "SELECT password, 'x' FROM users; the user was identified by its name",
        'token = ""\nuser = "me"',
        "cat <<EOF\npassword\nEOF",
        ["docker", "run", "-p", "8080:80"],
        ["curl", "-u", "me"],
        ["curl", "-HUser-Agent:x", "-XPUT", "https://u:1/"],
        ["mysql", "-uroot", "-p", "db"],
        ["sshpass", "-f", "file", "ssh", "-p", "22", "h"],
        ["unzip", "-p", "f.zip", "-d", "x"],
        ["docker", "run", "--name", "mongo", "-p", "27017:27017", "mongo"],
        ["docker", "run", "--name", "login", "-p", "80:80", "nginx"],
        ["find", "/var/lib/mysql", "-print"],
        ["find", "/", "-name", "mysql", "-print"],
        ["docker", "login", "--password-stdin", "-u", "me"],
        ["redis-cli", "-p", "6379", "-a"],
    ],
)
def test_what_only_looks_like_a_pasted_secret_stays(value: Any) -> None:
    assert after(value) == value


PIECES = st.sampled_from(
    [
        *(
            "name",
            "key",
            "value",
            "password",
            "DB_PASSWORD",
            "apiKey",
            "otp",
            "pin",
            "machine h",
            "login me",
            "default",
        ),
        *(" password ", "curl", "sshpass", "mysql", " -p", " -u", "-a ", "me:", "docker login", "sig", "&sig=", "%26"),
        *(
            "<",
            ">",
            "</",
            "\\u003c",
            "\\u003e",
            "&lt;",
            "&gt;",
            "]]>",
            "<![CDATA[",
            ": |",
            ": >-",
            '"""',
            "<<EOT",
            "EOT",
            " BY '",
            "identified",
            "\n  ",
            "\n",
            "\\n",
        ),
        *(": ", "=", '"', "'", "- ", ",", ";", "{", "}", S, "7382", "\\", "\r\n", "\t", "\u00e9", "x"),
    ]
)
TEXT = st.lists(PIECES, max_size=9).map("".join)
VALUES = st.recursive(
    TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3) | inner.map(json.dumps),
    max_leaves=4,
)


@settings(max_examples=500)
@given(VALUES)
def test_the_cheap_search_finds_whatever_the_rules_for_pasted_texts_would_change(value: Any) -> None:
    assert after(value) == redact_secrets(json.loads(json.dumps(value)))


LONG: dict[str, Callable[[int], str]] = {
    "blocks": lambda size: "password: |\n  x\n" * (size // 16),
    "empty lines": lambda size: "password: |" + "\n" * size,
    "lines of a block": lambda size: "password: |\n" + "  x\n" * (size // 4),
    "escaped lines": lambda size: "password: |" + "\\n  x" * (size // 5),
    "lists": lambda size: "secrets:\n" + "- x\n" * (size // 4),
    "names and no value": lambda size: "name: password " * (size // 15),
    "values and no name": lambda size: "value: x," * (size // 9),
    "values without an end": lambda size: 'value: "' * (size // 8),
    "elements that begin": lambda size: "<password>" * (size // 10),
    "escaped elements": lambda size: "&lt;password&gt;x" * (size // 17),
    "attributes": lambda size: "<password " * (size // 10),
    "an element without an end": lambda size: "<password>" + "x " * (size // 2),
    "spaces in an element": lambda size: "<password>" + " " * size,
    "machines": lambda size: "machine x " * (size // 10),
    "machines with logins": lambda size: "machine a login b account c " * (size // 28),
    "commands": lambda size: "curl -u " * (size // 8),
    "a command without an end": lambda size: "curl " + "-u a" * (size // 4),
    "users": lambda size: "curl " + "-u " + "a" * size,
    "parameters": lambda size: "&sig=" * (size // 5),
    "pins": lambda size: "pin: " * (size // 5),
    "spaces behind a pin": lambda size: "pin:" + " " * size,
    "triple quotes": lambda size: 'password=""" ' * (size // 13),
    "heredocs": lambda size: "password=<<A " * (size // 13),
    "passwords in SQL": lambda size: "password '" * (size // 10),
    "users in SQL": lambda size: "identified with a " * (size // 18),
    "indentation": lambda size: (" " * 50 + "a:\n") * (size // 53),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_text_takes_no_longer_than_its_length_tells(kind: str) -> None:
    """Compare CPU times of the thread for texts 16 times as long. Quadratic work would take 256 times as long."""
    redact_secrets(LONG[kind](100))
    took = []
    for size in (4_000, 64_000):
        text = LONG[kind](size)
        began = time.thread_time()
        redact_secrets(text)
        took.append(time.thread_time() - began)
    assert took[1] < 3 * 16 * took[0] + 0.2
