"""A timeline as a tree: each step under the call or the delegation in which it ran. Pure."""

from collections.abc import Iterator, Sequence

from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline
from agentlog.terminal.style import Style
from agentlog.terminal.text_width import cell_width, clip_text
from agentlog.text.step_text import (
    KINDS_WITH_ERROR_IN_HEADLINE,
    Detail,
    format_headline,
    format_payload_value,
    get_step_word,
)

from ..view.layout import Layout, choose_word_style, format_since
from ..view.step_lines import fit_headline, format_value_lines
from ..view.timeline_text import format_footer, format_header


def render_tree(timeline: Timeline, steps: Sequence[Step], coverage: Coverage, layout: Layout) -> Iterator[str]:
    """Yield the header, the steps as a tree, in which parallel lanes don't mix, and the footer."""
    yield from format_header(timeline, coverage, layout)
    yield ""
    chosen_steps, containers = set(steps), _find_containers(timeline)
    children: dict[Step | None, list[Step]] = {}
    for step in timeline.steps:
        if step in chosen_steps:
            outer = containers[step]
            while outer is not None and outer not in chosen_steps:
                outer = containers[outer]
            children.setdefault(outer, []).append(step)
    yield from _render_branches(children, layout)
    yield ""
    yield from format_footer(timeline, steps, coverage, layout)


def _find_containers(timeline: Timeline) -> dict[Step, Step | None]:
    """Return for each step the call or the delegation in which it ran, or None."""
    containers: dict[Step, Step | None] = {}
    for step in timeline.steps:
        container = step.parent
        while container is not None and not _is_container(container, step):
            container = containers[container]
        containers[step] = container if container is not None else step.lane.delegation
    return containers


def _is_container(outer: Step, step: Step) -> bool:
    is_call = outer.lane is step.lane and (outer.duration_us or 0) > 0 and outer.recorded > step.began
    return outer is step.lane.delegation or is_call


def _render_branches(children: dict[Step | None, list[Step]], layout: Layout) -> Iterator[str]:
    stack: list[tuple[Step, str, bool]] = []

    def push(parent: Step | None, lead: str) -> None:
        below = children.get(parent, [])
        stack.extend((step, lead, step is below[-1]) for step in reversed(below))

    push(None, "")
    while stack:
        step, lead, last = stack.pop()
        further = lead + ("    " if last else "|   ")
        branch = f"{lead}{'`-- ' if last else '|-- '}"
        yield from _render_branch(step, branch, further + "|   " * (step in children), layout)
        push(step, further)


def _render_branch(step: Step, lead: str, further: str, layout: Layout) -> Iterator[str]:
    """Yield a step's line; further lines of its content begin with ``further``."""
    when = f"{layout.number(step)}{format_since(step, layout):>{9 if layout.is_narrow else 11}}  "
    cut = max(len(lead) - layout.columns // 12 * 4, 0)  # a deep branch has room for its innermost levels only
    lead, further = lead[cut:], further[cut:]
    room = layout.columns - len(when) - len(lead)
    name = clip_text(get_step_word(step), min(room, 20))
    error = (
        f"  {format_payload_value(step.error)}"
        if step.error is not None and step.kind not in KINDS_WITH_ERROR_IN_HEADLINE
        else ""
    )
    beside = room - max(cell_width(name) + 1, 4)
    headline = format_headline(step) if layout.limit is not None else fit_headline(step, error, beside)
    first, *rest = format_value_lines(Detail("", headline + error), 1, beside, layout) if beside >= 3 else [""]
    line = f"{layout.paint(when, Style.FAINT)}{lead}{layout.paint(name, choose_word_style(step))}"
    yield f"{line} {first}" if first else line
    yield from (" " * len(when) + further + each for each in rest)
