"""The diagnosis of a session: the kind of what went wrong, the steps that show it, and the doubt. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from agentlog.analysis.loops import Loop
from agentlog.session.timeline import Step

from .candidates import Candidate


class DiagnosisKind(StrEnum):
    """The kind of a diagnosis; docs/kshark.md explains each."""

    NOTHING = "nothing"
    LOOP = "loop"
    ERROR = "error"
    OPEN_CALL = "open_call"
    NEVER_MADE_GOOD = "never_made_good"
    CUT_OFF = "cut_off"
    WAITING = "waiting"
    HANDED_OVER = "handed_over"
    NO_ACTION = "no_action"
    LONG_RUN = "long_run"
    END = "end"
    NO_END = "no_end"
    UNKNOWN = "unknown"


class Doubt(StrEnum):
    """Why a diagnosis isn't sure; docs/kshark.md explains each."""

    WENT_ON = "went_on"
    VARIED = "varied"
    ANSWERED = "answered"
    OTHER_END = "other_end"
    LIMIT = "limit"
    CHECK = "check"
    CANCELLED = "cancelled"
    NO_END = "no_end"
    BOUNDED = "bounded"
    SWALLOWED = "swallowed"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Where a session went wrong.

    Attributes:
        step: the step to look at first, or None.
        decision: the decision, or another step with a reason, that led there; None if there is none.
        evidence: the steps that show it, in order: the calls of a loop, the failures at the end, the open calls.
        loop: the loop, if the kind is ``LOOP``.
        failures: the session's failed steps, if no step is to blame.
        doubt: why it isn't sure, or None if it is.
        is_told: the session's end, or its last answer, speaks of it.
        is_beginning_cut: the beginning of the session wasn't read, or is gone.
        candidates: the steps to look at, each with its reason, if it isn't sure.
    """

    kind: DiagnosisKind
    step: Step | None = None
    decision: Step | None = None
    evidence: Sequence[Step] = ()
    loop: Loop | None = None
    failures: Sequence[Step] = field(default=())
    doubt: Doubt | None = None
    is_told: bool = False
    is_beginning_cut: bool = False
    candidates: Sequence[Candidate] = ()

    @property
    def is_sure(self) -> bool:
        """Whether it explains why the session went wrong, and not only where to look."""
        return self.doubt is None
