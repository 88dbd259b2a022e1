"""The rule for calls that failed: by their error, or by what their answer says. Pure.

It is the one rule for all: totals, lists, filters, folds, causes and comparisons. ``docs/events.md`` has the same
tables.
"""

import re
from ast import literal_eval
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .content_reads import ContentRead, find_content_read
from .failure_rules import MAX_ERROR, get_failure_rules, to_text
from .failure_text import REASONS, find_error_in_read_text, find_error_in_text

ANSWER_FIELDS = {"tool_call": "output", "retrieval": "documents", "delegation_result": "result"}
"""The field of a payload that holds the answer. What a model or a person says is no answer."""

MEMBERS_BESIDE = (
    "exit_code",
    "exitCode",
    "returncode",
    "return_code",
    "is_error",
    "isError",
    "success",
    "status",
    "status_code",
    "statusCode",
)
"""Members that recorders write beside the answer of a call."""
_CALLS_WITH_FINISH = frozenset({"llm_call", "tool_call"})
"""Kinds of calls whose ``finish_reason`` says that they failed or were cancelled."""
MAX_DEPTH = 4
"""How deep an answer is searched."""
_NO_ERROR = re.compile(
    r"(?:|-+|-?\d+(?:\.\d+)?\s?%|-?\d+\.\d+|0+|false|n/?a|nil|none|none found|null|ok|success|no|"
    r"no errors?(?: (?:found|occurred|detected))?)[.!]?",
    re.I,
)
"""A text that says that there is no error."""
_FAILED_WORDS = frozenset(
    {"err", "error", "errored", "exception", "fail", "failed", "failure", "fatal", "timed_out", "timeout"}
)
_DONE_WORDS = frozenset({"completed", "done", "finished", "ok", "succeeded", "success"})
_HTTP_STATUS = re.compile(rf"[45]\d\d(?:\s*$|:?\s+(?:{REASONS})\b)", re.I)
_MESSAGE_NAMES = ("message", "error_message", "errorMessage", "msg", "detail", "reason", "title", "stderr", "body")
_NAMING_NAMES = """
    author file file_name file_path filename from id issue key name number path sha source subject ticket title uri url
"""
"""Members of an object that names a thing: a document, an order. Its texts are its own, and no answer of the call."""
_NAMING_END = re.compile(r".+(?:_id|[a-z]Id)$")
_NAMING_NOTHING = re.compile(r"(?:request|trace|span|run|session|correlation|execution|thread)(?:_id|Id)$")
_CALL_IDS = frozenset({"call_id", "callId", "tool_call_id", "toolCallId", "tool_use_id", "toolUseId"})
_ENVELOPE_NAMES = """
    code data detail details error errors extensions links message meta msg ok path reason request_id requestId status
    statusCode status_code success timestamp title took trace_id traceId type
"""
_ENVELOPE = frozenset(_ENVELOPE_NAMES.split())
"""Members beside ``errors`` in an answer that failed. With others, ``errors`` lists errors that were asked for."""
_ANSWER_NAMES = """
    args attempts body call_id command content data duration duration_ms elapsed_ms headers latency_ms logs method
    observation ok output response result stderr stdout statusText status_text text tool tool_call_id tool_name url
"""
_ANSWER_MEMBERS = _ENVELOPE | frozenset(_ANSWER_NAMES.split())
"""Members beside a ``status`` of the call itself. With others and without a message, it is the status of a thing."""
_BLOCK_TYPES = frozenset({"error", "output_text", "text", "tool_error", "tool_result"})


def has_failed(kind: str, payload: Mapping[str, Any]) -> bool:
    """Whether an event of the type ``kind`` failed, by its ``error`` or by its answer."""
    return bool(payload.get("error")) or kind == "error" or find_answer_error(kind, payload) is not None


def judge_finish(kind: str, reason: object) -> bool | None:
    """Whether a call failed, if its ``finish_reason`` says that it failed or was cancelled; None if it doesn't."""
    if reason not in ("failed", "cancelled") or kind not in _CALLS_WITH_FINISH:
        return None
    return reason == "failed"


def find_answer_error(kind: str, payload: Mapping[str, Any]) -> str | None:
    """Return the piece of an event's answer that says that it failed, or None."""
    has_finish_failed = judge_finish(kind, payload.get("finish_reason"))
    if has_finish_failed is not None:
        return "finish_reason failed" if has_finish_failed else None
    field = ANSWER_FIELDS.get(kind)
    if field is None:
        return None
    tool, answer = payload.get("tool"), payload.get(field)
    error = None if answer is None else find_error_in_answer(kind, tool, answer, lambda: payload.get("input"))
    if error is None and kind == "tool_call":
        error = find_error_beside(tool, payload.get)
    return error


