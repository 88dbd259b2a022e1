"""kafmirror's command line: parse, call, render."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentlog.log.open_source import parse_range
from agentlog.terminal.options import color_option, from_option, property_option, verbose_option
from agentlog.terminal.run import log_to_stderr, new_app, run

if TYPE_CHECKING:
    from .kafka.cluster_pair import MirrorRequest
    from .lag.lag import Threshold

HELP = """\
Is the other region able to answer too?

\b
kafmirror plan --source us-east-1 --target eu-west-1       what would be done, and why not
kafmirror replicate --source us-east-1 --target eu-west-1  copy, to the same offsets, until stopped
kafmirror status --source us-east-1 --target eu-west-1     how far the copy is behind
kafmirror verify --source us-east-1 --target eu-west-1     compare both sides, record by record
kafmirror failover --source us-east-1 --target eu-west-1   let the target take over
kafmirror failback --source eu-west-1 --target us-east-1   and the way home

Settings, clusters and credentials live in agentlog.toml; docs/kafmirror.md tells all of it.

Exit codes: 0 done, or the same; 1 the answer is no: refused, over the threshold, different, stopped because going on
wouldn't be exact; 2 usage or settings; 3 a cluster can't be reached or refused; 130 and 143 ended by a signal.
"""

app = new_app(HELP)

_Command = Callable[..., Any]

source_option = click.option("--source", required=True, metavar="NAME|HOST:PORT", help="The cluster to copy from.")
target_option = click.option("--target", required=True, metavar="NAME|HOST:PORT", help="The cluster to copy to.")
topics_option = click.option(
    "--topics",
    "-t",
    multiple=True,
    metavar="TOPIC,...",
    help="Names or patterns: 'agent-*'. [default: agent-events]",
)
target_topic_option = click.option(
    "--target-topic", default="{topic}", metavar="TEMPLATE", help="Its name in the target, like '{source}.{topic}'."
)
format_option = click.option(
    "--format", "shape", type=click.Choice(("text", "json")), default="text", help="[default: text]"
)


def _threshold(_context: click.Context, _parameter: click.Parameter, text: str | None) -> "Threshold | None":
    from .lag.lag import parse_threshold

    return None if text is None else parse_threshold(text)


threshold_option = click.option(
    "--lag-threshold",
    "limit",
    callback=_threshold,
    metavar="TIME|RECORDS",
    help="The most that it may be behind: 10s, 500ms, 2m, or 1000 records.",
)


def named_options(command: _Command) -> _Command:
    """The options that name both clusters and their topics; the command gets them as one ``named``."""

    @wraps(command)
    def with_named(**options: Any) -> Any:
        from .kafka.cluster_pair import MirrorRequest

        named = MirrorRequest(**{name: options.pop(name) for name in MirrorRequest._fields})
        log_to_stderr(options.pop("verbose"))
        return command(named=named, **options)

    options = (source_option, target_option, topics_option, target_topic_option, property_option, format_option)
    for option in reversed((*options, color_option, verbose_option)):
        with_named = option(with_named)
    return with_named


@app.command()
@named_options
@click.pass_context
def plan(context: click.Context, named: "MirrorRequest", shape: str) -> None:
    """Say what replicate would do, and why not if it can't; change nothing.

    \b
    kafmirror plan --source us-east-1 --target eu-west-1 --topics 'agent-*'
    """
    from .commands.replicate import plan as show_plan

    context.exit(show_plan(named, shape))


@app.command()
@named_options
@click.option("--once", is_flag=True, help="End when all that was there at the start is copied.")
@threshold_option
@click.option("--accept-loss", is_flag=True, help="Go on behind records that were deleted before they were copied.")
@click.option("--groups", multiple=True, metavar="GROUP,...", help="Take these groups' offsets along; patterns too.")
@click.option("--metrics", metavar="HOST:PORT", help="Serve /metrics for Prometheus, /healthz and /readyz there.")
@click.pass_context
def replicate(
    context: click.Context,
    named: "MirrorRequest",
    shape: str,
    once: bool,
    limit: "Threshold | None",
    accept_loss: bool,
    groups: tuple[str, ...],
    metrics: str | None,
) -> None:
    """Copy topics record by record, to the same partitions and offsets, until stopped.

    \b
    kafmirror replicate --source us-east-1 --target eu-west-1 --topics agent-events --lag-threshold 10s
    kafmirror replicate --source us-east-1 --target eu-west-1 --once
    kafmirror replicate --source us-east-1 --target eu-west-1 --groups 'billing-*' --metrics :9400
    """
    from .commands.replicate import ReplicateOptions
    from .commands.replicate import replicate as run_replicate
    from .copy.mirror import CopyOptions
    from .kafka.cluster_pair import split_names

    how = ReplicateOptions(CopyOptions(once, accept_loss), limit, metrics, tuple(split_names(groups)), shape)
    context.exit(run_replicate(named, how))


@app.command()
@named_options
@threshold_option
@click.pass_context
def status(context: click.Context, named: "MirrorRequest", shape: str, limit: "Threshold | None") -> None:
    """Say how far the copy is behind, from both clusters alone; exit 1 when it is over the threshold.

    \b
    kafmirror status --source us-east-1 --target eu-west-1 --lag-threshold 10s
    """
    from .commands.status import status as show_status

    context.exit(show_status(named, shape, limit))


@app.command()
@named_options
@from_option
@click.option("--sample", type=click.FloatRange(0, 1, min_open=True), metavar="SHARE", help="Compare this share: 0.01.")
@click.option(
    "--resume", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Keep how far it is, and go on."
)
@click.option("--digest", is_flag=True, help="Compute a SHA-256 of each partition's records; slower.")
@click.pass_context
def verify(
    context: click.Context,
    named: "MirrorRequest",
    shape: str,
    start: str | None,
    sample: float | None,
    resume: Path | None,
    digest: bool,
) -> None:
    """Compare both sides record by record, as far as the copy goes; exit 1 when anything differs.

    \b
    kafmirror verify --source us-east-1 --target eu-west-1
    kafmirror verify --source us-east-1 --target eu-west-1 --from -1h
    kafmirror verify --source us-east-1 --target eu-west-1 --resume verify.json
    """
    from .commands.verify import VerifyOptions
    from .commands.verify import verify as run_verify

    begin = parse_range(start, None).start
    context.exit(run_verify(named, VerifyOptions(begin, sample, resume, digest, shape)))


@app.command()
@named_options
@click.option("--groups", multiple=True, metavar="GROUP,...", help="Set these groups' offsets; patterns too.")
@click.option("--accept-loss", is_flag=True, help="Give up what the source holds and wasn't mirrored.")
@click.pass_context
def failover(
    context: click.Context, named: "MirrorRequest", shape: str, groups: tuple[str, ...], accept_loss: bool
) -> None:
    """Let the target take over: check that the source is quiet or away, verify the tail, set groups, tell what is lost.

    \b
    kafmirror failover --source us-east-1 --target eu-west-1 --groups '*'
    """
    from .commands.failover import FailoverOptions
    from .commands.failover import failover as run_failover
    from .kafka.cluster_pair import split_names

    context.exit(run_failover(named, FailoverOptions(tuple(split_names(groups)), accept_loss, shape)))


@app.command()
@named_options
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A capture file for what is only there.",
)
@click.option("--yes", is_flag=True, help="Do it; without this it is only told.")
@click.pass_context
def failback(context: click.Context, named: "MirrorRequest", shape: str, save: Path | None, yes: bool) -> None:
    """Bring topics home: --source is the cluster that took over, --target the old primary.

    What only the old primary holds is saved as a capture file, and its topic deleted and made anew.

    \b
    kafmirror failback --source eu-west-1 --target us-east-1
    kafmirror failback --source eu-west-1 --target us-east-1 --save never-mirrored.ndjson --yes
    """
    from .commands.failback import FailbackOptions
    from .commands.failback import failback as run_failback

    context.exit(run_failback(named, FailbackOptions(save, yes, shape)))


def main() -> None:
    """Run kafmirror."""
    run(app)
