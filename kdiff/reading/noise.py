"""Noise: what two runs of one command write differently without meaning anything, as a table of rules. Pure.

The rules hold for what tools answer, not for what an agent asks for. ``docs/kdiff.md`` has the same table.
"""

import re
from typing import NamedTuple

TEXT_EDGE = "\x02"
"""The character that stands before and after each text of a payload that is written as one text."""
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
_NUMBER = r"\d[\d,]*(?:\.\d+)?"
_NOT_ZERO_SECONDS = r"(?!\d\d?:\d\d:00(?:\.0+)?\Z)"
_COUNTED = (
    "it|iters?|req|reqs|requests?|ops?|rows?|records?|files?|tests?|tok|tokens?|steps?|samples?|examples?|items?|docs?"
    "|lines?|msgs?|messages?|events?|queries|txns?|frames?|images?|batch(?:es)?|packets?|calls?"
)
"""What a rate may count."""
_SECONDS = r"(?:s|secs?|seconds?)"
_SMALL_TIME = r"(?:ns|us|ms|nanoseconds?|microseconds?|milliseconds?|msecs?)"


HTTP_HEADERS = (
    "etag", "set-cookie", "cf-ray", "cf-cache-status", "server-timing", "x-request-id", "x-correlation-id", "x-runtime",
    "x-response-time", "x-served-by", "x-timer", "x-cache", "x-cache-hits", "x-trace-id", "x-b3-traceid", "traceparent",
    "x-amzn?-[a-z-]+", "x-github-request-id", "x-ratelimit-(?:remaining|reset|used)", "report-to", "nel", "request-id",
)  # fmt: skip
"""Headers of an HTTP answer that differ from request to request, wherever they stand. Patterns, in lower case."""
GENERAL_HEADERS = ("date", "age", "expires", "via", "keep-alive", "retry-after", "connection")
"""Headers whose names mean something else outside of an HTTP answer."""


class NoiseRule(NamedTuple):
    """What makes no difference in an answer.

    Attributes:
        name: what is masked, as the docs call it.
        hints: texts of which at least one stands in whatever the pattern matches. They are searched first.
        pattern: what is replaced.
        replacement: what stands in its place, as ``re.sub`` takes it.
    """

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str


def _rule(name: str, hints: str, pattern: str, replacement: str, flags: int = 0) -> NoiseRule:
    """Make a rule; ``hints`` are separated by ``|``."""
    return NoiseRule(name, tuple(hints.split("|")), re.compile(pattern, flags), replacement)


CONTROL_RULES = (
    _rule(
        "colours and cursor moves",
        "\x1b|\x9b|^[[",
        r"(?:\x1b\[|\x9b|\^\[\[)[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\|\x1b\x00)"
        r"|\x1b[()][0-9A-B]|\x1b[=>78c-~A-Z]",
        "",
    ),
    _rule("backspaces", "\x08", r"[^\n\x08]?\x08", ""),
    _rule(
        "overwritten progress",
        "\r",
        rf"[^\r\n{TEXT_EDGE}]*"
        r"(?:\d ?%|\d+/\d+|[#=.█━▓⠀-⣿|/\\\x00-]|\d ?[kKMG]i?B?\b)"
        rf"[^\r\n{TEXT_EDGE}]*\r+(?=[^\r\n{TEXT_EDGE}])",
        "",
    ),
)
"""Rules for characters that steer a terminal. They come first."""

