"""The rules for secrets in the shapes that people paste: YAML, XML, netrc, command lines, signed addresses. Pure.

Each rule is bounded, so that a text takes no longer than its length tells.
"""

import re

from .text_rules import TextRule, replace_matches

CODE_WORDS = r"(?:t?otp|pin|pass[-_ ]?code|(?:mfa|2fa|one[-_ ]?time|verification)[-_ ]?(?:pass)?code)"
"""The names of one-time passwords and PINs. Their values are secrets only if they are 4 to 10 digits."""
SIGNATURE_WORDS = r"(?:sig|signature|hmac|q-signature|x-(?:amz|goog|oss|obs|ms)-signature)"
"""The parameters of an address that sign it."""
_GAP = r"""(?:[ \t]+|\\*["'][ \t]*,[ \t]*\\*["'])"""
"""What stands between an option and its value, also in the text of a list of arguments."""
COMMANDS = {
    "curl": rf"""(?:-[#0-46aBfgGiIjJklLMnNOpqRsSvVZ]*[uU](?:=|{_GAP})?|--(?:proxy-)?user(?:=|{_GAP}))"""
    r"""\\*["']?[^\s:"'\\]{1,200}:""",
    "sshpass": rf"-v?p{_GAP}?",
    "redis-cli": rf"(?:-a|--pass){_GAP}",
    "ldap": rf"-[ACILMQZcntuvx]*w{_GAP}?",
    "mysql": r"-p",
    "mariadb": r"-p",
    "mongo": rf"-p{_GAP}?",
    "docker login": rf"-p(?:=|{_GAP})?",
    "podman login": rf"-p(?:=|{_GAP})?",
    "unzip": rf"-[CKLMXZafjlnoqtuv]*P{_GAP}?",
    "smbclient": rf"""-U{_GAP}?\\*["']?[^\s%"'\\]{{1,200}}%""",
    "openssl": rf"-(?:passin|passout|pass|k){_GAP}(?:pass:)?",
}
"""The options that hold a password, by a part of the command."""
COMMAND_WORDS = "|".join(sorted({command.split()[0] for command in COMMANDS}))

_SPACE = r"(?:\s|\\+[nrt])"
_MARKS = r"""[\\"']*"""
_BETWEEN = r"(?:[\s,;]|\\+[nrt])*"
_ESCAPED_NEWLINE = r"(?:\\+r)?\\+n"
_ESCAPED = r"""(?:(?!\\+[nr]|\\*")[^\n])"""
"""A character of a line in a text of JSON."""
_OPEN = r"(?:<|\\+u003c|&lt;)"
_CLOSE = r"(?:>|\\+u003e|&gt;)"
_ANY_CASE = re.ASCII | re.IGNORECASE | re.DOTALL
_CODE_NAME = re.compile(rf"(?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z]))){CODE_WORDS}\Z", _ANY_CASE)
_DIGITS = re.compile(r"\d{4,10}", re.ASCII)


def is_code(name: str, value: object) -> bool:
    """Return whether ``value`` is a one-time password or a PIN, by its name and its form."""
    is_number = isinstance(value, int | str) and not isinstance(value, bool)
    return is_number and _CODE_NAME.search(name) is not None and _DIGITS.fullmatch(str(value)) is not None


