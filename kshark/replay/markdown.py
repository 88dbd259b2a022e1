"""A timeline as Markdown, for a ticket or a report. Pure."""

from collections.abc import Iterator, Sequence

from agentlog.event.escape import code, plain
from agentlog.formatting import counted, dollars
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline, Totals
from agentlog.text.step_text import Run, details, folded, headline, run_text, word

from ..render import DEEPEST_SHOWN, Look, footer_lines, moment, outcome_text

_LONGEST = 400


def markdown(timeline: Timeline, steps: Sequence[Step], found: Coverage, look: Look) -> Iterator[str]:
    """A heading, the totals as a table, the steps as a list, and the footer."""
    totals = timeline.totals
    yield f"# Session {code(timeline.session_id, 0)}"
    yield ""
    yield from _rows(
        ("goal", code(timeline.goal, _LONGEST)),
        ("agent", code(timeline.lanes[0].agent_id, 0)),
        ("outcome", code(outcome_text(timeline), 0)),
        ("began", f"{moment(timeline.began):%Y-%m-%d %H:%M:%S} UTC"),
        ("calls", _calls(totals)),
        ("tokens", f"{totals.input_tokens:,} in, {totals.output_tokens:,} out"),
        (
            "cost",
            dollars(totals.cost_usd) + (f", {counted(totals.unpriced, 'call')} unpriced" if totals.unpriced else ""),
        ),
    )
    yield ""
    level = -1
    for item in steps if look.full else folded(steps):
        step = item.first if isinstance(item, Run) else item
        level = min(step.lane.depth, level + 1, DEEPEST_SHOWN)  # a list can go only one level down at a time
        yield from _item(item, "  " * level, look)
    yield ""
    yield from _rows(*((name, code(", ".join(items), 0)) for name, items in footer_lines(timeline, steps, found)))


def _calls(totals: Totals) -> str:
    counts = ((totals.tool_calls, "tool call"), (totals.llm_calls, "llm call"), (totals.errors, "error"))
    return ", ".join(counted(number, name) for number, name in counts)


def _rows(*rows: tuple[str, str]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    yield from (f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in rows)


def _item(item: Step | Run, indent: str, look: Look) -> Iterator[str]:
    step = item.first if isinstance(item, Run) else item
    limit = _LONGEST if look.limit is None else look.limit
    since = (step.began - look.began) / 1_000_000
    name = f"**{plain(word(step))}**"
    yield f"{indent}- {moment(step.began):%H:%M:%S} (+{since:,.1f} s) {name} {code(headline(step), limit)}"
    yield from details_of(item, look.full, limit, indent)


def details_of(item: Step | Run, full: bool, limit: int, indent: str = "") -> Iterator[str]:
    """What stands below a step in a list: its details, each cut at ``limit``, and how often it came again."""
    step = item.first if isinstance(item, Run) else item
    for detail in details(step, full):
        yield f"{indent}  - {plain(detail.key)}: {code(detail.text, limit)} {code(detail.behind.strip(), 0)}".rstrip()
    if isinstance(item, Run):
        yield f"{indent}- **x{len(item.others)}** {code(run_text(item), limit)}"
