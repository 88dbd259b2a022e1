"""What a secret is: by the name before it, or by its own shape; and how one is taken out of a value. Pure."""

import re
from functools import lru_cache
from itertools import chain
from typing import Any

HIDDEN = "[redacted]"

# These texts are read by two engines: `re` here, on text, and Hyperscan in search.py, on JSON.
NAMES = (
    r"pass[-_ ]?words?(?:[-_ ]?(?:\d|confirm(?:ation)?))?|passwd|pass[-_ ]?phrase|pwd"
    r"|secrets?|api[-_ ]?keys?|(?:access|private|secret)[-_ ]?keys?"
    r"|(?:signing|encryption|account|shared)[-_ ]?key|authorization|credentials?|cookies?|cvv|cvc|ssn"
)
WHOSE_PASS = (
    *("db", "database", "mysql", "postgres", "pg", "mongo", "redis", "rabbitmq"),
    *("smtp", "mail", "ftp", "sftp", "user", "root", "admin", "login"),
)
"""Whose ``_pass`` is a password; that of a compiler, or of a test, isn't."""
W = "[A-Za-z0-9_-]"
SHORTEST_TOKEN = 20
PREFIXES = (
    *("sk-", "sk_", "pk_live_", "pk_test_", "rk_live_", "rk_test_", "whsec_"),  # OpenAI, Anthropic and others; Stripe
    *("xai-", "pplx-", "tvly-", "nvapi-", "pcsk_", "lsv2_pt_", "lsv2_sk_"),  # xAI, Perplexity, Tavily, and so on
    *("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "pypi-", "dckr_pat_"),
    *("glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glsoat-"),
    *("xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"),
    *("GOCSPX-", "ya29.", "ya29-", "AIza", "SG.", "xkeysib-", "sq0atp-", "PMAK-", "NRAK-", "lin_api_"),
    *("hvs.", "dop_v1_", "doo_v1_", "dor_v1_", "shpat_", "shpca_", "shppa_", "shpss_"),
    *("glsa_", "glc_", "sntrys_", "sntryu_", "pscale_tkn_", "pscale_oauth_", "pscale_pw_"),
)
"""How tokens of well-known services begin, that go on with letters, digits, ``_`` and ``-``."""
UNBROKEN_PREFIXES = ("hf_", "npm_", "gsk_", "r8_", "sbp_")
"""Those that go on with letters and digits alone."""
OTHER_SHAPES = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}|dapi[0-9a-f]{32}"  # AWS, Databricks
    rf"|eyJ{W}{{17,}}\.{W}+\."  # a JSON web token
    rf"|hooks\.slack\.com/[a-z]+/[A-Za-z0-9/]{{20,}}|discord(?:app)?\.com/api/webhooks/\d+/{W}{{20}}"
)
PEM = r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
BEARER = r"(?:bearer|basic)"
CREDENTIAL = r"[A-Za-z0-9._~+/=-]"
FLAG = rf"--{W}*?"
CARD = r"[2-6]\d{3}(?:[ -]?\d){9}"


def _bracketed(levels: int) -> str:
    """A list or an object as it is written in a text, with no more than so many levels in it."""
    inner = rf"|{_bracketed(levels - 1)}" if levels else ""
    return rf"""[\[{{](?:[^\[\]{{}}"\\]|\\+["']?|"(?:[^"\\]|\\.)*+"{inner})*+[\]}}]"""