def compile_rules(names: str, redacted: str) -> tuple[TextRule, ...]:
    """Return the rules.

    Args:
        names: a pattern of the names that tell a secret.
        redacted: the text that stands in place of a secret.
    """

    def hide(match: re.Match[str]) -> str:
        groups = match.groupdict()
        return f"{groups['head']}{redacted}{groups.get('tail') or ''}"

    def hide_in_command(match: re.Match[str]) -> str:
        command = match[0]
        for words, option in options:
            if words in command:
                command = replace_matches(option, hide, command)
        return command

    def compile_rule(hint: str, pattern: str) -> TextRule:
        return TextRule(hint, re.compile(pattern, _ANY_CASE | re.MULTILINE), hide)

    line_block = _make_block(r"\r?\n", r"[^\n]")
    escaped_block = _make_block(_ESCAPED_NEWLINE, _ESCAPED).replace("indent", "escaped_indent")
    options = [(words, _compile_option(option)) for words, option in COMMANDS.items()]
    named = rf"[\w./:-]{{0,100}}?{names}"
    label = r"(?<![a-z])(?:parameter|variable)?_?(?:name|key)"
    value_label = r"(?<![a-z])(?:parameter|variable)?_?value"
    other_member = (
        rf"{_MARKS}(?!{value_label})[a-z_]\w{{0,40}}{_MARKS}\s*[:=]\s*{_MARKS}[^\s\"',\\<>]{{0,100}}{_MARKS}{_BETWEEN}"
    )
    quoted = r"""(?P<quote>\\*["'])(?:(?!(?P=quote)).){1,2000}(?P=quote)"""
    element = rf"(?P<secret>(?!\s)(?:(?!{_OPEN}|\]\]).)++)(?=(?:\]\]{_CLOSE})?{_SPACE}*{_OPEN}\s*/)"
    cdata = rf"{_SPACE}*+(?:{_OPEN}!\[CDATA\[)?"
    key_attribute = rf"""(?:name|key)=\\*["']{named}\\*["'][^<>]{{0,200}}?"""
    command = rf"(?<![\w.-])(?:{COMMAND_WORDS})(?:[^\n\\]++|\\.)*+"
    return (
        # YAML: a block of lines, where newlines may be escaped; a list or a mapping below its name
        compile_rule(
            r":[ \t]*(?:[!&]\S+[ \t]+)?[|>][-+0-9]*[ \t]*(?:#|\r?\n)",
            rf"(?P<head>{names}{_MARKS}\s*:[ \t]*){line_block}",
        ),
        compile_rule(
            r":[ \t]*(?:[!&]\S+[ \t]+)?[|>][-+0-9]*[ \t]*(?:#|\\)",
            rf"(?P<head>{names}{_MARKS}\s*:[ \t]*){escaped_block}",
        ),
        compile_rule(r":\r?\n[ \t-]", _make_indented(names, "^", r"\r?\n", r"[^\n]")),
        compile_rule(
            r":(?:\\+r)?\\+n[ \t-]", _make_indented(names, r"(?:^|(?<=n)|(?<=\"))", _ESCAPED_NEWLINE, _ESCAPED)
        ),
        # texts over several lines in TOML, Python and Terraform
        compile_rule(
            r"""[:=]\s*[bruf]{0,2}\\*["']{3}|[:=]\s*\\*"\\+""",
            rf"(?P<head>{names}{_MARKS}\s*[:=]\s*[bruf]{{0,2}})(?P<quotes>(?P<mark>\\*[\"'])(?P=mark)(?P=mark)).*?(?:(?P=quotes)|\Z)",
        ),
        compile_rule(
            "<<",
            rf"(?P<head>{names}{_MARKS}\s*[:=]\s*)<<[-~]?[\"']?(?P<tag>[A-Za-z_]\w{{0,40}})\b.*?(?:{_SPACE}(?P=tag)\b|\Z)",
        ),
        # SQL and PowerShell
        compile_rule(
            "(?i)password|identified",
            rf"(?P<head>\b(?:identified{_SPACE}+(?:with{_SPACE}+\S{{1,100}}?{_SPACE}+)?(?:by|as)|password){_SPACE}+)"
            r"""(?P<quote>\\*["'])(?:(?!(?P=quote)).){1,500}(?P=quote)""",
        ),
        compile_rule(
            "(?i)securestring",
            rf"(?P<head>ConvertTo-SecureString{_SPACE}+(?:-String{_SPACE}+)?)(?P<quote>\\*[\"'])(?:(?!(?P=quote)).){{1,500}}(?P=quote)",
        ),
        # a name and a value, side by side: YAML, properties, attributes, text of JSON
        compile_rule(
            "[vV](?:alue|ALUE)",
            rf"(?P<head>(?=[pvnk_]){label}{_MARKS}\s*[:=]\s*{_MARKS}{named}(?![\w.-]){_MARKS}{_BETWEEN}"
            rf"(?:{other_member}){{0,3}}?{_MARKS}{value_label}{_MARKS}\s*(?:(?P<colon>:)|=)\s*)"
            rf"(?:{line_block}|{escaped_block}|{quoted}|(?(colon)[^\n\"',;}}\\<>]+|[^\s\"',;&}}\\<>]+))",
        ),
        compile_rule(
            "[vV](?:alue|ALUE)",
            rf"(?P<head>(?=[pv_]){value_label}{_MARKS}\s*[:=]\s*)(?:{quoted}|[^\s\"',;&}}\\<>]{{1,500}})"
            rf"(?P<tail>{_BETWEEN}{_MARKS}{label}{_MARKS}\s*[:=]\s*{_MARKS}{named}(?![\w.-]))",
        ),
        # XML: an element with a telling name, or below one
        compile_rule(
            "<|u003|&lt;",
            rf"(?P<head>{_OPEN}[\w.:-]{{0,100}}?{names}(?:\s[^<>]{{0,200}}?)?{_CLOSE}{cdata}){element}",
        ),
        compile_rule(
            "<|u003|&lt;",
            rf"(?P<head>{_OPEN}[\w.:-]{{1,100}}\s[^<>]{{0,200}}?{key_attribute}{_CLOSE}{cdata}){element}",
        ),
        compile_rule(
            "<|u003|&lt;",
            rf"(?P<head>{_OPEN}(?:name|key){_CLOSE}\s*{named}\s*{_OPEN}/(?:name|key){_CLOSE}"
            rf"{_SPACE}*{_OPEN}(?:value|string){_CLOSE}{cdata}){element}",
        ),
        # netrc
        compile_rule(
            "(?i)password",
            rf"(?P<head>\b(?:machine{_SPACE}+\S{{1,300}}?|default(?={_SPACE}+login))"
            rf"(?:{_SPACE}+(?:login|account){_SPACE}+\S{{1,300}}?){{0,2}}{_SPACE}+password{_SPACE}+)"
            r"""(?:(?!\\+[nrt"])[^\s"])+""",
        ),
        # options of commands, up to the end of the line
        TextRule(COMMAND_WORDS, re.compile(command, re.ASCII | re.DOTALL), hide_in_command),
        # signed addresses
        compile_rule(
            "(?i)sig|hmac",
            rf"(?P<head>(?:[?&;]|\\+u0026|%26|%3f){SIGNATURE_WORDS}(?:=|%3d))(?!\[)[^\s&;\"'<>\\#)\]]+",
        ),
        # one-time passwords and PINs
        compile_rule(
            r"[:=][\s\\\"'*`]*\d{4}",
            rf"(?P<head>(?=[otpmv2][toiafne])(?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z]))){CODE_WORDS}[\\\"'*`\]]*\s*[:=]\s*[\\\"'*`]*)"
            r"\d{4,10}(?![\w.])",
        ),
    )


