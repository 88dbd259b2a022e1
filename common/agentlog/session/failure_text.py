"""The rule for answers that are texts: whether a text says that its call failed. Pure.

A text that only speaks of errors is none. So a rule looks at the first line or at the last one, never in the middle.
``docs/events.md`` has the same table.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from .content_reads import ContentRead

MAX_FIRST_LINE = 400
"""The rules look at this many characters of the first line."""
MAX_TAIL = 2_000
"""The rules look for the last line, and for a stack trace, in this many characters."""
MAX_SUBJECTS = 4
MAX_WHOLE_LINES = 3
"""A message of a shell is a whole answer if the answer has at most so many lines."""

_SUBJECTS = """
    a access action agent an api application argument assertion auth authentication authorization backend bash booking
    browser build call certificate charge client command compilation compile compiler config configuration connection
    container critical curl database db decode deploy deployment disk dns docker download email encoding execution fatal
    fetch file function gateway git graphql grpc import input install installation internal invocation invoice
    io job json json-rpc key login mcp memory message migration navigation network node notification npm operation order
    os page parse parsing payment permission pipeline plugin process program protocol python query refund remote request
    rpc runtime sandbox script search server service session shell sql ssl storage subprocess syntax system task
    tests the this timeout tls tool transaction transfer type unexpected unhandled unknown update upload upstream
    validation value webhook worker workflow xml yaml your
"""
SUBJECTS = tuple(_SUBJECTS.split())
"""The words before "error" or "failed" that tell what failed. "Margin of error: 3%" begins with none of them."""
_VERBS = """
    accessing calling communicating compiling connecting creating deleting during executing fetching getting importing
    in invoking listing loading making occurred opening parsing performing processing querying reading retrieving
    running saving searching sending updating validating when while with writing
"""
VERBS = tuple(_VERBS.split())
"""The words behind "Error" that need no colon. "Error handling guide" has none of them."""
REASONS = (
    "bad gateway|bad request|client error|conflict|content too large|forbidden|gateway time-?out|gone|internal error|"
    "internal server error|method not allowed|not acceptable|not found|not implemented|payload too large|"
    "payment required|precondition failed|request time-?out|server error|service temporarily unavailable|"
    "service unavailable|too many requests|unauthorized|unprocessable (?:content|entity)|unsupported media type"
)
SHELL_MESSAGES = (
    r"command not found|no such file or directory|permission denied(?: \(.*)?|not found|can't cd to .*|is a directory|"
    r"not a directory|cannot execute.*|operation not permitted|connection refused|cannot access .*|syntax error.*|"
    r"unrecognized option.*|invalid option.*|illegal option.*|no space left on device|event not found|"
    r"connection timed out|operation timed out.*|network is unreachable|no route to host|a password is required|"
    r"host key verification failed.*|unable to .*|read-only file system|could not resolve host.*|"
    r"not a git repository.*|no rule to make target.*"
)
EXIT_CODE = (
    r"<?(?:has |was )?(?:exit(?:ed)?[ _-]?(?:with )?(?:a )?(?:non-?zero )?(?:exit )?(?:code|status)|"
    r"(?:finished|failed|ended|completed|terminated) with (?:a )?(?:non-?zero )?exit (?:code|status)|exited with|"
    r"exit(?=[:=])|return(?:ed|s)?[ _-]?(?:with )?(?:a )?(?:non-?zero )?(?:exit )?(?:code|status))"
)
NON_ZERO = r"\W{0,3}-?(?!0+\b)\d+"
CRASHES = (
    r"(?:segmentation fault|aborted|killed|terminated|bus error)(?: \(core dumped\))?$|"
    r"[\w.+/-]+: (?:[^\n]{0,200} )?(?:segmentation fault|aborted|killed|terminated|bus error)"
    r"(?: +\(core dumped\))?(?: +\S{1,200})?$"
)
_NOTHING = (
    r"(?!\s*(?:(?![45]\d\d\b)[-+]?\d+(?:\.\d+)?\s?(?:%|ms|s|sec|seconds?|min|minutes?|h|hours?)?|none|none found|null|"
    r"nil|no|no errors?|no errors? found|false|n/?a|ok|undefined)?[\s.,;\"']*$)"
)
"""What isn't behind "Error:": nothing, a number that is no HTTP status, or a word for nothing."""
ERROR_NAMES = (
    r"(?:ACTION|AGENT|API|AUTH\w*|CLIENT|COMMAND|CONNECTION|DATABASE|DB|EXECUTION|FATAL|FUNCTION|HTTP|INPUT|INTERNAL|IO|"
    r"LLM|MCP|MODEL|NETWORK|PARSE|PERMISSION|QUERY|RATE_LIMIT|REQUEST|RUNTIME|SERVER|SERVICE|SQL|SYNTAX|SYSTEM|TASK|"
    r"TIMEOUT|TOOL|TYPE|UNKNOWN|VALIDATION|VALUE)(?:_[A-Z]+)*_(?:ERROR|EXCEPTION|FAILED|FAILURE)|"
    r"(?:ACCESS|PERMISSION|REQUEST)_DENIED|(?:[A-Z]+_)?NOT_FOUND|(?:DEADLINE|QUOTA|RATE_LIMIT|TIMEOUT)_EXCEEDED|"
    r"INVALID_(?:ARGUMENT|INPUT|PARAMETER|REQUEST)S?|FAILED_PRECONDITION|RESOURCE_EXHAUSTED|UNAUTHENTICATED|"
    r"UNAUTHORIZED|UNAVAILABLE|UNIMPLEMENTED"
)
"""Names of errors as tools and services write them in capitals, gRPC's codes among them."""
_CODE = r"(?: code)?(?: ?[(\[]?(?:-?\d{1,6}|(?-i:[A-Z][A-Z\d_]{2,40})|code \w+|http \d{3})[)\]]?){0,2}"