def find_error_beside(tool: object, get_member: Callable[[str], object]) -> str | None:
    """Return the member of a call's payload, beside its answer, that says that it failed, or None."""
    for name in MEMBERS_BESIDE:
        member = get_member(name)
        if member is not None and CHECKS[name](member, {}):
            read = find_content_read(tool, get_member("input"))
            is_none = _is_exempt(tool) or _says_nothing_found(member, {}, read)
            return None if is_none else _describe(name, member, {})
    return None


def _says_nothing_found(member: object, siblings: Mapping[str, Any], read: ContentRead | None) -> bool:
    """Whether an exit code only says that a search found nothing, or a difference."""
    return (
        read is not None and read.is_search and member in (1, "1") and member is not True and not siblings.get("stderr")
    )


def _is_exempt(tool: object) -> bool:
    rules = get_failure_rules()
    return isinstance(tool, str) and rules.is_exempt(tool)


def find_error_in_answer(kind: str, tool: object, answer: object, get_input: Callable[[], object]) -> str | None:
    """Return the piece of an answer that says that the call failed, or None.

    Of a retrieval only an object can fail, because its texts and lists are documents. The input of the call is only
    looked at if its answer says that it failed: what a call has read may say so, too.
    """
    if kind == "retrieval" and not isinstance(answer, dict):
        return None
    rules = get_failure_rules()
    if not rules.is_empty and kind == "tool_call" and isinstance(tool, str):
        if rules.is_exempt(tool):
            return None
        if error := rules.find_error(tool, answer):
            return error
    error = _find_in_value(answer, MAX_DEPTH, None)
    read = find_content_read(tool, get_input()) if error is not None and kind == "tool_call" else None
    return error if read is None else _find_in_value(answer, MAX_DEPTH, read)


def _find_in_value(value: object, depth: int, read: ContentRead | None) -> str | None:
    if isinstance(value, str):
        return _find_in_text(value, depth, read)
    if not depth:
        return None
    if isinstance(value, dict):
        return None if NAMES.isdisjoint(value) else _find_in_object(value, depth, read)
    return _find_in_list(value, depth, read) if isinstance(value, list) else None


def _find_in_text(text: str, depth: int, read: ContentRead | None) -> str | None:
    start = text[:80].lstrip()[:1]
    if start in ("{", "[") and depth:
        value = _parse(text)
        if isinstance(value, dict | list):
            error = _find_in_value(value, depth - 1, read)
            if error is not None and read is not None and read.prints_content:
                return error if find_error_in_read_text(f"Failed: {error}", read) else None  # else it was read
            return error
    if not start:
        return None
    return find_error_in_text(text) if read is None else find_error_in_read_text(text, read)


def _parse(text: str) -> object:
    """Parse a text as JSON, or as Python writes its own values."""
    if _LIST_OF_OBJECTS.match(text) and "text" not in text and '"type"' not in text:
        return []  # a list of anything but content blocks can't fail
    try:
        content = text.encode(errors="replace")
        if text.startswith("{") and NAMES.isdisjoint(msgspec.json.decode(content, type=dict[str, msgspec.Raw])):
            return {}
        return msgspec.json.decode(content)
    except (ValueError, RecursionError):
        pass
    if not text.startswith(("{'", "[{'")) or len(text) > 100_000:
        return None
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None


_LIST_OF_OBJECTS = re.compile(r"\s*\[\s*[{\[\]]")


def _find_in_list(values: Sequence[object], depth: int, read: ContentRead | None) -> str | None:
    """Find the error in a list of content blocks, or in a single text. Other lists hold what was asked for."""
    if len(values) == 1 and isinstance(values[0], str):
        return _find_in_text(values[0], depth, read)
    blocks = [value for value in values if isinstance(value, dict) and _is_block(value)]
    if len(blocks) != len(values):
        return None
    return next((error for block in blocks if (error := _find_in_block(block, depth - 1, read)) is not None), None)


def _is_block(value: Mapping[str, object]) -> bool:
    return isinstance(value.get("type"), str) or set(value) == {"text"}


