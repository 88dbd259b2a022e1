"""The entries of a capture file: its events, each on a line; and those that other programs wrote in other forms."""

import io
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ..event import codec
from ..event.event import Place, Record, Unreadable
from ..event.registry_frame import split_framed_json
from . import capture, foreign_form

NO_EVENT_ID = "no event_id"


class Entry(NamedTuple):
    """An event in a capture file, not decoded yet.

    Attributes:
        number: the number of its line.
        offset: its line's number, raised where a line before it held several. Its ``_record`` may name another offset.
        line: the event as a line of a capture file.
        session_id: the id of its session, or None.
        record: its member ``_record`` as stored.
    """

    number: int
    offset: int
    line: bytes
    session_id: str | None
    record: msgspec.Raw

    @property
    def place(self) -> Place:
        """Its place, unless its ``_record`` names another one."""
        return Place(None, -1, self.offset)

    def split(self) -> tuple[bytes, Place]:
        """Split the line into the bytes of the event and the place of its record.

        Raises:
            MsgspecError, ValueError, RecursionError: it is not a line of a capture file (``capture.LINE_ERRORS``).
        """
        return capture.split_record(self.line, bytes(self.record), self.place)

    def decode(self, file: str) -> Record | Unreadable:
        """Decode the event; messages call the file ``file``."""
        where = f"{file}:{self.number}"
        try:
            value, place = self.split()
        except capture.LINE_ERRORS as error:
            return capture.explain_unreadable_line(self.line, self.place, where, error)
        decoded = codec.decode(value, place, where)
        return explain_unreadable(decoded, value) if isinstance(decoded, Unreadable) else decoded


def explain_unreadable(unreadable: Unreadable, value: bytes) -> Unreadable:
    """Name the form of an object that is no event, where it is known."""
    form = foreign_form.explain_object(value) if unreadable.reason == NO_EVENT_ID else None
    return unreadable if form is None else unreadable._replace(reason=form)


def read_entries(stream: io.BufferedIOBase, file: str) -> Iterator[Entry | Unreadable]:
    """Yield the entries of a capture file, and its unreadable lines. Messages call the file ``file``."""
    return _EntryReader(stream, file).read()


