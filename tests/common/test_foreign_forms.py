"""Files of other programs: what is read in them, and what is named in their place."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentlog.capture_format.capture import write_line
from agentlog.event.event import Place, Record, Unreadable
from agentlog.log.capture_file import read_all_records

NO_STDIN = io.BufferedReader(io.BytesIO())  # type: ignore[arg-type]


def make_event(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "session_id": "sess_t",
        "agent_id": "a1",
        "timestamp": f"2026-02-03T10:00:0{number}.000Z",
        "event_type": "tool_call",
        "payload": {"tool": "meter.read", "input": {"text": 'a "b" }{ é'}, "error": None},
        **fields,
    }


EVENTS = [make_event(number) for number in range(3)]
LINES = [json.dumps(event) for event in EVENTS]
PLAIN = "\n".join(LINES) + "\n"


def join(form: str) -> str:
    """Return a line in ``form`` for each event."""
    return "".join(form.replace("EVENT", line).replace("NUMBER", str(n)) + "\n" for n, line in enumerate(LINES))


def envelop(**members: Any) -> str:
    """Return an envelope of each event on a line; EVENT stands for it as an object, TEXT for it as text."""
    held = [{"EVENT": event, "TEXT": json.dumps(event)} for event in EVENTS]
    return "".join(
        json.dumps({k: (h.get(v, v) if isinstance(v, str) else v) for k, v in members.items()}) + "\n" for h in held
    )


READ = {
    "UTF-16 with a mark": PLAIN.encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "UTF-16 without a mark, big end first": PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "a mark before every line": "".join(f"\ufeff{line}\r\n" for line in LINES).encode(),
    "a mark alone on a line": f"\ufeff\n{PLAIN}\ufeff\n".encode(),
    "CRLF": PLAIN.replace("\n", "\r\n").encode(),
    "zero bytes around lines": b"\0\0\0" + PLAIN.replace("\n", "\0\0\n").encode(),
    "a JSON text on each line": "".join(json.dumps(line) + "\n" for line in LINES).encode(),
    "one array": json.dumps(EVENTS).encode(),
    "one array over lines": json.dumps(EVENTS, indent=2).encode(),
    "an array, an event a line": ("[\n" + ",\n".join(LINES) + "\n]\n").encode(),
    "an array that begins on its first event's line": ("[" + ",\n ".join(LINES) + "]").encode(),
    "an array whose commas lead": ("[" + LINES[0] + "\n," + LINES[1] + "\n," + LINES[2] + "\n]").encode(),
    "objects over lines": "\n".join(json.dumps(event, indent=2) for event in EVENTS).encode(),
    "objects over lines, tabs": "\r\n".join(json.dumps(event, indent="\t") for event in EVENTS).encode(),
    "objects over lines, side by side": ", ".join(json.dumps(event, indent=4) for event in EVENTS).encode(),
    "objects one after another": "".join(LINES).encode(),
    "objects with spaces between": "  ".join(LINES).encode(),
    "a file without its last newline, and another": (LINES[0] + LINES[1] + "\n" + LINES[2]).encode(),
    "JSON text sequences": "".join(f"\x1e{line}\n" for line in LINES).encode(),
    "kcat's values behind a schema registry's frame": b"".join(b"\0\0\0\0\x07" + x.encode() + b"\n" for x in LINES),
    "a schema's id that is a newline": b"".join(b"\0\0\0\0\n" + line.encode() + b"\n" for line in LINES),
    "a schema's id with a newline inside": b"".join(b"\0\0\0\n\x07" + line.encode() + b"\n" for line in LINES),
    "a schema's id that is a brace": b"".join(b"\0\0\0\0{" + line.encode() + b"\n" for line in LINES),
    "kcat's keys, and values behind a frame": b"".join(b"sess_t:\0\0\0\0\x07" + x.encode() + b"\n" for x in LINES),
    "kcat's keys as JSON texts": b"".join(b'"sess_t":' + line.encode() + b"\n" for line in LINES),
    "kcat's keys and values behind frames": b"".join(
        b"\0\0\0\0\x05sess_t:\0\0\0\0\x07" + line.encode() + b"\n" for line in LINES
    ),
    "kcat -J, values behind a frame": "".join(
        json.dumps({"topic": "t", "partition": 2, "offset": n, "key": "k", "payload": "\0\0\0\0\x07" + line}) + "\n"
        for n, line in enumerate(LINES)
    ).encode(),
    "kcat -J": envelop(
        topic="t", partition=2, offset=0, tstype="create", ts=1770112801000, key="sess_t", payload="TEXT"
    ).encode(),
    "rpk topic consume": envelop(
        topic="t", key="sess_t", value="TEXT", timestamp=1770112801000, partition=0, offset=7
    ).encode(),
    "rpk topic consume, over lines": "\n".join(
        json.dumps({"topic": "t", "key": "sess_t", "value": line, "partition": 0, "offset": n}, indent=2)
        for n, line in enumerate(LINES)
    ).encode(),
    "a REST proxy": json.dumps(
        [{"topic": "t", "key": "sess_t", "value": e, "partition": 1, "offset": n} for n, e in enumerate(EVENTS)]
    ).encode(),
    "kafkactl": envelop(Partition=0, Offset=3, Key="sess_t", Value="TEXT").encode(),
    "a container's log": envelop(log="TEXT", stream="stdout", time="2026-02-03T10:00:02.000000000Z").encode(),
    "Loki": envelop(labels={"app": "a"}, line="TEXT", timestamp="2026-02-03T10:00:02Z").encode(),
    "Elasticsearch": envelop(_index="agents", _id="1", _source="EVENT").encode(),
    "console consumer: time, key": join("CreateTime:177011280100NUMBER\tsess_t\tEVENT").encode(),
    "console consumer: all": join(
        "CreateTime:177011280100NUMBER\tPartition:2\tOffset:NUMBER\tagentlog.process:p-1,x:y\tsess_t\tEVENT"
    ).encode(),
    "console consumer: no headers": join("LogAppendTime:177011280100NUMBER\tNO_HEADERS\tnull\tEVENT").encode(),
    "console consumer: no time": join("NO_TIMESTAMP\tsess_t\tEVENT").encode(),
    "key, tab": join("sess_t\tEVENT").encode(),
    "key, colon": join("sess_t:EVENT").encode(),
    "key, colons": join("sess_t::: EVENT").encode(),
    "key, bar": join("sess_t|EVENT").encode(),
    "key, comma": join("sess_t, EVENT").encode(),
    "key in quotes": join('"sess_t": EVENT').encode(),
    "kcat -f": join("Topic t[0] at offset NUMBER: key sess_t: EVENT").encode(),
    "docker compose": join("agent-1  | EVENT").encode(),
    "docker compose in colour": join("\x1b[36magent-1  | \x1b[0mEVENT").encode(),
    "kubectl logs --prefix": join("[pod/agent-7d9f/agent] EVENT").encode(),
    "kubectl logs --timestamps": join("2026-02-03T10:00:02.123456789Z EVENT").encode(),
    "CRI": join("2026-02-03T10:00:02.123456789Z stdout F EVENT").encode(),
    "syslog": join("Feb  3 10:00:02 host agent[12]: EVENT").encode(),
    "logging": join("2026-02-03 10:00:02,123 INFO agent: EVENT").encode(),
    "logging.basicConfig": join("INFO:agentlog.copy:EVENT").encode(),
    "server-sent events": join("data: EVENT\n").encode(),
}


def read(path: Path, content: bytes) -> tuple[list[Record], list[Unreadable]]:
    path.write_bytes(content)
    items = list(read_all_records(str(path), "run", NO_STDIN))
    return [i for i in items if isinstance(i, Record)], [i for i in items if isinstance(i, Unreadable)]


@pytest.mark.parametrize("form", READ)
def test_a_form_that_is_certain_is_read(tmp_path: Path, form: str) -> None:
    records, unreadable = read(tmp_path / "run", READ[form])
    assert not unreadable
    assert [json.loads(record.value) for record in records] == EVENTS


@pytest.mark.parametrize("form", [form for form in READ if "kcat -J" not in form and "rpk" not in form])
def test_events_of_one_file_lie_one_behind_the_other(tmp_path: Path, form: str) -> None:
    records, _ = read(tmp_path / "run", READ[form])
    places = [record.place[1:3] for record in records]
    assert places == sorted(places)
    assert len(set(places)) == len(places) or form in ("Elasticsearch", "kafkactl")


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ("kcat -J", Place("t", 2, 0, 1770112801000)),
        ("rpk topic consume", Place("t", 0, 7, 1770112801000)),
        ("kafkactl", Place(None, 0, 3)),
        ("console consumer: time, key", Place(None, -1, 1, 1770112801000)),
        ("console consumer: all", Place(None, 2, 0, 1770112801000, (("agentlog.process", b"p-1"),))),
        ("key, tab", Place(None, -1, 1)),
    ],
)
def test_what_a_form_says_of_the_record_is_its_place(tmp_path: Path, form: str, place: Place) -> None:
    assert read(tmp_path / "run", READ[form])[0][0].place == place


@pytest.mark.parametrize(
    "headers", [["agentlog.process", "p-1"], [{"key": "agentlog.process", "value": "p-1"}]], ids=["kcat", "rpk"]
)
def test_an_envelopes_headers_name_the_process(tmp_path: Path, headers: list[Any]) -> None:
    [first, *_], _ = read(tmp_path / "run", envelop(partition=0, offset=1, headers=headers, value="TEXT").encode())
    assert first.place.process == "p-1"


def test_an_envelopes_event_keeps_its_bytes(tmp_path: Path) -> None:
    stored = b'{"n" : 1.50, "big":18446744073709551616, ' + LINES[0].encode()[1:]
    [found], _ = read(tmp_path / "run", b'{"partition":0,"offset":1,"value":' + stored + b"}")
    assert found.value == stored


NAMED = {
    "a document of ours": (b'{"session_id": "s", "searched": {"unreadable": []}}', "--format ndjson"),
    "events in an object": (json.dumps({"events": EVENTS}).encode(), "jq -c '.. | objects | "),
    "a search's answer": (
        json.dumps({"hits": {"hits": [{"_source": event} for event in EVENTS]}}).encode(),
        """jq -c '.. | objects | select(has("event_id") and has("session_id"))'""",
    ),
    "an event amid a sentence": (b"would have sent " + LINES[0].encode() + b" at once", "sed 's/^[^{]*//; s/[^}]*$//'"),
    "an event in a table": (b'1,"' + LINES[0].replace('"', '""').encode() + b'"', "as JSON on a line of its own"),
    "a JSON text of something else": (b'"{\\"event_id\\": 1}"', "other text"),
    "NaN": (LINES[0].replace("null", "NaN").encode(), "NaN"),
    "other text": (b"2026-02-03 10:00:02 INFO worker 0 polls", "other text"),
    "an event behind a sentence": (b"would have sent " + LINES[0].encode(), "behind other text"),
    "zero bytes": (b"\0" * 4096, "zero bytes"),
    "xz": (b"\xfd7zXZ\x00\n\n\n", "xz -dc"),
    "bzip2": (b"BZh91AY&SY\n\n", "bzip2 -dc"),
    "zip": (b"PK\x03\x04\x14\n\n\n", "unzip -p"),
    "Parquet": (b"PAR1\x15\n\n\n", "Parquet"),
    "a line that docker cut": (
        b'{"log":"{\\"event_id\\": \\"e0\\", ","stream":"stdout","time":"x"}',
        "docker cuts lines",
    ),
    "a web page": (b"<!DOCTYPE html>\n<html>\n<body>\n", "web page"),
    "a tombstone in an envelope": (b'{"partition":0,"offset":1,"key":"s","payload":null}', "tombstone"),
    "no JSON in an envelope": (b'{"partition":0,"offset":1,"key":"s","payload":"hi"}', "not JSON"),
    "an envelope that is cut off": (envelop(partition=0, offset=1, value="TEXT")[:80].encode(), "truncated"),
    "an object that never ends": (b'{\n "event_id": "e",\n', "truncated"),
}


@pytest.mark.parametrize("form", NAMED)
def test_what_is_not_certain_is_named_once_with_what_to_do(tmp_path: Path, form: str) -> None:
    content, reason = NAMED[form]
    records, [named] = read(tmp_path / "run", content)
    assert not records
    assert reason in named.reason


def test_lines_in_utf_16_behind_utf_8_are_named_and_hide_nothing(tmp_path: Path) -> None:
    records, unreadable = read(tmp_path / "run", PLAIN.encode() + PLAIN.encode("utf-16"))
    assert len(records) == len(EVENTS)
    assert {each.reason for each in unreadable if "zero" not in each.reason} == {
        "UTF-16 behind text in another encoding; write the file anew in UTF-8"
    }


@pytest.mark.parametrize("cut", [12, 40, 90, -3])
def test_a_line_that_broke_off_hides_no_later_event(tmp_path: Path, cut: int) -> None:
    for content in (LINES[0][:cut] + LINES[1] + "\n" + LINES[2], LINES[0][:cut] + "\n" + LINES[1] + "\n" + LINES[2]):
        records, unreadable = read(tmp_path / "run", content.encode())
        assert [record.event.event_id for record in records] == ["e1", "e2"]
        assert len(unreadable) == 1


def test_an_object_over_lines_that_broke_off_hides_no_later_event(tmp_path: Path) -> None:
    broken = "\n".join(json.dumps(EVENTS[0], indent=2).splitlines()[:-4])
    records, unreadable = read(tmp_path / "run", f"{broken}\n{PLAIN}".encode())
    assert len(records) == len(EVENTS)
    assert [each.where for each in unreadable] == ["run:1"]


def test_an_event_in_an_event_is_no_event_of_the_file(tmp_path: Path) -> None:
    outer = make_event(7, payload={"value": EVENTS[0], "partition": 0, "offset": 1}, message=LINES[1])
    records, unreadable = read(tmp_path / "run", json.dumps(outer, indent=1).encode())
    assert [record.event.event_id for record in records] == ["e7"]
    assert not unreadable


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*LINES, "\n", " ", "\ufeff", "[", "]", ",", "{", "}", '"', "x", "\0", "sess_t:"])))
def test_every_event_that_stands_on_a_line_of_its_own_is_read_whatever_stands_around(parts: list[str]) -> None:
    content = "".join(parts)
    stream = io.BufferedReader(io.BytesIO(content.encode()))  # type: ignore[arg-type]
    records = [item for item in read_all_records("-", "run", stream) if isinstance(item, Record)]
    own_lines = [line for line in content.split("\n") if line in LINES]
    assert len(records) >= len(own_lines)


@settings(max_examples=100)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_named(content: bytes) -> None:
    stream = io.BufferedReader(io.BytesIO(content))  # type: ignore[arg-type]
    for item in read_all_records("-", "run", stream):
        assert isinstance(item, Record | Unreadable)


def test_a_line_of_ours_is_read_as_before_beside_any_form(tmp_path: Path) -> None:
    place = Place("t", 3, 9, 5, (("h", base64.b64decode("/w==")),))
    ours = write_line(LINES[0].encode(), place)
    records, _ = read(tmp_path / "run", READ["kcat -J"] + ours + READ["key, tab"])
    assert records[3].place == place