_BEGINNINGS = """
    abort automatic bad build bus can't cannot claude client command completed conflict connect content context could
    couldn't dead delete denied does eco ended err exc exi expir fail fatal finished forbidden found gateway get gmake
    gone has head http internal invalid is kill make method missing net: no node.js not note npm ora- panic patch
    payload payment php post precond put quota rate rejected request return segment server service something sqlstate
    status string terminat test there thread time timed to too traceback unable unauth uncaught unhandled unprocess
    unsupported user was
"""
"""How the first or the last line of an answer that failed may begin, behind the words that tell what failed."""


def _write_trie(words: Iterable[str]) -> str:
    """Return a pattern for texts that begin with one of ``words``."""
    ends_by_letter: dict[str, set[str]] = {}
    for word in words:
        ends_by_letter.setdefault(word[:1], set()).add(word[1:])
    if "" in ends_by_letter:
        return ""
    tries = {letter: _write_trie(ends) for letter, ends in sorted(ends_by_letter.items())}
    return "|".join(re.escape(letter) + (f"(?:{trie})" if trie else "") for letter, trie in tries.items())


MAX_BEGINNING = 140
"""A look at so many characters tells whether a line may be one of an answer that failed."""


def write_beginning() -> str:
    """Return the pattern of how the first or the last line of an answer that failed begins, in lower case."""
    start = (
        rf"{_write_trie(_BEGINNINGS.split())}|[^a-z0-9]|"
        r"[45]\d\d|\d++ [a-z]++(?:,| in | generated| \()|e:|[\w.+/-]++\(\d|"
        r"[\w.$]++(?:(?<=rror)|(?<=tion)|(?<=ault)|(?<=rupt))|[\w.+/@-]++(?:\[\d+\])?:"
    )
    return rf"(?:{_write_trie(f'{word} ' for word in SUBJECTS)})*+(?:{start})"


def list_beginnings() -> tuple[str, ...]:
    """Return how the lines begin that ``write_beginning`` knows; behind a word that tells what failed, a space."""
    return (*_BEGINNINGS.split(), *(f"{word} " for word in SUBJECTS))


class TextRule(NamedTuple):
    """A rule: what it knows, its pattern, an answer that failed, and a healthy one that looks alike."""

    name: str
    pattern: str
    failed: str
    healthy: str


