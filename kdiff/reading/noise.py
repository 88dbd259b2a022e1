"""Noise: what two runs of one command write differently without meaning anything, as a table of rules. Pure.

The rules hold for what tools answer, not for what an agent asks for. ``docs/kdiff.md`` has the same table.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import hyperscan

TEXT_EDGE = "\x02"
"""The character that stands before and after each text of a payload that is written as one text."""
ID_EDGE = "\x03"
"""The character that stands before and after a piece that a later step may name: an id, whatever its letters are."""
NOISE_MARK = "\x04"
"""The character that stands behind the first ``ID_EDGE`` if the piece is noise: only a later call may name it."""


def _mark(group: int) -> str:
    """Return the replacement that marks a group of a pattern as noise that a later call may name."""
    return rf"{ID_EDGE}{NOISE_MARK}\{group}{ID_EDGE}"


_LINE = rf"(?<![^\n{TEXT_EDGE}])"
"""The beginning of a line."""
_END = rf"(?![^\n{TEXT_EDGE}])"
"""The end of a line."""
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_HMS = r"\d\d:\d\d:\d\d"
_EPHEMERAL_PORT = (
    r"(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[45]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])"
)
_NUMBER = r"\d[\d,]*+(?:\.\d++)?"
_NOT_ZERO_SECONDS = r"(?!\d\d?:\d\d:00(?:\.0+)?\Z)"
_COUNTED = (
    "it|iters?|req|reqs|requests?|ops?|rows?|records?|files?|tests?|tok|tokens?|steps?|samples?|examples?|items?|docs?"
    "|lines?|msgs?|messages?|events?|queries|txns?|frames?|images?|batch(?:es)?|packets?|calls?"
)
"""What a rate may count."""
_BAR = r"(?:\[(?=[.\- ]*+[=#>])[=>#.\- ]{3,}+\]|\|[█▏▎▍▌▋▊▉#\- ]{3,}+\|)"
_SECONDS = r"(?:s|secs?|seconds?)"
_LONG_TIME = "(?:days?|hours?|minutes?)"
_SMALL_TIME = r"(?:ns|us|ms|nanoseconds?|microseconds?|milliseconds?|msecs?)"


HTTP_HEADERS = (
    "etag", "set-cookie", "cf-ray", "cf-cache-status", "server-timing", "x-request-id", "x-correlation-id", "x-runtime",
    "x-response-time", "x-served-by", "x-timer", "x-cache", "x-cache-hits", "x-trace-id", "x-b3-traceid", "traceparent",
    "x-amzn?-[a-z-]+", "x-github-request-id", "x-ratelimit-(?:remaining|reset|used)", "report-to", "nel", "request-id",
)  # fmt: skip
"""Headers of an HTTP answer that differ from request to request, wherever they stand. Patterns, in lower case."""
GENERAL_HEADERS = ("date", "age", "expires", "via", "keep-alive", "connection")
"""Headers whose names mean something else outside of an HTTP answer."""


class NoiseRule(NamedTuple):
    """What makes no difference in an answer.

    Attributes:
        name: what is masked, as the docs call it.
        hint: what stands in whatever is masked, in upper or lower case; for Hyperscan.
        mask: returns a text with a placeholder in place of each piece of noise.
    """

    name: str
    hint: str
    mask: Callable[[str], str]


def _rule(name: str, hint: str, pattern: str, replacement: str | Callable[[re.Match[str]], str]) -> NoiseRule:
    """Return a rule that replaces what a pattern matches. A replacement that is a function decides by more than it."""
    return NoiseRule(name, hint, partial(re.compile(pattern).sub, replacement))


_PROGRESS = re.compile(
    r"\d ?%|[█━▓⠀-⣿]|[#=.]{3}|-{3}|\d ?[kKMG]i?B ?/|^\W*[|/\\\x00-]\s*$|\s[|/\\\x00-]\s*$"
    r"|^(?!.*(?i:fail|error)).*?\b\d+/\d+\b",
    re.S,
)
"""What stands in a line that only shows how far a program got: a share, a bar, sizes, a count, or a spinner alone."""


def _drop_progress(match: re.Match[str]) -> str:
    return "" if _PROGRESS.search(match[0].rstrip("\r")) else match[0]


_SHORT_HASH = r"(?=[0-9]*[a-f])[0-9a-f]{7,11}"
"""An abbreviated hash of git. A longer one is an id anyway, and digits alone may be a number."""
_SHORT_HASHES = re.compile(rf"\b{_SHORT_HASH}\b(?=\]?\Z|\.\.)")


def _mark_hashes(match: re.Match[str]) -> str:
    return _SHORT_HASHES.sub(rf"{ID_EDGE}\g<0>{ID_EDGE}", match[0])


_GENERAL_HEADER = re.compile(rf"(?<=\n)((?: +|< )?(?i:{'|'.join(GENERAL_HEADERS)})): [^\n]*")


def _mask_duration(match: re.Match[str]) -> str:
    return "<span>" if match.string.endswith("(", 0, match.start()) else " <span>"


_AGE = re.compile(r"(?<=[ (])(?=\d)(?:\d+y)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?![^\s)])")


def _mask_ages(match: re.Match[str]) -> str:
    return _AGE.sub("<span>", re.sub(r" {2,}", " ", match[0]))


_WORKER = re.compile(r"\[gw\d+\](?: \[ *\d+%\])?")


def _mask_workers(match: re.Match[str]) -> str:
    """Return the lines of parallel workers without their names, in alphabetical order."""
    if not match[0].startswith("["):
        return "<workers>"
    lines = sorted(_WORKER.sub("[gw]", line) for line in match[0].splitlines())
    return "\n".join(lines) + "\n" * match[0].endswith("\n")


def _mask_general_headers(match: re.Match[str]) -> str:
    return _GENERAL_HEADER.sub(r"\1: <value>", match[0])


_DURATION_IN_TEXT = re.compile(
    rf"[0-9](?<=[ ~][0-9])(?:\d* {_LONG_TIME},? (?:and )?(?:\d+ {_LONG_TIME},? (?:and )?)*\d+|\d*)(?:\.\d+)? ?"
    rf"(?:{_SMALL_TIME}|{_SECONDS}|m(?:in(?:ute)?s?)?,? ?\d+(?:\.\d+)? ?{_SECONDS})(?![\w/])"
    r"|[0-9](?<=packages in [0-9])\d*m\b|[0-9](?<=, Duration: [0-9])\d* s\b"
)
_TIME_TAKEN = re.compile(r"(?:\b(?i:in|after|took|time|elapsed)(?: ?\([a-z]+\))?:?(?: =)?|Total: +\d+, Duration:)\Z")
_TAKING = r"(?:(?:in|after|took|time|elapsed)(?: ?\([a-z]+\))?:?(?: =)?|total: +\d+, duration:)"
"""What ``_TIME_TAKEN`` matches, for the hint. Behind it ``7ms`` needs no rule: it is a word that is noise."""
_MAX_WORD = len("elapsed")
_MAX_TIME_TAKEN = 30
"""The number of characters in which such a word is looked for, if a unit in brackets or a colon is behind it."""


def _mask_times_taken(text: str) -> str:
    """Replace durations behind a word that says so, with the space between.

    Texts have few digits and many spaces, and most such words have no duration. So durations are looked for first.
    """
    pieces: list[str] = []
    end = 0
    for match in _DURATION_IN_TEXT.finditer(text):
        start = _find_space_before(text, match.start())
        size = _MAX_WORD if text[start - 1 : start].isalpha() else _MAX_TIME_TAKEN
        if text[start] == " " and _TIME_TAKEN.search(text, max(start - size, 0), start):
            pieces += (text[end:start], " <span>")
            end = match.end()
    return "".join((*pieces, text[end:])) if pieces else text


def _find_space_before(text: str, start: int) -> int:
    """Return where the space before a duration begins. Between them there may be ``~``, or the word ``about``."""
    if text[start - 1] == "~":
        start -= 1
    elif text.endswith(" about ", 0, start):
        start -= len("about ")
    while text[start - 1 : start] == " ":
        start -= 1
    return start


CONTROL_RULES = (
    _rule(
        "colours and cursor moves",
        r"\x1b|\xc2\x9b|\^\[\[",
        r"(?:\x1b\[|\x9b|\^\[\[)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\|\x1b\x00)"
        r"|\x1b[()][0-9A-B]|\x1b[=>78c-~A-Z]",
        "",
    ),
    _rule("backspaces", r"\x08", r"[^\n\x08]?\x08", ""),
    _rule(
        "overwritten progress",
        r"\r",
        rf"(?<![^\r\n{TEXT_EDGE}])[^\r\n{TEXT_EDGE}]*+\r++(?=[^\r\n{TEXT_EDGE}])",
        _drop_progress,
    ),
)
"""Rules for characters that steer a terminal. They come first."""

SPACE_RULES = (
    _rule("line ends of Windows", r"\r\n", r"(?<!\r)\r++\n", "\n"),
    _rule(
        "space at the end",
        rf"\s[\n{TEXT_EDGE}]",
        rf"\s(?:(?<!\s\s)\s*+(?={TEXT_EDGE}|\Z)|(?<=[ \t])(?<![ \t][ \t])[ \t]*+(?=\n))",
        "",
    ),
)
"""Rules for space that nobody sees. They hold for arguments too."""

TEXT_RULES = (
    # Times and dates
    _rule(
        "dates of HTTP and mail",
        r"\d\d:\d\d:\d\d (?:GMT|UTC|[+-]\d{4})",
        rf"{_DAY}, \d\d? {_MONTH} \d{{4}} (?!\d\d:\d\d:00){_HMS} (?:GMT|UTC|[+-]\d{{4}})",
        "<time>",
    ),
    _rule(
        "dates of access logs",
        r"\d\d?/[A-Z]{3}/\d{4}:\d\d:",
        rf"\d\d?/{_MONTH}/\d{{4}}:{_HMS}(?: [+-]\d{{4}})?",
        "<time>",
    ),
    _rule(
        "dates of `date` and of logs",
        r"\d \d\d?:\d\d:\d\d",
        rf"(?<!expire date: )(?<!start date: )(?:{_DAY} )?\b{_MONTH} +\d\d? (?!\d\d:\d\d:00){_HMS}(?:\.\d+)?(?: [AP]M)?(?: [A-Z]{{3,4}})?(?: \d{{4}})?(?: [+-]\d{{4}})?\b|\b\d\d? {_MONTH} \d{{4}} (?!\d\d?:\d\d:00)\d\d?:\d\d:\d\d(?: ?[AaPp][Mm])?\b",  # noqa: E501  one pattern
        "<time>",
    ),
    _rule(
        "date and clock",
        r"\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d|\dT\d\d:\d\d:\d\d,",
        r"(?:\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\b\d{4}[-/]\d\d[-/]\d\d[ T]"
        r"\d\d:\d\d:(?!00(?!\d|[.,]\d*[1-9]))\d\d(?:[.,]\d+)?"
        r"(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?(?![\d:])",
        "<time>",
    ),
    _rule(
        "clock in brackets", r"\[\d?\d:\d\d:\d\d", rf"\[(?:{_HMS}|\d:\d\d:\d\d)(?:[.,]\d+)?(?: [AP]M)?\]", "[<time>]"
    ),
    _rule("clock with milliseconds", r":\d\d,\d{3}", rf"\b{_HMS},\d{{3}}\b", "<time>"),
    _rule("seconds since start", r"\d{3}s?\]", rf"{_LINE}\[ *\+?\d+\.\d{{3,}}s?\]", "[<time>]"),
    _rule(
        "glog's header",
        r"[IWEF]\d{4} \d\d:\d\d:\d\d\.",
        rf"{_LINE}([IWEF])\d{{4}} {_HMS}\.\d+ +\d+ (?=\S+:\d+\])",
        r"\1<time> ",
    ),
    _rule(
        "names of log files",
        r"T\d\d[_-]\d\d[_-]\d\d[_-]\d{3}Z",
        r"\b\d{4}-\d\d-\d\dT\d\d[_-]\d\d[_-]\d\d[_-]\d{3}Z",
        "<time>",
    ),
    # Files
    _rule(
        "blocks of `ls`",
        r"total [\d.,]+[KMGT]?\n",
        rf"{_LINE}total [\d.,]+[KMGT]?\n(?=[bcdlps-][rwxsStT-]{{9}})",
        "total <size>\n",
    ),
    _rule(
        "sizes of directories in `ls`",
        r"d[r-][w-][xsS-]",
        rf"{_LINE}(d[rwxsStT-]{{9}}[.+@]?) +(\d+) +(\S+) +(\S+) +[\d.,]+[KMGT]? +"
        rf"(?={_MONTH} |\d\d? {_MONTH} |\d{{4}}-\d\d)",
        r"\1 \2 \3 \4 <size> ",
    ),
    _rule(
        "dates of `ls` and `tar`",
        r"[bcdlps-][r-][w-][xsS-][r-][w-][xsS-][r-][w-]",
        rf"{_LINE}([bcdlps-][rwxsStT-]{{9}}[.+@]?(?: +\S+){{2,5}}?) +"
        rf"(?:{_MONTH} +\d\d? +(?:\d\d:\d\d|\d{{4}})|\d\d? {_MONTH} +(?:\d\d:\d\d|\d{{4}})"
        rf"|\d{{4}}-\d\d-\d\d \d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: [+-]\d{{4}})?|<time>)(?= )",
        r"\1 <time>",
    ),
    _rule(
        "inodes and devices",
        r"Inode: [\da-f]",
        r"\b(Inode|Device(?=: [\da-fh/,]{1,40}\s{1,9}Inode:)): [\da-fh/,]+",
        r"\1: <n>",
    ),
    # Processes, ports and hosts
    _rule(
        "process ids",
        r"pid|process (?:id|\d|\[)|process_?id|\(node:",
        r"((?<![?&])\bp?pid\b[\"']?(?: is)?[:=#]?[ \[(]{0,2}|\bPID\b:?[ \[(]{0,2}"
        r"|\b[Pp]rocess (?:[Ii][Dd]:? ?|(?=\d+ (?:exited|ended|finished|terminated|started|died|was killed))"
        r"|\[(?=\d+\]))|\(node:(?=\d+\))"
        rf"|{TEXT_EDGE}(?:(?:\w*_)?p?pid|process_?id){TEXT_EDGE}:{TEXT_EDGE}?)(\d+)\b(?![.%/-])",
        rf"\1{_mark(2)}",
    ),
    _rule(
        "process ids of logs",
        r"\[\d+\]:|\] \[\d+\] \[",
        r"(<time> \S+ [\w./-]+|(?<=\[)<time>\] (?=\[\d+\] \[[A-Z]))\[(\d+)\](?=:| \[)",
        rf"\1[{_mark(2)}]",
    ),
    _rule(
        "threads of logs and stacks",
        r"goroutine \d|\[\d+:\d+:\d{4}/|\$Proxy\d|\$\$Lambda\$",
        r"(?<=\bgoroutine )\d+(?= \[)|(?<=\[)\d+:\d+:\d{4}/\d{6}\.\d+(?=:[A-Z])|(?<=\$Proxy)\d+|(?<=\$\$Lambda)\$\d+",
        "<n>",
    ),
    _rule(
        "background jobs",
        r"\[\d\] \d",
        rf"(?:(?<=\n)(?=\[\d\] \d+{_END})|{_LINE}(?=\[\d\] \d+\n))\[(\d)\] (\d{{3,7}})(?!\d)",
        rf"[\1] {_mark(2)}",
    ),
    _rule("reports of sanitizers", r"==\d+==", rf"{_LINE}==\d+==", "==<pid>=="),
    _rule(
        "rows of `ps`",
        r" \d+\.\d +\d+\.\d +\d+ +\d+ ",
        rf"{_LINE}(\S+) +(\d+) +[\d.]+ +[\d.]+ +\d+ +\d+ +(\S+) +(?:[RSDI]\S*|(\S+))"
        rf" +(?:\d\d:\d\d|{_MONTH}\d\d|<time>) +\d+:\d\d(?=[ \n])",
        rf"\1 {_mark(2)} \3 \4 <time>",
    ),
    _rule(
        "rows of `ps -ef`",
        r"(?:\?|pts/\d+|tty\w+) +\d\d:\d\d:\d\d ",
        rf"{_LINE}(\S+) +(\d+) +\d+ +\d+ (?:\d\d:\d\d|{_MONTH}\d\d) +(\S+) +{_HMS} ",
        rf"\1 {_mark(2)} \3 <time> ",
    ),
    _rule(
        "rows of plain `ps`",
        r"(?:\?|pts/\d+|tty\w+) +\d\d:\d\d:\d\d ",
        rf"{_LINE} *(\d+) (pts/\d+|tty\w+|\?) +{_HMS} ",
        rf"{_mark(1)} \2 <time> ",
    ),
    _rule(
        "free ports",
        rf"(?:port[\"'{TEXT_EDGE}]?[:=#]?[ ]?|[\w.*:\]-]:)\d{{5}}",
        rf"((?:(?<![^\W_])(?:[Pp]ort|PORT)|(?<=[a-z])Port)\b[\"'{TEXT_EDGE}]?(?::|=|#)? ?"
        rf"|(?:\blocalhost|://[\w.-]+|\]|\*|::|(?<![\d.])(?:\d{{1,3}}\.){{3}}\d{{1,3}}):)"
        rf"(?<!\d)({_EPHEMERAL_PORT})(?![\d.])",
        rf"\1{_mark(2)}",
    ),
    _rule(
        "addresses that curl tries",
        r"\* +(?:Trying|Connected to)",
        rf"{_LINE}\*( +(?:Trying|Connected to)[^\n{TEXT_EDGE}]{{0,200}}?) \(?(?:(?:\d{{1,3}}\.){{3}}\d{{1,3}}|\[?[\da-f]{{1,4}}::?[\da-f:]+\]?)\)?",  # noqa: E501  one pattern
        r"*\1 <host>",
    ),
    _rule(
        "addresses that wget tries",
        r"\|\d+\.\d+\.\d+\.\d+\||Resolving ",
        rf"(?<=\|)(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?=\|:\d)"
        rf"|{_LINE}(Resolving [^\s{TEXT_EDGE}]+(?: \([^\s)]+\))?\.\.\. )[\da-f.:, ]+{_END}",
        r"\1<host>",
    ),
    _rule("names of cloud hosts", r"ip-\d+-\d+-", r"\b(ip(?:-\d{1,3}){4})\b", _mark(1)),
    _rule(
        "bars of pip",
        r"\xe2\x94\x81[^\n]*\d ?[kM]B",
        rf"{_LINE} *━[^\n{TEXT_EDGE}]*\d ?[kM]B[^\n{TEXT_EDGE}]*\n",
        "",
    ),
    # Measures
    _rule(
        "bars",
        r"\[[=>#. -]{3}|\|(?:#|\xe2\x96)|\xe2\x94\x81|\xe2\x95",
        rf"(?<=%) ?{_BAR}|(?<=\d/\d) ?{_BAR}|(?<=/\d\d) ?{_BAR}| ?{_BAR}(?= *+\d[\d.]*+(?: ?%|/\d))"
        r"| ?(?:\|(?=[^|\n]{0,200}[█▏▎▍▌▋▊▉])[█▏▎▍▌▋▊▉ ]{3,}\||[━╸╺]{3,})",
        " <bar>",
    ),
    _rule(
        "layers of images",
        r": (?:Pull|Waiting|Download|Extract|Verify|Already)",
        rf"{_LINE}[0-9a-f]{{12}}: (?:Pulling fs layer|Waiting|Downloading|Extracting|Verifying Checksum"
        rf"|Download complete"
        rf"|Pull complete|Already exists)[^\n{TEXT_EDGE}]*\n?",
        "",
    ),
    _rule(
        "progress of git",
        r"objects|deltas|delta compression|total \d+ \(delta",
        rf"{_LINE}(?:remote: )?(?:(?:Enumerating|Counting|Compressing|Receiving|Writing|Unpacking) objects:"
        rf"|Resolving deltas:|Delta compression using|Total \d+ \(delta)[^\n{TEXT_EDGE}]*\n?",
        "",
    ),
    _rule(
        "waiting lines of Terraform",
        r"elapsed\]",
        rf"{_LINE}[^\n{TEXT_EDGE}:]*: Still [a-z]+\.\.\. \[(?:id=[^,\]\n]*, )?[\dhms]+ elapsed\]\n?",
        "",
    ),
    _rule("progress of tqdm", r"\d<[\d?]", r"\[\d[\d:]*<(?:[\d:]+|\?), *[^\]\n]{1,40}\]", "[<progress>]"),
    _rule("time left", r"eta +[-\d]", r"\beta +(?:[-\d]+(?::[-\d]+)+|\d+[hms]\w*)", "eta <span>"),
    _rule(
        "rows of curl's progress",
        r":[-\d][-\d] +[-\d]+:[-\d][-\d]:",
        r"(?:\r?(?<![^\n\r\x02]) *\d{1,3} +[\d.]+[kMG]? +\d{1,3} +[\d.]+[kMG]? +\d{1,3} +[\d.]+[kMG]?"
        r"(?: +[\d.]+[kMG]?){2}(?: +(?:[-\d]+:[-\d]+:[-\d]+|<time>)){3} +[\d.]+[kMG]?)+",
        "<progress>",
    ),
    _rule(
        "rates",
        r"\d ?[a-z]+/s|bps|s/it|\d [a-z]+ per second",
        rf"(?<! ) *+(?<![\w.,])(?<!(?i:limit) )(?<!(?i:limit): )(?<!(?i:max) )(?<!(?i:max): )(?<!(?i:plan) )"
        rf"(?<!(?i:plan): )(?<!(?i:up to) )\(?(?:{_NUMBER} ?(?:(?:[kKMGT]i?)?(?:[bB]|[bB]its?|[bB]ytes?)/s(?:ec(?:ond)?)?"  # noqa: E501  one pattern
        rf"|(?:{_COUNTED})(?:/s(?:ec(?:ond)?)?| per second)|s/it)|\d++\.\d++ ?[kKMG]bps)(?![a-z])\)?",
        " <rate>",
    ),
    _rule("microseconds", r"\d ?\xc2\xb5s|\d ?\xce\xbcs", r"(?<!\d)\d++(?:\.\d++)? ?[µμ]s\b", "<span>"),
    _rule(
        "time behind a test's name",
        r"\(\d[\d. ms]*(?:s|[a-z]+)\)",
        rf"(?<! ) ++\((?:\d+m ?)?\d+(?:\.\d+)? ?(?:{_SMALL_TIME}|{_SECONDS})\)(?=\n|{TEXT_EDGE}|\Z)"
        rf"|(?<=passing) \(\d+m\)|(?<=passed) \(\d+(?:\.\d+)?m\)|(?<! ) \(\d+\.\d+m\)(?=\n *[✓✔✘✖√]|\n *\d+ passed)",
        "",
    ),
    NoiseRule(
        "time that something took",
        rf"{_TAKING}(?:  +| +~| +about )\d|{_TAKING} [\d.]*\d(?: |[sdh]|[mnu][^s]|[mnu]s(?:[.:+\-a-z]| \())",
        _mask_times_taken,
    ),
    _rule(
        "time since something happened",
        r" ago|Up [\dAL]",
        r"(?i:\b(?:about |over |almost |less than )?(?:an?|\d+) (?:second|minute|hour)s?"
        r"|(?<!\w)(?:\d+(?:h|min|s|m) ?){1,3}) ago\b"
        r"|(?<=\bUp )(?:About an?|Less than a|\d+) (?:second|minute|hour|day|week|month)s?\b",
        "<span>",
    ),
    _rule(
        "durations in two words",
        r"\d [mnu]?s[^\w/]|\d (?:sec|milli|micro|nano|ms)|\dm \d+(?:\.\d+)?s",
        rf"(?<! ) *+(?<![\w.:,$€£-])(?:\d+\.\d+ {_SECONDS}|\d+(?:\.\d+)? {_SMALL_TIME}"
        rf"|(?:\d+h )?\d+m \d+(?:\.\d+)?s)(?![\w/])",
        _mask_duration,
    ),
    _rule(
        "results from Go's cache",
        r"\(cached\)",
        r"(?<=\t)\(cached\)",
        "<span>",
    ),
    _rule(
        "times in hours and minutes of pytest",
        r"s \(\d+:\d\d:\d\d\)",
        r"(?:(?<=\ds)|(?<=<span>)) \(\d+:\d\d:\d\d\)",
        "",
    ),
    _rule(
        "times of Maven",
        r"\d\d:\d\d (?:min|h)",
        r"(?:(?<=\btime:)|(?<=\[)) *+\d\d:\d\d (?:min|h)\b",
        " <span>",
    ),
    _rule("time estimated", r"stimated \d", r", estimated \d+(?:\.\d+)? ?m?s\b", ""),
    _rule(
        "times of `time`",
        r"\d%? ?(?:cpu|elapsed)|real\s+\d+\.\d+\s+user",
        r"\breal\s+\d+\.\d+\s+user\s+\d+\.\d+\s+sys\s+\d+\.\d+|(?<![\d.])[\d.]++s? ?user +[\d.]+s? ?system +[\d:.]+(?:% cpu|elapsed)[^\n]*(?:\n\d+inputs\+\d+outputs[^\n]*)?",  # noqa: E501  one pattern
        "<times>",
    ),
    _rule(
        "load and uptime",
        r"load average",
        r"(?:(?:<time>|\d\d:\d\d:\d\d) )?(?:up [^\n]{0,60}?)?load averages?: [\d., ]+\d",
        "<load>",
    ),
    _rule(
        "memory in use",
        r"memory(?::| used| usage)|rss|main pid:",
        r"((?i:\bpeak memory|\bmemory (?:used|usage)|\bmax ?rss|\brss|\bfinal memory|\btime: [^\n,]{1,30}, memory)(?: of|:| =|=)? *)"  # noqa: E501  one pattern
        r"[\d.,]+ ?(?:[kKMG]i?)?(?:B|bytes)?(?:/[\d.]+[KMG])?(?!\w)"
        r"|(Main PID: [^\n]*\n(?:[^\n]+\n){0,4}? +Memory: )[\d.]+[KMG]",
        r"\1\2<size>",
    ),
    _rule(
        "times of pings",
        r"time[=<]\d|min/avg/max",
        r"\btime[=<][\d.]+ ?ms|(?<=min/avg/max)(?:/[a-z]{1,20})? = [\d./]+ ms",
        "<span>",
    ),
    _rule(
        "times of Go's benchmarks",
        r"\d ns/op",
        rf"{_LINE}(Benchmark\S+)\s+\d+\s+[\d.]+ ns/op",
        r"\1 <span>",
    ),
    _rule(
        "times of a query's plan",
        r"actual time=\d",
        r"(?<=\(actual time=)[\d.]+",
        "<span>",
    ),
    _rule("steps of a build", r"#\d+ \d+\.\d", rf"{_LINE}(#\d+) \d+\.\d+ ", r"\1 <span> "),
    _rule(
        "steps of a build from its cache",
        r"#\d+ (?:cached|done)|transferring|using cache|running in|intermediate container",
        rf"{_LINE}(#\d+) (?:CACHED|DONE \d+\.\d+s)|(?<=transferring )([\w.]+: [\d.]+[kMG]?B)(?: \d+\.\d+s)?(?= done)"
        rf"|{_LINE} ---> (?:Using cache|Running in [0-9a-f]{{12}})\n|{_LINE}(?: ---> )?Remov(?:ing|ed) intermediate container [0-9a-f]{{12}}\n",  # noqa: E501  one pattern
        r"\1\2",
    ),
    _rule(
        "tasks from a build's cache",
        r"UP-TO-DATE|FROM-CACHE|actionable task",
        r"(?<=> Task )(:\S+) (?:UP-TO-DATE|FROM-CACHE)(?!\S)|\b(\d+ actionable tasks?): [\w, -]+",
        r"\1\2",
    ),
    _rule(
        "downloads and caches of packages",
        r"using cached|downloading|downloaded|compiling|fresh|locking|blocking|progress: resolved",
        rf"{_LINE}( *)(?:Downloading|Using cached)(?= \S+\.(?:whl|tar|zip))"
        rf"|{_LINE} +(?:Compiling|Fresh|Downloaded|Downloading|Locking|Blocking) [^\n{TEXT_EDGE}]*\n"
        rf"|{_LINE}Progress: resolved \d+[^\n{TEXT_EDGE}]*\n?",
        r"\1",
    ),
    _rule(
        "ages of kubectl",
        r"NAME[A-Z -]* AGE",
        rf"{_LINE}(?:NAMESPACE +)?NAME [A-Z0-9() -]*\bAGE\b[^\n{TEXT_EDGE}]*(?:\n[^\n{TEXT_EDGE}]+)+",
        _mask_ages,
    ),
    _rule(
        "workers of pytest",
        r"\[gw\d+\]|\d workers|gw\d+ \[",
        rf"(?:{_LINE}\[gw\d+\][^\n{TEXT_EDGE}]*(?:\n|{_END}))+"
        rf"|\b\d+(?:/\d+)? workers(?= \[|\n|\Z)|{_LINE}gw\d+ \[\d+\](?: / gw\d+ \[\d+\])*",
        _mask_workers,
    ),
    _rule(
        "rulers",
        r"====|----|____|\*\*\*\*|\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80\xe2\x94\x80",
        r"([=\-_*─])\1{3,}",
        r"\1\1\1\1",
    ),
    # Ids and seeds
    _rule(
        "seeds",
        r"seed|shuffle",
        r"(?i:(?<![?&])(hashseed|\bseed|_seed)(?:[\"']?(?:[:=]| =)[\"']?| (?:is|was|of|set to)|(?<=with seed)|(?<=-seed)"  # noqa: E501  one pattern
        r"|(?<=random seed)) *)-?(?:0x[0-9a-f]+|\d+)\b|(?<=shuffle)[ =]\d{6,}\b",
        r"\1 <seed>",
    ),
    _rule(
        "hashes of commits",
        r"[0-9a-f]{7}\]|HEAD is now|commit [0-9a-f]|[0-9a-f]{7}\.\.",
        rf"(?:(?<=HEAD is now at )|(?<=\bcommit ))({_SHORT_HASH})\b"
        rf"|{_LINE}(\[[\w/.-]+ (?:\(root-commit\) )?)({_SHORT_HASH})(?=\])"
        rf"|(?<!index )\b({_SHORT_HASH})(\.\.\.?)({_SHORT_HASH})\b",
        _mark_hashes,
    ),
    _rule(
        "hashes of Java's objects",
        r"@[0-9a-f]{5}",
        r"(?<=[\w$\];])@(?=[0-9a-f]*[a-f])[0-9a-f]{5,8}(?![\w.@-])",
        "@<address>",
    ),
    _rule(
        "ids of a service's request",
        r"extended request id|x-amz-id-2",
        r"(?i:(?<=extended request id: )|(?<=x-amz-id-2: ))[\w+/=-]{4,}",
        "<id>",
    ),
    _rule("ids of React", r":r[0-9a-z]{1,4}:", r":r[0-9a-z]{1,4}:", ":<id>:"),
    _rule(
        "HTTP headers",
        f"(?:{'|'.join(HTTP_HEADERS)}): ",
        rf"{_LINE}((?:[<>] )?(?i:{'|'.join(HTTP_HEADERS)})): [^\n{TEXT_EDGE}]*",
        r"\1: <value>",
    ),
    _rule(
        "general headers behind an HTTP status",
        r"HTTP/\d",
        rf"{_LINE}(?: +|< )?HTTP/\d[^\n{TEXT_EDGE}]*+(?:\n(?!<?\n)[^\n{TEXT_EDGE}]++)*+",
        _mask_general_headers,
    ),
    _rule("padding before a number", r"  [\d<]", rf"  (?<=[^\s{TEXT_EDGE}]  ) *+(?=[\d<])", " "),
)
"""Rules for what a text says, in the order in which they are applied."""

_DURATION = rf"(?!\d+{_SECONDS}\Z)(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?(?:{_SMALL_TIME}|{_SECONDS})|(?:\d+(?:h|hrs?):)?\d+(?:m|mins?):\d+{_SECONDS}"  # noqa: E501  one pattern
WORD_RULES = (
    ("durations", re.compile(_DURATION), "<span>"),
    ("clocks", re.compile(rf"{_NOT_ZERO_SECONDS}\d\d?:\d\d:\d\d(?:\.\d+)?|\d\d?:\d\d\.\d+"), "<time>"),
    ("addresses in memory", re.compile(r"0x[0-9a-fA-F]{8,16}"), "<address>"),
    ("Python's ids of objects", re.compile(r"1(?:39|40)\d{12}"), "<address>"),
)
"""Rules for whole words that hold a digit: name, pattern, placeholder."""


_NO_NOISE_WORD = re.compile(r"\d{1,14}|[A-Za-z_-].*|[0-9a-f]{8}-.*")
"""The shape of most words that hold a digit. It saves the rules."""


def find_noise_word(word: str) -> str | None:
    """Return the placeholder of a word that is noise in an answer; None if it is none."""
    if _NO_NOISE_WORD.fullmatch(word):
        return None
    for _, pattern, placeholder in WORD_RULES:
        match = pattern.fullmatch(word)
        if match is not None:
            return placeholder
    return None


def is_free_port(number: str) -> bool:
    """Whether a port is one that the system gives out."""
    return re.fullmatch(_EPHEMERAL_PORT, number) is not None


def unify_space(text: str) -> str:
    """Return ``text`` with composed accents, and without space that nobody sees. This holds for arguments too."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "\n" in text or f" {TEXT_EDGE}" in text or f"\t{TEXT_EDGE}" in text or text[-1:].isspace():
        for rule in SPACE_RULES:
            text = rule.mask(text)
    return text


