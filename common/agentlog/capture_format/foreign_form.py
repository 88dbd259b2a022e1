"""The forms in which other programs write events: envelopes, text before an event, several values on a line. Pure.

A form is read where it is certain, which means that a whole event stands in it, and that all text around it is known.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeGuard

import msgspec

from ..event import codec
from ..event.event import Headers, Place, Record
from ..event.registry_frame import FRAME_BEGINNINGS, split_framed_json

BOM = b"\xef\xbb\xbf"
PADDING = b" \t\r\n\x00"

VALUE_MEMBERS = ("payload", "value", "content", "message", "log", "line", "event", "_source")
"""The members in which envelopes hold an event, as an object or as text. The case of their letters doesn't matter."""
TIME_MEMBERS = ("ts", "timestamp")
"""The members in which envelopes hold the record's timestamp in milliseconds."""

FOREIGN_FILES: Mapping[bytes, str] = {
    b"\xfd7zXZ\x00": "compressed with xz; give what xz -dc FILE writes",
    b"BZh": "compressed with bzip2; give what bzip2 -dc FILE writes",
    b"\x04\x22\x4d\x18": "compressed with lz4; give what lz4 -dc FILE writes",
    b"PK\x03\x04": "a zip archive; give what unzip -p FILE writes",
    b"PAR1": "a Parquet file; write its rows as NDJSON, one event a line",
    b"Obj\x01": "an Avro file; give what avro-tools tojson FILE writes",
    b"SQLite format 3\x00": "an SQLite database, no capture file",
    b"%PDF-": "a PDF, no capture file",
    b"<!DOCTYPE": "a web page, no capture file",
    b"<html": "a web page, no capture file",
}
"""The first bytes of files that hold no lines of JSON, each with what to do."""

ZERO_BYTES = "zero bytes alone: the file wasn't written whole"

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_OBJECT_START = re.compile(rb'\{\s*"')
_OPENING = re.compile(rb'\{\s*(?:"|$)')
_CONTINUATION = re.compile(rb'\s*(?:["{}\[\],:0-9-]|true|false|null|$)')
_SEPARATOR_LINE = re.compile(rb"[\[\],\s]{1,8}")
SHORT_FRAME_BYTES = 5
"""The length of the frame that most clients of a schema registry write."""
MAX_STARTS = 64
"""At most this many places in a line are tried as the beginning of an event."""

_SELECT_EVENTS = 'jq -c \'.. | objects | select(has("event_id") and has("session_id"))\''
"""The command that finds events at any depth of a JSON document."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TIME = r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?"
_LEVEL = r"\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL)\]?"
_LOG_PREFIXES = re.compile(
    "|".join(
        (
            r"[\w.-]+ *\|",  # docker compose
            r"\[pod/[^\]]+\]|[\w.-]+ [\w.-]+(?= \S*T\d\d:)",  # kubectl --prefix, stern
            rf"{_TIME}(?: +(?:stdout|stderr) [FP])?(?: *[-:]? *{_LEVEL})?(?: +[\w.-]+ *[-:])?",  # CRI, kubectl, logging
            rf"{_LEVEL}:[\w.-]+:",  # Python's logging.basicConfig
            r"\w{3} +\d+ \d\d:\d\d:\d\d \S+ [^\s:]+:",  # syslog, journalctl
            r"data:",  # server-sent events
            r"null",  # kafka-console-consumer for a record without a key
        )
    )
)
_CONSOLE_CONSUMER = re.compile(r"(?:(?:CreateTime|LogAppendTime):(-?\d{1,19})|NO_TIMESTAMP)\t")
_CONSOLE_FIELD = re.compile(r"(Partition|Offset):(\d{1,19})")
_KEY_END = re.compile(r"[\s:|,;=>\]\"'-]*$")
_PLACE_MEMBERS = ("topic", "partition", "offset", "headers", *TIME_MEMBERS)
_object_decoder, _any_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Decoder()
_text_decoder = msgspec.json.Decoder(str)


class ForeignEvent(NamedTuple):
    """The bytes of an event, and what its form says about the place of its record; None for nothing."""

    value: bytes
    place: Place | None = None


class JsonScan(NamedTuple):
    """A text as JSON objects one after another.

    Attributes:
        spans: where the whole objects at its beginning begin and end.
        rest: what stands behind them.
        depth: the number of objects and arrays that are open at the end of the rest; 0 if it is no open object.
    """

    text: bytes
    spans: list[tuple[int, int]]
    rest: bytes
    depth: int


def strip_padding(text: bytes) -> bytes:
    """Return a line without space, zero bytes and byte order marks at both ends."""
    while (stripped := text.strip(PADDING).removeprefix(BOM).removesuffix(BOM)) != text:
        text = stripped
    return text


def may_begin_frame(line: bytes) -> bool:
    """Whether a line may begin with a schema registry's frame."""
    return line[:1] in FRAME_BEGINNINGS