FIRST_LINE_RULES = (
    TextRule(
        "an error with its colon",
        rf"(?:http )?error{_CODE}\**\s*(?::(?!:)|\]| [-\u2013\u2014] |(?<=\d) ){_NOTHING}",
        "Error: reservation not found",
        "Error rate: 0.1%",
    ),
    TextRule(
        "an error and what it interrupted",
        rf"(?:error|exception) (?:{'|'.join(VERBS)})\b|there was an? (?:\w+ )?error|error[.!:]?$|something went wrong",
        "An error occurred while booking the flight",
        "Error handling guide",
    ),
    TextRule(
        "the name of an exception",
        r"(?:uncaught )?(?-i:[A-Za-z_][\w.$]{0,80}(?:Error|Exception))(?: \[\w+\])?(?::\s|\s*$|\()|"
        r"(?-i:[A-Za-z_][\w.$]{0,80}(?:Fault|Interrupt|Rejection)):\s|"
        rf"(?:uncaught )?exception(?: in thread \".*)?\s*(?::{_NOTHING}|$)|"
        r"(?:uncaught|unhandled) (?:\w+ ){0,3}(?:exception|rejection|error)\b",
        "KeyError: 'a'",
        "Errors and how to read them",
    ),
    TextRule(
        "the name of an error in capitals",
        rf"(?-i:{ERROR_NAMES})(?::{_NOTHING}|\])|tool_error:{_NOTHING}",
        "TOOL_ERROR: there is no such city",
        "ON_ERROR: continue",
    ),
    TextRule(
        "a stack trace",
        r"traceback \(most recent call last\)|exception in thread \"",
        "Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 'a'",
        "Traceback and logging, explained",
    ),
    TextRule(
        "a crash",
        r"fatal(?: error)?\s*[:\]]|(?-i:panic: (?:[^A-Z]|\w*(?:Error|Exception)))|php (?:fatal|parse) error:|"
        r"thread '[^']*' panicked at|" + CRASHES,
        "panic: runtime error: index out of range",
        "Fatal attraction",
    ),
    TextRule(
        "something that failed",
        rf"failed\s*(?::(?!\s*\d+\b(?!:)){_NOTHING}|[.!]?$)|failed (?:to(?! find any\b)(?-i:(?! [A-Z][a-z]))|with)\b"
        rf"[^:]{{0,120}}(?::{_NOTHING}|[.!]?$)",
        "Failed to fetch the page: timeout",
        "Failed jobs: 3",
    ),
    TextRule(
        "something that wasn't possible",
        r"(?:unable to|could not|couldn't|cannot|can't|failed to) (?:access|authenticate|complete|connect|create|"
        r"delete|establish|execute|fetch|find module|import|load|locate package|open|parse|perform|process|reach|read|"
        r"resolve|retrieve|run|update|write)\b(?!\?)|invalid (?:api key|arguments?|command|credentials|input|json|"
        r"parameters?|path|request|syntax|token|url)\b|(?:rate limit|quota|time limit|timeout|deadline)"
        r"(?: \w+)? exceeded|"
        r"connection (?:refused|reset|aborted|timed out)|(?:connect )?(?-i:E(?:CONNREFUSED|NOTFOUND|TIMEDOUT|ACCES|"
        r"NOENT|PERM|CONNRESET|PIPE))\b|net::err_",
        "Unable to connect to the database",
        "Cannot be combined with other offers",
    ),
    TextRule(
        "an HTTP status from 400 on",
        rf"(?:(?:http(?:/\d(?:\.\d)?)?|error|status|status code|http status|http error)[: ]\s*)?[45]\d\d:? "
        rf"(?:{REASONS})"
        rf"(?=\s*(?:$|[:.,;(<!\"'\u2013\u2014-]|for\b|at\b|from\b))|http(?:/\d(?:\.\d)?)? [45]\d\d\b|"
        rf"(?:http |response )?status(?: code)?[:=]? ?[45]\d\d\W*$|(?:{REASONS})[.!]?$|"
        rf"<(?:!doctype|html|head|title)[^\n]{{0,300}}<title>\s*[45]\d\d\b\s*"
        rf"(?:[-|:\u2013\u2014]|</title|error|page not found|{REASONS})",
        "503 Service Unavailable",
        "404 pages that users like",
    ),
    TextRule(
        "a tag for errors",
        r"<(?:\w+_)?error>(?!\s*(?:0|false|no|no errors?|none|null|ok)?\s*</)",
        "<tool_use_error>File does not exist.</tool_use_error>",
        "<errors/>",
    ),
    TextRule(
        "an error of a server, a database or a compiler",
        r"error (?:response )?from (?:the )?(?:server|daemon)\b|[\w.-]+: error response from |(?-i:ORA-\d{5}: )|"
        r"(?-i:SQLSTATE)\[\w+\]|(?:parse )?error near line \d|code: \d+\. [\w:]+exception|(?-i:error\) [A-Z]+ )|"
        r"(?-i:[\w.]*(?:Error|Exception)\) )|[\w./-]+:\d+:in .{1,200}\((?-i:[\w:]+(?:Error|Exception))\)|"
        r"(?:get|post|put|patch|delete|head) \"https?://[^\"]{1,300}\": |"
        r"the connection to the server .{1,100} was refused|"
        r"[\w./\\@+-]+(?:\(\d+,\d+\)|:\d+(?::\d+)?): (?:fatal )?error\b",
        'Error from server (NotFound): pods "web-1" not found',
        "Error from the reader: page 3 was skipped",
    ),
    TextRule(
        "a tool that wasn't run",
        r"(?:unknown|no such) tool\b|tool (?:'[^']*'|\"[^\"]*\"|[\w.-]+) (?:not found|does not exist)|"
        r"file (?:does not exist|has not been read|not found)\b|string to replace not found|"
        r"the user doesn't want to proceed|claude requested permissions|"
        r"missing (?:required )?(?:argument|field|parameter|property)\b|timed out after \d|context deadline exceeded|"
        r"[\w.]+: (?:timeout \d+ ?ms exceeded|net::err_)",
        "File has not been read yet. Read it first before writing to it.",
        "File has 3 lines",
    ),
    TextRule(
        "an exit code other than 0",
        rf"{EXIT_CODE}{NON_ZERO}\s*(?:[^\w\s]*(?:</\w+>)?$|[:|])|command .{{0,300}}returned non-zero exit status \d+",
        "Exit code: 1\nbash: foo: command not found",
        "Exit code: 0",
    ),
)
"""Rules for the first line, with or without the words before it that tell what failed."""

