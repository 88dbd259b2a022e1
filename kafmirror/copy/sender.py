"""Sending to one broker of the target, and settling what it answers."""

import time
from functools import partial
from typing import Any, NamedTuple

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..batches.record import same_records
from ..batches.record_batch import Batch, first
from ..errors import MirrorStopped
from ..kafka import consumer_groups
from ..kafka.cluster_view import mirror_group
from ..kafka.connection import DUPLICATE_SEQUENCE, MESSAGE_TOO_LARGE, OUT_OF_ORDER_SEQUENCE, error_name, is_transient
from ..kafka.consumer_groups import Committed
from ..kafka.fetch_produce import Produced, produce, produced
from ..kafka.metadata import Partition
from .mirror_state import Running
from .partition_buffer import Outgoing
from .partition_copy import Copying, State
from .resume import foreign

REQUEST_BYTES = 2 << 20
IN_FLIGHT_BYTES = 16 << 20
IN_FLIGHT_OF_ONE = 16


class Sent(NamedTuple):
    """A batch under way, and of which generation of its copy it is."""

    copying: Copying
    outgoing: Outgoing
    generation: int


class Sender:
    """Sends to one broker of the target, for all partitions that it leads."""

    def __init__(self, running: Running, node: int) -> None:
        self._running, self._node = running, node
        self._bell = running.send_bells[node]
        self._turn = 0
        self._under_way = self._bytes_in_flight = 0

    async def run(self) -> None:
        """Send until the mirror stops."""
        while not self._running.stopping:
            try:
                sent = self._gather() if self._bytes_in_flight < IN_FLIGHT_BYTES else {}
            except AgentlogError as error:
                self._running.fail(error)
                return
            if sent:
                self._send(sent)
                await self._running.loop.sleep(0)
            else:
                await self._bell.wait(0.2)

    def _gather(self) -> dict[Partition, Sent]:
        """One batch of each partition that has one ready, as far as they fit into a request."""
        copies = [each for each in self._running.copies.values() if self._leads(each)]
        self._turn += 1
        room, sent, now = REQUEST_BYTES, dict[Partition, Sent](), time.monotonic()
        for number in range(len(copies)):
            copying = copies[(self._turn + number) % len(copies)]
            if room > 0 and self._is_ready(copying, now) and (outgoing := self._next(copying)):
                sent[copying.target] = Sent(copying, outgoing, copying.generation)
                room -= len(outgoing.data)
        return sent

    def _leads(self, copying: Copying) -> bool:
        leader = self._running.target.metadata.leader(copying.target)
        return leader is not None and leader.node == self._node

    def _is_ready(self, copying: Copying, now: float) -> bool:
        flow = copying.flow
        if copying.state is not State.COPIED or not flow.has_waiting:
            return False
        if copying.is_stale(now):
            self._running.look_again(copying)
            return False
        if (copying.read_back or flow.enters_gap) and flow.in_flight:
            return False
        if (flow.enters_gap or flow.shifted) and not copying.noted:
            copying.state = State.NEW  # until the note is written
            self._running.loop.spawn(self._note_first_gap, copying, copying.generation)
            return False
        if self._under_way and flow.has_little:  # the broker takes up one request of a connection after the other
            return False
        return flow.in_flight < IN_FLIGHT_OF_ONE

    def _next(self, copying: Copying) -> Outgoing | None:
        try:
            return copying.flow.next_outgoing(copying.largest)
        except ValueError as error:
            raise MirrorStopped(f"{copying.source} in {self._running.source.wire.name}: {error}") from error

    async def _note_first_gap(self, copying: Copying, generation: int) -> None:
        """Say under the mirror's group that offsets part here, before the first batch that needs it."""
        try:
            await note(self._running, copying)
        except KafkaUnavailable as error:
            self._running.troubles.note(("note", copying.target), str(error))
            await self._running.loop.sleep(0.2)
        except AgentlogError as error:
            self._running.fail(error)
        else:
            self._running.troubles.over(("note", copying.target))
            copying.noted = True
        if copying.generation == generation:
            copying.state = State.COPIED
        self._bell.ring()

    def _send(self, sent: dict[Partition, Sent]) -> None:
        batches = {partition: each.outgoing.data for partition, each in sent.items()}
        self._under_way += 1
        self._bytes_in_flight += sum(map(len, batches.values()))
        target = self._running.target
        future = produce(target.wire, self._node, batches, target.ids)
        future.add_both(partial(self._answered, sent, future))

    def _answered(self, sent: dict[Partition, Sent], future: Any, _: Any) -> None:
        self._under_way -= 1
        self._bytes_in_flight -= sum(len(each.outgoing.data) for each in sent.values())
        try:
            if future.exception is not None:
                self._unanswered(sent, future.exception)
            else:
                answer = produced(future.value, self._running.target.ids)
                self._running.troubles.over(("produce", self._node))
                for partition, each in sent.items():
                    self._settle(each, answer[partition])
        except BaseException as error:  # noqa: BLE001  a callback's error would be lost
            self._running.fail(error)
        self._running.changed.ring()
        self._running.ring()

    def _unanswered(self, sent: dict[Partition, Sent], failure: BaseException) -> None:
        """Nobody knows whether the target took them; where it ends now tells."""
        explained = self._running.target.wire.explained(failure, "writing")
        if not isinstance(explained, KafkaUnavailable):
            raise explained
        self._running.troubles.note(("produce", self._node), str(explained))
        self._running.stale.ring()
        for each in sent.values():
            each.copying.flow.in_flight -= 1
            if each.generation == each.copying.generation:
                self._running.look_again(each.copying)

    def _settle(self, sent: Sent, produced: Produced) -> None:
        copying, outgoing, generation = sent
        if produced.error == 0 and produced.base_offset != outgoing.base:
            name = self._running.target.wire.name
            raise MirrorStopped(foreign(copying, name, outgoing.base, produced.base_offset))
        is_current = generation == copying.generation
        if produced.error == 0 and is_current and copying.read_back:
            self._running.loop.spawn(self._read_back, sent)
            return
        copying.flow.in_flight -= 1
        if produced.error == 0 and is_current:
            self._acknowledge(sent)
        elif produced.error and is_current:
            self._refused(copying, produced)

    def _acknowledge(self, sent: Sent) -> None:
        copying, outgoing, _ = sent
        copying.flow.acknowledged(outgoing)
        copying.know_target()
        copying.alone, copying.races, copying.note_due = False, 0, copying.flow.shifted
        self._running.troubles.over(("produce", copying.target))

    def _refused(self, copying: Copying, produced: Produced) -> None:
        name, code = self._running.target.wire.name, produced.error
        what = f"cluster {name}, {copying.target}: {produced.message or error_name(code)}"
        if code in (OUT_OF_ORDER_SEQUENCE, DUPLICATE_SEQUENCE):
            copying.races += 1
        elif is_transient(code):
            copying.races += 1
            self._running.troubles.note(("produce", copying.target), what)
            self._running.stale.ring()
        elif code == MESSAGE_TOO_LARGE:
            raise MirrorStopped(f"{what}. Its max.message.bytes must be raised to that of the source")
        else:
            raise self._running.target.wire.problem(code, f"writing {copying.target}", produced.message)
        self._running.look_again(copying)

    async def _read_back(self, sent: Sent) -> None:
        """Count an acknowledgement only when the target holds this batch, not another mirror's of the same numbers."""
        copying, outgoing, generation = sent
        try:
            there = await self._running.target.batch_at(copying.target, outgoing.base)
            ours = first(outgoing.data)
            same = there is not None and ours is not None and _is_same(there, ours, outgoing.base)
        except KafkaUnavailable as error:
            self._running.troubles.note(("produce", copying.target), str(error))
            same = False
        except Exception as error:  # noqa: BLE001  a task's error would be lost
            self._running.fail(error)
            return
        copying.flow.in_flight -= 1
        if generation == copying.generation:
            self._acknowledge(sent) if same else self._running.look_again(copying)
        self._running.changed.ring()
        self._running.ring()


def _is_same(there: Batch, ours: Batch, base: int) -> bool:
    at_its_place = there.base_offset == base
    return at_its_place and (there.crc == ours.crc or same_records(there, ours._replace(base_offset=base)))


async def note(running: Running, copying: Copying) -> None:
    """Commit under the mirror's group where the target stands, and which offset of the source that is."""
    here = Committed(copying.flow.done_target, str(copying.flow.done_source))
    copying.note_due = False
    group = mirror_group(copying.flow.producer)
    await consumer_groups.commit(running.target.wire, group, {copying.target: here})
