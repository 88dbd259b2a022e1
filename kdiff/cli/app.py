"""kdiff's commands and their options."""

from typing import Annotated, Literal

import typer

from agentlog.log.open_source import parse_range
from agentlog.terminal.command import new_app
from agentlog.terminal.options import FromOption, PagerOption, SourceOptions, TerminalOptions, ToOption, expand_path
from agentlog.terminal.run import run

from .options import CompareOptions, IgnoreOptions

HELP = """\
Why did session A succeed and session B fail?

\b
kdiff compare sess_invoice_ok sess_invoice_847 -f story.ndjson --only-decisive
kdiff compare sess_a1b2c3 sess_b4c5d6 --cluster us-east-1
kdiff cohort sess_1 sess_2 sess_3 --against sess_bad --cluster us-east-1

Settings, clusters and credentials live in agentlog.toml; docs/settings.md tells all of it.

Exit codes: 0 the same, 1 they differ, 2 usage or settings, 3 the cluster can't be reached or refused,
4 no such session, 130 and 143 ended by a signal.
"""


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The good session.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The session to compare it with.")],
    source: SourceOptions,
    other_file: Annotated[
        str | None,
        typer.Option(
            "--other-file",
            metavar="FILE",
            parser=expand_path,
            help="The capture file that B is in, when it is not where A is.",
        ),
    ] = None,
    other_cluster: Annotated[
        str | None,
        typer.Option(
            "--other-cluster", metavar="NAME|HOST:PORT", help="The cluster that B is in, when it is not where A is."
        ),
    ] = None,
    start: FromOption = None,
    end: ToOption = None,
    show_divergence: Annotated[
        bool, typer.Option("--show-divergence", help="Both sides in two columns around each divergence.")
    ] = False,
    only_decisive: Annotated[
        bool, typer.Option("--only-decisive", help="Of the divergences show only the one that decided.")
    ] = False,
    context: Annotated[int, typer.Option("--context", min=0, metavar="N", help="Steps around each.")] = 3,
    output_format: Annotated[Literal["text", "json", "markdown", "html"], typer.Option("--format")] = "text",
    pager: PagerOption = True,
    *,
    ignore: IgnoreOptions,
    terminal: TerminalOptions,
) -> None:
    """Compare session A, the good one, with session B.

    \b
    kdiff compare sess_good sess_bad                    # from the default cluster
    kdiff compare sess_good sess_bad --show-divergence  # both, step by step
    kdiff compare sess_a sess_a --cluster us-east-1 --other-cluster eu-west-1
    kdiff compare golden sess_new -f golden.ndjson --other-cluster us-east-1
    kdiff compare sess_good sess_bad --ignore payload.input.request_id
    kdiff compare sess_good sess_bad --format html > why.html
    """
    from ..reading.read_sessions import resolve_sources
    from .compare import compare_sessions
    from .settings import load_comparison_settings

    terminal.apply()
    is_shown = show_divergence or only_decisive
    options = CompareOptions(output_format, is_shown, only_decisive, context, pager)
    sources = resolve_sources(source, other_file, other_cluster)
    rules_and_patterns = load_comparison_settings(*ignore)
    raise typer.Exit(compare_sessions((a, b), sources, parse_range(start, end), rules_and_patterns, options))


def cohort(
    good: Annotated[tuple[str, ...], typer.Argument(metavar="GOOD...", help="The good sessions.")],
    bad: Annotated[str, typer.Option("--against", metavar="SESSION", help="The bad session.")],
    source: SourceOptions,
    start: FromOption = None,
    end: ToOption = None,
    output_format: Annotated[Literal["text", "json", "markdown"], typer.Option("--format")] = "text",
    pager: PagerOption = True,
    *,
    ignore: IgnoreOptions,
    terminal: TerminalOptions,
) -> None:
    """Say what sets one bad session apart from several good ones.

    It compares each of the GOOD sessions with the bad one: what does that one do that none of them does?

    \b
    kdiff cohort sess_1 sess_2 sess_3 --against sess_bad
    """
    from .cohort import compare_cohort
    from .settings import load_comparison_settings

    terminal.apply()
    options = CompareOptions(output_format, pager=pager)
    rules_and_patterns = load_comparison_settings(*ignore)
    raise typer.Exit(compare_cohort((good, bad), source, parse_range(start, end), rules_and_patterns, options))


app = new_app(HELP, compare, cohort)


def main() -> None:
    """Run kdiff."""
    run(app)
