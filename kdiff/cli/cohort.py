"""`kdiff cohort`: what a bad session does that none of several good ones does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentlog.errors import UsageError
from agentlog.event.escape import escape_controls, format_code_span
from agentlog.event.position import PositionRange
from agentlog.terminal.options import SourceOptions
from agentlog.terminal.output import get_width, write_bytes, write_lines
from agentlog.terminal.pager import page_lines
from agentlog.terminal.text_width import clip_text, flow_items, wrap_text

from ..align.payload_compare import Payloads
from ..align.step_groups import StepGroups, group_steps
from ..judge.compare import compare
from ..judge.divergence import Divergence, Weight
from ..reading.normalize import IgnoreRules
from ..reading.read_sessions import SessionRequest, read_session
from ..reading.session import GOOD_OUTCOME, Session
from ..reading.side_effects import ToolPatterns
from ..reading.signature import SignatureBuilder
from ..reading.spill import open_spill
from ..show.json_document import dump_json, encode_session
from ..show.json_document import encode_divergence as as_json
from .options import CompareOptions

MIN_GOOD_SESSIONS = 20
"""With fewer good sessions than these, traits can be ranked, but nothing can be claimed."""
MAX_TRAITS_SHOWN = 30
MAX_NAMED = 20
MIN_LABEL_WIDTH = 12


@dataclass(slots=True)
class Trait:
    """A divergence of the bad session, and the good sessions against which it shows.

    Attributes:
        good_without: the good sessions that differ from the bad one in this.
    """

    divergence: Divergence
    good_without: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Cohort:
    """The traits that set a bad session apart, the most important first."""

    good: list[Session]
    bad: Session
    traits: list[Trait]

    def count_good_with(self, trait: Trait) -> int:
        """Return how many good sessions show the trait too."""
        return len(self.good) - len(trait.good_without)


def compare_cohort(
    sessions: tuple[Sequence[str], str],
    source_options: SourceOptions,
    span: PositionRange,
    rules_and_patterns: tuple[IgnoreRules, ToolPatterns],
    options: CompareOptions,
) -> int:
    """Compare good sessions with a bad one, and write what sets it apart. Return 1 if anything does, else 0.

    Raises:
        NothingToShow: no record of one of them could be read.
        AgentlogError: the source can't be read.
    """
    if source_options.file == "-":
        raise UsageError("standard input can be read only once: keep it in a file first")
    with open_spill() as spill:
        bad_request, *wanted = (
            SessionRequest(name, source_options, span, SignatureBuilder(spill, *rules_and_patterns))
            for name in (sessions[1], *dict.fromkeys(sessions[0]))
        )
        bad = read_session(bad_request)
        good = [read_session(request, bad.unreadable) for request in wanted]
        cohort = Cohort(good, bad, _find_traits(good, bad, rules_and_patterns[0]))
        _write_cohort(cohort, options)
    return 1 if cohort.traits else 0


def _find_traits(good: list[Session], bad: Session, rules: IgnoreRules) -> list[Trait]:
    traits: dict[tuple[object, ...], Trait] = {}
    for good_session in good:
        groups_a, groups_b = (
            group_steps(good_session.timeline, good_session.spill),
            group_steps(bad.timeline, bad.spill),
        )
        for divergence in compare(groups_a, groups_b, Payloads(rules, groups_a, groups_b)).divergences:
            trait = traits.setdefault(_identify_divergence(divergence, groups_b), Trait(divergence))
            trait.good_without.add(good_session.timeline.session_id)
            if divergence.weight > trait.divergence.weight:
                trait.divergence = divergence
    return sorted(
        traits.values(), key=lambda t: (-int(t.divergence.weight), -len(t.good_without), t.divergence.order_key)
    )


def _identify_divergence(divergence: Divergence, groups_b: StepGroups) -> tuple[object, ...]:
    """Return what makes a divergence the same against two good sessions: the bad one's step, or what it lacks."""
    if divergence.kind == "ended":
        return ("ended", len(groups_b.groups))
    if divergence.b is not None:
        return ("b", divergence.b.index)
    return (
        "a",
        divergence.a.signature.call_form_hash
        if divergence.a is not None and divergence.a.changes_state
        else divergence.label,
    )


def _write_cohort(cohort: Cohort, options: CompareOptions) -> None:
    match options.format:
        case "json":
            write_bytes([dump_json(_encode_cohort(cohort)), b"\n"])
        case "markdown":
            write_lines(_markdown_lines(cohort))
        case _:
            page_lines(_text_lines(cohort, get_width()), use_pager=options.pager)


