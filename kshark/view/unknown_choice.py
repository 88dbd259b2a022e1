"""What exists in place of a type, an agent or a tool that doesn't. Pure."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from agentlog.event.event import Event
from agentlog.session.timeline import Step, Timeline
from agentlog.terminal.text_width import elide_middle
from agentlog.text.coverage_text import find_nearest_ids
from agentlog.text.step_text import STEP_WORDS, get_step_word

from .replay_options import ReplayOptions

MAX_NAMES = 10
"""The most names that are listed."""
MAX_NAME_WIDTH = 60
MIN_SIMILARITY = 0.75
"""How similar a type of the user's own may be to a standard type before it is taken for a slip."""
STANDARD_TYPES = (*STEP_WORDS, "decision", "error", "call_started")


def list_names(names: Sequence[str]) -> str:
    """Return names as text: the first ten, each cut in its middle, and the number of the others."""
    shown = [elide_middle(name, MAX_NAME_WIDTH) for name in names[:MAX_NAMES]]
    rest = len(names) - MAX_NAMES
    return ", ".join(shown) + (f" and {rest:,} more" if rest > 0 else "")


def describe_unknown_choice(option: str, asked: str, where: str, names: Sequence[str]) -> str:
    """Say that ``where`` has nothing of the name ``asked``, which names it has, and which are meant perhaps."""
    nearest = find_nearest_ids(asked, (name.encode() for name in names))
    perhaps = f". Perhaps: {list_names(nearest)}" if nearest else ""
    has = f"it has {list_names(names)}" if names else "it has none at all"
    return f"{option} {elide_middle(asked, MAX_NAME_WIDTH)}: there is none in {where}; {has}{perhaps}"


def find_unknown_choices(timeline: Timeline, options: ReplayOptions) -> Iterator[str]:
    """Yield a sentence for each type and each agent of the options that no step has."""
    where = f"session {elide_middle(timeline.session_id, MAX_NAME_WIDTH)}"
    types = {name for step in timeline.steps for name in _list_types(step)} if options.types else set()
    for asked in dict.fromkeys(options.types):
        if asked not in types:
            yield describe_unknown_choice("--type", asked, where, list(dict.fromkeys(s.kind for s in timeline.steps)))
    agents = list(dict.fromkeys(step.event.agent_id for step in timeline.steps)) if options.agents else []
    for asked in dict.fromkeys(options.agents):
        if asked not in agents:
            yield describe_unknown_choice("--agent", asked, where, agents)


def find_mistyped_types(types: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each type that is nearly one of agentlog's own. Any other may be the user's own type."""
    known = {*STANDARD_TYPES, *STEP_WORDS.values()}
    for asked in dict.fromkeys(types):
        nearest = get_close_matches(asked, STANDARD_TYPES, cutoff=MIN_SIMILARITY) if asked not in known else []
        if nearest:
            name = elide_middle(asked, MAX_NAME_WIDTH)
            yield f"--type {name}: none of agentlog's own types. Perhaps: {list_names(nearest)}"


def _list_types(step: Step) -> tuple[str, str, str]:
    event: Event = step.event
    return step.kind, event.event_type, get_step_word(step)