def _find_in_block(block: Mapping[str, object], depth: int, read: ContentRead | None) -> str | None:
    if block.get("type") == "error" or block.get("is_error") is True or block.get("isError") is True:
        return _shorten(_find_message({name: block[name] for name in block if name != "type"}) or "error")
    if block.get("type", "text") not in _BLOCK_TYPES:
        error_code = block.get("error_code")
        return f"error_code {error_code}" if error_code and isinstance(error_code, str) else None
    content = block.get("text", block.get("content"))
    return None if content is None else _find_in_value(content, depth, read)


def _find_in_object(value: Mapping[str, Any], depth: int, read: ContentRead | None) -> str | None:
    if "$ref" in value and "sha256" in value:  # a large value that was stored elsewhere, or cut
        return _find_in_preview(value.get("preview"), read)
    known = [name for name in value if name in NAMES]
    for name in known:
        if name in CHECKS and CHECKS[name](value[name], value) and not _says_nothing_found(value[name], value, read):
            return _describe(name, value[name], value)
    for name in known:
        if name in WRAPPERS and isinstance(value[name], dict | list):
            error = _find_in_value(value[name], depth - 1, read)
            if error is not None:
                return error
    texts = [name for name in known if isinstance(value[name], str) and _is_answer_text(name, value)]
    if not texts or _names_thing(value) or _says_done(value):
        return None
    found = (_find_in_text(value[name], depth - 1, None if name == "stderr" else read) for name in texts)
    return next((error for error in found if error is not None), None)


def _names_thing(value: Mapping[str, Any]) -> bool:
    """Whether an object names a thing: by its id, its name or its place. That of a call is none."""
    if "jsonrpc" in value or not _CALL_IDS.isdisjoint(value):
        return False
    return not _NAMING.isdisjoint(value) or any(
        _NAMING_END.match(name) and not _NAMING_NOTHING.match(name) for name in value
    )


def _is_answer_text(name: str, value: Mapping[str, Any]) -> bool:
    return name in TEXTS or (name == "stderr" and not value.get("stdout"))


def _find_in_preview(preview: object, read: ContentRead | None) -> str | None:
    """Find the error in the beginning of a large answer. An object that was cut can't be parsed."""
    if not isinstance(preview, str):
        return None
    match = _CUT_MEMBER.match(preview)
    return f"{match[1]} {match[2]}" if match else _find_in_text(preview, 1, read)


_CUT_MEMBER = re.compile(
    r'\s*\{[^{}\[\]]{0,400}?"(exit_?code|returncode|isError|is_error|success|ok|status_?code|error)"\s*:\s*'
    r'(true|false|-?[1-9]\d{0,5}|"(?!none"|null"|ok")[^"]+")',
    re.I,
)


def _describe(name: str, member: object, value: Mapping[str, Any]) -> str:
    """Return what an object says about its failure: the text of its error, else the member with its message."""
    if isinstance(member, str) and (name in _TEXT_NAMES or (name in ERROR_NAMES and not _is_code(member))):
        return find_error_in_text(member) or _shorten(member)
    if isinstance(member, dict | list) and (text := _find_message(member)):
        return _shorten(text)
    message = _find_message({each: inner for each, inner in value.items() if inner is not member})
    said = to_text(member)
    return _shorten(f"{name} {said}: {message}" if message else f"{name} {said}")


_TEXT_NAMES = frozenset({"detail", "message", "traceback"})


def _is_code(text: str) -> bool:
    return re.fullmatch(r"[\w.-]{1,40}", text) is not None


def _find_message(value: object) -> str:
    """Return the message in an object, or in the first item of a list."""
    if isinstance(value, list):
        return next((text for item in value[:3] if (text := _find_message(item))), "")
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, dict):
        return ""
    for name in (*_MESSAGE_NAMES, "error", "errors", "content", "text", "output", "result"):
        if name in value and (text := _find_message(value[name])):
            return text
    return ""


def _shorten(text: str) -> str:
    return " ".join(text[: 4 * MAX_ERROR].split())[:MAX_ERROR]


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def _says_no_error(text: str) -> bool:
    return _NO_ERROR.fullmatch(text.strip().replace("_", " ")) is not None


