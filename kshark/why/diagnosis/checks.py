"""Checks: calls whose failure is an answer, such as a look for a file that isn't there. Pure."""

import re

from agentlog.analysis.failures import get_error
from agentlog.session.timeline import Step
from agentlog.text.step_text import format_payload_value

_CHECK_NAME = re.compile(r"(?:^|[^a-z])(?:exists?|check|has|is|test.?path|which|probe|ping)(?:$|[^a-z])", re.I)
"""Names of tools that ask whether something is so."""
_CHECK_COMMAND = re.compile(
    r"\s*(?:cd\s+\S+\s*(?:&&|;)\s*)?(?:\[{1,2}\s"
    r"|(?:test|e?grep|fgrep|rg|ls|stat|which|type|command -v|pgrep|diff|cmp|file)\b"
    r"|git (?:diff|rev-parse|show-ref|ls-files|grep)\b)(?:(?!&&|;).)*$",
    re.S,
)
"""Commands that ask whether something is so, and say no by their exit code."""
_ABSENCE = re.compile(r"no such|not found|does ?n[o']t exist|not exist|no match|\b404\b|cannot access|not there", re.I)
_EXIT_CODE_ALONE = re.compile(
    r"[\[\s]*(?:\w+ )*?(?:exit(?:ed)?(?: with)?[ _]?(?:code|status)?)\W*1\b[\s.\]]*(?:no output)?$", re.I
)


def is_check(step: Step) -> bool:
    """Whether a failed call only asked whether something is there, and learnt that it isn't."""
    error = format_payload_value(get_error(step))[:2_000]
    if _CHECK_NAME.search(step.label):
        return _ABSENCE.search(error) is not None or _EXIT_CODE_ALONE.match(error) is not None
    given = step.event.payload.get("input")
    commands = [given.get(name) for name in ("command", "cmd", "script")] if isinstance(given, dict) else [given]
    is_question = any(isinstance(each, str) and _CHECK_COMMAND.match(each) for each in commands)
    return is_question and (_ABSENCE.search(error) is not None or _says_only_no(get_error(step), error))


def _says_only_no(recorded: object, error: str) -> bool:
    if isinstance(recorded, dict):
        code = recorded.get("exit_code", recorded.get("returncode"))
        output = [recorded.get(name) for name in ("stderr", "error", "message")]
        return code == 1 and not any(output)
    return _EXIT_CODE_ALONE.match(error) is not None
