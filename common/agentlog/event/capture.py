"""A capture file: sessions as NDJSON, one event a line as stored, beside it where the record lay."""

import base64
import binascii
import io
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import orjson

from ..errors import UsageError
from . import codec
from .event import Place, Record, Unreadable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_LINE_BYTES = 2 * codec.MAX_RECORD_BYTES
"""An event as large as we take has room for its ``_record`` and its escapes on a line."""
TOO_LONG_REASON = f"a line of more than the {MAX_LINE_BYTES:,} bytes that we take"

LINE_ERRORS = msgspec.MsgspecError, ValueError, RecursionError
"""What is raised over a line that is none of a capture file."""

_RECORD_MEMBER = b',"_record":'


class _LineHead(msgspec.Struct, gc=False):
    """What must be known of a line before its event is decoded."""

    session_id: str | None = None
    record: msgspec.Raw = msgspec.field(name="_record", default=msgspec.Raw(b""))


class _RecordMember(msgspec.Struct, gc=False):
    """The ``_record`` member of a line."""

    partition: int
    offset: int
    topic: str | None = None
    timestamp: int | None = None
    headers: list[tuple[str, str | dict[str, str] | None]] = []


_line_decoder = msgspec.json.Decoder(_LineHead)
_record_decoder = msgspec.json.Decoder(_RecordMember)
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write_line(value: bytes, place: Place) -> bytes:
    """The line, with its newline, for an event ``value`` (a JSON object) that lay at ``place``."""
    return codec.flatten_json(value).rstrip()[:-1] + _RECORD_MEMBER + codec.flatten_json(encode_place(place)) + b"}\n"


def encode_place(place: Place) -> bytes:
    """``place`` as the JSON object of a line's ``_record``; a header's value that is no text as ``{"base64": …}``."""
    topic, partition, offset, timestamp, headers = place
    encoded_headers = [[name, _encode_header_value(value)] for name, value in headers]
    return orjson.dumps(
        {"topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp, "headers": encoded_headers}
    )


def _encode_header_value(value: bytes | None) -> str | dict[str, str] | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value or b"").decode()}


def decode_session_line(line: bytes, session_id: str, file: str, number: int) -> Record | Unreadable | str:
    """The record on a line; of one that belongs to another session, that session's id."""
    where, place = f"{file}:{number}", Place(None, -1, number)
    if len(line) > MAX_LINE_BYTES:
        return Unreadable(where, place, TOO_LONG_REASON)
    try:
        head = codec.decode_tolerantly(_line_decoder, line)
        if head.session_id is not None and head.session_id != session_id:
            return head.session_id
        value, place = _split_record(line, bytes(head.record), place)
    except LINE_ERRORS as error:
        return explain_unreadable_line(line, place, where, error)
    return codec.decode(value, place, where)


def decode_line(line: bytes, file: str, number: int) -> Record | Unreadable:
    """The record on a line, of whatever session."""
    where, place = f"{file}:{number}", Place(None, -1, number)
    if len(line) > MAX_LINE_BYTES:
        return Unreadable(where, place, TOO_LONG_REASON)
    try:
        value, place = split_line(line, place)
    except LINE_ERRORS as error:
        return explain_unreadable_line(line, place, where, error)
    return codec.decode(value, place, where)


def explain_unreadable_line(line: bytes, place: Place, where: str, error: Exception) -> Unreadable:
    """Why ``line`` is none of a capture file, given what was raised over it."""
    decoded = codec.decode(line, place, where)
    return decoded if isinstance(decoded, Unreadable) else Unreadable(where, place, f"its _record: {error}")


def split_line(line: bytes, place: Place) -> tuple[bytes, Place]:
    """A line's event as its own bytes, and where it lay: ``place`` unless the line says it.

    Raises:
        NO_LINE: it is no line of a capture file.
    """
    return _split_record(line, bytes(codec.decode_tolerantly(_line_decoder, line).record), place)


def _split_record(line: bytes, record: bytes, place: Place) -> tuple[bytes, Place]:
    """The event's own bytes, and where they lay."""
    line = line.strip()
    if not record:
        return line, place
    member = _RECORD_MEMBER + record + b"}"
    if line.endswith(member):
        value = line[: -len(member)] + b"}"
    else:
        members = codec.decode_tolerantly(_object_decoder, line)
        del members["_record"]
        value = b"{" + b",".join(orjson.dumps(name) + b":" + bytes(raw) for name, raw in members.items()) + b"}"
    if record == b"null":
        return value, place
    record_member = _record_decoder.decode(record)
    headers = tuple((name, _decode_header_value(text)) for name, text in record_member.headers)
    return value, Place(
        record_member.topic, record_member.partition, record_member.offset, record_member.timestamp, headers
    )


def _decode_header_value(encoded: str | dict[str, str] | None) -> bytes | None:
    if isinstance(encoded, dict):
        try:
            return base64.b64decode(encoded["base64"], validate=True)
        except (KeyError, binascii.Error):
            raise ValueError("a header's value is neither text nor base64") from None
    return None if encoded is None else encoded.encode()


def open_capture(path: str, stdin: io.BufferedReader) -> io.BufferedIOBase:
    """The file's lines, unpacked; ``-`` is ``stdin``. What it is packed with is told by its first bytes.

    Raises:
        UsageError: it can't be opened, or is packed with zstd and the extra for it isn't installed.
    """
    try:
        raw = stdin if path == "-" else Path(path).open("rb")  # noqa: SIM115  the caller closes it
        magic = raw.peek(4)[:4]
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}. A capture file is what --file takes.") from error
    if magic[:2] == b"\x1f\x8b":
        return io.BufferedReader(_DecompressedStream(raw, lambda: zlib.decompressobj(wbits=31), zlib.error))
    return _open_zstd(raw, path) if magic == b"\x28\xb5\x2f\xfd" else raw


def _open_zstd(raw: io.BufferedReader, path: str) -> io.BufferedIOBase:
    try:
        import zstandard  # noqa: PLC0415  an extra
    except ImportError:
        raw.close()
        raise UsageError(f"{path} is packed with zstd: pip install 'agentlog[zstd]', or unpack it first.") from None
    return io.BufferedReader(_DecompressedStream(raw, zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError))


class _Decompressor(Protocol):
    """What unpacks one gzip member, or one zstd frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _DecompressedStream(io.RawIOBase):
    """Frames one behind the other, unpacked; OSError where one is damaged, or isn't whole."""

    def __init__(
        self, packed: io.BufferedReader, new_decompressor: Callable[[], _Decompressor], damage_error: type[Exception]
    ) -> None:
        self._packed, self._new_decompressor, self._damage_error = packed, new_decompressor, damage_error
        self._decompressor, self._ready = new_decompressor(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while not self._ready:
            packed = self._decompressor.unused_data or self._packed.read1()
            if not packed and not self._decompressor.eof:
                raise OSError("it ends too early")
            if not packed:
                return 0
            self._decompress(packed)
        view = memoryview(buffer)
        taken = min(len(view), len(self._ready))
        view[:taken], self._ready = self._ready[:taken], self._ready[taken:]
        return taken

    def _decompress(self, packed: bytes) -> None:
        if self._decompressor.eof:
            self._decompressor = self._new_decompressor()
        try:
            self._ready = self._decompressor.decompress(packed)
        except self._damage_error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        self._packed.close()
        super().close()


def iter_lines(stream: io.BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that aren't blank, the first being 1. Of one over the limit, only a byte more than the limit."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if line.strip():
            yield number, line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)
