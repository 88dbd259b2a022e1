"""The sender to one broker of the target, which also handles the answers."""

import time
from functools import partial
from typing import Any, NamedTuple

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..batches.loss import OffsetNote
from ..batches.record import has_same_records
from ..batches.record_batch import Batch, read_first_batch
from ..errors import MirrorStopped
from ..kafka import consumer_groups
from ..kafka.cluster_view import name_mirror_group
from ..kafka.connection import (
    DUPLICATE_SEQUENCE,
    MESSAGE_TOO_LARGE,
    OUT_OF_ORDER_SEQUENCE,
    format_error_code,
    is_transient,
)
from ..kafka.consumer_groups import CommittedOffset
from ..kafka.fetch_produce import ProduceResult, parse_produce_response, produce
from ..kafka.metadata import Partition
from .mirror_state import MirrorState
from .partition_buffer import OutgoingBatch
from .partition_copy import CopyState, PartitionCopy
from .resume import describe_foreign_write

MAX_REQUEST_BYTES = 2 << 20
"""A request with this many bytes gets no further batch. A quota lowers this limit."""

MIN_REQUEST_BYTES = 32 << 10
"""The limit of a request's bytes never falls below this, however small the quota is."""

MAX_IN_FLIGHT_BYTES = 16 << 20
"""The limit of bytes that were sent to a broker and aren't answered yet. Sending pauses above it."""

MAX_IN_FLIGHT_PER_PARTITION = 16
"""The limit of a partition's batches that were sent and aren't answered yet."""


class SentBatch(NamedTuple):
    """A batch under way, with the generation of its copy in which it was sent."""

    copy: PartitionCopy
    outgoing: OutgoingBatch
    generation: int


