"""`kafmirror plan` and `kafmirror replicate`: show the plan, carry it out, and show the progress."""

import gc
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import orjson

from agentlog.errors import Stopped
from agentlog.event.escape import escape_controls
from agentlog.terminal.live_screen import Screen, write_log_above
from agentlog.terminal.output import get_width, write_bytes, write_lines
from agentlog.terminal.style import choose_paint

from ..copy.group_result import describe_result, encode_group_result
from ..copy.mirror import CopyOptions, Mirror
from ..kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from ..kafka.metadata import Partition
from ..lag.lag import Threshold, combine_lags
from ..lag.partition_status import PartitionStatus, encode_status
from ..lag.threshold_alerts import ThresholdAlerts
from ..plan.plan import Plan
from .metrics import StatusPage
from .stop_signals import call_on_signal
from .text import Rates, Terminal, describe_unknown, encode_plan, live_lines, plan_lines, summarize, table_lines

REFRESH_INTERVAL_S = 1.0
"""The time between two looks at the mirror's progress, and between two tables on the terminal."""

LOG_INTERVAL_S = 30.0
"""The time between two lines of progress on the log."""

_log = logging.getLogger("kafmirror")


class ReplicateOptions(NamedTuple):
    """The options of `kafmirror replicate`."""

    copy_options: CopyOptions
    threshold: Threshold | None
    metrics_address: str | None
    groups: tuple[str, ...]
    output_format: str


def plan(request: MirrorRequest, output_format: str) -> int:
    """Show what `replicate` would do, and return the exit code: 1 when it can't be done."""
    with open_clusters(request) as clusters:
        mirror_plan = clusters.loop.run(
            Mirror(clusters.source, clusters.target, clusters.selection, CopyOptions()).make_plan
        )
    if output_format == "json":
        write_bytes([orjson.dumps(encode_plan(mirror_plan)), b"\n"])
    else:
        write_lines(plan_lines(mirror_plan, choose_paint(sys.stdout), get_width()))
    return 1 if mirror_plan.all_refusals else 0


def replicate(request: MirrorRequest, options: ReplicateOptions) -> int:
    """Mirror until stopped, or to the end with ``once``. Return the exit code.

    It is 1 over the threshold, when a group's offsets couldn't be set, and when ``once`` couldn't copy a partition. An
    accepted loss is no error.

    Raises:
        Refused: the plan has refusals.
        MirrorStopped: the copy can't continue exactly.
        KafkaError: a cluster didn't answer at the start, or refuses the mirror.
        Stopped: a signal ended the mirror cleanly.
    """
    gc.freeze()  # imported modules stay
    gc.enable()  # a command runs without it, but a mirror may run for months
    with open_clusters(request) as clusters:
        mirror = Mirror(clusters.source, clusters.target, clusters.selection, options.copy_options, options.groups)
        mirror_plan = clusters.loop.run(mirror.make_plan)
        _show_plan(mirror_plan)
        with call_on_signal(clusters.loop, mirror.stop) as signals, _show_progress(clusters, mirror, options):
            clusters.loop.run(mirror.run, mirror_plan)
        statuses = clusters.loop.run(mirror.list_statuses)
        _write_result(statuses, mirror, options.output_format)
        if signals:
            raise Stopped(128 + signals[0])
    is_exceeded = options.threshold is not None and options.threshold.is_exceeded(
        combine_lags([each.lag for each in statuses])
    )
    is_group_left_behind = any(each.is_left_behind for each in mirror.group_results)
    return 1 if is_exceeded or is_group_left_behind or mirror.has_left_out else 0


def _show_plan(mirror_plan: Plan) -> None:
    if sys.stderr.isatty():
        lines = (*plan_lines(mirror_plan, choose_paint(sys.stderr), get_width(sys.stderr)), "")
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        return
    for topic in mirror_plan.topics:
        _log.info("%s: %d partitions, %d records to copy", topic.source, topic.partitions, topic.records)
        for warning in (*topic.warnings, *([describe_unknown(topic)] if topic.unknown else [])):
            _log.warning("topic %s: %s", topic.source, warning)
    for warning in mirror_plan.warnings:
        _log.warning("%s", warning)


