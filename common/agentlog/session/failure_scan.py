"""The rule for failed calls on answers that are still JSON: most can be judged by a look at their ends. Pure.

It runs for each event of a topic. The look may suspect too much, never too little; then the rule itself decides.
"""

import re
from functools import cache, lru_cache

import msgspec

from ..event.codec import decode_tolerantly
from ..event.partial_decode import PartialPayload
from .failure import ANSWER_FIELDS, NAMES, find_error_beside, find_error_in_answer, judge_finish
from .failure_rules import get_failure_rules
from .failure_text import (
    END_MARKS,
    MAX_BEGINNING,
    MAX_END,
    MAX_TAIL,
    TRACE_MARK,
    list_beginnings,
    write_beginning,
)

_BEGINNINGS = tuple(word.encode() for word in list_beginnings())
_COLON, _BACKSLASH = b":\\"  # numbers: bytes are searched for a number without a detour by an exception
_NEWLINE = re.compile(rb"(?<!\\)(?:\\\\)*\\(?:[nr]|u000[aAdD])")
"""A line break in JSON. In the path ``C:\\\\new`` the backslash is escaped, and no break follows."""
_LINE_ENDS = (b"\\n", b"\\r", b"\\t", b" ")
_TRACE_MARK = TRACE_MARK.encode()
_END_MARKS = tuple(mark.replace("\t", "\\t").encode() for mark in END_MARKS)
_MAX_BYTES = 6 * MAX_TAIL
"""More bytes than the characters that the rules look at: an escape has up to six."""

_decoder = msgspec.json.Decoder()


def has_answer_failed(kind: str, payload: PartialPayload) -> bool:
    """Whether a call says at its end, or the answer of a tool call, a retrieval or a delegation, that it failed."""
    if payload.finish_reason is not None:
        has_finish_failed = judge_finish(kind, payload.finish_reason)
        if has_finish_failed is not None:
            return has_finish_failed
    if kind == "tool_call":
        answer = payload.output
        if not _is_alone(payload):
            error = find_error_beside(payload.tool, lambda name: _get_member(payload, name))
            if error is not None:
                return True
    elif kind in ANSWER_FIELDS:
        answer = payload.documents if kind == "retrieval" else payload.result
    else:
        return False
    if type(answer) is not msgspec.Raw:  # of an event that was decoded whole
        return (
            answer is not None
            and find_error_in_answer(kind, payload.tool, answer, lambda: _get_member(payload, "input")) is not None
        )
    value = bytes(answer)
    return (may_mean_failed(value) or not get_failure_rules().is_empty) and _has_json_failed(kind, payload, value)


def _is_alone(payload: PartialPayload) -> bool:
    """Whether an answer has none of ``MEMBERS_BESIDE``. Written out, this takes a quarter of a loop's time."""
    return (
        payload.exit_code is None
        and payload.exitCode is None
        and payload.returncode is None
        and payload.return_code is None
        and payload.is_error is None
        and payload.isError is None
        and payload.success is None
        and payload.status is None
        and payload.status_code is None
        and payload.statusCode is None
    )


def _get_member(payload: PartialPayload, name: str) -> object:
    member = getattr(payload, name)
    if type(member) is not msgspec.Raw:
        return member
    return decode_tolerantly(_decoder, bytes(member)) if bytes(member) else None


def _has_json_failed(kind: str, payload: PartialPayload, answer: bytes) -> bool:
    """Whether an answer, as JSON, says that its call failed; an absent one is empty."""
    if not answer:
        return False
    value = decode_tolerantly(_decoder, answer)
    if value is None:
        return False
    return find_error_in_answer(kind, payload.tool, value, lambda: _get_member(payload, "input")) is not None


def may_mean_failed(answer: bytes) -> bool:
    """Whether an answer, as JSON, may say that its call failed, by the general rule."""
    if not answer.startswith(b'"'):
        if answer.startswith(b"{"):
            return not NAMES.isdisjoint(msgspec.json.decode(answer, type=dict[str, msgspec.Raw]))
        return answer.startswith(b"[")
    line = answer[1:MAX_BEGINNING]
    if _may_begin_with(line.split(b" ", 1)[0]) and _may_begin(line):
        return True
    return _BACKSLASH in answer and _may_end_so(answer[-_MAX_BYTES:-1])


@lru_cache(maxsize=4096)  # the answers of a topic begin with few different words
def _may_begin_with(word: bytes) -> bool:
    """Whether a line may be one of an answer that failed, by its first word, which ends at a space."""
    return (
        len(word) < 3
        or not word[:3].isalpha()
        or (word.lower() + b" ").startswith(_BEGINNINGS)
        or _COLON in word
        or word.find(b"rror") >= 0
        or word.find(b"xception") >= 0
    )


def _may_begin(line: bytes) -> bool:
    return _get_beginning().match(line[:MAX_BEGINNING].lower()) is not None


@cache
def _get_beginning() -> re.Pattern[bytes]:
    return re.compile(write_beginning().encode())


def _may_end_so(tail: bytes) -> bool:
    end = tail[-6 * MAX_END :]
    if tail.find(_TRACE_MARK) >= 0 or any(end.find(mark) >= 0 for mark in _END_MARKS):
        return True
    while tail.endswith(_LINE_ENDS):
        tail = tail[:-1] if tail.endswith(b" ") else tail[:-2]
    newline = max((match.end() for match in _NEWLINE.finditer(tail)), default=0)
    return _may_begin(tail[newline:])
