"""Fetching from one broker of the source, for all partitions that it leads."""

import time
from collections.abc import Mapping

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..batches.record_batch import OldFormat
from ..errors import MirrorStopped
from ..kafka.connection import OFFSET_OUT_OF_RANGE, error_name, is_transient
from ..kafka.fetch_produce import Asked, Fetched, fetch
from ..kafka.metadata import Partition
from .mirror_state import Running
from .partition_buffer import Damaged
from .partition_copy import Copying, State

QUEUED_IN_ALL = 24 << 20
LONG_WAIT_MS, SHORT_WAIT_MS = 500, 5
LITTLE_BYTES, GATHER_S = 16 * 1024, 0.005
"""Where a fetch brings little, records trickle in: a pause lets a few of them come at once."""


async def fetch_from(running: Running, node: int) -> None:
    """Fetch from a broker until the mirror stops."""
    bell, turn = running.fetch_bells[node], 0
    while not running.stopping:
        led = [each for each in running.copies.values() if _leads(running, node, each)]
        wanted = [each for each in led if each.wants_records]
        if not wanted or sum(each.flow.queued_bytes for each in led) > QUEUED_IN_ALL:
            await bell.wait(0.2)
            continue
        turn = (turn + 1) % len(wanted)  # only the first partition of a request gets a batch of any size
        wait_ms = LONG_WAIT_MS if len(wanted) == len(led) else SHORT_WAIT_MS
        if await _fetch(running, node, wanted[turn:] + wanted[:turn], wait_ms) < LITTLE_BYTES:
            await running.loop.sleep(GATHER_S)


def _leads(running: Running, node: int, copying: Copying) -> bool:
    leader = running.source.metadata.leader(copying.source)
    return leader is not None and leader.node == node


async def _fetch(running: Running, node: int, wanted: list[Copying], wait_ms: int) -> int:
    """Fetch once; how many bytes came."""
    generations = {copying.source: copying.generation for copying in wanted}
    asked = {copying.source: _asked(running, copying) for copying in wanted}
    try:
        answer = await fetch(running.source.wire, node, asked, running.source.ids, wait_ms)
    except KafkaUnavailable as error:
        await _unavailable(running, node, error)
        return 0
    except AgentlogError as error:
        running.fail(error)
        return 0
    running.troubles.over(("fetch", node))
    _take_all(running, answer, generations)
    running.ring()
    return sum(len(each.records) for each in answer.values())


def _asked(running: Running, copying: Copying) -> Asked:
    leader = running.source.metadata.leader(copying.source)
    epoch = leader.epoch if leader else -1
    return Asked(copying.flow.fetch_from, epoch, copying.flow.last_epoch, copying.fetch_bytes)


async def _unavailable(running: Running, node: int, error: KafkaUnavailable) -> None:
    running.troubles.note(("fetch", node), str(error))
    running.stale.ring()
    await running.loop.sleep(0.1)


def _take_all(running: Running, answer: Mapping[Partition, Fetched], generations: Mapping[Partition, int]) -> None:
    now = time.monotonic()
    for partition, fetched in answer.items():
        copying = running.copies[partition]
        if copying.generation == generations[partition] and copying.state is State.COPIED:
            try:
                _take(running, copying, fetched, now)
            except (Damaged, OldFormat, ValueError) as error:
                running.fail(MirrorStopped(f"{partition} in {running.source.wire.name}: {error}"))
    running.changed.ring()


def _take(running: Running, copying: Copying, fetched: Fetched, now: float) -> None:
    what = ("fetch", copying.source)
    if fetched.error:
        _refused(running, copying, fetched.error)
        return
    running.troubles.over(what)
    if fetched.diverged is not None:
        running.fail(
            MirrorStopped(
                f"{copying.source} in {running.source.wire.name} has lost records (an unclean leader election): its "
                f"log parts at offset {fetched.diverged} from what was read up to {copying.flow.fetch_from - 1}"
            )
        )
        return
    before = copying.flow.fetch_from
    copying.flow.take(fetched.records, fetched.aborted, now)
    copying.know_source(max(fetched.stable_end, copying.flow.fetch_from))
    if fetched.records and copying.flow.fetch_from == before:
        copying.fetch_bytes = min(copying.fetch_bytes * 2, 1 << 28)  # a batch that is larger than what was asked for


def _refused(running: Running, copying: Copying, code: int) -> None:
    name = running.source.wire.name
    if code == OFFSET_OUT_OF_RANGE:
        running.look_again(copying)
    elif is_transient(code):
        running.troubles.note(("fetch", copying.source), f"cluster {name}, {copying.source}: {error_name(code)}")
        running.stale.ring()
    else:
        running.fail(running.source.wire.problem(code, f"reading {copying.source}"))