class _EntryReader:
    """A reader of a capture file's entries. Most lines are events; the others are looked at closely."""

    def __init__(self, stream: io.BufferedIOBase, file: str) -> None:
        self._file, self._offset = file, 0
        self._returned: list[tuple[int, bytes]] = []
        self._lines = self._iter_lines(stream)

    def _iter_lines(self, stream: io.BufferedIOBase) -> Iterator[tuple[int, bytes]]:
        for numbered_line in capture.iter_lines(stream):
            yield numbered_line
            while self._returned:
                yield self._returned.pop()

    def read(self) -> Iterator[Entry | Unreadable]:
        """Yield the entries of the file."""
        for number, line in self._lines:
            head = _try_head(line)
            if head is not None and head.session_id is not None:
                offset = self._offset = number if number > self._offset else self._offset + 1
                yield Entry(number, offset, line, head.session_id, head.record)
                continue
            if number == 1 and (reason := _explain_foreign_file(line)) is not None:
                yield Unreadable(self._file, Place(None, -1, 1), reason)
                return
            yield from self._read_odd_line(number, line)

    def _next_place(self, number: int) -> Place:
        """Return the place of the next entry."""
        self._offset = max(number, self._offset + 1)
        return Place(None, -1, self._offset)

    def _read_odd_line(self, number: int, line: bytes) -> Iterator[Entry | Unreadable]:
        if foreign_form.may_begin_frame(line) and (framed_line := self._find_framed_line(line)) is not None:
            yield self._read_foreign_event(number, foreign_form.ForeignEvent(framed_line))
            return
        text = foreign_form.strip_padding(line)
        if len(line) > capture.MAX_LINE_BYTES:
            yield self._make_unreadable(number, capture.TOO_LONG_REASON)
        elif not text and b"\x00" in line:
            yield self._make_unreadable(number, foreign_form.ZERO_BYTES)
        elif text and not foreign_form.is_separator_line(text):
            scan = foreign_form.scan_objects(text)
            if scan.spans or scan.depth:
                yield from self._read_objects(number, scan, number)
            else:
                yield from self._read_remainder(number, text)

    def _find_framed_line(self, line: bytes) -> bytes | None:
        """Return the line, if it is a JSON object behind a schema registry's frame, in which a newline may stand."""
        if len(line) <= foreign_form.SHORT_FRAME_BYTES and (following := next(self._lines, None)) is not None:
            if split_framed_json(line + following[1]) is not None:
                return line + following[1]
            self._returned.append(following)
        return line if split_framed_json(line) is not None else None

    def _read_objects(self, number: int, scan: foreign_form.JsonScan, last_number: int) -> Iterator[Entry | Unreadable]:
        for start, end in scan.spans:
            head = _try_head(scan.text[start:end])
            if head is None:
                yield from self._read_remainder(number, scan.text[start:])
                return
            yield self._read_object(number, scan.text[start:end], head)
        if scan.depth and foreign_form.may_open_object(scan.rest):
            yield from self._read_spread_object(last_number, scan)
        elif scan.rest:
            yield from self._read_remainder(last_number, scan.rest)

    def _read_object(self, number: int, text: bytes, head: capture.LineHead) -> Entry | Unreadable:
        """Read an object: an event, or an envelope that holds one."""
        foreign_event = foreign_form.unwrap_envelope(text) if head.session_id is None else None
        if foreign_event is None:
            return Entry(number, self._next_place(number).offset, text, head.session_id, head.record)
        return self._read_foreign_event(number, foreign_event)

    def _read_foreign_event(self, number: int, event: foreign_form.ForeignEvent) -> Entry | Unreadable:
        value, place = foreign_form.drop_frame(event)
        head = _try_head(value)
        if head is None:
            decoded = codec.decode(None if value == b"null" else value, place or self._next_place(number), "")
            reason = decoded.reason if isinstance(decoded, Unreadable) else "no event"
            return self._make_unreadable(number, reason)._replace(place=place or Place(None, -1, self._offset))
        if place is None or place.partition < 0:
            rest = place[3:] if place is not None else ()
            place = Place(*self._next_place(number)[:3], *rest)
        line = capture.write_line(value, place)
        return Entry(number, self._offset, line, head.session_id, capture.decode_head(line).record)

    def _read_spread_object(self, number: int, scan: foreign_form.JsonScan) -> Iterator[Entry | Unreadable]:
        """Read an object that is spread over several lines."""
        parts, depth, size = [scan.rest, b"\n"], scan.depth, len(scan.rest)
        for next_number, line in self._lines:
            deeper = foreign_form.measure_depth(line)
            if deeper is None or not foreign_form.may_continue_object(line) or is_event_line(line):
                self._returned.append((next_number, line))
                break
            parts.append(line)
            depth += deeper
            if depth <= 0:
                yield from self._read_objects(number, foreign_form.scan_objects(b"".join(parts)), next_number)
                return
            size += len(line)
            if size > capture.MAX_LINE_BYTES:
                break
        yield from self._read_remainder(number, scan.rest)

    def _read_remainder(self, number: int, text: bytes) -> Iterator[Entry | Unreadable]:
        """Read an event behind other text or in a JSON text, or say what the text is."""
        if text[:2] == b'"{' and (foreign_event := foreign_form.unwrap_text(text)) is not None:
            yield self._read_foreign_event(number, foreign_event)
            return
        for start in foreign_form.find_event_starts(text):
            if start and is_event_line(text[start:]):
                prefix, head = text[:start], capture.decode_head(text[start:])
                place = foreign_form.read_prefix(prefix, head.session_id or "")
                if place is None and (frame := foreign_form.find_frame_at_end(prefix)):
                    place = foreign_form.read_prefix(prefix.removesuffix(frame), head.session_id or "")
                    place = None if place is None else place._replace(frame=frame)
                if prefix[:1] == b"{":  # a line that broke off, and the next write behind it
                    yield self._explain(number, prefix)
                    place = Place(None, -1, 0)
                if place is not None:
                    yield self._read_foreign_event(number, foreign_form.ForeignEvent(text[start:], place))
                    return
                break
        yield self._explain(number, text)

    def _explain(self, number: int, text: bytes) -> Unreadable:
        place = Place(None, -1, number)
        reason = capture.explain_unreadable_line(text, place, "", ValueError("it can't be read")).reason
        if reason.startswith(("not JSON", "not UTF-8", "no event: Expected object")):
            reason = foreign_form.explain_form(text) or reason
        return self._make_unreadable(number, reason)

    def _make_unreadable(self, number: int, reason: str) -> Unreadable:
        return Unreadable(f"{self._file}:{number}", self._next_place(number), reason)


def _try_head(line: bytes) -> capture.LineHead | None:
    try:
        return capture.decode_head(line) if len(line) <= capture.MAX_LINE_BYTES else None
    except capture.LINE_ERRORS:
        return None


def is_event_line(line: bytes) -> bool:
    """Whether a line holds an event and nothing else."""
    head = _try_head(line) if line[:1] == b"{" else None
    return head is not None and head.session_id is not None


def _explain_foreign_file(line: bytes) -> str | None:
    reasons = (reason for magic, reason in foreign_form.FOREIGN_FILES.items() if line.startswith(magic))
    return next(reasons, None)