def _make_block(newline: str, character: str) -> str:
    """Return a pattern of a block of YAML: ``|`` or ``>``, and the indented lines below it."""
    lines = rf"(?P<indent>[ \t]+)(?=\S){character}*(?:{newline}(?:(?P=indent){character}*|[ \t]*(?={newline}|\Z)))*"
    head = rf"(?:[!&]\S{{1,50}}[ \t]+)?[|>][-+0-9]{{0,2}}[ \t]*(?:#{character}{{0,200}})?"
    return rf"{head}(?:{newline}[ \t]*){{0,20}}?{newline}{lines}"


def _make_indented(names: str, begin: str, newline: str, character: str) -> str:
    """Return a pattern of the lines below a telling name that begins a line: a list, or a mapping, that it holds."""
    head = rf"{begin}(?P<head>(?P<outer>[ \t]*)(?:-[ \t]+)?[\"']?[\w.-]{{0,100}}?{names}[\"']?:)"
    return rf"{head}(?:{newline}(?:(?P=outer)(?:[ \t]+|-[ \t]){character}*|[ \t]*(?={newline})))+"


def _compile_option(option: str) -> re.Pattern[str]:
    return re.compile(
        rf"""(?P<head>(?<=[\s"']){option})(?:\\*"[^"\\]+|\\*'[^'\\]+|[^\s"'\\|;&<>-][^\s"'\\|;&<>]*)""", re.ASCII
    )


_OPTIONS_IN_LISTS = [
    (words, re.compile(rf"(?P<head>{option}).+", re.ASCII | re.DOTALL)) for words, option in COMMANDS.items()
]
_COMMAND = re.compile(rf"(?:{COMMAND_WORDS}|ssh|scp|sftp|rsync)[\w.-]*", re.ASCII)
"""A command, or one that ``sshpass`` starts and that has options of its own."""
_FOLDER = re.compile(r"(?:.*[/\\])?(?:s?bin[/\\]|\.{1,2}[/\\])", re.DOTALL)
_MAX_COMMAND_LENGTH = 300
_NAMING_OPTIONS = frozenset(
    {"--name", "-name", "-iname", "--hostname", "--host", "-h", "--network", "--database", "-D"}
)
"""The options whose argument may be called like a command, but is none."""


def follow_command(command: str, before: object, argument: str) -> str:
    """Return the command that runs behind ``argument``, in a list of arguments.

    Args:
        command: the command up to here; empty if there is none.
        before: what stands before ``argument``; None at the beginning.
        argument: the next argument.
    """
    if len(argument) > _MAX_COMMAND_LENGTH or (isinstance(before, str) and before in _NAMING_OPTIONS):
        return command
    name = re.split(r"[/\\]", argument)[-1]
    folder = argument[: len(argument) - len(name)]
    if _COMMAND.fullmatch(name) and (before is None or not folder or _FOLDER.fullmatch(folder)):
        return name
    whole = f"{command.removesuffix('.exe')} {argument}"
    return whole if whole in COMMANDS else command


def has_option_argument(command: str, flag: str, value: str) -> bool:
    """Return whether ``value`` is the argument of a ``flag`` of ``command`` that holds a password."""
    head = _match_option(command, f"{flag} {value}")
    return head is not None and len(head) > len(flag)


def measure_option_head(command: str, argument: str) -> int:
    """Return how long the option is that has a password attached, as in ``-pPASSWORD``; 0 if it has none."""
    head = _match_option(command, argument)
    return 0 if head is None else len(head)


def _match_option(command: str, text: str) -> str | None:
    """Return the beginning of ``text`` up to the password of an option of ``command``; None if it has none."""
    for words, option in _OPTIONS_IN_LISTS:
        if command.startswith(words) and (match := option.fullmatch(text)):
            return match["head"]
    return None