_ITS_KIND = r"(?:access|refresh|bearer|auth|id|session|security|api|csrf|xsrf)[-_ ]?"
_WORD_BEGINS = r"(?:(?<![a-z])|(?-i:(?=[A-Z][a-z])))"
_WHOSE = "|".join(f"(?<={whose}[-_])" for whose in WHOSE_PASS)
_NAMES = rf"(?:{NAMES}|(?:{_WHOSE})pass|{_WORD_BEGINS}(?:{_ITS_KIND})?token)"
# Where none of them can begin, nothing more is tried: that is nearly everywhere.
_NAME_BEGINS = "(?=[abceiprstx][acdehinoprsuvw])"
_SHAPE_BEGINS = f"(?=[{''.join({prefix[0] for prefix in PREFIXES + UNBROKEN_PREFIXES})}Adeh])"
_DIGITS_BEGIN = "(?=[0-9A-Fa-f]{4})"
_ANY_CASE = re.ASCII | re.IGNORECASE
_SHAPES = "|".join(
    [rf"{re.escape(prefix)}{W}{{{SHORTEST_TOKEN - len(prefix)}}}" for prefix in PREFIXES]
    + [rf"{prefix}[A-Za-z0-9]{{{SHORTEST_TOKEN - len(prefix)}}}" for prefix in UNBROKEN_PREFIXES]
    + [OTHER_SHAPES]
)
_BEFORE_WORD = rf"(?:(?<!{W})|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{{4}})|(?<=%[0-9A-Fa-f]{{2}}))"
_KEY = re.compile(rf"{_NAMES}\Z|^auth\Z", _ANY_CASE)
_ASSIGNED = re.compile(
    rf"""(?P<name>{_NAME_BEGINS}{_NAMES}[\\"'*`\]]*\s*[:=]>?=?\s*(?:[*`]+\s*)?(?:[bruf]{{1,2}}(?=["']))?)"""
    rf"""(?P<quote>(?P<escape>\\*)["'])?(?P<scheme>{BEARER}\s+)?"""
    # In JSON inside of JSON a quote has as many backslashes as its level takes, and one that ends nothing more of them.
    r"""(?(quote)(?:(?P=escape)\\(?P=escape)["'\\]|(?!(?P=quote)).)+"""
    rf"""|(?:{_bracketed(3)}|[^\s"',;&\\}}]+))""",
    _ANY_CASE | re.DOTALL,
)
_COOKIES = re.compile(
    r"""(?P<name>cookie[\\"']*\s*[:=]\s*[\\"']*)[^\s=;,"'\\]+=[^\s;"'\\]*"""
    r"""(?:;\s*(?:expires=[^;"'\\\r\n]*|[^\s=;,"'\\]+(?:=[^\s;"'\\]*)?))*""",
    _ANY_CASE,
)
_AUTHORIZATION = re.compile(
    r"""(?P<name>authorization[\\"']*\s*[:=]\s*[\\"']*)"""
    r"""(?:(?:token|api-?key|negotiate|ntlm|key)\s+[^\s"'\\,;]+"""
    r"""|(?:digest|oauth|signature|hawk|aws4-hmac-sha256)\s+"""
    r"""\w+=(?:\\*"[^"\\]*\\*"|[^\s,"'\\]*)(?:,\s*\w+=(?:\\*"[^"\\]*\\*"|[^\s,"'\\]*))*)""",
    _ANY_CASE,
)
_FLAG = rf"{_BEFORE_WORD}{FLAG}{_NAME_BEGINS}{_NAMES}"
_FLAG_ALONE = re.compile(rf"{_FLAG}\Z", _ANY_CASE)
_FLAG_GIVEN = re.compile(
    rf"""(?P<flag>{_FLAG}\s+)(?!-)(?:\\*"[^"]+"|\\*'[^']+'|\S+)"""
    rf"""|(?P<listed>{_FLAG}\\*["']\s*,\s*\\*["'])(?!-)[^"'\\]+""",
    _ANY_CASE,
)
_TOKEN = re.compile(rf"{_SHAPE_BEGINS}{_BEFORE_WORD}(?:{_SHAPES}){W}*(?:\.{W}+)*")
_PEM = re.compile(rf"{PEM}(?:.*?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|.*)", re.DOTALL)
_BEARER = re.compile(rf"\b(?P<scheme>{BEARER})\s+{CREDENTIAL}{{16,}}", _ANY_CASE)
_USER_INFO = re.compile(r"(?P<user>://[^\s:/]*:)[^\s/?#]+@")
_HASH = r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}(?![0-9A-Za-z])"
_CARD = re.compile(rf"{_DIGITS_BEGIN}(?:{_HASH}|(?P<card>(?<![\d.]){CARD}(?:[ -]?\d){{0,6}}(?!\d)))", re.ASCII)
_LABELLED = (("name", "value"), ("key", "value"), ("Name", "Value"), ("Key", "Value"))
_JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_OF_SCHEMA = frozenset(
    {"type", "title", "description", "default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"}
    | {"items", "properties", "required", "additionalProperties", "nullable", "readOnly", "writeOnly"}
)
_SHORTEST_CARD, _LEAST_CARD = 13, 2 * 10**12


