"""`kafmirror replicate` and `kafmirror plan`: what is going to be done, done, and shown as it goes."""

import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import NamedTuple

import orjson

from agentlog.errors import Stopped
from agentlog.terminal.live_screen import Screen, above
from agentlog.terminal.output import columns, paint_for, width, write, write_bytes

from ..copy.mirror import Mirror, Options
from ..kafka.cluster_pair import Named, Sides, opened
from ..kafka.metadata import Partition
from ..lag.lag import Threshold, worst
from ..lag.partition_status import Standing, as_json
from ..lag.threshold_alerts import Watch
from ..plan.plan import Plan
from .metrics import Page
from .text import Rates, Room, live_lines, plan_json, plan_lines, summary, table_lines

LOOK_S = 1.0
LOG_EVERY_S = 30.0

_log = logging.getLogger("kafmirror")


class Replication(NamedTuple):
    """How `kafmirror replicate` was called."""

    options: Options
    threshold: Threshold | None
    metrics: str | None
    groups: tuple[str, ...]
    shape: str


def plan(named: Named, shape: str) -> int:
    """Show what `replicate` would do; the exit code: 1 when it can't be done."""
    with opened(named) as sides:
        found = sides.loop.run(Mirror(sides.source, sides.target, sides.wanted, Options()).plan)
    if shape == "json":
        write_bytes([orjson.dumps(plan_json(found)), b"\n"])
    else:
        write(plan_lines(found, paint_for(sys.stdout), columns()))
    return 1 if found.all_refusals else 0


def replicate(named: Named, how: Replication) -> int:
    """Mirror until stopped, or with ``once`` to the end; the exit code: 1 when it ends over the threshold.

    Raises:
        Refused: the plan says no.
        MirrorStopped: going on wouldn't be exact.
        KafkaError: a side didn't answer at the start, or refuses the mirror.
        Stopped: a signal ended it, cleanly.
    """
    gc.freeze()  # what was imported stays
    gc.enable()  # it may run for months
    with opened(named) as sides:
        mirror = Mirror(sides.source, sides.target, sides.wanted, how.options, how.groups)
        found = sides.loop.run(mirror.plan)
        _show_plan(found)
        with _signals(mirror) as caught, _shown(sides, mirror, how):
            sides.loop.run(mirror.run, found)
        standings = sides.loop.run(mirror.standings)
        _report(standings, mirror, how.shape)
        if caught:
            raise Stopped(128 + caught[0])
    exceeded = how.threshold is not None and how.threshold.is_exceeded(worst([each.lag for each in standings]))
    return 1 if exceeded or mirror.losses else 0


def _show_plan(found: Plan) -> None:
    if sys.stderr.isatty():
        lines = (*plan_lines(found, paint_for(sys.stderr), width()), "")
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        return
    for topic in found.topics:
        _log.info("%s: %d partitions, %d records to copy", topic.source, topic.partitions, topic.records)
        for warning in topic.warnings:
            _log.warning("topic %s: %s", topic.source, warning)
    for warning in found.warnings:
        _log.warning("%s", warning)


@contextmanager
def _signals(mirror: Mirror) -> Iterator[list[int]]:
    """The first signal lets the mirror end cleanly, the second ends the process at once."""
    caught: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        mirror.source.loop.soon(mirror.stop)

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        if not caught:
            for each, handler in before.items():
                signal.signal(each, handler)


@contextmanager
def _shown(sides: Sides, mirror: Mirror, how: Replication) -> Iterator[None]:
    """Show how far the mirror is, and watch the lag, while the block runs."""
    over, watch = threading.Event(), Watch(how.threshold)
    screen = Screen(sys.stderr)
    show = _table(mirror, screen) if sys.stderr.isatty() else _log_lines(mirror)
    page = Page()
    with _served(page, how.metrics), above(screen, sys.stderr):

        def look() -> None:
            while not over.wait(LOOK_S):
                standings = sides.loop.run(mirror.standings)
                watch.look(standings, time.monotonic())
                page.tell(standings, watch.complaints(time.monotonic()), mirror.troubles())
                show(standings)

        watching = threading.Thread(target=look, daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()
            watching.join()


def _served(page: Page, address: str | None) -> AbstractContextManager[None]:
    """Serve a page where an address is given."""
    if address is None:
        return nullcontext()
    from .http_server import served  # noqa: PLC0415  an HTTP server takes a while to load

    return served(page, address)


def _log_lines(mirror: Mirror) -> Callable[[list[Standing]], None]:
    """A line on the log now and then."""
    last = time.monotonic()

    def show(standings: list[Standing]) -> None:
        nonlocal last
        if standings and time.monotonic() - last >= LOG_EVERY_S:
            last = time.monotonic()
            _log.warning("%s%s", summary(standings), "".join(f"; {text}" for text in mirror.troubles()))

    return show


def _table(mirror: Mirror, screen: Screen) -> Callable[[list[Standing]], None]:
    """A table on the terminal, drawn over itself."""
    paint, before = paint_for(sys.stderr), dict[Partition, tuple[int, int]]()

    def show(standings: list[Standing]) -> None:
        rates: Rates = {each.source: _rate(before, each) for each in standings}
        room = Room(width() - 1, screen.height, paint)
        screen.draw(live_lines(standings, rates, mirror.troubles(), room))

    return show


def _rate(before: dict[Partition, tuple[int, int]], standing: Standing) -> tuple[float, float]:
    records, sent = before.get(standing.source, (standing.records, standing.sent_bytes))
    before[standing.source] = (standing.records, standing.sent_bytes)
    return (standing.records - records) / LOOK_S, (standing.sent_bytes - sent) / LOOK_S


def _report(standings: list[Standing], mirror: Mirror, shape: str) -> None:
    if shape == "json":
        partitions = [{**as_json(each), "records": each.records} for each in standings]
        write_bytes([orjson.dumps({"partitions": partitions, "lost": mirror.losses}), b"\n"])
        return
    copied = sum(each.records for each in standings)
    write(table_lines(standings, paint_for(sys.stdout), columns()))
    write([f"{copied:,} records copied; {summary(standings)}", *(f"lost: {text}" for text in mirror.losses)])