def _says_error(value: object, siblings: Mapping[str, Any]) -> bool:
    """A text, an object or a list that isn't empty, true, or a number beside a message."""
    if isinstance(value, str):
        return not _says_no_error(value)
    if isinstance(value, dict):
        return any(_is_significant(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_is_significant(inner) for inner in value)
    return value is True or (_is_number(value) and value != 0 and _has_message(siblings))


def _is_significant(value: object) -> bool:
    return not _says_no_error(value) if isinstance(value, str) else value not in (None, 0, False, [], {})


_MESSAGES = ("message", "msg", "error_message", "errmsg", "detail", "last_error", "reason", "statusText")


def _has_message(siblings: Mapping[str, Any]) -> bool:
    return any(siblings.get(name) for name in _MESSAGES)


def _lists_errors(value: object, siblings: Mapping[str, Any]) -> bool:
    """A list of messages or of objects with one, or names with their messages; true. Beside an envelope's members."""
    if not _ENVELOPE.issuperset(siblings):
        return value is True
    if isinstance(value, dict):
        return any(isinstance(inner, str | list) and inner for inner in value.values())
    return value is True or (isinstance(value, list) and any(isinstance(each, str | dict) and each for each in value))


def _says_text(value: object, _siblings: object) -> bool:
    """A text that isn't empty, or a list of such."""
    if isinstance(value, list):
        return any(isinstance(each, str) and not _says_no_error(each) for each in value)
    return isinstance(value, str) and not _says_no_error(value)


def _is_error_code(value: object, _siblings: object) -> bool:
    """A number other than 0, or a text."""
    return (_is_number(value) and value != 0) or _says_text(value, _siblings)


def _is_true(value: object, _siblings: object) -> bool:
    return value is True or value == "true"


def _is_set(value: object, _siblings: object) -> bool:
    return value is True or value in ("true", 1)


def _is_false(value: object, _siblings: object) -> bool:
    return value is False or (isinstance(value, str) and value.lower() == "false")


def _is_exit_code(value: object, _siblings: object) -> bool:
    """A number other than 0, also as text."""
    return (_is_number(value) and value != 0) or (isinstance(value, str) and bool(re.fullmatch(r"-?0*[1-9]\d*", value)))


def _is_http_error(value: object, _siblings: object) -> bool:
    """A number from 400 to 599, also as text, with its reason."""
    if isinstance(value, str):
        return _HTTP_STATUS.match(value) is not None
    return _is_number(value) and 400 <= value <= 599  # type: ignore[operator]


def _is_status(value: object, siblings: Mapping[str, Any]) -> bool:
    """A word for a failure, an HTTP status, or gRPC's object with a code; not the status of a thing."""
    if isinstance(value, dict):
        return _is_number(value.get("code")) and value["code"] != 0 and bool(value.get("message"))
    if isinstance(value, str) and value.lower().replace(" ", "_") in _FAILED_WORDS:
        return _has_message(siblings) or not (_names_thing(siblings) or _has_other_members(siblings))
    is_thing = "id" in siblings or _has_other_members(siblings)
    return (_is_http_error(value, siblings) and (not is_thing or _has_message(siblings))) or _is_code_of_streams(
        value, siblings
    )


def _has_other_members(siblings: Mapping[str, Any]) -> bool:
    return not _ANSWER_MEMBERS.issuperset(siblings) and _CALL_IDS.isdisjoint(siblings) and "lc" not in siblings


def _is_code_of_streams(value: object, siblings: Mapping[str, Any]) -> bool:
    return ("stdout" in siblings or "stderr" in siblings) and _is_exit_code(value, siblings)


def _is_code_member(value: object, siblings: Mapping[str, Any]) -> bool:
    """An HTTP status beside a message or alone; a number other than 0 beside ``stdout`` or ``stderr``."""
    is_answer = len(siblings) == 1 or _has_message(siblings)
    return (is_answer and _is_http_error(value, siblings)) or _is_code_of_streams(value, siblings)


def _is_error_type(value: object, siblings: Mapping[str, Any]) -> bool:
    """``error``, or a type that ends so beside a message."""
    if not isinstance(value, str) or ("id" in siblings and "error" not in siblings):
        return False
    return value == "error" or (value.endswith(("_error", "Error", "Exception")) and _has_message(siblings))


def _is_refusal(value: object, siblings: Mapping[str, Any]) -> bool:
    """A list of fields with their messages; a text that says so, or links to documents, with nothing else."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(each, dict) and "msg" in each and "loc" in each for each in value)
    if not isinstance(value, str) or not _REFUSAL.issuperset(siblings):
        return False
    return "documentation_url" in siblings or find_error_in_text(value) is not None


_REFUSAL = frozenset({"code", "detail", "documentation_url", "message", "path", "request_id", "requestId", "timestamp"})


def _is_process_exit(value: object, siblings: Mapping[str, Any]) -> bool:
    """An exit code with nothing but the members of a process."""
    return _PROCESS.issuperset(siblings) and _is_exit_code(value, siblings)


_PROCESS = frozenset(
    {"command", "description", "duration", "exit", "output", "signal", "stderr", "stdout", "truncated"}
)


def _is_signal(value: object, siblings: Mapping[str, Any]) -> bool:
    """The name of a signal with nothing but the members of a process."""
    return (
        isinstance(value, str) and value.startswith("SIG") and (_PROCESS | {"code", "exit_code"}).issuperset(siblings)
    )


def _is_interrupted(value: object, siblings: Mapping[str, Any]) -> bool:
    """True beside ``stdout`` or ``stderr``."""
    return value is True and ("stdout" in siblings or "stderr" in siblings)


Check = Callable[[Any, Mapping[str, Any]], bool]
ERROR_NAMES = frozenset(
    {"error", "err", "exception", "errorMessage", "error_message", "errmsg", "error_msg", "errorMessages"}
)
MEMBERS: tuple[tuple[str, str, Check], ...] = (
    ("error err", "a text, an object or a list that isn't empty, true, a number beside a message", _says_error),
    ("errors", "true, messages, objects; with no other members than an envelope's", _lists_errors),
    (
        "error_message error_msg errmsg error_type error_description error_messages exception function_error traceback",
        "a text that isn't empty",
        _says_text,
    ),
    ("error_code errcode errno", "a number other than 0, a text", _is_error_code),
    ("is_error has_error has_errors", "true, 1", _is_set),
    ("failed timed_out", "true", _is_true),
    ("ok success succeeded successful is_success is_successful", "false", _is_false),
    ("exit_code exit_status return_code returncode retcode rc", "a number other than 0", _is_exit_code),
    ("status_code http_status http_code http_status_code response_code", "400 to 599", _is_http_error),
    ("status state outcome", "a word for a failure, 400 to 599, an exit code beside stdout or stderr", _is_status),
    ("code", "400 to 599 beside a message, an exit code beside stdout or stderr", _is_code_member),
    ("type __type", "error, or a type that ends so beside a message", _is_error_type),
    ("message detail", "a text that says so, alone; fields with their messages", _is_refusal),
    ("exit", "a number other than 0, with a process's members alone", _is_process_exit),
    ("signal", "SIGKILL and others, with a process's members alone", _is_signal),
    ("interrupted", "true beside stdout or stderr", _is_interrupted),
)
"""The members of an answer that say that it failed: names, the values that say so, the check."""


def _spell(names: str) -> Iterator[str]:
    """Yield each name as it is spelled: ``exit_code``, ``exitCode``, ``ExitCode``, ``exit-code``, ``exitcode``."""
    for name in names.split():
        first, *others = name.split("_")
        tail = "".join(map(str.capitalize, others))
        yield from (name, first + tail, first.capitalize() + tail, name.replace("_", "-"), name.replace("_", ""))


def _spell_all(names: Iterable[str]) -> frozenset[str]:
    return frozenset(spelled for name in names for spelled in _spell(name))


CHECKS: dict[str, Check] = {name: check for names, _, check in MEMBERS for name in _spell(names)}
CHECKS["HTTPStatusCode"] = _is_http_error
_WRAPPER_NAMES = """
    body content data extras kwargs meta metadata observation output payload response response_metadata result results
    structured_content tool_response tool_result value
"""
_NAMING = _spell_all(_NAMING_NAMES.split())
WRAPPERS = _spell_all(_WRAPPER_NAMES.split())
"""Members in which the answer proper may lie."""
TEXTS = ("content", "text", "output", "result", "observation", "body", "response", "value")
"""Members whose text is judged like a whole answer, unless the object names a thing or says that all is well."""
NAMES = frozenset(CHECKS) | WRAPPERS | frozenset(TEXTS) | {"stderr", "$ref"}
_DONE_CHECKS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(
        _spell_all(["exit_code", "exit_status", "return_code", "returncode", "rc"]), lambda value: value == 0
    ),
    **dict.fromkeys(
        _spell_all(["ok", "success", "succeeded", "successful", "is_success"]), lambda value: value is True
    ),
    **dict.fromkeys(
        _spell_all(["status", "status_code", "http_status", "state"]),
        lambda value: (
            value.lower() in _DONE_WORDS if isinstance(value, str) else type(value) is int and 200 <= value < 300
        ),
    ),
}


def _says_done(value: Mapping[str, Any]) -> bool:
    """Whether an object says that the call succeeded, so that its texts are no errors."""
    return any(name in _DONE_CHECKS and _DONE_CHECKS[name](member) for name, member in value.items())
