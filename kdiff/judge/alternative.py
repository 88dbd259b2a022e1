"""What B did in the place of a call that it never made. Pure."""

from itertools import takewhile
from typing import NamedTuple

from ..align.payload_compare import Payloads
from ..align.step_groups import StepGroup
from ..reading.side_effects import Effect
from .compare import Comparison
from .divergence import Divergence

SILENT_KINDS = frozenset({"llm_call", "decision", "user_message", "call_started"})
"""Kinds of steps that are nothing that an agent does towards the world."""


class Alternative(NamedTuple):
    """What B did in the place of a call: the step, None at the end of B, and what it is in a few words."""

    group: StepGroup | None
    phrase: str


def find_alternative(missing: Divergence, comparison: Comparison, payloads: Payloads) -> Alternative:
    """Find what B did where A made a call: what only B did there, else the next thing that it did.

    A handover goes before another call, and a call before words.
    """
    after = missing.order_key[0]
    acts = [pair for pair in comparison.pairs if pair.b is not None and pair.b.index > after and _is_act(pair.b)]
    only_b = [pair.b for pair in takewhile(lambda pair: pair.a is None, acts) if pair.b is not None]
    group = min(only_b, key=_rank, default=None) or (acts[0].b if acts else None)
    if group is None:
        return Alternative(None, "it has nothing after that")
    return Alternative(group, _describe(group, payloads, is_shared=group not in only_b))


def _is_act(group: StepGroup) -> bool:
    return group.kind not in SILENT_KINDS and not group.is_thought


def _rank(group: StepGroup) -> tuple[bool, bool, int]:
    return not _hands_over(group), not group.is_call, group.index


def _hands_over(group: StepGroup) -> bool:
    return group.is_call and group.signature.effect is Effect.HANDS_OVER


def _describe(group: StepGroup, payloads: Payloads, *, is_shared: bool) -> str:
    if _hands_over(group):
        return f"it handed over to a person there ({group.label})"
    if group.is_call:
        return f"it went on with {group.label}" if is_shared else f"it called {group.label} there"
    if group.kind == "agent_message":
        return "it asked there" if payloads.read_text(group).rstrip().endswith("?") else "it only spoke there"
    return {"session_end": "it ended there", "error": "it met an error there"}.get(
        group.kind, f"it went on with {group.kind.replace('_', ' ')}"
    )
