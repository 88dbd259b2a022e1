"""The fetcher of one broker of the source, for all partitions that the broker leads."""

import time
from collections.abc import Mapping

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..batches.record_batch import OldFormat
from ..errors import MirrorStopped
from ..kafka.connection import OFFSET_OUT_OF_RANGE, format_error_code, is_transient
from ..kafka.fetch_produce import FetchResult, PartitionFetch, fetch
from ..kafka.metadata import Partition
from .mirror_state import MirrorState
from .partition_buffer import DamagedBatch
from .partition_copy import CopyState, PartitionCopy

MAX_TOTAL_QUEUED_BYTES = 24 << 20
"""The limit of fetched batches in memory, over all partitions of a broker. Fetching pauses above it."""

LONG_WAIT_MS, SHORT_WAIT_MS = 500, 5
"""How long a fetch waits for records: long if it asks for all partitions, short if some can't be fetched now."""

TRICKLE_BYTES, TRICKLE_PAUSE_S = 16 * 1024, 0.005
"""After a fetch of fewer bytes, a short pause lets several records arrive for the next fetch."""


async def run_fetcher(state: MirrorState, node: int) -> None:
    """Fetch from a broker until the mirror stops."""
    wakeup, turn = state.fetcher_wakeups[node], 0
    while not state.is_stopping:
        copies_led = [each for each in state.copies.values() if _leads(state, node, each)]
        fetchable = [each for each in copies_led if each.wants_records]
        if not fetchable or sum(each.buffer.queued_bytes for each in copies_led) > MAX_TOTAL_QUEUED_BYTES:
            await wakeup.wait(0.2)
            continue
        turn = (turn + 1) % len(fetchable)  # only a request's first partition gets a large batch
        wait_ms = LONG_WAIT_MS if len(fetchable) == len(copies_led) else SHORT_WAIT_MS
        if await _fetch(state, node, fetchable[turn:] + fetchable[:turn], wait_ms) < TRICKLE_BYTES:
            await state.loop.sleep(TRICKLE_PAUSE_S)


def _leads(state: MirrorState, node: int, copy: PartitionCopy) -> bool:
    leader = state.source.metadata.find_leader(copy.source)
    return leader is not None and leader.node == node


async def _fetch(state: MirrorState, node: int, copies: list[PartitionCopy], wait_ms: int) -> int:
    """Fetch once, and return the number of bytes that came."""
    generations, asked_ms = {copy.source: copy.generation for copy in copies}, time.time() * 1000
    requests = {copy.source: _make_request(state, copy) for copy in copies}
    try:
        answer = await fetch(state.source.connection, node, requests, state.source.topic_ids, wait_ms)
    except KafkaUnavailable as error:
        await _handle_unavailable(state, node, error)
        return 0
    except AgentlogError as error:
        state.fail(error)
        return 0
    state.waits.resolve(("fetch", node))
    _add_all_fetched(state, answer, generations, asked_ms)
    state.wake_workers()
    return sum(len(each.records) for each in answer.values())


def _make_request(state: MirrorState, copy: PartitionCopy) -> PartitionFetch:
    leader = state.source.metadata.find_leader(copy.source)
    epoch = leader.epoch if leader else -1
    return PartitionFetch(copy.buffer.fetch_offset, epoch, copy.buffer.last_epoch, copy.fetch_bytes)


async def _handle_unavailable(state: MirrorState, node: int, error: KafkaUnavailable) -> None:
    state.waits.report(("fetch", node), str(error))
    state.refresh_wakeup.set()
    await state.loop.sleep(0.1)


def _add_all_fetched(
    state: MirrorState,
    answer: Mapping[Partition, FetchResult],
    generations: Mapping[Partition, int],
    asked_ms: float,
) -> None:
    now = time.monotonic()
    for partition, fetched in answer.items():
        copy = state.copies[partition]
        if copy.generation == generations[partition] and copy.state is CopyState.COPYING:
            try:
                _add_fetched(state, copy, fetched, now)
                if not fetched.error:
                    copy.update_source_end(max(fetched.stable_end, copy.buffer.fetch_offset), asked_ms)
            except (DamagedBatch, OldFormat, ValueError) as error:
                state.fail(MirrorStopped(f"{partition} in {state.source.connection.name}: {error}"))
    state.progress_wakeup.set()


def _add_fetched(state: MirrorState, copy: PartitionCopy, fetched: FetchResult, now: float) -> None:
    key = ("fetch", copy.source)
    if fetched.error:
        _handle_error(state, copy, fetched.error)
        return
    state.waits.resolve(key)
    if fetched.diverged_at is not None:
        state.fail(
            MirrorStopped(
                f"{copy.source} in {state.source.connection.name} has lost records (an unclean leader election): "
                f"its log differs from offset {fetched.diverged_at} on, "
                f"and was read up to {copy.buffer.fetch_offset - 1}"
            )
        )
        return
    offset_before = copy.buffer.fetch_offset
    copy.buffer.add_fetched(fetched.records, fetched.aborted, now)
    if fetched.records and copy.buffer.fetch_offset == offset_before:
        copy.fetch_bytes = min(copy.fetch_bytes * 2, 1 << 28)  # the batch is larger


def _handle_error(state: MirrorState, copy: PartitionCopy, code: int) -> None:
    name = state.source.connection.name
    if code == OFFSET_OUT_OF_RANGE:
        state.reexamine(copy)
    elif is_transient(code):
        state.waits.report(("fetch", copy.source), f"cluster {name}, {copy.source}: {format_error_code(code)}")
        state.refresh_wakeup.set()
    else:
        state.fail(state.source.connection.make_broker_error(code, f"reading {copy.source}", right="READ"))
