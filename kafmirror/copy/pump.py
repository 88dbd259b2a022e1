"""The pump: batches from the leaders of one cluster to the leaders of another, each request a compare-and-set.

One task a broker of the source fetches, one task a broker of the target sends. Whatever isn't a plain success makes the
mirror look again where the target ends, and go on from there.
"""

import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..batches.checkpoint import Go, Lost
from ..errors import MirrorStopped
from ..kafka.cluster_view import Side
from ..kafka.connection import LATEST, UNKNOWN_TOPIC, WireError
from ..kafka.event_loop import Signal
from .fetcher import fetch_from
from .mirror_state import Running
from .partition_copy import Copying, State
from .resume import place
from .sender import Sender, note

REFRESH_S = 3.0
GONE_AFTER_S = 10.0
DRAIN_S = 10.0
STAND_BY_S = 2.0
QUIET_S = 15.0
"""How long the target must stand still before the mirror goes on behind an accepted loss.

By then every other mirror that still holds the lost records has written them, or looks up where the target ends.
"""


class Pump:
    """Copies the partitions of a ``Running`` mirror."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._gone_since: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Copy until all goals are reached or ``running.stopping`` is set; then wait for what is under way.

        Raises:
            MirrorStopped: going on wouldn't be exact.
            KafkaRefused: a side refuses the mirror.
        """
        running = self._running
        self._start_tasks()
        running.loop.spawn(self._guarded, self._examine_all)
        running.loop.spawn(self._guarded, self._keep_fresh)
        while not running.stopping and not self._all_done():
            await running.changed.wait(0.5)
        running.stopping = True
        running.ring()
        await self._drain()
        await self._write_notes()
        if running.error is not None:
            raise running.error

    def _all_done(self) -> bool:
        return bool(self._running.copies) and all(each.is_done for each in self._running.copies.values())

    async def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and any(each.flow.in_flight for each in self._running.copies.values()):
            await self._running.changed.wait(0.05)

    async def _guarded(self, coroutine: Callable[[], Awaitable[None]]) -> None:
        try:
            await coroutine()
        except BaseException as error:  # noqa: BLE001  a task's error would be lost
            self._running.fail(error)

    def _start_tasks(self) -> None:
        """A fetcher and a sender for each broker that has none yet."""
        running = self._running
        for node in running.source.wire.brokers():
            if node not in running.fetch_bells:
                running.fetch_bells[node] = Signal(running.loop)
                running.loop.spawn(self._guarded, lambda node=node: fetch_from(running, node))
        for node in running.target.wire.brokers():
            if node not in running.send_bells:
                running.send_bells[node] = Signal(running.loop)
                running.loop.spawn(self._guarded, Sender(running, node).run)

    async def _examine_all(self) -> None:
        running = self._running
        while not running.stopping:
            for copying in running.to_examine:
                running.loop.spawn(self._guarded, lambda copying=copying: self._examine(copying))
            running.to_examine.clear()
            await running.again.wait(1.0)

    async def _examine(self, copying: Copying) -> None:
        """Look up where a partition's copy goes on, with patience, and let it go on."""
        running, what, pause = self._running, ("examine", copying.target), 0.05
        while copying.flow.in_flight and not running.stopping:
            await running.loop.sleep(0.005)
        while not running.stopping:
            try:
                found = await place(copying, running.source, running.target)
                if isinstance(found, Go) and copying.races and await self._another_writes(copying, found):
                    continue
                if isinstance(found, Lost):
                    await self._accept(copying, found)
            except KafkaUnavailable as error:
                running.troubles.note(what, str(error))
                running.stale.ring()
                await running.loop.sleep(pause)
                pause = min(pause * 2, 1.0)
            else:
                running.troubles.over(what)
                if isinstance(found, Lost) and not await self._is_quiet(copying, found.target):
                    continue
                self._go(copying, Go(found.behind, found.target, True) if isinstance(found, Lost) else found)
                return

    async def _another_writes(self, copying: Copying, found: Go) -> bool:
        """Whether another mirror takes care of a partition, after it was first: then this one stands by.

        It does so until the target's end stands still although the source has more.
        """
        running = self._running
        copying.flow.start(found.source, found.target)
        if copying.goal is not None and found.source >= copying.goal:
            return False
        await running.loop.sleep(STAND_BY_S)
        end = (await running.target.bounds(copying.target)).end
        source_end = (await running.source.bounds(copying.source, stable=True)).end
        copying.know_source(source_end)
        return end != found.target or source_end <= found.source

    def _go(self, copying: Copying, go: Go) -> None:
        copying.flow.start(go.source, go.target)
        copying.alone, copying.state = go.alone, State.COPIED
        copying.know_target()
        self._running.ring()
        self._running.changed.ring()

    async def _accept(self, copying: Copying, lost: Lost) -> None:
        name = self._running.source.wire.name
        text = (
            f"{copying.source} in {name}: retention deleted offsets {lost.first} to {lost.behind - 1} before they were "
            "mirrored"
        )
        if not self._running.accept_loss:
            raise MirrorStopped(f"{text}. With --accept-loss the mirror goes on behind them")
        if text not in self._running.losses:
            self._running.losses.append(text)

    async def _is_quiet(self, copying: Copying, end: int) -> bool:
        """Whether the target stands still long enough."""
        for _ in range(int(QUIET_S / 0.5)):
            await self._running.loop.sleep(0.5)
            if (await self._running.target.bounds(copying.target))[1] != end:
                return False
        return True

    async def _keep_fresh(self) -> None:
        """Ask for leaders, topics and the target's ends anew, every few seconds and when rung."""
        running = self._running
        while not running.stopping:
            await running.stale.wait(REFRESH_S)
            for side in (running.source, running.target):
                await self._refresh(side)
            self._start_tasks()
            self._forget_idle_brokers()
            await self._check_ends()
            await self._ask_source()
            await self._write_notes()
            running.ring()
            await running.loop.sleep(0.1)

    def _forget_idle_brokers(self) -> None:
        """A broker that leads nothing any more isn't waited for."""
        running = self._running
        for what, side, bells in (
            ("fetch", running.source, running.fetch_bells),
            ("produce", running.target, running.send_bells),
        ):
            leading = {leader.node for topic in side.metadata.topics.values() for leader in topic.leaders.values()}
            for node in bells.keys() - leading:
                running.troubles.over((what, node))

    async def _refresh(self, side: Side) -> None:
        what, asked = ("metadata", side.wire.name), side.ids
        try:
            told = await side.wire.metadata(asked)
        except KafkaUnavailable as error:
            self._running.troubles.note(what, str(error))
            return
        self._running.troubles.over(what)
        if side.ids is not asked:
            return  # a topic joined meanwhile, and brought newer metadata
        side.metadata = told
        for name, known in asked.items():
            self._check_identity(side, name, known)

    def _check_identity(self, side: Side, name: str, known: UUID) -> None:
        topic, key = side.metadata.topics[name], (side.wire.name, name)
        if topic.error == UNKNOWN_TOPIC:
            since = self._gone_since.setdefault(key, time.monotonic())
            if time.monotonic() - since > GONE_AFTER_S:
                raise MirrorStopped(f"cluster {side.wire.name}: topic {name} was deleted")
            self._running.troubles.note(("gone", *key), f"cluster {side.wire.name} has no topic {name}")
            return
        self._gone_since.pop(key, None)
        self._running.troubles.over(("gone", *key))
        if not topic.error and topic.id != known:
            raise MirrorStopped(
                f"cluster {side.wire.name}: topic {name} was deleted and made anew: its id is {topic.id}, and was "
                f"{known}. What the target holds is of the old one"
            )

    async def _check_ends(self) -> None:
        """Whether the target's partitions that are idle still end where the mirror thinks."""
        running, now = self._running, time.monotonic()
        idle = [each for each in running.copies.values() if each.state is State.COPIED and not each.flow.in_flight]
        expected = {
            each.target: (each, each.flow.done_target, each.generation) for each in idle if not each.flow.has_waiting
        }
        try:
            ends = await running.target.wire.offsets(running.target.metadata, expected, LATEST)
        except WireError as error:
            running.troubles.note("ends", str(error))
            running.stale.ring()
            return
        except KafkaUnavailable as error:
            running.troubles.note("ends", str(error))
            return
        running.troubles.over("ends")
        for partition, (copying, end, generation) in expected.items():
            if ends[partition] == end:
                copying.known_at = max(copying.known_at, now)
            elif copying.generation == generation and copying.flow.done_target == end and not copying.flow.in_flight:
                running.look_again(copying)

    async def _ask_source(self) -> None:
        """Where the source ends: a partition whose target stands still isn't fetched, and falls behind all the same."""
        running = self._running
        try:
            ends = await running.source.wire.offsets(running.source.metadata, running.copies, LATEST, stable=True)
        except AgentlogError as error:
            running.troubles.note("source ends", str(error))
            return
        running.troubles.over("source ends")
        for partition, end in ends.items():
            running.copies[partition].know_source(end)

    async def _write_notes(self) -> None:
        for copying in self._running.copies.values():
            if copying.note_due:
                try:
                    await note(self._running, copying)
                except AgentlogError as error:
                    copying.note_due = True
                    self._running.troubles.note(("note", copying.target), str(error))
