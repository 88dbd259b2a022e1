"""`kdiff cohort`: what a bad session does that none of several good ones does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentlog.cli import Where
from agentlog.errors import UsageError
from agentlog.event.escape import code, escaped
from agentlog.event.position import Span
from agentlog.terminal.output import clipped, page, write, write_bytes

from .align.payload_compare import Payloads
from .align.step_groups import Moves, moves
from .command import Choice
from .judge.compare import compare
from .judge.divergence import Divergence, Weight
from .reading.normalize import Rules
from .reading.read_sessions import Wanted, read
from .reading.session import Session
from .reading.side_effects import Declared
from .reading.signature import Sketcher
from .reading.spill import shelf
from .show.json_document import divergence as as_json
from .show.json_document import dumped, session

ENOUGH = 20
"""With fewer good sessions than these, an order can be shown and nothing be claimed."""
SHOWN = 30


@dataclass(slots=True)
class Trait:
    """A divergence of the bad session, and against how many good ones it shows.

    Attributes:
        apart: the good sessions that differ from the bad one in this.
    """

    divergence: Divergence
    apart: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Cohort:
    """What sets a bad session apart, what matters first."""

    good: list[Session]
    bad: Session
    traits: list[Trait]

    def alike(self, trait: Trait) -> int:
        """How many good sessions show it too."""
        return len(self.good) - len(trait.apart)


def against(
    sessions: tuple[Sequence[str], str], where: Where, span: Span, how: tuple[Rules, Declared], choice: Choice
) -> int:
    """Compare good sessions with a bad one, and write what sets it apart; 1 when anything does, else 0.

    Raises:
        NothingToShow: no record of one of them could be read.
        AgentlogError: the source can't be read.
    """
    if where.file == "-":
        raise UsageError("standard input can be read only once: keep it in a file first")
    with shelf() as kept:
        own, *wanted = (
            Wanted(name, where, span, Sketcher(kept, *how)) for name in (sessions[1], *dict.fromkeys(sessions[0]))
        )
        bad = read(own)
        others = [read(each, bad.unreadable) for each in wanted]
        found = Cohort(others, bad, _traits(others, bad, how[0]))
        _show(found, choice)
    return 1 if found.traits else 0


def _traits(good: list[Session], bad: Session, rules: Rules) -> list[Trait]:
    traits: dict[tuple[object, ...], Trait] = {}
    for each in good:
        own_a, own_b = moves(each.timeline, each.shelf), moves(bad.timeline, bad.shelf)
        for found in compare(own_a, own_b, Payloads(rules, own_a, own_b)).divergences:
            trait = traits.setdefault(_key(found, own_b), Trait(found))
            trait.apart.add(each.timeline.session_id)
            if found.weight > trait.divergence.weight:
                trait.divergence = found
    return sorted(traits.values(), key=lambda t: (-int(t.divergence.weight), -len(t.apart), t.divergence.at))


def _key(found: Divergence, bad: Moves) -> tuple[object, ...]:
    """What makes a divergence the same one against two good sessions: the bad one's step, or what it lacks."""
    if found.kind == "ended":
        return ("ended", len(bad.all))
    if found.b is not None:
        return ("b", found.b.index)
    return ("a", found.a.sketch.form if found.a is not None and found.a.changes_state else found.label)


def _show(found: Cohort, choice: Choice) -> None:
    match choice.format:
        case "json":
            write_bytes([dumped(_document(found)), b"\n"])
        case "markdown":
            write(_markdown(found))
        case _:
            page(_text(found), pager=choice.pager)


def _text(found: Cohort) -> Iterator[str]:
    good = len(found.good)
    yield f"bad   {escaped(found.bad.timeline.session_id)}  {escaped(found.bad.outcome)}"
    yield f"good  {good:,} sessions: {escaped(', '.join(each.timeline.session_id for each in found.good))[:300]}"
    yield ""
    for rank, trait in enumerate(found.traits[:SHOWN], 1):
        what = f"{trait.divergence.kind:<9} {clipped(trait.divergence.label, 60)}"
        yield f"{rank:>3}  {_share(found, trait)}  {what}{_where(trait)}"
    if len(found.traits) > SHOWN:
        yield f"     {len(found.traits) - SHOWN:,} more; --format json has all"
    yield ""
    yield _claim(found)


def _share(found: Cohort, trait: Trait) -> str:
    return f"in {found.alike(trait)} of {len(found.good)} good ones"


def _where(trait: Trait) -> str:
    move = trait.divergence.shown_b
    return f", step {move.index}" if move is not None else ""


def _claim(found: Cohort) -> str:
    """What may be said of so many sessions; of none in n, less than 3/n with 95 % confidence (the rule of three)."""
    good = len(found.good)
    if good < ENOUGH:
        few = f"{good} good sessions are too few to claim that it is no accident"
        return f"An order, and no more: {few}; take {ENOUGH} or more."
    only = sum(found.alike(trait) == 0 and trait.divergence.weight is not Weight.TEXT for trait in found.traits)
    return (
        f"{only} that no good session shows: each of them would stand in fewer than {300 / good:.0f} % of good "
        f"sessions (95 % confidence, one by one; among many, some will be accidents)."
    )


def _markdown(found: Cohort) -> Iterator[str]:
    yield f"# {code(found.bad.timeline.session_id, 0)} against {len(found.good):,} good sessions"
    yield ""
    yield "| rank | good ones that show it | kind | what |"
    yield "|---:|---:|---|---|"
    for rank, trait in enumerate(found.traits, 1):
        what = code(f"{trait.divergence.label}{_where(trait)}", 0).replace("|", "\\|")
        yield f"| {rank} | {found.alike(trait)} of {len(found.good)} | {trait.divergence.kind} | {what} |"
    yield ""
    yield _claim(found)


def _document(found: Cohort) -> dict[str, object]:
    return {
        "bad": session(found.bad),
        "good": [session(each) for each in found.good],
        "claim": _claim(found),
        "divergences": [
            {
                "rank": rank,
                "good_that_show_it": found.alike(trait),
                "good_apart": sorted(trait.apart),
                **as_json(trait.divergence),
            }
            for rank, trait in enumerate(found.traits, 1)
        ],
    }