SUBJECT_RULES = (
    TextRule(
        "something that failed",
        r"(?:has |was |is )?(?:failed|timed out|timeout|denied(?=\W*$|\s*[:(]| (?:access|because|by|due|for|on|to)\b)|"
        r"rejected by|expired)\b"
        rf"(?! (?:jobs|tests|logins?|attempts|orders|payments|count)\b)[^:]{{0,120}}(?::{_NOTHING}|[.!]?$)",
        "Tool execution failed: no answer",
        "Request failed jobs: 3",
    ),
)
"""Rules for a first line behind words that tell what failed."""

WHOLE_RULES = (
    TextRule(
        "a shell's message",
        rf"(?:[\w.+/@-]+)(?:\[\d+\])?: (?:\(\d+\) )?(?:.{{0,300}}: ?)?(?:{SHELL_MESSAGES})$|"
        r"curl: \(\d+\) .+|"
        rf"(?:[\w.+/-]+)(?:\[\d+\])?: (?:cannot|can't) .{{0,300}}$|(?:\w*sh: )?command not found: \S+$",
        "bash: ponyc: command not found",
        "note: the file was not found in the index, so it was made",
    ),
)
"""Rules for the first and the last line of an answer of a few lines."""

LAST_LINE_RULES = (
    TextRule(
        "an exit code other than 0",
        rf"{EXIT_CODE}{NON_ZERO}[^\w\s]*(?:</\w+>)?$|command .{{0,300}}returned non-zero exit status \d+\W*$",
        "collected 3 items\n[Command finished with exit code 1]",
        "collected 3 items\n[Command finished with exit code 0]",
    ),
    TextRule(
        "a build that stopped",
        r"g?make(?:\[\d+\])?: \*\*\* |build fail(?:ed|ure)\b|"
        r"npm err(?:!|or) |(?-i:E): |error: (?:could not|failed|unable|command|subprocess|no |test failed)|"
        r"automatic merge failed|\d+ errors? generated\b|found [1-9]\d* errors? in \d|\d+ problems? \([1-9]\d* errors?|"
        r"(?-i:ERROR): (?:failed|no matching|could not)|fatal: ",
        "cc main.c\nmake: *** [Makefile:192: build] Error 2",
        "cc main.c\nmake: Nothing to be done for 'all'.",
    ),
    TextRule(
        "tests that failed",
        r"=+ .*\b[1-9]\d* (?:failed|errors?)\b.* =+$|(?:\d+ \w+, )*[1-9]\d* (?:failed|errors?)\b.* in [\d.]+ ?s\b.*$|"
        r"(?-i:FAILED) \((?:failures|errors)=|test result: (?-i:FAILED)|"
        r"(?-i:FAIL)(?:\s|$)|tests: +[1-9]\d* failed|\d+ passed, [1-9]\d* failed\W*$",
        "tests/test_a.py F\n==== 1 failed, 3 passed in 0.12s ====",
        "tests/test_a.py .\n==== 4 passed in 0.12s ====",
    ),
    TextRule(
        "a crash",
        CRASHES + r"|(?-i:Node\.js v\d)|note: run with .RUST_BACKTRACE|command (?:was )?timed out",
        "loading\nSegmentation fault (core dumped)",
        "loading\nSegmentation finished",
    ),
)
"""Rules for the last line that isn't empty."""

