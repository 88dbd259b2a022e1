"""The capture file: sessions as NDJSON, one stored event a line, with the place of its record."""

import base64
import binascii
import codecs
import io
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
import orjson

from ..errors import UsageError
from ..event import codec
from ..event.escape import escape_controls
from ..event.event import Place, Record, Unreadable
from ..event.registry_frame import split_framed_json

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_LINE_BYTES = 2 * codec.MAX_RECORD_BYTES
"""The largest event fits on a line, with its ``_record`` and its escapes."""
TOO_LONG_REASON = f"a line longer than the limit of {MAX_LINE_BYTES:,} bytes"

LINE_ERRORS = msgspec.MsgspecError, ValueError, RecursionError
"""The errors that a line raises when it is not a line of a capture file."""

_RECORD_MEMBER = b',"_record":'


_Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number as Kafka has it."""


class LineHead(msgspec.Struct, gc=False):
    """The members of a line that are read before its event is decoded."""

    session_id: str | None = None
    record: msgspec.Raw = msgspec.field(name="_record", default=msgspec.Raw(b""))


class _RecordMember(msgspec.Struct, gc=False):
    """The ``_record`` member of a line."""

    partition: Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
    offset: _Int64
    topic: str | None = None
    timestamp: _Int64 | None = None
    headers: list[tuple[str, str | dict[str, str] | None]] = []
    key: str | dict[str, str] | None = None
    frame: str = ""


_line_decoder = msgspec.json.Decoder(LineHead)
_record_decoder = msgspec.json.Decoder(_RecordMember)
_object_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def write_line(value: bytes, place: Place) -> bytes:
    """Return the line, with its newline, for the event ``value`` (a JSON object) at ``place``."""
    return codec.flatten_json(value).rstrip()[:-1] + _RECORD_MEMBER + codec.flatten_json(encode_place(place)) + b"}\n"


def encode_place(place: Place) -> bytes:
    """Return ``place`` as the JSON object ``_record``. A key or header that is not UTF-8 becomes ``{"base64": …}``."""
    topic, partition, offset, timestamp, headers, key, frame = place
    encoded_headers = [[name, _encode_bytes(value)] for name, value in headers]
    members: dict[str, Any] = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "headers": encoded_headers,
    }
    if key is not None:
        members["key"] = _encode_bytes(key)
    if frame:
        members["frame"] = frame.hex()
    return orjson.dumps(members)


def _encode_bytes(value: bytes | None) -> str | dict[str, str] | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value or b"").decode()}


def decode_head(line: bytes) -> LineHead:
    """Decode the members of a line that are read before its event.

    Raises:
        MsgspecError, ValueError, RecursionError: it is not a line of a capture file (``LINE_ERRORS``).
    """
    return codec.decode_tolerantly(_line_decoder, line)


def decode_session_line(line: bytes, session_id: str, file: str, number: int) -> Record | Unreadable | str:
    """Decode the record on a line. If it belongs to another session, return that session's id."""
    where, place = f"{file}:{number}", Place(None, -1, number)
    if len(line) > MAX_LINE_BYTES:
        return Unreadable(where, place, TOO_LONG_REASON)
    try:
        head = codec.decode_tolerantly(_line_decoder, line)
        if head.session_id is not None and head.session_id != session_id:
            return head.session_id
        value, place = split_record(line, bytes(head.record), place)
    except LINE_ERRORS as error:
        return explain_unreadable_line(line, place, where, error)
    return codec.decode(value, place, where)


def decode_line(line: bytes, file: str, number: int) -> Record | Unreadable:
    """Decode the record on a line, of any session."""
    where, place = f"{file}:{number}", Place(None, -1, number)
    if len(line) > MAX_LINE_BYTES:
        return Unreadable(where, place, TOO_LONG_REASON)
    try:
        value, place = split_line(line, place)
    except LINE_ERRORS as error:
        return explain_unreadable_line(line, place, where, error)
    return codec.decode(value, place, where)


def explain_unreadable_line(line: bytes, place: Place, where: str, error: Exception) -> Unreadable:
    """Say why ``line`` is not a line of a capture file; ``error`` is one of ``LINE_ERRORS``."""
    decoded = codec.decode(line, place, where)
    return decoded if isinstance(decoded, Unreadable) else Unreadable(where, place, f"its _record: {error}")


def split_line(line: bytes, place: Place) -> tuple[bytes, Place]:
    """Split a line into the bytes of its event and its place. ``place`` holds if the line names none.

    Raises:
        MsgspecError, ValueError, RecursionError: it is not a line of a capture file (``LINE_ERRORS``).
    """
    return split_record(line, bytes(codec.decode_tolerantly(_line_decoder, line).record), place)


def split_record(line: bytes, record: bytes, place: Place) -> tuple[bytes, Place]:
    """Return the event's bytes and the place that ``record``, its member ``_record``, names."""
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
    headers = tuple((name, _decode_bytes(text)) for name, text in record_member.headers)
    return value, Place(
        record_member.topic,
        record_member.partition,
        record_member.offset,
        record_member.timestamp,
        headers,
        _decode_bytes(record_member.key),
        _decode_frame(record_member.frame) if record_member.frame else b"",
    )


def _decode_frame(digits: str) -> bytes:
    frame = bytes.fromhex(digits)
    framed = split_framed_json(frame + b"{}")
    if framed is None or framed.frame != frame:
        raise ValueError("its frame is none of a schema registry")
    return frame