def mask_noise(text: str) -> str:
    """Return ``text`` as ``unify_space`` does, with a placeholder for each piece of noise that is more than a word."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    numbers = _find_rules(text)
    if min(numbers, default=len(_FIRST_RULES)) < len(_FIRST_RULES):
        text = _apply((number for number in numbers if number < len(_FIRST_RULES)), text)
        numbers = [number for number in _find_rules(text) if number >= len(_FIRST_RULES)]
    return _apply(numbers, text)


_FIRST_RULES = (*CONTROL_RULES, *SPACE_RULES)
"""They change what the other rules look for."""
_ALL_RULES = (*_FIRST_RULES, *TEXT_RULES)


def _apply(numbers: Iterable[int], text: str) -> str:
    for number in sorted(numbers):
        text = _ALL_RULES[number].mask(text)
    return text


def _find_rules(text: str) -> list[int]:
    """Return the numbers of the rules whose hints stand in ``text``. One search finds all, far faster than Python."""
    database, scratch = compile_hints()
    numbers: list[int] = []
    database.scan(
        text.encode(errors="surrogatepass") + TEXT_EDGE.encode(), _note_rule, scratch=scratch, context=numbers
    )
    return numbers


def _note_rule(number: int, _start: int, _end: int, _flags: int, numbers: Any) -> None:
    numbers.append(number)


@cache
def compile_hints() -> tuple["hyperscan.Database", "hyperscan.Scratch"]:
    """Compile the hints of all rules for one search. It takes 0.1 s, once."""
    import hyperscan  # noqa: PLC0415  it takes 20 ms to load

    database = hyperscan.Database()
    flags = [hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH] * len(_ALL_RULES)
    database.compile([rule.hint.encode() for rule in _ALL_RULES], range(len(_ALL_RULES)), len(_ALL_RULES), flags)
    return database, hyperscan.Scratch(database)
