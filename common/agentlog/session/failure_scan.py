"""The rule for failed calls on answers that are still JSON: most can be judged by a look at their ends. Pure.

It runs for each event of a topic. The look may suspect too much, never too little; then the rule itself decides.
"""

import re

import msgspec

from ..event.codec import decode_tolerantly
from ..event.partial_decode import PartialPayload
from .failure import NAMES, find_error_beside, find_error_in_answer
from .failure_rules import get_failure_rules
from .failure_text import MAX_TAIL, START, SUBJECT, TRACE_MARKS

_BEGINS_SO = re.compile(rf'"(?:{START}|{SUBJECT}+(?:{START}))|[{{\[]'.encode())
_ENDS_SO = re.compile(rf"(?:{START}|{SUBJECT}+(?:{START}))".encode())
_LINE_END = re.compile(rb'(?:\\[nrt]|["\s])+\Z')
_ESCAPE = re.compile(rb"\\")
_MARKS = tuple(mark.replace("\t", "\\t").encode() for mark in TRACE_MARKS)
_MAX_BYTES = 6 * MAX_TAIL
"""More bytes than the characters that the rules look at: an escape has up to six."""

_decoder = msgspec.json.Decoder()
_member_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def has_answer_failed(kind: str, payload: PartialPayload) -> bool:
    """Whether the answer of a tool call, a retrieval or a delegation says that it failed."""
    if kind == "tool_call":
        answer: object = payload.output
        if _has_members_beside(payload) and find_error_beside(payload.tool, payload.__getattribute__) is not None:
            return True
    else:
        answer = payload.documents if kind == "retrieval" else payload.result
    if type(answer) is not msgspec.Raw:  # of an event that was decoded whole
        return answer is not None and find_error_in_answer(kind, payload.tool, answer) is not None
    if _BEGINS_SO.match(answer) is None and _ESCAPE.search(answer) is None and get_failure_rules().is_empty:
        return False
    return has_json_failed(kind, payload.tool, bytes(answer))


def _has_members_beside(payload: PartialPayload) -> bool:
    return not (
        payload.status is None
        and payload.exit_code is None
        and payload.success is None
        and payload.is_error is None
        and payload.isError is None
        and payload.status_code is None
    )


def has_json_failed(kind: str, tool: object, answer: bytes) -> bool:
    """Whether an answer, as JSON, says that its call failed; an absent one is empty."""
    if not answer or (get_failure_rules().is_empty and not may_mean_failed(answer)):
        return False
    value = decode_tolerantly(_decoder, answer)
    return value is not None and find_error_in_answer(kind, tool, value) is not None


def may_mean_failed(answer: bytes) -> bool:
    """Whether an answer, as JSON, may say that its call failed, by the general rule."""
    if answer.startswith(b"{"):
        return not NAMES.isdisjoint(decode_tolerantly(_member_decoder, answer))
    if _BEGINS_SO.match(answer) is not None:
        return True
    if not answer.startswith(b'"') or b"\\" not in answer:
        return False
    tail = _LINE_END.sub(b"", answer[-_MAX_BYTES:])
    last_line = tail[tail.rfind(b"\\n") + 2 :] if b"\\n" in tail else tail
    return _ENDS_SO.match(last_line) is not None or any(mark in tail for mark in _MARKS)