def _decode_bytes(encoded: str | dict[str, str] | None) -> bytes | None:
    if isinstance(encoded, dict):
        try:
            return base64.b64decode(encoded["base64"], validate=True)
        except (KeyError, binascii.Error):
            raise ValueError("a key or a header's value is neither text nor base64") from None
    return None if encoded is None else encoded.encode()


def open_capture(path: str, stdin: io.BufferedReader) -> io.BufferedIOBase:
    """Open a capture file, or ``stdin`` for ``-``, as UTF-8. The first bytes tell the compression and the encoding.

    Raises:
        UsageError: it can't be opened, or it is compressed with zstd and the extra for zstd isn't installed.
    """
    try:
        raw = stdin if path == "-" else Path(path).open("rb")  # noqa: SIM115  the caller closes it
        magic = raw.peek(4)[:4]
    except OSError as error:
        raise UsageError(
            f"{escape_controls(path)}: {error.strerror or error}. --file takes the path of a capture file."
        ) from error
    if magic[:2] == b"\x1f\x8b":
        raw = io.BufferedReader(_DecompressedStream(raw, lambda: zlib.decompressobj(wbits=31), zlib.error))
    elif magic == b"\x28\xb5\x2f\xfd":
        raw = _open_zstd(raw, path)
    return _transcode(raw)


def _transcode(stream: io.BufferedReader) -> io.BufferedReader:
    """Return a stream in UTF-8. A byte order mark tells UTF-16 and UTF-32; the zeros beside a brace tell UTF-16 too."""
    try:
        first = stream.peek(4)[:4]
    except OSError:  # damaged; whoever reads it is told so again
        return stream
    encoding = next((name for start, name in _ENCODINGS.items() if first.startswith(start)), None)
    return stream if encoding is None else io.BufferedReader(_TranscodedStream(stream, encoding))


_ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"{\0": "utf-16-le",
    b"[\0": "utf-16-le",
    b"\0{\0": "utf-16-be",
    b"\0[\0": "utf-16-be",
}
"""The first bytes of a file that isn't UTF-8, and its encoding."""


class _TranscodedStream(io.RawIOBase):
    """The text of a stream in another encoding, as UTF-8. What is no character becomes U+FFFD."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        self._stream, self._ready, self._is_at_end = stream, b"", False
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while not self._ready and not self._is_at_end:
            chunk = self._stream.read1()
            self._is_at_end = not chunk
            self._ready = self._decoder.decode(chunk, final=self._is_at_end).encode()
        view = memoryview(buffer)
        taken = min(len(view), len(self._ready))
        view[:taken], self._ready = self._ready[:taken], self._ready[taken:]
        return taken

    def close(self) -> None:
        self._stream.close()
        super().close()


def _open_zstd(raw: io.BufferedReader, path: str) -> io.BufferedReader:
    try:
        import zstandard  # noqa: PLC0415  an extra
    except ImportError:
        raw.close()
        raise UsageError(
            f"{escape_controls(path)} is compressed with zstd. "
            f"Run pip install 'agentlog[zstd]', or decompress the file first."
        ) from None
    return io.BufferedReader(_DecompressedStream(raw, zstandard.ZstdDecompressor().decompressobj, zstandard.ZstdError))


class _Decompressor(Protocol):
    """A decompressor of one gzip member or one zstd frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _DecompressedStream(io.RawIOBase):
    """The decompressed bytes of frames that follow each other. A damaged or incomplete frame raises OSError."""

    def __init__(
        self, packed: io.BufferedReader, new_decompressor: Callable[[], _Decompressor], damage_error: type[Exception]
    ) -> None:
        self._packed, self._new_decompressor, self._damage_error = packed, new_decompressor, damage_error
        self._decompressor, self._ready, self._is_frame_empty = new_decompressor(), b"", True
        self._damage: OSError | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        while not self._ready:
            if self._damage is not None:
                raise self._damage
            packed = self._read_packed()
            if not packed and not self._decompressor.eof:
                self._set_damage("it ends too early")
                continue
            if not packed:
                return 0
            self._decompress(packed)
        view = memoryview(buffer)
        taken = min(len(view), len(self._ready))
        view[:taken], self._ready = self._ready[:taken], self._ready[taken:]
        return taken

    def _read_packed(self) -> bytes:
        """Return the next compressed bytes; behind a whole frame without the zeros that fill a file up."""
        packed = self._decompressor.unused_data or self._packed.read1()
        if not self._decompressor.eof:
            return packed
        while packed and not packed.strip(b"\0"):
            packed = self._packed.read1()
        return packed.lstrip(b"\0")

    def _decompress(self, packed: bytes) -> None:
        if self._decompressor.eof:
            self._decompressor, self._is_frame_empty = self._new_decompressor(), True
        try:
            self._ready = self._decompressor.decompress(packed)
            self._is_frame_empty = self._is_frame_empty and not self._ready
        except self._damage_error as error:
            self._set_damage(str(error))

    def _set_damage(self, reason: str) -> None:
        """Raise OSError at the next read. If the damage begins a frame, end the last line of the frame before it."""
        self._damage = OSError(reason)
        self._ready = b"\n" if self._is_frame_empty else b""

    def close(self) -> None:
        self._packed.close()
        super().close()


def iter_lines(stream: io.BufferedIOBase) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that aren't blank, with their numbers from 1. A line over the limit is cut a byte behind it."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield number, line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)