def find_frame_at_end(prefix: bytes) -> bytes:
    """Return the frame at the end of the text before an event; nothing if there is none."""
    return prefix[-SHORT_FRAME_BYTES:] if prefix[-SHORT_FRAME_BYTES:][:1] == b"\x00" else b""


def drop_frame(event: ForeignEvent) -> ForeignEvent:
    """Return an event without a schema registry's frame before it; the frame goes into its place."""
    framed = split_framed_json(event.value)
    if framed is None:
        return event
    place = event.place or Place(None, -1, 0)
    return ForeignEvent(framed.content.strip(), place._replace(frame=framed.frame))


def is_separator_line(text: bytes) -> bool:
    """Whether a line only opens or closes an array, or parts its items."""
    return _SEPARATOR_LINE.fullmatch(text) is not None


def scan_objects(text: bytes) -> JsonScan:
    """Split a line into objects. Commas and the brackets of an outermost array may stand between them."""
    spans: list[tuple[int, int]] = []
    start = depth = 0
    rest = _skip_separators(text, 0)
    for token in _TOKEN.finditer(text, rest):
        mark = token[0]
        if not depth:
            if mark != b"{" or token.start() != rest:
                break
            start = rest
        if mark == b'"':  # a text that doesn't end on its line ends nowhere
            return JsonScan(text, spans, text[rest:], 0)
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if not depth:
            spans.append((start, token.end()))
            rest = _skip_separators(text, token.end())
    return JsonScan(text, spans, text[rest:], depth)


def _skip_separators(text: bytes, position: int) -> int:
    while True:
        if text[position : position + 1] in (b" ", b"\t", b"\r", b"\n", b"\0", b",", b"[", b"]", b"\x1e"):
            position += 1
        elif text.startswith(BOM, position):
            position += len(BOM)
        else:
            return position


def may_open_object(text: bytes) -> bool:
    """Whether a line that ends inside an object may be the first of several lines of JSON."""
    return _OPENING.match(text) is not None


def may_continue_object(line: bytes) -> bool:
    """Whether a line may stand inside an object that is spread over several lines."""
    return _CONTINUATION.match(line) is not None


def measure_depth(line: bytes) -> int | None:
    """Return by how much a line inside an object deepens it; None if a text doesn't end on the line."""
    depth = 0
    for token in _TOKEN.finditer(line):
        mark = token[0]
        if mark == b'"':
            return None
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
    return depth


def unwrap_envelope(text: bytes) -> ForeignEvent | None:
    """Return the event in an envelope: that of kcat -J, of rpk topic consume, of a container's log, and the like."""
    members = {name.lower(): raw for name, raw in codec.decode_tolerantly(_object_decoder, text).items()}
    place = _read_envelope_place({name: _decode(members[name]) for name in _PLACE_MEMBERS if name in members})
    for name in VALUE_MEMBERS:
        if name in members and (place is not None or _is_event(_read_value(members[name]))):
            return ForeignEvent(_read_value(members[name]), place)
    return None


def _decode(raw: msgspec.Raw) -> Any:
    return codec.decode_tolerantly(_any_decoder, bytes(raw))


def _read_value(raw: msgspec.Raw) -> bytes:
    """Return an event's bytes, which stand in an envelope as an object or as text."""
    value = _decode(raw) if bytes(raw).startswith(b'"') else None
    return value.encode().strip() if isinstance(value, str) else bytes(raw)


def _is_event(value: bytes) -> bool:
    return isinstance(codec.decode(value, Place(None, -1, 0), ""), Record)


def _read_envelope_place(members: Mapping[str, Any]) -> Place | None:
    """Return the record's place, if the envelope names partition and offset."""
    topic, partition, offset = members.get("topic"), members.get("partition"), members.get("offset")
    if not _is_whole(partition, 2**31) or not _is_whole(offset, 2**63):
        return None
    times = [members[name] for name in TIME_MEMBERS if _is_whole(members.get(name), 2**63)]
    headers = tuple(_read_headers(members.get("headers")))
    return Place(topic if isinstance(topic, str) else None, partition, offset, times[0] if times else None, headers)


