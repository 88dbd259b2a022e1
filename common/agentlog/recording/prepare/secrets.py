"""The rules for secrets, by their names and by their shapes, and the redaction of a value by them. Pure."""

import re
from functools import cache, lru_cache
from typing import Any

from .pasted_secrets import compile_rules, follow_command, has_option_argument, is_code, measure_option_head
from .text_rules import TextRule, TextRules, find_matches

REDACTED = "[redacted]"

# Two engines read these expressions: `re` here, on text, and Hyperscan in secret_scan.py, on JSON.
CREDENTIAL_NAMES = (
    r"pass[-_ ]?words?(?:[-_ ]?(?:\d|confirm(?:ation)?))?|passwd|pass[-_ ]?phrase|pwd"
    r"|secrets?|api[-_ ]?keys?|(?:access|private|secret)[-_ ]?keys?"
    r"|(?:signing|encryption|account|shared)[-_ ]?key|authorization|credentials?|cookies?|cvv|cvc|ssn"
)
PASSWORD_OWNERS = (
    *("db", "database", "mysql", "postgres", "pg", "mongo", "redis", "rabbitmq"),
    *("smtp", "mail", "ftp", "sftp", "user", "root", "admin", "login"),
)
"""The words before ``_pass`` that make it a password. A compiler's or a test's pass is none."""
WORD = "[A-Za-z0-9_-]"
MIN_TOKEN_LENGTH = 20
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
"""The beginnings of well-known tokens that continue with letters, digits, ``_`` and ``-``."""
UNBROKEN_PREFIXES = ("hf_", "npm_", "gsk_", "r8_", "sbp_")
"""The beginnings of well-known tokens that continue with letters and digits only."""
OTHER_TOKEN_SHAPES = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}|dapi[0-9a-f]{32}"  # AWS, Databricks
    rf"|eyJ{WORD}{{17,}}\.{WORD}+\."  # a JSON web token
    rf"|hooks\.slack\.com/[a-z]+/[A-Za-z0-9/]{{20,}}|discord(?:app)?\.com/api/webhooks/\d+/{WORD}{{20}}"
)
PEM = r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
BEARER = r"(?:bearer|basic)"
CREDENTIAL = r"[A-Za-z0-9._~+/=-]"
FLAG = rf"--{WORD}*?"
MAX_FLAG_LENGTH = 200
"""How long the name of an option is at most, in characters."""
CARD_PATTERN = r"[2-6]\d{3}(?:[ -]?\d){9}"


def _make_bracket_pattern(levels: int) -> str:
    """Return a pattern of a list or an object in a text, with at most ``levels`` levels inside it."""
    inner = rf"|{_make_bracket_pattern(levels - 1)}" if levels else ""
    return rf"""[\[{{](?:[^\[\]{{}}"\\]|\\+["']?|"(?:[^"\\]|\\.)*+"{inner})*+[\]}}]"""


