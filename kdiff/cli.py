"""kdiff's command line: parse, call, render."""

import click

from agentlog.log.open_source import parse_range
from agentlog.terminal.options import SourceOptions, color_option, from_option, to_option, verbose_option, where_options
from agentlog.terminal.run import log_to_stderr, new_app, run

HELP = """\
Why did session A succeed and session B fail?

\b
kdiff compare sess_invoice_ok sess_invoice_847 --file story.ndjson --show-divergence
kdiff compare sess_a1b2c3 sess_b4c5d6 --cluster us-east-1
kdiff cohort sess_1 sess_2 sess_3 --against sess_bad --cluster us-east-1

Settings, clusters and credentials live in agentlog.toml; docs/settings.md tells all of it.

Exit codes: 0 the same, 1 they differ, 2 usage or settings, 3 the cluster can't be reached or refused,
4 no such session, 130 and 143 ended by a signal.
"""

FORMATS = ("text", "json", "markdown", "html")

app = new_app(HELP)

ignore_option = click.option(
    "--ignore", "ignored", multiple=True, metavar="PATH", help="What lies there makes no difference; may be repeated."
)
pattern_option = click.option(
    "--ignore-pattern", "patterns", multiple=True, metavar="REGEX", help="Text that matches makes no difference."
)


@app.command()
@click.argument("a")
@click.argument("b")
@where_options
@click.option("--other-file", metavar="FILE", help="The capture file that B is in, when it is not where A is.")
@click.option("--other-cluster", metavar="NAME|HOST:PORT", help="The cluster that B is in, when it is not where A is.")
@from_option
@to_option
@click.option("--show-divergence", is_flag=True, help="Both sides in two columns around each divergence.")
@click.option("--only-decisive", is_flag=True, help="Of the divergences show only the one that decided.")
@click.option(
    "--context", "around", type=click.IntRange(min=0), default=3, metavar="N", help="Steps around each. [default: 3]"
)
@ignore_option
@pattern_option
@click.option("--format", "shape", type=click.Choice(FORMATS), default="text", help="[default: text]")
@click.option("--pager/--no-pager", default=True, help="Page long output on a terminal.")
@color_option
@verbose_option
@click.pass_context
def compare(
    context: click.Context,
    a: str,
    b: str,
    where: SourceOptions,
    other_file: str | None,
    other_cluster: str | None,
    start: str | None,
    end: str | None,
    show_divergence: bool,
    only_decisive: bool,
    ignored: tuple[str, ...],
    patterns: tuple[str, ...],
    shape: str,
    pager: bool,
    verbose: bool,
    around: int,
) -> None:
    """Compare session A, the good one, with session B.

    \b
    kdiff compare sess_good sess_bad                             from the default cluster
    kdiff compare sess_good sess_bad --show-divergence           both sides, step by step
    kdiff compare sess_a sess_a --cluster us-east-1 --other-cluster eu-west-1
    kdiff compare golden sess_new --file golden.ndjson --other-cluster us-east-1
    kdiff compare sess_good sess_bad --ignore payload.input.request_id
    kdiff compare sess_good sess_bad --format html > why.html
    """
    from .command import Choice, compare_sessions
    from .reading.read_sessions import resolve_sources
    from .settings import load_comparison_settings

    log_to_stderr(verbose)
    choice = Choice(shape, show_divergence or only_decisive, only_decisive, around, pager)
    places = resolve_sources(where, other_file, other_cluster)
    context.exit(
        compare_sessions((a, b), places, parse_range(start, end), load_comparison_settings(ignored, patterns), choice)
    )


@app.command(short_help="What sets one bad session apart from several good ones.")
@click.argument("good", nargs=-1, required=True)
@click.option("--against", "bad", required=True, metavar="SESSION", help="The bad session.")
@where_options
@from_option
@to_option
@ignore_option
@pattern_option
@click.option("--format", "shape", type=click.Choice(FORMATS[:3]), default="text", help="[default: text]")
@click.option("--pager/--no-pager", default=True, help="Page long output on a terminal.")
@color_option
@verbose_option
@click.pass_context
def cohort(
    context: click.Context,
    good: tuple[str, ...],
    bad: str,
    where: SourceOptions,
    start: str | None,
    end: str | None,
    ignored: tuple[str, ...],
    patterns: tuple[str, ...],
    shape: str,
    pager: bool,
    verbose: bool,
) -> None:
    """Compare several GOOD sessions with a bad one: what does it do that none of them does?

    \b
    kdiff cohort sess_1 sess_2 sess_3 --against sess_bad
    """
    from .cohort import compare_cohort
    from .command import Choice
    from .settings import load_comparison_settings

    log_to_stderr(verbose)
    choice = Choice(shape, pager=pager)
    context.exit(
        compare_cohort((good, bad), where, parse_range(start, end), load_comparison_settings(ignored, patterns), choice)
    )


def main() -> None:
    """Run kdiff."""
    run(app)