def _is_whole(value: object, limit: int) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < limit


def _read_headers(headers: Any) -> Iterator[tuple[str, bytes | None]]:
    """Yield the headers of an envelope: names and values in turn, or objects with ``key`` and ``value``."""
    items = headers if isinstance(headers, list) else []
    if all(isinstance(item, dict) for item in items):
        items = [text for item in items for text in (item.get("key"), item.get("value"))]
    for name, value in zip(items[::2], items[1::2], strict=False):
        if isinstance(name, str) and isinstance(value, str | None):
            yield name, None if value is None else value.encode()


def unwrap_text(text: bytes) -> ForeignEvent | None:
    """Return the event that stands on a line as a JSON text, as in ``"{\\"event_id\\": …}"``."""
    try:
        value = _text_decoder.decode(text).encode().strip()
    except (msgspec.MsgspecError, ValueError):
        return None
    return ForeignEvent(value) if _is_event(value) else None


def find_event_starts(text: bytes) -> Iterator[int]:
    """Yield the places in a line where an event may begin."""
    for count, match in enumerate(_OBJECT_START.finditer(text)):
        if count == MAX_STARTS:
            return
        yield match.start()


def read_prefix(prefix: bytes, session_id: str) -> Place | None:
    """Return what the text before an event says of its record; None if the text isn't known.

    Known are the key, which is the session's id, what Kafka's console consumer prints, and the beginnings of log lines.
    """
    text = _COLOUR.sub("", prefix.decode(errors="replace"))
    if (found := _CONSOLE_CONSUMER.match(text)) is not None:
        return _read_console_fields(text, int(found[1]) if found[1] else None)
    without_end = _KEY_END.sub("", text)
    if without_end == session_id or re.search(rf"[^\w.-]{re.escape(session_id)}$", without_end):
        return Place(None, -1, 0)
    rest = text.strip()
    while rest and (match := _LOG_PREFIXES.match(rest)) is not None:
        rest = rest[match.end() :].lstrip(" \t|")
    return Place(None, -1, 0) if not rest else None


def _read_console_fields(text: str, timestamp: int | None) -> Place:
    fields = {name: int(number) for name, number in _CONSOLE_FIELD.findall(text)}
    partition, offset = fields.get("Partition", -1), fields.get("Offset", -1)
    is_placed = 0 <= partition < 2**31 and 0 <= offset < 2**63
    headers: Headers = tuple(
        ("agentlog.process", name.encode()) for name in re.findall(r"(?:^|[\t,])agentlog\.process:([^\t,]+)", text)
    )
    time = timestamp if timestamp is not None and -(2**63) <= timestamp < 2**63 else None
    return Place(None, partition if is_placed else -1, offset if is_placed else 0, time, headers)


def explain_form(text: bytes) -> str | None:
    """Name the form of a line in which no event was found, and say what to do; None for a form that isn't known."""
    if len(text) > 8 and text.count(b"\x00") * 2 >= len(text) - 4:
        return "UTF-16 behind text in another encoding; write the file anew in UTF-8"
    if re.search(rb"[:,\[]\s*(?:NaN|-?Infinity)\b", text):
        return "not JSON: NaN or Infinity, which JSON has not; write null in its place"
    if text[:1] in (b"{", b"["):
        return None
    if b'"event_id"' in text and b"{" in text:
        return _explain_surrounded_event(text)
    return "not JSON: a line of other text"


def _explain_surrounded_event(text: bytes) -> str:
    """Say how to free the event that stands in other text; what is advised is what reads this line."""
    start, end = text.index(b"{"), text.rfind(b"}") + 1
    if _is_event(text[start:]):
        return "an event behind other text; cut that off, for example with sed 's/^[^{]*//', or use kshark export"
    if _is_event(text[start:end]):
        return "an event amid other text; cut that off, for example with sed 's/^[^{]*//; s/[^}]*$//'"
    return "an event amid other text; write each event as JSON on a line of its own, or use kshark export"


def explain_object(text: bytes) -> str | None:
    """Name the form of an object that has no ``event_id``, and say what to do; None for a form that isn't known."""
    if b'"searched"' in text and b'"unreadable"' in text:
        return "a document of --format json, no capture file; keep sessions with --format ndjson, or kshark export"
    if text.startswith(b'{"log":'):
        return "a container's log line that is no whole event; docker cuts lines at 16 KB"
    if b'"event_id"' in text:
        return f"an object with events inside; write each on a line of its own, for example with {_SELECT_EVENTS}"
    return None