_CREDENTIAL_KIND = r"(?:access|refresh|bearer|auth|id|session|security|api|csrf|xsrf)[-_ ]?"
_WORD_BEGINS = r"(?:(?<![a-z])|(?-i:(?=[A-Z][a-z])))"
_PASSWORD_OWNER = "|".join(f"(?<={whose}[-_])" for whose in PASSWORD_OWNERS)
_NAMES = rf"(?:{CREDENTIAL_NAMES}|(?:{_PASSWORD_OWNER})pass|{_WORD_BEGINS}(?:{_CREDENTIAL_KIND})?token)"
# Lookaheads that fail fast at nearly all positions of a text, because no rule can begin there.
_NAME_BEGINS = "(?=[abceiprstx][acdehinoprsuvw])"
_SHAPE_BEGINS = f"(?=[{''.join({prefix[0] for prefix in PREFIXES + UNBROKEN_PREFIXES})}Adeh])"
_DIGITS_BEGIN = "(?=[0-9A-Fa-f]{4})"
_ANY_CASE = re.ASCII | re.IGNORECASE
_SHAPES = "|".join(
    [rf"{re.escape(prefix)}{WORD}{{{MIN_TOKEN_LENGTH - len(prefix)}}}" for prefix in PREFIXES]
    + [rf"{prefix}[A-Za-z0-9]{{{MIN_TOKEN_LENGTH - len(prefix)}}}" for prefix in UNBROKEN_PREFIXES]
    + [OTHER_TOKEN_SHAPES]
)
_BEFORE_WORD = rf"(?:(?<!{WORD})|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{{4}})|(?<=%[0-9A-Fa-f]{{2}}))"
_KEY = re.compile(rf"{_NAMES}\Z|^auth\Z", _ANY_CASE)
_CUT_LIST = r"""[\[{]\s*+\\*["'][^\[\]{}]*+\Z"""
"""A list or an object of texts whose end is cut off."""
_ASSIGNED = re.compile(
    rf"""(?P<name>{_NAME_BEGINS}{_NAMES}[\\"'*`\]]*+\s*+[:=]>?=?\s*+(?:[*`]+\s*+)?(?:[bruf]{{1,2}}(?=["']))?)"""
    rf"""(?P<quote>(?P<escape>\\*)["'])?(?P<scheme>{BEARER}\s+)?"""
    # In JSON inside JSON, a quote has backslashes for its level, and an inner quote has more of them.
    r"""(?(quote)(?:[^"'\\]++|(?P=escape)\\(?P=escape)["'\\]|(?!(?P=quote)).)+"""
    rf"""|(?:{_make_bracket_pattern(3)}|{_CUT_LIST}|[^\s"',;&\\}}]+))""",
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
_FLAG = rf"{_BEFORE_WORD}--{WORD}{{0,{MAX_FLAG_LENGTH}}}?{_NAME_BEGINS}{_NAMES}"
_FLAG_ALONE = re.compile(rf"{_FLAG}\Z", _ANY_CASE)
_FLAG_GIVEN = re.compile(
    rf"""(?P<flag>{_FLAG}\s+)(?!-)(?:\\*"[^"]+"|\\*'[^']+'|\S+)"""
    rf"""|(?P<listed>{_FLAG}\\*["']\s*,\s*\\*["'])(?!-)[^"'\\]+""",
    _ANY_CASE,
)
_TOKEN = re.compile(rf"{_SHAPE_BEGINS}{_BEFORE_WORD}(?:{_SHAPES}){WORD}*(?:\.{WORD}+)*")
_PEM = re.compile(rf"{PEM}(?:.*?-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|.*)", re.DOTALL)
_BEARER = re.compile(rf"\b(?P<scheme>{BEARER})\s+{CREDENTIAL}{{16,}}", _ANY_CASE)
_USER_INFO = re.compile(r"(?P<user>://[^\s:/]*:)[^\s/?#]+@")
_HASH = r"(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}(?![0-9A-Za-z])"
_CARD = re.compile(rf"{_DIGITS_BEGIN}(?:{_HASH}|(?P<card>(?<![\d.]){CARD_PATTERN}(?:[ -]?\d){{0,6}}(?!\d)))", re.ASCII)
_LABELLED = (("name", "value"), ("key", "value"), ("Name", "Value"), ("Key", "Value"))
_JSON_TYPES = ("string", "integer", "number", "boolean", "array", "object")
_SCHEMA_KEYWORDS = frozenset(
    {"type", "title", "description", "default", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"}
    | {"items", "properties", "required", "additionalProperties", "nullable", "readOnly", "writeOnly"}
)
_MIN_CARD_DIGITS, _MIN_CARD_NUMBER = 13, 2 * 10**12
"""The shortest card number has 13 digits, and card numbers begin with 2 to 6."""


def redact_secrets(value: Any) -> Any:
    """Return a decoded JSON value with ``[redacted]`` in place of each secret in it."""
    if isinstance(value, dict):
        return _redact_object(value)
    if isinstance(value, list):
        return _redact_list(value)
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, int) and value >= _MIN_CARD_NUMBER:
        return REDACTED if _CARD.fullmatch(str(value)) and _passes_luhn(str(value)) else value
    return value


def _redact_object(value: dict[str, Any]) -> dict[str, Any]:
    redacted: dict[str, Any] = {}
    number = 1
    for name, inner in value.items():
        redacted_name = base_name = _redact_text(name)
        while redacted_name in redacted:  # several names may become the same; each keeps its value
            number += 1
            redacted_name = f"{base_name} {number}"
        is_model_token = name == "token" and "logprob" in value
        redacted[redacted_name] = redact_secrets(inner) if is_model_token else _redact_member(name, inner)
    for label, value_name in _LABELLED:
        if value_name in value and isinstance(value.get(label), str) and _is_secret(value[label], value[value_name]):
            redacted[value_name] = REDACTED
    return redacted


def _redact_list(value: list[Any]) -> list[Any]:
    redacted, command, before = list[Any](), "", None
    for inner in value:
        if isinstance(inner, str):
            redacted.append(_redact_argument(inner, before, command))
            command = follow_command(command, before, inner)
        elif _is_named_pair(inner) and _is_secret(*inner):
            redacted.append([_redact_text(inner[0]), REDACTED])
        else:
            redacted.append(redact_secrets(inner))
        before = inner
    return redacted


def _redact_argument(text: str, before: Any, command: str) -> str:
    """Return a text in a list, which may be the arguments of a command."""
    if _is_flag_argument(before, text, command):
        return REDACTED
    length = measure_option_head(command, text) if command else 0
    return text[:length] + REDACTED if length else _redact_text(text)


def _redact_member(name: str, value: Any) -> Any:
    return REDACTED if _is_secret(name, value) else redact_secrets(value)


def _is_named_pair(value: Any) -> bool:
    """Return whether ``value`` is a list of a name and its value, as in lists of headers."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _is_flag_argument(flag: Any, value: str, command: str) -> bool:
    """Return whether ``value`` is the argument of a secret ``flag``, as in ``["--password", "x"]``."""
    if not isinstance(flag, str) or not flag.startswith("-") or value == "" or value.startswith("-"):
        return False
    return _FLAG_ALONE.match(flag) is not None or (command != "" and has_option_argument(command, flag, value))


def _is_secret(name: str, value: Any) -> bool:
    if value in (None, "", [], {}) or isinstance(value, bool | float) or not _is_secret_name(name):
        return is_code(name, value)
    return not (isinstance(value, dict) and _is_schema(value))


def _is_schema(value: dict[str, Any]) -> bool:
    """Return whether ``value`` is only a schema, such as that of a tool's arguments, and holds no value itself."""
    says_no_more = value.keys() <= _SCHEMA_KEYWORDS and value.get("default") in (None, "")
    return says_no_more and value.get("type") in _JSON_TYPES


@lru_cache(4096)
def _is_secret_name(name: str) -> bool:
    return _KEY.search(name) is not None


@cache
def _compile_text_rules() -> TextRules:
    """Return the rules for texts. They take 100 ms to compile, so the first text that is searched waits for it."""
    named = rf"(?:{CREDENTIAL_NAMES}|pass|token)"
    beginnings = "|".join(map(re.escape, PREFIXES + UNBROKEN_PREFIXES))
    return TextRules(
        (
            TextRule("://", _USER_INFO, lambda match: f"{match['user']}{REDACTED}@"),
            TextRule(f"{beginnings}|{OTHER_TOKEN_SHAPES}", _TOKEN, _hide_all),
            TextRule("PRIVATE KEY", _PEM, _hide_all),
            TextRule(rf"(?i){BEARER}\s", _BEARER, lambda match: f"{match['scheme']} {REDACTED}"),
            *compile_rules(_NAME_BEGINS + _NAMES, REDACTED),
            TextRule(rf"""(?i){FLAG}{named}[\s\\"']""", _FLAG_GIVEN, _hide_argument),
            TextRule(r"""(?i)cookie[\\"']*\s*[:=]""", _COOKIES, _hide_named),
            TextRule(r"""(?i)authorization[\\"']*\s*[:=]""", _AUTHORIZATION, _hide_named),
            TextRule(rf"""(?i){named}[\\"'*`\]]*\s*[:=]""", _ASSIGNED, _hide_value),
            TextRule(r"[2-6]\d{3}(?:[ -]?\d){4}", _CARD, _hide_card),
        )
    )


def _redact_text(text: str) -> str:
    """Return ``text`` with ``[redacted]`` in place of each secret."""
    is_word = len(text) < _MIN_CARD_DIGITS and text.replace("_", "").isalnum()
    return text if is_word or not text else _compile_text_rules().apply(text)


def _hide_all(_match: re.Match[str]) -> str:
    return REDACTED


def _hide_named(match: re.Match[str]) -> str:
    return f"{match['name']}{REDACTED}"


def _hide_argument(match: re.Match[str]) -> str:
    return f"{match['flag'] or match['listed']}{REDACTED}"


def _hide_value(match: re.Match[str]) -> str:
    return f"{match['name']}{match['quote'] or ''}{match['scheme'] or ''}{REDACTED}"


def has_card(text: str) -> bool:
    """Return whether ``text`` holds the number of a payment card."""
    return any(match["card"] and _measure_card(match[0]) for match in find_matches(_CARD, text))


def _hide_card(match: re.Match[str]) -> str:
    length = _measure_card(match["card"] or "")
    return REDACTED + match[0][length:] if length else match[0]


def _measure_card(text: str) -> int:
    """Return the length of the card number at the beginning of ``text``; 0 if there is none.

    The number may end before ``text`` does, for example if a date follows.
    """
    ends = [len(text), *(end for end in range(len(text) - 1, _MIN_CARD_DIGITS - 1, -1) if text[end] in " -")]
    return next((end for end in ends if _is_card(text[:end])), 0)


def _is_card(text: str) -> bool:
    return sum(map(str.isdigit, text)) >= _MIN_CARD_DIGITS and _passes_luhn(text)


def _passes_luhn(text: str) -> bool:
    """Return whether the last digit of ``text`` is a valid check digit by the Luhn formula."""
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