def _text_lines(cohort: Cohort, columns: int) -> Iterator[str]:
    yield f"bad   {escape_controls(cohort.bad.timeline.session_id)}  {escape_controls(cohort.bad.outcome)}"
    first, *rest = flow_items(_list_good(cohort), " ", columns - 6)
    yield f"good  {first}"
    yield from (f"      {line}" for line in rest)
    yield ""
    for rank, trait in enumerate(cohort.traits[:MAX_TRAITS_SHOWN], 1):
        head, step = f"{rank:>3}  {_describe_share(cohort, trait)}  {trait.divergence.kind:<9} ", _describe_step(trait)
        yield f"{head}{clip_text(trait.divergence.label, max(columns - len(head + step), MIN_LABEL_WIDTH))}{step}"
    if len(cohort.traits) > MAX_TRAITS_SHOWN:
        yield f"     {len(cohort.traits) - MAX_TRAITS_SHOWN:,} more; --format json has all"
    yield ""
    for text in (_describe_confidence(cohort), *_list_doubts(cohort)):
        yield from wrap_text(text, columns)


def _list_good(cohort: Cohort) -> Iterator[str]:
    """Yield the number of good sessions, and their ids."""
    yield f"{len(cohort.good):,} sessions:"
    ids = [escape_controls(each.timeline.session_id) for each in cohort.good[:MAX_NAMED]]
    yield from (f"{each}," for each in ids[:-1])
    yield ids[-1]
    if len(cohort.good) > MAX_NAMED:
        yield f"and {len(cohort.good) - MAX_NAMED:,} more"


def _describe_share(cohort: Cohort, trait: Trait) -> str:
    return f"in {cohort.count_good_with(trait)} of {len(cohort.good)} good ones"


def _describe_step(trait: Trait) -> str:
    move = trait.divergence.shown_b
    return f", step {move.index}" if move is not None else ""


def _describe_confidence(cohort: Cohort) -> str:
    """Return what may be claimed. A trait of none of n sessions is below 3/n with 95 % confidence (rule of three)."""
    good = len(cohort.good)
    if good < MIN_GOOD_SESSIONS:
        too_few = f"{good} good sessions are too few to claim that it is no accident"
        return f"An order, and no more: {too_few}; take {MIN_GOOD_SESSIONS} or more."
    exclusive_count = sum(
        cohort.count_good_with(trait) == 0 and trait.divergence.weight is not Weight.TEXT for trait in cohort.traits
    )
    return (
        f"{exclusive_count} that no good session shows: each of them would stand in fewer than {300 / good:.0f} % of "
        f"good sessions (95 % confidence, one by one; among many, some will be accidents)."
    )


def _list_doubts(cohort: Cohort) -> list[str]:
    """Return what speaks against the roles that the sessions were given."""
    not_good = [each for each in cohort.good if each.timeline.outcome not in (None, GOOD_OUTCOME)]
    if cohort.bad.timeline.outcome != GOOD_OUTCOME or not not_good:
        return []
    return [
        f"The bad session succeeded, and {len(not_good)} of {len(cohort.good)} good ones did not: are they swapped?"
    ]


def _markdown_lines(cohort: Cohort) -> Iterator[str]:
    yield f"# {format_code_span(cohort.bad.timeline.session_id, 0)} against {len(cohort.good):,} good sessions"
    yield ""
    yield "| rank | good ones that show it | kind | what |"
    yield "|---:|---:|---|---|"
    for rank, trait in enumerate(cohort.traits, 1):
        description = format_code_span(f"{trait.divergence.label}{_describe_step(trait)}", 0).replace("|", "\\|")
        good_with_trait = f"{cohort.count_good_with(trait)} of {len(cohort.good)}"
        yield f"| {rank} | {good_with_trait} | {trait.divergence.kind} | {description} |"
    for text in (_describe_confidence(cohort), *_list_doubts(cohort)):
        yield ""
        yield text


def _encode_cohort(cohort: Cohort) -> dict[str, object]:
    return {
        "bad": encode_session(cohort.bad),
        "good": [encode_session(each) for each in cohort.good],
        "claim": _describe_confidence(cohort),
        "doubts": _list_doubts(cohort),
        "divergences": [
            {
                "rank": rank,
                "good_that_show_it": cohort.count_good_with(trait),
                "good_apart": sorted(trait.good_without),
                **as_json(trait.divergence),
            }
            for rank, trait in enumerate(cohort.traits, 1)
        ],
    }