@contextmanager
def _show_progress(clusters: ClusterPair, mirror: Mirror, options: ReplicateOptions) -> Iterator[None]:
    """Show the progress and watch the lag while the block runs."""
    stop_event, alerts = threading.Event(), ThresholdAlerts(options.threshold)
    screen = Screen(sys.stderr)
    show = _make_table_display(mirror, screen) if sys.stderr.isatty() else _make_log_display(mirror)
    page = StatusPage()
    with _serve_if_asked(page, options.metrics_address), write_log_above(screen, sys.stderr):

        def refresh() -> None:
            while not stop_event.wait(REFRESH_INTERVAL_S):
                statuses = clusters.loop.run(mirror.list_statuses)
                alerts.update(statuses, time.monotonic())
                page.update(statuses, alerts.describe_alerts(time.monotonic()), mirror.list_waits())
                show(statuses)

        thread = threading.Thread(target=refresh, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop_event.set()
            thread.join()


def _serve_if_asked(page: StatusPage, address: str | None) -> AbstractContextManager[None]:
    """Serve a page if there is an address for it."""
    if address is None:
        return nullcontext()
    from .http_server import serve_page  # noqa: PLC0415  an HTTP server takes a while to load

    return serve_page(page, address)


def _make_log_display(mirror: Mirror) -> Callable[[list[PartitionStatus]], None]:
    """Return a function that logs a line now and then."""
    last_logged = time.monotonic()

    def show(statuses: list[PartitionStatus]) -> None:
        nonlocal last_logged
        if statuses and time.monotonic() - last_logged >= LOG_INTERVAL_S:
            last_logged = time.monotonic()
            _log.warning("%s%s", summarize(statuses), "".join(f"; {text}" for text in mirror.list_waits()))

    return show


def _make_table_display(mirror: Mirror, screen: Screen) -> Callable[[list[PartitionStatus]], None]:
    """Return a function that draws a table on the terminal over the one before."""
    paint, previous_counts = choose_paint(sys.stderr), dict[Partition, tuple[int, int]]()

    def show(statuses: list[PartitionStatus]) -> None:
        rates: Rates = {each.source: _update_rate(previous_counts, each) for each in statuses}
        room = Terminal(get_width(sys.stderr) - 1, screen.height, paint)
        screen.draw(live_lines(statuses, rates, mirror.list_waits(), room))

    return show


def _update_rate(previous_counts: dict[Partition, tuple[int, int]], status: PartitionStatus) -> tuple[float, float]:
    records, sent_bytes = previous_counts.get(status.source, (status.records, status.sent_bytes))
    previous_counts[status.source] = (status.records, status.sent_bytes)
    return (status.records - records) / REFRESH_INTERVAL_S, (status.sent_bytes - sent_bytes) / REFRESH_INTERVAL_S


def _write_result(statuses: list[PartitionStatus], mirror: Mirror, output_format: str) -> None:
    if output_format == "json":
        partitions = [{**encode_status(each), "records": each.records} for each in statuses]
        groups = [encode_group_result(each) for each in mirror.group_results]
        write_bytes([orjson.dumps({"partitions": partitions, "lost": mirror.losses, "groups": groups}), b"\n"])
        return
    copied_count = sum(each.records for each in statuses)
    write_lines(table_lines(statuses, choose_paint(sys.stdout), get_width()))
    write_lines(
        [f"{copied_count:,} records copied; {summarize(statuses)}", *(f"lost: {text}" for text in mirror.losses)]
    )
    write_lines(escape_controls(describe_result(each)) for each in mirror.group_results if each.skip_reason)
