"""What came of comparing two sessions: all that a renderer needs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..judge.compare import Comparison
from ..judge.divergence import Divergence
from ..judge.verdict import Verdict
from ..reading.session import Session, list_limitations
from .phrases import StepDescriber


class Excerpt(NamedTuple):
    """Which divergences are shown step by step, and how many steps around each."""

    divergences: Sequence[Divergence]
    context: int = 3


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on two sessions, what it was found by, and how far it can be trusted."""

    verdict: Verdict
    comparison: Comparison
    a: Session
    b: Session
    describer: StepDescriber

    @property
    def limitations(self) -> list[str]:
        """What limits the comparison."""
        rest = self.describer.payloads.uncompared
        limitations = [f"{rest:,} further pairs differ and were not looked into path by path"] if rest else []
        return limitations + list_limitations(self.a, self.b)

    @property
    def goals(self) -> list[str]:
        """What the sessions were asked to do: one text where both were asked for the same."""
        return list(dict.fromkeys(session.timeline.goal for session in (self.a, self.b) if session.timeline.goal))

    def select_excerpt(self, context: int, *, only_decisive: bool) -> Excerpt:
        """All divergences, or the decisive one alone."""
        decisive = [self.verdict.decisive] if self.verdict.decisive is not None else []
        return Excerpt(decisive if only_decisive else self.comparison.divergences, context)