TEXT_RULES = (
    # Times and dates
    _rule(
        "dates of HTTP and mail",
        "GMT|UTC|+0|-0",
        rf"{_DAY}, \d\d? {_MONTH} \d{{4}} {_HMS} (?:GMT|UTC|[+-]\d{{4}})",
        "<time>",
    ),
    _rule("dates of access logs", ":", rf"\d\d?/{_MONTH}/\d{{4}}:{_HMS}(?: [+-]\d{{4}})?", "<time>"),
    _rule(
        "dates of `date` and of logs",
        ":",
        rf"(?:{_DAY} )?\b{_MONTH} +\d\d? {_HMS}(?:\.\d+)?(?: [AP]M)?(?: [A-Z]{{3,4}})?(?: \d{{4}})?\b",
        "<time>",
    ),
    _rule(
        "date and clock",
        ":",
        r"\b\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:(?!00(?!\d|[.,]\d*[1-9]))\d\d(?:[.,]\d+)?"
        r"(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?(?![\d:])",
        "<time>",
    ),
    _rule("clock in brackets", ":", rf"\[{_HMS}(?:[.,]\d+)?\]", "[<time>]"),
    _rule("clock with milliseconds", ",", rf"\b{_HMS},\d{{3}}\b", "<time>"),
    _rule("seconds since start", "[", rf"{_LINE}\[ *\+?\d+\.\d{{3,}}s?\]", "[<time>]"),
    _rule("glog's header", ":", rf"{_LINE}([IWEF])\d{{4}} {_HMS}\.\d+ +\d+ (?=\S+:\d+\])", r"\1<time> "),
    _rule("names of log files", "Z", r"\b\d{4}-\d\d-\d\dT\d\d[_-]\d\d[_-]\d\d[_-]\d{3}Z", "<time>"),
    # Files
    _rule("blocks of `ls`", "total ", rf"{_LINE}total [\d.,]+[KMGT]?\n(?=[bcdlps-][rwxsStT-]{{9}})", "total <size>\n"),
    _rule(
        "sizes of directories in `ls`",
        "d",
        rf"{_LINE}(d[rwxsStT-]{{9}}[.+@]?) +(\d+) +(\S+) +(\S+) +[\d.,]+[KMGT]? +"
        rf"(?={_MONTH} |\d\d? {_MONTH} |\d{{4}}-\d\d)",
        r"\1 \2 \3 \4 <size> ",
    ),
    _rule(
        "dates of `ls` and `tar`",
        "rw|r-|--",
        rf"{_LINE}([bcdlps-][rwxsStT-]{{9}}[.+@]?(?: +\S+){{2,5}}?) +"
        rf"(?:{_MONTH} +\d\d? +(?:\d\d:\d\d|\d{{4}})|\d\d? {_MONTH} +(?:\d\d:\d\d|\d{{4}})"
        rf"|\d{{4}}-\d\d-\d\d \d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: [+-]\d{{4}})?|<time>)(?= )",
        r"\1 <time>",
    ),
    _rule("inodes and devices", "node: |Device: ", r"\b(Inode|Device): [\da-fh/,]+", r"\1: <n>"),
    # Processes, ports and hosts
    _rule(
        "process ids",
        "pid|PID|rocess",
        r"(\bp?pid\b[\"']?(?: is)?[:=#]?[ \[(]{0,2}|\bPID\b:?[ \[(]{0,2}"
        r"|\b[Pp]rocess (?:[Ii][Dd]:? ?|(?=\d+ (?:exited|ended|finished|terminated|started|died|was killed))"
        r"|\[(?=\d+\])))\d+\b(?![.%/-])",
        r"\1<pid>",
    ),
    _rule("process ids of logs", "]:", r"(<time> \S+ [\w./-]+)\[\d+\](?=:)", r"\1[<pid>]"),
    _rule("background jobs", "[", rf"{_LINE}\[(\d)\] \d+{_END}", r"[\1] <pid>"),
    _rule("reports of sanitizers", "==", rf"{_LINE}==\d+==", "==<pid>=="),
    _rule(
        "rows of `ps`",
        ":",
        rf"{_LINE}(\S+) +\d+ +[\d.]+ +[\d.]+ +\d+ +\d+ +(\S+) +(\S+)"
        rf" +(?:\d\d:\d\d|{_MONTH}\d\d|<time>) +\d+:\d\d(?=[ \n])",
        r"\1 <pid> \2 \3 <time>",
    ),
    _rule(
        "rows of `ps -ef`",
        ":",
        rf"{_LINE}(\S+) +\d+ +\d+ +\d+ (?:\d\d:\d\d|{_MONTH}\d\d) +(\S+) +{_HMS} ",
        r"\1 <pid> \2 <time> ",
    ),
    _rule("rows of plain `ps`", ":", rf"{_LINE} *\d+ (pts/\d+|tty\w+|\?) +{_HMS} ", r"<pid> \1 <time> "),
    _rule(
        "free ports",
        "port|Port|PORT|localhost:|://|]:",
        rf"(\b(?:[Pp]ort|PORT)\b[\"']?(?::|=|#)? ?|(?:\blocalhost|://[\w.-]+|\]):)(?<!\d){_EPHEMERAL_PORT}(?![\d.])",
        r"\1<port>",
    ),
    _rule(
        "addresses that curl tries",
        "* ",
        rf"{_LINE}\*( +(?:Trying|Connected to)[^\n]*?) \(?(?:\d+\.){{3}}\d+\b[^\n{TEXT_EDGE}]*",
        r"*\1 <host>",
    ),
    _rule("names of cloud hosts", "ip-", r"\bip(?:-\d{1,3}){4}\b", "<host>"),
    # Measures
    _rule(
        "bars",
        "[=|[>|[#|[.|█|━|[ ",
        r" ?(?:\[(?=[^\]\n]*[=#>])[=>#.\- ]{3,}\]|\|[█▏▎▍▌▋▊▉#\- ]{3,}\||[━╸╺]{3,})",
        " <bar>",
    ),
    _rule("progress of tqdm", "<", r"\[\d[\d:]*<(?:[\d:]+|\?), *[^\]\n]{1,40}\]", "[<progress>]"),
    _rule("time left", "eta ", r"\beta +(?:[-\d]+(?::[-\d]+)+|\d+[hms]\w*)", "eta <span>"),
    _rule(
        "rows of curl's progress",
        ":",
        r"(?:\r?(?<![^\n\r\x02]) *\d{1,3} +[\d.]+[kMG]? +\d{1,3} +[\d.]+[kMG]? +\d{1,3} +[\d.]+[kMG]?"
        r"(?: +[\d.]+[kMG]?){2}(?: +(?:[-\d]+:[-\d]+:[-\d]+|<time>)){3} +[\d.]+[kMG]?)+",
        "<progress>",
    ),
    _rule(
        "rates",
        "/s|bps|s/it|per second",
        rf" *(?<![\w.])\(?{_NUMBER} ?(?:(?:[kKMGT]i?)?(?:[bB]|[bB]its?|[bB]ytes?)/s(?:ec(?:ond)?)?"
        rf"|(?:{_COUNTED})(?:/s(?:ec(?:ond)?)?| per second)|[kKMG]bps|s/it)(?![a-z])\)?",
        " <rate>",
    ),
    _rule("microseconds", "µs|μs", r"\d+(?:\.\d+)? ?[µμ]s\b", "<span>"),
    _rule(
        "time behind a test's name",
        ")",
        rf" +\((?:\d+m ?)?\d+(?:\.\d+)? ?(?:{_SMALL_TIME}|{_SECONDS})\)(?=\n|{TEXT_EDGE}|\Z)",
        "",
    ),
    _rule(
        "time that something took",
        "s|m",
        rf"\b((?i:in|after|took|time|elapsed)(?: ?\([a-z]+\))?:?(?: =)?) +(?:~|about )?"
        rf"\d+(?:\.\d+)? ?(?:{_SMALL_TIME}|{_SECONDS}|m(?:in(?:ute)?s?)?,? ?\d+(?:\.\d+)? ?{_SECONDS})(?![\w/])",
        r"\1 <span>",
    ),
    _rule(
        "durations in two words",
        " s| m| n| u|m ",
        rf" *(?<![\w.:,$€£-])(?:\d+\.\d+ {_SECONDS}|\d+(?:\.\d+)? {_SMALL_TIME}"
        rf"|(?:\d+h )?\d+m \d+(?:\.\d+)?s)(?![\w/])",
        " <span>",
    ),
    _rule("time estimated", "stimated ", r"(?<=stimated) \d+(?:\.\d+)? ?m?s\b", " <span>"),
    _rule(
        "times of `time`",
        "elapsed|cpu|CPU",
        r"[\d.]+s? ?user +[\d.]+s? ?system +[\d:.]+(?:% cpu|elapsed)[^\n]*(?:\n\d+inputs\+\d+outputs[^\n]*)?",
        "<times>",
    ),
    _rule(
        "load and uptime",
        "load average",
        r"(?:(?:<time>|\d\d:\d\d:\d\d) )?(?:up [^\n]*?)?load averages?: [\d., ]+\d",
        "<load>",
    ),
    _rule(
        "memory in use",
        "emory|RSS|rss",
        r"((?i:\bpeak memory|\bmemory (?:used|usage)|\bmax ?rss|\brss|\bfinal memory|(?<=, )memory)(?: of|:| =|=)? *)"
        r"[\d.,]+ ?(?:[kKMG]i?)?(?:B|bytes)?(?:/[\d.]+[KMG])?(?!\w)",
        r"\1<size>",
    ),
    _rule(
        "times of pings", "time=|min/avg/max", r"\btime[=<][\d.]+ ?ms|(?<=min/avg/max)(/\S+)? = [\d./]+ ms", "<span>"
    ),
    _rule("steps of a build", "#", rf"{_LINE}(#\d+) \d+\.\d+ ", r"\1 <span> "),
    _rule("rulers", "====|----|____|****|────|━━━━", r"([=\-_*─])\1{3,}", r"\1\1\1\1"),
    # Ids and seeds
    _rule(
        "seeds",
        "seed|SEED|Seed|shuffle",
        r"(?i:(hashseed|\bseed|_seed)(?: (?:is|was|of|set to))?[\"']?(?:[:=]| =)?[\"']? *)-?\d+\b"
        r"|(?<=shuffle)[ =]\d{6,}\b",
        r"\1 <seed>",
    ),
    _rule(
        "hashes of commits",
        "[|HEAD|ommit|..",
        rf"{_LINE}(\[[\w/.-]+ (?:\(root-commit\) )?)[0-9a-f]{{7,40}}(?=\])|(?<=HEAD is now at )[0-9a-f]{{7,40}}"
        r"|(?<=\bcommit )[0-9a-f]{7,40}\b|(?<!index )\b[0-9a-f]{7,40}\.\.\.?[0-9a-f]{7,40}\b",
        r"\1<commit>",
    ),
    _rule("hashes of Java's objects", "@", r"(?<=[\w$\];])@(?=[0-9a-f]*[a-f])[0-9a-f]{5,8}(?![\w.@-])", "@<address>"),
    _rule("digests", "sha256:", r"\bsha256:[0-9a-f]{12,64}\b", "sha256:<hash>"),
    _rule("ids of React", ":r", r":r[0-9a-z]{1,4}:", ":<id>:"),
    _rule(
        "HTTP headers", ": ", rf"{_LINE}((?:[<>] )?(?i:{'|'.join(HTTP_HEADERS)})): [^\n{TEXT_EDGE}]*", r"\1: <value>"
    ),
    _rule(
        "general headers behind an HTTP status",
        "HTTP/",
        rf"{_LINE}((?:[<>] )?(?i:{'|'.join(GENERAL_HEADERS)})): [^\n{TEXT_EDGE}]*",
        r"\1: <value>",
    ),
    _rule("padding before a number", "  ", r"(?<=[^\s]) {2,}(?=[\d<])", " "),
)
"""Rules for what a text says, in the order in which they are applied."""

