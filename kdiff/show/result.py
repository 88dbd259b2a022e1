"""The result of a comparison: all that a renderer needs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..judge.compare import Comparison
from ..judge.divergence import Divergence
from ..judge.verdict import Verdict, VerdictKind
from ..reading.session import Session, is_incomplete, list_limitations
from .phrases import StepDescriber


class Excerpt(NamedTuple):
    """The divergences that are shown step by step, and the number of steps around each."""

    divergences: Sequence[Divergence]
    context: int = 3


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on two sessions, the comparison behind it, and its limits."""

    verdict: Verdict
    comparison: Comparison
    a: Session
    b: Session
    describer: StepDescriber

    @property
    def limitations(self) -> list[str]:
        """The limits of the comparison."""
        rest = self.describer.payloads.uncompared
        limitations = (
            [f"{rest:,} more pairs of steps differ; their payloads were not compared path by path"] if rest else []
        )
        if any(each.kind == "changed" and each.group.kind == "session_start" for each in self.comparison.divergences):
            limitations.append("A and B were given different tasks. What differs may follow from that.")
        return limitations + list_limitations(self.a, self.b)

    @property
    def note(self) -> str:
        """The remark on the verdict. Sessions that weren't read whole are the same only as far as they were read."""
        if self.verdict.kind is VerdictKind.SAME and (is_incomplete(self.a) or is_incomplete(self.b)):
            return (
                "They are the same in what could be read. Records are missing or unreadable, so they may still differ."
            )
        return self.verdict.note

    @property
    def goals(self) -> list[str]:
        """The goals of the sessions; one text if both have the same goal."""
        return list(dict.fromkeys(session.timeline.goal for session in (self.a, self.b) if session.timeline.goal))

    def select_excerpt(self, context: int, *, only_decisive: bool) -> Excerpt:
        """Return all divergences, or only the decisive one."""
        decisive = [self.verdict.decisive] if self.verdict.decisive is not None else []
        return Excerpt(decisive if only_decisive else self.comparison.divergences, context)
