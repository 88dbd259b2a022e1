"""`kshark memory`: what an agent knew at a point of its session."""

import json
import sys
from dataclasses import dataclass

from agentlog.analysis.causality import Causes
from agentlog.event import codec
from agentlog.formatting import counted
from agentlog.terminal.output import complain, page, paint_for, width, write_bytes

from ..render import Look
from ..replay.command import Read, read_session
from ..wanted import Wanted
from .chat_export import Conversation
from .query import Recall, recall


@dataclass(frozen=True, slots=True)
class Choice:
    """Whose knowledge is wanted and at which point, and how it is to be written.

    Attributes:
        at: as the user wrote it; None for the end.
        since: from where on what changed is wanted, or None.
    """

    at: str | None = None
    since: str | None = None
    agent: str | None = None
    format: str = "text"
    full: bool = False
    max_chars: int | None = None
    pager: bool = True

    def look(self, began: int) -> Look:
        """How text is to be written for where it goes."""
        return Look(width(), paint_for(sys.stdout), began, self.full, self.max_chars)


def memory(wanted: Wanted, choice: Choice) -> None:
    """Say what the agents of a session knew.

    Raises:
        NothingToShow: no record of the session could be read, or it has no such step, time or agent.
        UsageError: a point is written ambiguously, or what changed is asked for backwards.
        AgentlogError: the source can't be read.
    """
    read = read_session(wanted)
    recalled = recall(read.timeline, choice.at, choice.since, choice.agent)
    if choice.full:
        from ..view.fetch_payloads import fetch_references  # noqa: PLC0415

        for mind in recalled.minds:
            fetch_references([*mind.seen, *mind.open, *([mind.given] if mind.given is not None else [])])
    _show(recalled, read, choice)


def _show(recalled: Recall, read: Read, choice: Choice) -> None:
    match choice.format:
        case "messages":
            mind = recalled.minds[-1 if choice.agent is not None else 0]
            _write_messages(recalled.messages(mind), recalled.causes)
        case "json":
            from .json_document import document  # noqa: PLC0415

            write_bytes([document(recalled, read.covered, read.unreadable), b"\n"])
        case _:
            from .text import text  # noqa: PLC0415

            lines = text(recalled, read.covered, choice.look(recalled.timeline.began))
            page(lines, pager=choice.pager)


def _write_messages(made: Conversation, causes: Causes) -> None:
    """The messages; where they come from is said on standard error, so that a model can be given what is written."""
    text = json.dumps(made.messages, ensure_ascii=False)
    write_bytes([codec.one_line(text.encode()), b"\n"])
    if made.given is not None:
        step = causes.number[made.given]
        complain(f"{counted(made.recorded, 'message')} as recorded with step {step}: what the model was given there")
    if len(made.messages) > made.recorded:
        complain(f"{counted(len(made.messages) - made.recorded, 'message')} put together from events")
    if made.left_out:
        complain(f"{counted(len(made.left_out), 'step')} of other types stand in no message")
