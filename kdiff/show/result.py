"""What came of comparing two sessions: all that a renderer needs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..judge.compare import Comparison
from ..judge.divergence import Divergence
from ..judge.verdict import Verdict
from ..reading.session import Session, limits
from .phrases import Words


class Excerpt(NamedTuple):
    """Which divergences are shown step by step, and how many steps around each."""

    divergences: Sequence[Divergence]
    context: int = 3


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on two sessions, what it was found by, and how far it can be trusted."""

    verdict: Verdict
    compared: Comparison
    a: Session
    b: Session
    words: Words

    @property
    def doubts(self) -> list[str]:
        """What limits the comparison."""
        shallow = self.words.payloads.shallow
        said = [f"{shallow:,} further pairs differ and were not looked into path by path"] if shallow else []
        return said + limits(self.a, self.b)

    @property
    def goals(self) -> list[str]:
        """What the sessions were asked to do: one text where both were asked for the same."""
        return list(dict.fromkeys(own.timeline.goal for own in (self.a, self.b) if own.timeline.goal))

    def excerpt(self, context: int, *, only_decisive: bool) -> Excerpt:
        """All divergences, or the decisive one alone."""
        decisive = [self.verdict.decisive] if self.verdict.decisive is not None else []
        return Excerpt(decisive if only_decisive else self.compared.divergences, context)