class Sender:
    """The sender to one broker of the target, for all partitions that the broker leads."""

    def __init__(self, state: MirrorState, node: int) -> None:
        self._state, self._node = state, node
        self._wakeup = state.sender_wakeups[node]
        self._turn = 0
        self._request_count = self._bytes_in_flight = 0
        self._request_limit = self._in_flight_limit = MAX_REQUEST_BYTES

    async def run(self) -> None:
        """Send until the mirror stops."""
        while not self._state.is_stopping:
            try:
                sent = self._collect_batches() if self._may_send() else {}
            except AgentlogError as error:
                self._state.fail(error)
                return
            if sent:
                self._send(sent)
                await self._state.loop.sleep(0)
            else:
                await self._wakeup.wait(0.2)

    def _may_send(self) -> bool:
        is_below_limit = not self._bytes_in_flight or self._bytes_in_flight < self._in_flight_limit
        return is_below_limit and not self._state.target.connection.is_paused(self._node)

    def _adapt_limits(self, sent_bytes: int, throttle_s: float) -> None:
        """Send more at once while no quota makes us wait; else one request at a time, which costs a wait of a second.

        A broker reads nothing while it makes us wait. Requests behind that would run into their time-out.
        """
        if throttle_s:
            self._request_limit = min(max(int(sent_bytes / throttle_s), MIN_REQUEST_BYTES), MAX_REQUEST_BYTES)
            self._in_flight_limit = 0
        else:
            self._request_limit = min(self._request_limit * 2, MAX_REQUEST_BYTES)
            self._in_flight_limit = min(max(self._in_flight_limit, MAX_REQUEST_BYTES // 2) * 2, MAX_IN_FLIGHT_BYTES)

    def _collect_batches(self) -> dict[Partition, SentBatch]:
        """Return a batch of each partition that has one ready, as many as fit into a request."""
        copies = [each for each in self._state.copies.values() if self._leads(each)]
        self._turn += 1
        remaining_bytes, sent, now = self._request_limit, dict[Partition, SentBatch](), time.monotonic()
        for number in range(len(copies)):
            copy = copies[(self._turn + number) % len(copies)]
            if remaining_bytes > 0 and self._is_ready(copy, now) and (outgoing := self._build_next_batch(copy)):
                sent[copy.target] = SentBatch(copy, outgoing, copy.generation)
                remaining_bytes -= len(outgoing.data)
        return sent

    def _leads(self, copy: PartitionCopy) -> bool:
        leader = self._state.target.metadata.find_leader(copy.target)
        return leader is not None and leader.node == self._node

    def _is_ready(self, copy: PartitionCopy, now: float) -> bool:
        buffer = copy.buffer
        if copy.state is not CopyState.COPYING or not buffer.has_waiting:
            return False
        if copy.is_stale(now):
            self._state.reexamine(copy)
            return False
        if (copy.should_read_back or buffer.enters_gap) and buffer.in_flight_count:
            return False
        if (buffer.enters_gap or buffer.is_shifted) and not copy.is_gap_noted:
            copy.state = CopyState.NEW  # nothing is sent until the note is written
            self._state.loop.spawn(self._note_first_gap, copy, copy.generation)
            return False
        if self._request_count and buffer.has_little:  # the broker handles one request of a connection at a time
            return False
        return buffer.in_flight_count < MAX_IN_FLIGHT_PER_PARTITION

    def _build_next_batch(self, copy: PartitionCopy) -> OutgoingBatch | None:
        try:
            return copy.buffer.build_next_batch(copy.max_batch_bytes)
        except ValueError as error:
            raise MirrorStopped(f"{copy.source} in {self._state.source.connection.name}: {error}") from error

    async def _note_first_gap(self, copy: PartitionCopy, generation: int) -> None:
        """Note the offsets of both sides in the mirror's group, before the first batch whose offsets differ."""
        try:
            await commit_offset_note(self._state, copy)
        except KafkaUnavailable as error:
            self._state.waits.report(("note", copy.target), str(error))
            await self._state.loop.sleep(0.2)
        except AgentlogError as error:
            self._state.fail(error)
        else:
            self._state.waits.resolve(("note", copy.target))
            copy.is_gap_noted = True
        if copy.generation == generation:
            copy.state = CopyState.COPYING
        self._wakeup.set()

    def _send(self, sent: dict[Partition, SentBatch]) -> None:
        batches = {partition: each.outgoing.data for partition, each in sent.items()}
        self._request_count += 1
        self._bytes_in_flight += sum(map(len, batches.values()))
        target = self._state.target
        future = produce(target.connection, self._node, batches, target.topic_ids)
        future.add_both(partial(self._handle_response, sent, future))

    def _handle_response(self, sent: dict[Partition, SentBatch], future: Any, _: Any) -> None:
        self._request_count -= 1
        sent_bytes = sum(len(each.outgoing.data) for each in sent.values())
        self._bytes_in_flight -= sent_bytes
        try:
            if future.exception is not None:
                self._handle_failure(sent, future.exception)
            else:
                self._state.target.connection.note_throttling(future.value)
                self._adapt_limits(sent_bytes, future.value.throttle_time_ms / 1000)
                response = parse_produce_response(future.value, self._state.target.topic_ids)
                self._state.waits.resolve(("produce", self._node))
                for partition, each in sent.items():
                    self._settle(each, response[partition])
        except BaseException as error:  # noqa: BLE001  a callback's error would be lost
            self._state.fail(error)
        self._state.progress_wakeup.set()
        self._state.wake_workers()

    def _handle_failure(self, sent: dict[Partition, SentBatch], failure: BaseException) -> None:
        """Read the target's end again, because it is unknown whether the target stored the batches."""
        error = self._state.target.connection.translate_error(failure, "writing")
        if not isinstance(error, KafkaUnavailable):
            raise error
        self._state.waits.report(("produce", self._node), str(error))
        self._state.refresh_wakeup.set()
        for each in sent.values():
            each.copy.buffer.in_flight_count -= 1
            if each.generation == each.copy.generation:
                self._state.reexamine(each.copy)

    def _settle(self, sent: SentBatch, result: ProduceResult) -> None:
        copy, outgoing, generation = sent
        if result.error == 0 and result.base_offset != outgoing.base_offset:
            name = self._state.target.connection.name
            raise MirrorStopped(describe_foreign_write(copy, name, outgoing.base_offset, result.base_offset))
        is_current = generation == copy.generation
        if result.error == 0 and is_current and copy.should_read_back:
            self._state.loop.spawn(self._confirm_by_reading, sent)
            return
        copy.buffer.in_flight_count -= 1
        if result.error == 0 and is_current:
            self._acknowledge(sent)
        elif result.error and is_current:
            self._handle_error(copy, result)

    def _acknowledge(self, sent: SentBatch) -> None:
        copy, outgoing, _ = sent
        copy.buffer.acknowledge(outgoing)
        copy.confirm_target_end()
        copy.advanced_at = copy.target_end_known_at
        copy.should_read_back_first, copy.race_count, copy.is_note_due = False, 0, copy.buffer.is_shifted
        self._state.waits.resolve(("produce", copy.target))

    def _handle_error(self, copy: PartitionCopy, result: ProduceResult) -> None:
        name, code = self._state.target.connection.name, result.error
        message = f"cluster {name}, {copy.target}: {result.message or format_error_code(code)}"
        if code in (OUT_OF_ORDER_SEQUENCE, DUPLICATE_SEQUENCE):
            copy.race_count += 1
        elif is_transient(code):
            copy.race_count += 1
            self._state.waits.report(("produce", copy.target), message)
            self._state.refresh_wakeup.set()
        elif code == MESSAGE_TOO_LARGE:
            raise MirrorStopped(f"{message}. Raise the topic's max.message.bytes in the target to the source's value")
        else:
            connection = self._state.target.connection
            raise connection.make_broker_error(code, f"writing {copy.target}", result.message, right="WRITE")
        self._state.reexamine(copy)

    async def _confirm_by_reading(self, sent: SentBatch) -> None:
        """Count an acknowledgement only if the target holds this batch, not another mirror's with the same sequence."""
        copy, outgoing, generation = sent
        try:
            target_batch = await self._state.target.fetch_batch_at(copy.target, outgoing.base_offset)
            sent_batch = read_first_batch(outgoing.data)
            is_same = (
                target_batch is not None
                and sent_batch is not None
                and _is_same_batch(target_batch, sent_batch, outgoing.base_offset)
            )
        except KafkaUnavailable as error:
            self._state.waits.report(("produce", copy.target), str(error))
            is_same = False
        except Exception as error:  # noqa: BLE001  a task's error would be lost
            self._state.fail(error)
            return
        copy.buffer.in_flight_count -= 1
        if generation == copy.generation:
            self._acknowledge(sent) if is_same else self._state.reexamine(copy)
        self._state.progress_wakeup.set()
        self._state.wake_workers()


def _is_same_batch(target_batch: Batch, sent_batch: Batch, base_offset: int) -> bool:
    is_at_base = target_batch.base_offset == base_offset
    return is_at_base and (
        target_batch.crc == sent_batch.crc
        or has_same_records(target_batch, sent_batch._replace(base_offset=base_offset))
    )


async def commit_offset_note(state: MirrorState, copy: PartitionCopy) -> None:
    """Commit the target's offset, the source's and the accepted losses under the mirror's group."""
    note = OffsetNote(copy.buffer.done_target, copy.buffer.done_source, tuple(copy.losses))
    position = CommittedOffset(note.target, note.encode())
    copy.is_note_due = False
    group = name_mirror_group(copy.buffer.producer_id)
    refusals = await consumer_groups.commit_offsets(state.target.connection, group, {copy.target: position})
    for partition, code in refusals.items():
        raise state.target.connection.make_broker_error(
            code, f"group {group}, {partition}", consumer_groups.describe_refusal(code)
        )