TRACE_RULES = (
    TextRule(
        "a stack trace at the end",
        r"(?m:^traceback \(most recent call last\):.*\n)(?:[ \t]+.*\n|\n)+(?-i:[A-Za-z_][\w.]*)(?::.*|\s*)"
        r"(?:\n.*){0,12}\Z",
        "reading\nTraceback (most recent call last):\n  File \"x.py\", line 1, in f\nKeyError: 'a'",
        "a.log:\nTraceback (most recent call last):\n  File \"x.py\", line 1, in f\nKeyError: 'a'\n"
        "2026-02-03 10:00:00 INFO restarted",
    ),
    TextRule(
        "a build that stopped",
        r"(?m:^-- configuring incomplete, errors occurred!)(?:\n.*){0,4}\Z",
        '-- Found FFI\n-- Configuring incomplete, errors occurred!\nSee also "build/CMakeOutput.log".',
        "-- Found FFI\n-- Configuring done",
    ),
    TextRule(
        "frames at the end",
        r"(?m:^.*(?-i:Error|Exception)\b.*\n)(?:.*\n){0,2}(?:[ \t]+at .+\n)*[ \t]+at .+(?:[:)]\d*\)?)"
        r"(?:\n\s+\.\.\. \d+ more)?\s*\Z",
        "start\nTypeError: x is undefined\n    at f (/app/a.js:1:2)\n    at main (/app/a.js:9:1)",
        "start\n    at 9:30 the train leaves",
    ),
)
"""Rules for the end of an answer."""

RUN_RULES = (
    TextRule(
        "tests that failed, above a runner's last words",
        r"(?m:^\s*tests:? +[1-9]\d* failed\b.*)(?:\n.*){0,8}\Z|"
        r"(?m:^\d+ examples?, [1-9]\d* failures?\b.*)(?:\n.*){0,20}\Z",
        "Tests:       1 failed, 3 passed, 4 total\nTime:        1.2 s\nRan all test suites.",
        "Tests:       4 passed, 4 total\nTime:        1.2 s\nRan all test suites.",
    ),
    TextRule(
        "a build that stopped, above a tool's last words",
        r"(?m:^(?:\[\w+\] )?(?-i:BUILD FAIL)(?-i:ED|URE)\b.*)(?:\n.*){0,20}\Z|"
        r"(?m:^error: failed to push\b.*)(?:\n(?:hint:.*)?){0,8}\Z",
        "> Task :test FAILED\n\nBUILD FAILED in 3s\n5 actionable tasks: 5 executed",
        "BUILD SUCCESSFUL in 3s\n5 actionable tasks: 5 executed",
    ),
    TextRule(
        "a text that is no program",
        r"(?m:^ *file \".*\", line \d+.*\n)(?:[ \t].*\n|\n)+(?-i:\w+Error): .*\Z",
        '  File "a.py", line 1\n    x = = 1\n        ^\nSyntaxError: invalid syntax',
        '  File "a.py", line 1\n    x = 1\nSyntax is valid',
    ),
)
"""Rules for the end of what a runner or a compiler printed."""


class _Patterns(NamedTuple):
    """The patterns of all rules. They are compiled when the first answer is judged, because that takes 20 ms."""

    beginning: re.Pattern[str]
    first_line: re.Pattern[str]
    subject_line: re.Pattern[str]
    whole: re.Pattern[str]
    last_line: re.Pattern[str]
    exit_line: re.Pattern[str]
    trace: re.Pattern[str]
    run: re.Pattern[str]


@cache
def _get_patterns() -> _Patterns:
    rules = FIRST_LINE_RULES, SUBJECT_RULES, WHOLE_RULES, LAST_LINE_RULES, LAST_LINE_RULES[:1], TRACE_RULES, RUN_RULES
    return _Patterns(re.compile(write_beginning()), *map(_compile, rules))