def without_secrets(value: Any) -> Any:
    """A decoded JSON value with the secrets in it replaced by ``[redacted]``; names tell some, shapes the others."""
    if isinstance(value, dict):
        return _object(value)
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and value >= _LEAST_CARD:
        return HIDDEN if _CARD.fullmatch(str(value)) and _luhn(str(value)) else value
    return value


def _object(value: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    number = 1
    for name, inner in value.items():
        shown = plain = _text(name)
        while shown in found:  # of several names that are secrets each keeps its value
            number += 1
            shown = f"{plain} {number}"
        of_model = name == "token" and "logprob" in value
        found[shown] = without_secrets(inner) if of_model else _member(name, inner)
    for label, told in _LABELLED:
        if told in value and isinstance(value.get(label), str) and _is_secret(value[label], value[told]):
            found[told] = HIDDEN
    return found


def _list(value: list[Any]) -> list[Any]:
    if all(map(_is_named_pair, value)):
        return [[one[0], _member(*one)] for one in value]
    return [
        HIDDEN if _is_argument(before, inner) else without_secrets(inner)
        for before, inner in zip(chain([None], value), value, strict=False)
    ]


def _member(name: str, value: Any) -> Any:
    return HIDDEN if _is_secret(name, value) else without_secrets(value)


def _is_named_pair(value: Any) -> bool:
    """Whether it is a name and its value, as lists of headers have them."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _is_argument(flag: Any, value: Any) -> bool:
    """Whether they are neighbours in a command's arguments, as in ``["--password", "x"]``."""
    texts = isinstance(flag, str) and isinstance(value, str)
    return texts and value != "" and not value.startswith("-") and _FLAG_ALONE.match(flag) is not None


def _is_secret(name: str, value: Any) -> bool:
    if value in (None, "", [], {}) or isinstance(value, bool | float) or not _names_secret(name):
        return False
    return not (isinstance(value, dict) and _is_schema(value))


def _is_schema(value: dict[str, Any]) -> bool:
    """Whether it only says what a value looks like, as the schema of a tool's arguments does."""
    says_no_more = value.keys() <= _OF_SCHEMA and value.get("default") in (None, "")
    return says_no_more and value.get("type") in _JSON_TYPES


@lru_cache(4096)
def _names_secret(name: str) -> bool:
    return _KEY.search(name) is not None


def _text(text: str) -> str:
    """Each rule is tried only on what may hold what it looks for: a session's texts are many, its secrets few."""
    if "://" in text and "@" in text:
        text = _USER_INFO.sub(rf"\g<user>{HIDDEN}@", text)
    if len(text) >= SHORTEST_TOKEN:
        text = _TOKEN.sub(HIDDEN, text)
        text = _BEARER.sub(rf"\g<scheme> {HIDDEN}", _PEM.sub(HIDDEN, text) if "PRIVATE KEY" in text else text)
    if "--" in text:
        text = _FLAG_GIVEN.sub(lambda found: f"{found['flag'] or found['listed']}{HIDDEN}", text)
    if ":" in text or "=" in text:
        text = _COOKIES.sub(rf"\g<name>{HIDDEN}", text)
        text = _AUTHORIZATION.sub(rf"\g<name>{HIDDEN}", text)
        text = _ASSIGNED.sub(_without_value, text)
    if len(text) >= _SHORTEST_CARD:
        text = _CARD.sub(_without_card, text)
    return text


def _without_value(found: re.Match[str]) -> str:
    return f"{found['name']}{found['quote'] or ''}{found['scheme'] or ''}{HIDDEN}"


def has_card(text: str) -> bool:
    """Whether the number of a payment card is in ``text``."""
    return any(found["card"] and _length_of_card(found[0]) for found in _CARD.finditer(text))


def _without_card(found: re.Match[str]) -> str:
    length = _length_of_card(found["card"] or "")
    return HIDDEN + found[0][length:] if length else found[0]


def _length_of_card(written: str) -> int:
    """How much of it is the number of a card: all, or some groups of it, as where a date follows; 0 for none."""
    ends = [len(written), *(at for at in range(len(written) - 1, _SHORTEST_CARD - 1, -1) if written[at] in " -")]
    return next((end for end in ends if _is_card(written[:end])), 0)


def _is_card(written: str) -> bool:
    return sum(map(str.isdigit, written)) >= _SHORTEST_CARD and _luhn(written)


def _luhn(written: str) -> bool:
    """Whether the digits end in the check digit that card numbers have."""
    digits = [int(c) for c in reversed(written) if c.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
