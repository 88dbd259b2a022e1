"""The frames in which a schema registry's clients write: a magic byte and the schema's id, then the content. Pure."""

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_FIELD_NUMBER = 2**29 - 1
"""Protobuf's largest field number."""
FRAME_BEGINNINGS = frozenset((b"\x00", b"\x03"))
MAX_MESSAGE_INDEXES = 8
MAX_CHECKED_BYTES = 4096
"""So many bytes tell whether a content is Protobuf."""
_JSON_OBJECT = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*["}]')
_GLUE_COMPRESSION = {b"\x00": "", b"\x05": ", compressed (zlib)"}


class Framed(NamedTuple):
    """The bytes of a frame, the id of its schema, and the content behind it."""

    frame: bytes
    schema: str
    content: bytes


def split_frame(data: bytes) -> Framed | None:
    """Split framed bytes; None if they don't begin with a frame.

    Confluent's clients, and most others, write 0 and an id of 4 bytes, whose first is 1. Apicurio's older ones write 0
    and an id of 8 bytes. AWS Glue's write 3, a byte for the compression, and a UUID.
    """
    if data[:1] == b"\x00" and len(data) > 5:
        has_long_id = data[1:5] == b"\x00" * 4 and len(data) > 9 and not _JSON_OBJECT.match(data, 5)
        length = 9 if has_long_id else 5
        return Framed(data[:length], str(int.from_bytes(data[1:length], "big")), data[length:])
    if data[:1] == b"\x03" and data[1:2] in _GLUE_COMPRESSION and len(data) > 18:
        return Framed(data[:18], _format_uuid(data[2:18].hex()), data[18:])
    return None


def _format_uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def split_framed_json(data: bytes) -> Framed | None:
    """Split a JSON object from the frame before it; None if there is no frame, or no object behind it."""
    framed = split_frame(data)
    return framed if framed is not None and _JSON_OBJECT.match(framed.content) else None


def drop_frame(data: bytes) -> bytes:
    """Return a JSON object without the frame before it; other bytes as they are."""
    framed = split_framed_json(data) if data[:1] in FRAME_BEGINNINGS else None
    return data if framed is None else framed.content


def explain_framed(data: bytes) -> str | None:
    """Say what stands behind a frame and which schema it has; None if there is no frame."""
    framed = split_frame(data)
    if framed is None:
        return None
    compression = _GLUE_COMPRESSION[framed.frame[1:2]] if framed.frame[:1] == b"\x03" else ""
    content = "JSON" if _JSON_OBJECT.match(framed.content) else "Protobuf" if _is_protobuf(framed.content) else "Avro"
    what = "binary" if compression else content
    return f"{what}{compression} behind a schema registry's frame (schema {framed.schema}); events are JSON"


def _is_protobuf(content: bytes) -> bool:
    """Whether all of the content reads as the indexes of a message in its schema, and then the message's fields."""
    if (start := _skip_message_indexes(content)) is None or start == len(content):
        return False
    return all(_check_fields(content, start))


def _skip_message_indexes(content: bytes) -> int | None:
    """Return where the message begins: behind the number of the indexes and the indexes, which are small."""
    count, at = _read_varint(content, 0)
    if count is None or count % 2 or count // 2 > MAX_MESSAGE_INDEXES:
        return None
    for _ in range(count // 2):
        index, at = _read_varint(content, at)
        if index is None or index % 2 or index // 2 > 2**10:
            return None
    return at


def _check_fields(content: bytes, at: int) -> Iterator[bool]:
    """Yield for each field whether it is valid; nothing is read behind one that isn't."""
    while at < min(len(content), MAX_CHECKED_BYTES):
        tag, at = _read_varint(content, at)
        if tag is None or not 0 < tag >> 3 <= MAX_FIELD_NUMBER:
            yield False
            return
        match tag & 7:
            case 0:
                value, at = _read_varint(content, at)
                length: int | None = None if value is None else 0
            case 1 | 5 as width:
                length = 8 if width == 1 else 4
            case 2:
                length, at = _read_varint(content, at)
            case _:
                length = None
        at += length or 0
        yield length is not None and at <= len(content)


def _read_varint(data: bytes, at: int) -> tuple[int | None, int]:
    """Read an integer of 7 bits a byte; return it, or None, and where it ends."""
    number = 0
    for count, byte in enumerate(data[at : at + 10]):
        number |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return number, at + count + 1
    return None, len(data)
