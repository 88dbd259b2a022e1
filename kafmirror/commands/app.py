"""kafmirror's command line: parse, call, render."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from agentlog.log.open_source import parse_range
from agentlog.terminal.command import new_app
from agentlog.terminal.options import FromOption, PropertiesOption, TerminalOptions
from agentlog.terminal.run import run

if TYPE_CHECKING:
    from ..kafka.cluster_pair import MirrorRequest
    from ..lag.lag import Threshold

HELP = """\
Is the other region able to answer too?

\b
kafmirror plan --source us-east-1 --target eu-west-1       # what it would do
kafmirror replicate --source us-east-1 --target eu-west-1  # copy, on and on
kafmirror status --source us-east-1 --target eu-west-1     # how far behind?
kafmirror verify --source us-east-1 --target eu-west-1     # compare them
kafmirror failover --source us-east-1 --target eu-west-1   # switch over
kafmirror failback --source eu-west-1 --target us-east-1   # the way home

Settings, clusters and credentials live in agentlog.toml; docs/kafmirror.md tells all of it.

Exit codes: 0 done, or the same; 1 the answer is no: refused, over the threshold, different, records lost and not
accepted, stopped because going on wouldn't be exact; 2 usage or settings; 3 a cluster can't be reached or refused; 130
and 143 ended by a signal.
"""

ThresholdOption = Annotated[
    str | None,
    typer.Option(
        "--lag-threshold",
        metavar="TIME|RECORDS",
        help="The most that it may be behind: 10s, 500ms, 2m, or 1000 records.",
    ),
]


class MirrorOptions(NamedTuple):
    """Both clusters, their topics, and how the answer is written."""

    source: Annotated[str, typer.Option("--source", metavar="NAME|HOST:PORT", help="The cluster to copy from.")]
    target: Annotated[str, typer.Option("--target", metavar="NAME|HOST:PORT", help="The cluster to copy to.")]
    topics: Annotated[
        tuple[str, ...],
        typer.Option(
            "--topics", "-t", metavar="TOPIC,...", help="Names or patterns: 'agent-*'. [default: agent-events]"
        ),
    ] = ()
    target_topic: Annotated[
        str,
        typer.Option("--target-topic", metavar="TEMPLATE", help="Its name in the target, like '{source}.{topic}'."),
    ] = "{topic}"
    properties: PropertiesOption = ()
    output_format: Annotated[Literal["text", "json"], typer.Option("--format")] = "text"
    terminal: TerminalOptions = TerminalOptions()

    def make_request(self) -> "MirrorRequest":
        """Set the terminal up and return what the user named."""
        from ..kafka.cluster_pair import MirrorRequest

        self.terminal.apply()
        return MirrorRequest(self.source, self.target, self.topics, self.target_topic, self.properties)


def _parse_threshold(text: str | None) -> "Threshold | None":
    from ..lag.lag import parse_threshold

    return None if text is None else parse_threshold(text)


def _check_share(share: float | None) -> float | None:
    if share == 0:
        raise typer.BadParameter("0 is not in the range 0<x<=1.")
    return share


def plan(mirror: MirrorOptions) -> None:
    """Say what replicate would do, and why not if it can't.

    It changes nothing.

    \b
    kafmirror plan --source us-east-1 --target eu-west-1 --topics 'agent-*'
    """
    from .replicate import plan as show_plan

    raise typer.Exit(show_plan(mirror.make_request(), mirror.output_format))


def replicate(
    mirror: MirrorOptions,
    once: Annotated[bool, typer.Option("--once", help="End when all that was there at the start is copied.")] = False,
    lag_threshold: ThresholdOption = None,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Go on behind records that were deleted before they were copied."),
    ] = False,
    groups: Annotated[
        tuple[str, ...],
        typer.Option("--groups", metavar="GROUP,...", help="Take these groups' offsets along; patterns too."),
    ] = (),
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics", metavar="HOST:PORT", help="Serve /metrics for Prometheus, /healthz and /readyz there."
        ),
    ] = None,
) -> None:
    """Copy topics record by record, until stopped.

    Each record comes to lie in the same partition, at the same offset.

    \b
    kafmirror replicate --source us-east-1 --target eu-west-1 --topics 'agent-*'
    kafmirror replicate --source us-east-1 --target eu-west-1 --once
    kafmirror replicate --source us-east-1 --target eu-west-1 --groups 'bill-*'
    kafmirror replicate --source us-east-1 --target eu-west-1 --metrics :9400
    """
    from ..copy.mirror import CopyOptions
    from ..kafka.cluster_pair import split_names
    from .replicate import ReplicateOptions
    from .replicate import replicate as run_replicate

    request, limit = mirror.make_request(), _parse_threshold(lag_threshold)
    group_names = tuple(split_names(groups))
    options = ReplicateOptions(CopyOptions(once, accept_loss), limit, metrics, group_names, mirror.output_format)
    raise typer.Exit(run_replicate(request, options))


def status(
    mirror: MirrorOptions,
    lag_threshold: ThresholdOption = None,
    groups: Annotated[
        tuple[str, ...],
        typer.Option("--groups", metavar="GROUP,...", help="Check these groups' offsets; patterns too."),
    ] = (),
) -> None:
    """Say how far the copy is behind.

    It asks both clusters alone, so no mirror need be running. The exit code is 1 when the lag is over the threshold,
    or when a group's offsets can't be set in the target. It is 3 when a side is away; then it says what the other one
    knows.

    \b
    kafmirror status --source us-east-1 --target eu-west-1 --lag-threshold 10s
    """
    from ..kafka.cluster_pair import split_names
    from .status import status as show_status

    request, limit = mirror.make_request(), _parse_threshold(lag_threshold)
    raise typer.Exit(show_status(request, mirror.output_format, limit, tuple(split_names(groups))))


def verify(
    mirror: MirrorOptions,
    start: FromOption = None,
    sample: Annotated[
        float | None,
        typer.Option(
            "--sample", min=0, max=1, callback=_check_share, metavar="SHARE", help="Compare this share: 0.01."
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", dir_okay=False, metavar="FILE", help="Keep how far it is, and go on."),
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Compute a SHA-256 of each partition's records; slower.")
    ] = False,
) -> None:
    """Compare both sides record by record.

    It compares as far as the copy goes. The exit code is 1 when anything differs.

    \b
    kafmirror verify --source us-east-1 --target eu-west-1
    kafmirror verify --source us-east-1 --target eu-west-1 --from -1h
    kafmirror verify --source us-east-1 --target eu-west-1 --resume verify.json
    """
    from .verify import VerifyOptions
    from .verify import verify as run_verify

    request, begin = mirror.make_request(), parse_range(start, None).start
    raise typer.Exit(run_verify(request, VerifyOptions(begin, sample, resume, digest, mirror.output_format)))


def failover(
    mirror: MirrorOptions,
    groups: Annotated[
        tuple[str, ...],
        typer.Option("--groups", metavar="GROUP,...", help="Set these groups' offsets; patterns too."),
    ] = (),
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Give up what the source holds and wasn't mirrored.")
    ] = False,
) -> None:
    """Let the target take over.

    It checks that the source is quiet or away, verifies the tail, sets the groups, and tells what is lost.

    \b
    kafmirror failover --source us-east-1 --target eu-west-1 --groups '*'
    """
    from ..kafka.cluster_pair import split_names
    from .failover import FailoverOptions
    from .failover import failover as run_failover

    options = FailoverOptions(tuple(split_names(groups)), accept_loss, mirror.output_format)
    raise typer.Exit(run_failover(mirror.make_request(), options))


def failback(
    mirror: MirrorOptions,
    save: Annotated[
        Path | None,
        typer.Option("--save", dir_okay=False, metavar="FILE", help="A capture file for what is only there."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without it, only say what would be done.")] = False,
) -> None:
    """Bring topics home, to the old primary.

    --source is the cluster that took over, --target the old primary. What only the old primary holds is saved as a
    capture file, and its topic deleted and made anew. Meanwhile nobody can write there.

    \b
    kafmirror failback --source eu-west-1 --target us-east-1
    kafmirror failback --source eu-west-1 --target us-east-1 --save a.ndjson --yes
    """
    from .failback import FailbackOptions
    from .failback import failback as run_failback

    raise typer.Exit(run_failback(mirror.make_request(), FailbackOptions(save, yes, mirror.output_format)))


app = new_app(HELP, plan, replicate, status, verify, failover, failback)


def main() -> None:
    """Run kafmirror."""
    run(app)