_DURATION = (
    rf"(?:\d+h)?(?:\d+m)?\d+(?:\.\d+)?(?:{_SMALL_TIME}|{_SECONDS})|(?:\d+(?:h|hrs?):)?(?:\d+(?:m|mins?):)?\d+{_SECONDS}"
)
WORD_RULES = (
    ("durations", re.compile(_DURATION), "<span>"),
    ("clocks", re.compile(rf"{_NOT_ZERO_SECONDS}\d\d?:\d\d:\d\d(?:\.\d+)?|\d\d?:\d\d\.\d+"), "<time>"),
    ("free ports of an address", re.compile(rf"((?:\d{{1,3}}\.){{3}}\d{{1,3}}):{_EPHEMERAL_PORT}"), r"\1:<port>"),
    ("addresses in memory", re.compile(r"0x[0-9a-fA-F]{8,16}"), "<address>"),
    ("Python's ids of objects", re.compile(r"1(?:39|40)\d{12}"), "<address>"),
)
"""Rules for whole words that hold a digit: name, pattern, placeholder."""


def find_noise_word(word: str) -> str | None:
    """Return the placeholder of a word that is noise in an answer; None if it is none."""
    for _, pattern, placeholder in WORD_RULES:
        match = pattern.fullmatch(word)
        if match is not None:
            return match.expand(placeholder)
    return None


def mask_control(text: str) -> str:
    """Return ``text`` without what steers a terminal, and without progress that was overwritten."""
    return _apply(CONTROL_RULES, text)


def mask_noise(text: str) -> str:
    """Return ``text`` with a placeholder for each piece of noise that is more than a word."""
    return _apply(TEXT_RULES, text)


def _apply(rules: tuple[NoiseRule, ...], text: str) -> str:
    for _, hints, pattern, replacement in rules:
        for hint in hints:
            if hint in text:
                text = pattern.sub(replacement, text)
                break
    return text
