"""A block of all writers to a topic: a limit of batch sizes (``max.message.bytes``) that no batch meets.

A limit of 0 bytes refuses every producer, whatever its acks. But it refuses the markers that end transactions as well,
and then such a transaction never ends, although its commit was acknowledged. So the block begins with a limit that lets
only markers pass, waits until no transaction is open, and then goes down to 0.
"""

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agentlog.errors import KafkaUnavailable

from ..batches.filler import build_filler
from ..batches.record_batch import Stamp
from . import topic_admin
from .cluster_view import ClusterView
from .connection import CORRUPT, LATEST_COMMITTED, LATEST_UNREPLICATED, MESSAGE_TOO_LARGE, BrokerError, is_transient
from .fetch_produce import ACKS_LEADER, parse_produce_response, produce
from .metadata import BATCH_LIMIT, MARKER_BYTES, Partition

IN_FORCE_TIMEOUT_S = 30.0
"""How long the brokers may take until each of them has the new limit."""

SETTLE_TIMEOUT_S = 90.0
"""How long to wait for open transactions and for replicas. By default, a transaction times out after 60 s."""

SETTLE_PAUSE_S = 0.5
"""The time between two looks at a topic's ends."""

_PROBE_ANSWERS = (MESSAGE_TOO_LARGE, CORRUPT)

CheckStop = Callable[[], None]
"""A function that raises an exception when the command must end."""


class LogEnds(NamedTuple):
    """The offset behind a leader's last record, and the offset up to which consumers of committed records read."""

    end: int
    stable_end: int


class WriteBlock:
    """A block of a topic's writers. ``check_stop`` is called while it waits."""

    def __init__(self, view: ClusterView, topic: str, check_stop: CheckStop) -> None:
        self.view, self.topic = view, topic
        self._check_stop = check_stop
        self._previous_limit: str | None = None
        self._is_changed = False
        self._ends: dict[int, LogEnds] | None = None

    @property
    def was_there_before(self) -> bool:
        """Whether the topic refused all writers before."""
        return self._previous_limit is not None and int(self._previous_limit) <= MARKER_BYTES

    async def begin(self) -> None:
        """Refuse all writers, and wait until the topic's ends stand still.

        Raises:
            KafkaUnavailable: a transaction stays open, a replica stays behind, or a broker doesn't answer.
            KafkaRefused: we may not change the topic's settings.
        """
        setting = (await topic_admin.fetch_settings(self.view.connection, self.topic))[BATCH_LIMIT]
        self._previous_limit = setting.value if setting.is_overridden else None
        await self._set_limit(MARKER_BYTES)
        await self._wait_until_settled()
        await self._set_limit(0)
        self._ends = await self._wait_until_settled()

    async def find_change(self) -> str | None:
        """Return a sentence about what was written since ``begin``, or a broker that takes records again; else None."""
        deadline = time.monotonic() + IN_FORCE_TIMEOUT_S
        while unknown := [n for n, code in (await self._probe()).items() if code not in _PROBE_ANSWERS]:
            await self._pause(deadline, f"{self._name(unknown)} doesn't say whether it takes records")
        if accepting := [number for number, code in (await self._probe()).items() if code != MESSAGE_TOO_LARGE]:
            return f"{self._name(accepting)} takes records again: somebody changed {BATCH_LIMIT}"
        ends, before = await self._fetch_ends(), self._ends or {}
        if written := [number for number, each in ends.items() if before.get(number) != each]:
            return f"{self._name(written)} doesn't end any more where it ended"
        return None

    async def end(self) -> None:
        """Give the topic its old limit back; raises as ``begin`` does."""
        if self._is_changed:
            await topic_admin.alter_settings(self.view.connection, self.topic, {BATCH_LIMIT: self._previous_limit})

    async def _set_limit(self, limit: int) -> None:
        """Set the limit, and wait until the leader of each partition refuses batches that are larger."""
        self._is_changed = True
        await topic_admin.alter_settings(self.view.connection, self.topic, {BATCH_LIMIT: str(limit)})
        deadline = time.monotonic() + IN_FORCE_TIMEOUT_S
        while accepting := [number for number, code in (await self._probe()).items() if code != MESSAGE_TOO_LARGE]:
            await self._pause(deadline, f"{self._name(accepting)} still takes records")

    async def _probe(self) -> dict[int, int]:
        """Return Kafka's error for a batch with a wrong checksum, by partition.

        A broker looks at the size first, and so says whether it has the limit. It never stores such a batch.
        """
        view, batches = self.view, dict[int, dict[Partition, bytes]]()
        batch = bytearray(build_filler(MARKER_BYTES, Stamp(0, 0), 0))
        batch[-1] ^= 0xFF
        for partition in self._list_partitions():
            batches.setdefault(view.find_leader_node(partition), {})[partition] = bytes(batch)
        codes = {}
        for node, batches_of_node in batches.items():
            future = produce(view.connection, node, batches_of_node, view.topic_ids, ACKS_LEADER)
            response = await view.connection.await_response(future)
            for partition, result in parse_produce_response(response, view.topic_ids).items():
                if result.error not in _PROBE_ANSWERS and not is_transient(result.error):
                    raise view.connection.make_broker_error(result.error, f"writing {partition}", result.message)
                codes[partition.number] = result.error
        return codes

    def _list_partitions(self) -> list[Partition]:
        return [Partition(self.topic, number) for number in sorted(self.view.metadata.topics[self.topic].leaders)]

    def _name(self, numbers: Iterable[int]) -> str:
        return ", ".join(str(Partition(self.topic, number)) for number in numbers)

    async def _wait_until_settled(self) -> dict[int, LogEnds]:
        """Wait until no transaction is open, all replicas have all records, and the ends stand still. Return them."""
        deadline, previous = time.monotonic() + SETTLE_TIMEOUT_S, dict[int, LogEnds]()
        while True:
            try:
                ends = await self._fetch_ends()
            except BrokerError as error:  # a leader moves
                await self._pause(deadline, str(error))
                continue
            open_numbers = [number for number, each in ends.items() if each.stable_end != each.end]
            if not open_numbers and ends == previous:
                return ends
            previous = ends
            problem = f"a transaction is open, or a replica is behind, in {self._name(open_numbers)}"
            await self._pause(deadline, problem if open_numbers else "it is still written")

    async def _fetch_ends(self) -> dict[int, LogEnds]:
        view = self.view
        partitions = self._list_partitions()
        stable_ends = await view.connection.list_offsets(view.metadata, partitions, LATEST_COMMITTED)
        ends = await view.connection.list_offsets(view.metadata, partitions, LATEST_UNREPLICATED)
        return {each.number: LogEnds(ends[each], stable_ends[each]) for each in partitions}

    async def _pause(self, deadline: float, problem: str) -> None:
        self._check_stop()
        if time.monotonic() > deadline:
            raise KafkaUnavailable(f"cluster {self.view.connection.name}, topic {self.topic}: {problem}")
        await self.view.connection.loop.sleep(SETTLE_PAUSE_S)
        self.view.metadata = await self.view.connection.fetch_metadata(self.view.topic_ids)