def _compile(rules: tuple[TextRule, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{rule.pattern})" for rule in rules), re.I)


_SUBJECT_WORDS = frozenset(SUBJECTS)
TRACE_MARK = "Traceback (most"
RUN_MARKS = ("Tests", "BUILD FAIL", " failure", "hint:", ", line ")
END_MARKS = ("   at ", "\tat ", "-- Configuring", *RUN_MARKS)
"""One of these is near the end of each text that a rule for the end knows, or the other is in it."""
MAX_END = 1_000
_LEADING_MARKS = re.compile(r"[^\w<./\n=-]*")
_COLOUR = re.compile(r"\x1b\[[\d;]*[A-Za-z]")
_LOG_LINE = re.compile(
    r"^\W{0,2}(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d\b|(?:INFO|DEBUG|WARN|WARNING|TRACE|NOTICE)\b[\]: ]|"
    r"[A-Z][a-z]{2} +\d+ \d\d:\d\d)",
    re.M,
)
"""The beginning of a line in a log. A log that was read is no answer that failed, whatever it holds."""


def find_error_in_text(text: str) -> str | None:
    """Return the line with which ``text`` says that its call failed, or None."""
    patterns = _get_patterns()
    head, tail = _clean(text[:MAX_TAIL]).strip(), _clean(text[-MAX_TAIL:]).strip()
    before, _, last = tail.rpartition("\n")
    if not before and len(text) > MAX_TAIL:
        last = ""  # its beginning isn't known
    first, last = _get_first_line(head), _strip_marks(last)[:MAX_FIRST_LINE]
    begins_so = patterns.beginning.match(first[:MAX_BEGINNING].lower())
    ends_so = begins_so if first == last else patterns.beginning.match(last[:MAX_BEGINNING].lower())
    error = _find_trace(tail)
    if error is None and begins_so and not _HEALTHY.match(head):
        error = _find_in_first_line(first)
    if error is None and (begins_so or ends_so) and len(text) <= MAX_TAIL and head.count("\n") < MAX_WHOLE_LINES:
        error = _match_line(patterns.whole, first) or _match_line(patterns.whole, last)
    if error is not None and "\n" in head and (_LOG_LINE.search(head) or _LOG_LINE.search(tail)):
        error = _match_line(patterns.exit_line, first)
    if error is None and ends_so:
        error = _match_line(patterns.last_line, last)
        if error is not None and begins_so:
            error = _match_line(patterns.last_line, first) or error
    if error is None and any(mark in tail[-MAX_END:] for mark in RUN_MARKS):
        run = patterns.run.search(tail)
        error = None if run is None else _get_telling_line(run[0])
    return None if error is None else _tidy(error)


def find_error_in_read_text(text: str, read: ContentRead) -> str | None:
    """Return the line with which a call that reads says that it couldn't, or None; what it read says nothing."""
    patterns = _get_patterns()
    head, tail = _clean(text[:MAX_TAIL]).strip(), _clean(text[-MAX_TAIL:]).strip()
    first, last = _get_first_line(head), _strip_marks(tail.rpartition("\n")[2])[:MAX_FIRST_LINE]
    error = None
    if read.is_shell or not read.prints_content:
        is_short = len(text) <= MAX_TAIL and head.count("\n") < MAX_WHOLE_LINES
        if is_short and (not read.prints_content or _ACCESS.search(head)):
            error = _match_line(patterns.whole, first) or _match_line(patterns.whole, last)
            error = error or (first if re.match("fatal: ", first, re.I) else None)
        exit_line = _match_line(patterns.exit_line, last) or _match_line(patterns.exit_line, first)
        if error is None and exit_line and not (read.is_search and _EXIT_1.search(exit_line)):
            error = exit_line
    if error is None and (not read.is_shell or not read.prints_content):
        is_short = len(text) <= MAX_TAIL and head.count("\n") <= (1 if _HEADING.match(head) else 0)
        is_page = head.startswith("<")
        if is_page or (is_short and (_ERROR_START.match(head) or _ACCESS.search(head))):
            error = find_error_in_text(text)
            if error is not None and read.is_search and _EXIT_1.search(error):
                error = None
    return None if error is None else _tidy(error)


_ERROR_START = re.compile(r"(?:error|exception)\b[^:\n]{0,20}:", re.I)
_EXIT_1 = re.compile(r"(?:exit|code|status)\D{0,20}\b0*1\W*$", re.I)
_HEADING = re.compile(r"[^\n]{0,80}:\n")
_ACCESS = re.compile(
    r"not found|no such|not exist|n't exist|denied|forbidden|unauthori|cannot|can't|could ?n[o']t|unable|failed to|"
    r"\b(?-i:E[A-Z]{4,})\b|is a directory|not a |timed? ?out|invalid|missing|required|too (?:big|large|long|many)|"
    r"outside|"
    r"not (?:allowed|been read|permitted|readable)|connect|\bhttp|\b[45]\d\d\b|unknown|refused|exceed|unsupported|"
    r"not supported|binary|resolve|empty",
    re.I,
)
"""Words of a tool that couldn't read."""
_HEALTHY = re.compile(
    r"(?:http |error )?(?:error |code )?\w+:? .{0,80}\b(?:means?|what it means|explained)\b|"
    r"[^\n]{0,300}\bfailed\b[^\n]{0,300}\b(?:and|then|but) (?:passed|succeeded|worked)\W*$|"
    r"(?:booking|flight|invoice|item|job|order|parcel|payment|refund|shipment|ticket|your order) status\b|"
    r"(?-i:[A-Za-z_][\w.]*(?:Error|Exception)\s*\n)+(?-i:[A-Za-z_][\w.]*(?:Error|Exception))\s*\Z",
    re.I,
)
"""First lines that explain an error, tell of one that was made good, or name errors in a list."""


def _tidy(error: str) -> str:
    """Return an error on one line, a page's title for the page, and no bracket that nothing opens."""
    title = _TITLE.search(error)
    error = " ".join((title[1] if title else error).split())[:MAX_FIRST_LINE]
    return error[:-1].rstrip() if error.endswith("]") and "[" not in error else error


_TITLE = re.compile(r"<title>\s*([^<]+?)\s*</title>", re.I)


def _get_telling_line(run: str) -> str:
    """Return the line that tells what failed: the first, or that of the error below a place in a file."""
    lines = [line.strip() for line in run.strip().split("\n")]
    return lines[-1] if lines[0].lower().startswith("file ") else lines[0]


def _get_first_line(head: str) -> str:
    """Return the first line without marks before it. A line that ends in a colon goes on below; so does a page."""
    first, _, rest = head.partition("\n")
    while rest and (not _strip_marks(first) or first in ("### Result", "### Error")):
        first, _, rest = rest.lstrip().partition("\n")
    if first.startswith("<"):
        first = " ".join(head[: 2 * MAX_FIRST_LINE].split("\n"))
    elif rest and first.rstrip().endswith(":"):
        first = f"{first.rstrip()} {rest.lstrip().splitlines()[0]}"
    return _strip_marks(first)[:MAX_FIRST_LINE].rstrip()


def _strip_marks(line: str) -> str:
    marks = _LEADING_MARKS.match(line)
    return line[marks.end() if marks else 0 :].rstrip()


def _find_in_first_line(line: str) -> str | None:
    rest = _drop_subjects(line)
    patterns = _get_patterns()
    is_failed = patterns.first_line.match(rest) or (
        rest != line and (patterns.subject_line.match(rest) or patterns.first_line.match(line))
    )
    return line if is_failed else None


def _drop_subjects(line: str) -> str:
    """Return the line without the words at its beginning that tell what failed, four at most."""
    for _ in range(MAX_SUBJECTS):
        word, _, rest = line.partition(" ")
        if not rest or word.lower() not in _SUBJECT_WORDS:
            break
        line = rest
    return line


def _match_line(pattern: re.Pattern[str], line: str) -> str | None:
    return line if pattern.match(line) or pattern.match(_drop_subjects(line)) else None


def _find_trace(tail: str) -> str | None:
    """Return the line of a stack trace at the end that names the exception."""
    end = tail[-MAX_END:]
    if TRACE_MARK not in tail and not any(mark in end for mark in END_MARKS):
        return None
    trace = _get_patterns().trace.search(tail)
    if trace is None:
        return None
    first, *others = trace[0].split("\n")
    is_python = first.lower().startswith("traceback")  # which names it below its frames
    return next((line for line in others if line and not line[0].isspace()), first) if is_python else first


def _clean(text: str) -> str:
    """Return a text without colours, with one kind of line end."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
