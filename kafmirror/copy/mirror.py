"""A mirror from its plan to its end: topics made, partitions pumped, and what changes in the source followed."""

import logging
import time
from typing import NamedTuple

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..errors import Refused
from ..kafka import topic_admin
from ..kafka.cluster_view import Side
from ..kafka.connection import LATEST, Wire
from ..kafka.metadata import Partition, Topic
from ..kafka.topic_selection import Wanted
from ..lag.lag import UNKNOWN, lag
from ..lag.partition_status import Standing
from ..plan.gather import Gathering
from ..plan.plan import Plan, TopicPlan, setting_changes, wanted_settings
from .group_offsets import Copied, Grouping
from .mirror_state import Running
from .partition_buffer import Flow
from .partition_copy import Copying, State
from .pump import Pump

FOLLOW_S = 3.0
KNOWN_FOR_S = 10.0
PATIENCE_S = 30.0

_log = logging.getLogger("kafmirror")


class Options(NamedTuple):
    """How to mirror.

    Attributes:
        once: whether to end when all that the source held at the start is copied.
        accept_loss: whether to go on behind records that retention deleted before they were copied.
    """

    once: bool = False
    accept_loss: bool = False


class Mirror:
    """Mirrors topics of one cluster into another."""

    def __init__(
        self, source: Wire, target: Wire, wanted: Wanted, options: Options, groups: tuple[str, ...] = ()
    ) -> None:
        self.source, self.target = source, target
        self._wanted, self._options = wanted, options
        self._gathering = Gathering(source, target, wanted)
        self.running: Running | None = None
        self._names: dict[str, str] = {}
        self._groups = groups
        self._grouping: Grouping | None = None
        self._stopping = False

    @property
    def losses(self) -> list[str]:
        """What retention deleted before it was copied, and was accepted."""
        return self.running.losses if self.running else []

    def troubles(self) -> list[str]:
        """What the mirror waits for."""
        return self.running.troubles.all() if self.running else []

    async def plan(self) -> Plan:
        """What would be done; raises as ``Gathering.plan`` does."""
        return await self._gathering.plan()

    async def run(self, plan: Plan) -> None:
        """Do what ``plan`` says, and copy: to the end with ``once``, else until ``stop``.

        Raises:
            Refused: the plan says no.
            MirrorStopped: going on wouldn't be exact.
            KafkaUnavailable, KafkaRefused: a side didn't answer at the start, or refuses the mirror.
        """
        if plan.all_refusals:
            raise Refused("\n".join(["nothing was mirrored:", *(f"  {text}" for text in plan.all_refusals)]))
        there, here = self.source.loop.spawn(self.source.metadata), await self.target.metadata()
        running = Running(
            self.source.loop, Side(self.source, await there, {}), Side(self.target, here, {}), self._options.accept_loss
        )
        await self.source.loop.each(self._apply, plan.topics)
        for topic in plan.topics:
            await self._take_up(running, topic)
        self.running = running
        running.stopping = self._stopping
        if self._options.once:
            await self._set_goals(running)
            running.stopping = running.stopping or not running.copies
        else:
            running.loop.spawn(self._follow, running)
        try:
            await Pump(running).run()
        finally:
            if self._groups and running.error is None:
                await self._take_groups_at_the_end(running)

    async def _take_groups_at_the_end(self, running: Running) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while problem := await self._take_groups(running):
            if time.monotonic() > deadline:
                _log.warning("groups' offsets weren't taken along: %s", problem)
                return
            await running.loop.sleep(0.5)

    async def _take_groups(self, running: Running) -> str | None:
        """Take the groups' offsets along; why it wasn't done, or None."""
        held = {
            each.source: Copied(each.target, each.flow.producer, each.flow.done_source, each.flow.done_target)
            for each in running.copies.values()
            if each.state is State.COPIED
        }
        try:
            self._grouping = self._grouping or Grouping(running.source, running.target, self._groups)
            await self._grouping.take_along(held)
        except AgentlogError as error:
            running.troubles.note("groups", f"groups: {error}")
            return str(error)
        running.troubles.over("groups")
        return None

    def stop(self) -> None:
        """End cleanly: what was sent is waited for, nothing new is."""
        self._stopping = True
        if self.running is not None:
            self.running.stopping = True
            self.running.changed.ring()

    async def _apply(self, plan: TopicPlan) -> None:
        settings = {name: value for name, value in plan.changes.items() if value is not None}
        if plan.create:
            await topic_admin.create(self.target, plan.target, plan.partitions, settings)
        elif plan.changes:
            await topic_admin.change(self.target, plan.target, plan.changes)
        if plan.widen:
            await topic_admin.widen(self.target, plan.target, plan.partitions)

    async def _take_up(self, running: Running, plan: TopicPlan) -> None:
        """Begin to copy a topic that is there on both sides."""
        spawn = running.loop.spawn
        settings, asked = spawn(topic_admin.settings, self.source, plan.source), spawn(self.source.topic, plan.source)
        target = await self._ready(plan.target, plan.partitions)
        source, of_target = await asked, spawn(topic_admin.settings, self.target, plan.target)
        running.source.ids = {**running.source.ids, plan.source: source.id}
        running.target.ids = {**running.target.ids, plan.target: target.id}
        there = spawn(self.source.metadata, running.source.ids)
        running.target.metadata = await self.target.metadata(running.target.ids)
        running.source.metadata = await there
        self._names[plan.source] = plan.target
        largest = int((await of_target)["max.message.bytes"].value or 1 << 20)
        is_compacted = "compact" in ((await settings)["cleanup.policy"].value or "")
        producer = running.source.producer(plan.source)
        known = {copying.source for copying in running.copies.values()}
        fresh = [number for number in sorted(source.leaders) if Partition(plan.source, number) not in known]
        running.add(
            Copying(
                Partition(plan.source, number),
                Partition(plan.target, number),
                Flow(producer, is_compacted),
                largest,
                adopted=plan.adopted.get(number),
            )
            for number in fresh
        )

    async def _ready(self, name: str, partitions: int) -> Topic:
        """A topic of the target, once all its partitions have leaders; it may just have been made."""
        deadline = time.monotonic() + 30
        while True:
            topic = (await self.target.metadata([name])).topics[name]
            led = [leader for leader in topic.leaders.values() if leader.node >= 0]
            if not topic.error and len(led) >= partitions:
                return topic
            if time.monotonic() > deadline:
                raise KafkaUnavailable(f"cluster {self.target.name}: topic {name} has no leaders after 30 s")
            await self.target.loop.sleep(0.05)

    async def _set_goals(self, running: Running) -> None:
        ends = await self.source.offsets(running.source.metadata, running.copies, LATEST, stable=True)
        for partition, end in ends.items():
            running.copies[partition].goal = end

    async def _follow(self, running: Running) -> None:
        """Take up new topics and partitions, and pass on changed settings, until the mirror stops."""
        while not running.stopping:
            await running.loop.sleep(FOLLOW_S)
            try:
                await self._follow_once(running)
            except KafkaUnavailable as error:
                running.troubles.note("follow", str(error))
            except Exception as error:  # noqa: BLE001  a task's error would be lost
                running.fail(error)
            else:
                running.troubles.over("follow")
                if self._groups:
                    await self._take_groups(running)

    async def _follow_once(self, running: Running) -> None:
        there = await self.source.metadata(None)
        for name in self._gathering.matched(there):
            if name not in self._names:
                await self._join(running, name)
            else:
                await self._widen(running, there.topics[name])
                await self._pass_on_settings(running, name)

    async def _join(self, running: Running, name: str) -> None:
        plan = await Gathering(self.source, self.target, self._wanted._replace(patterns=[name])).plan()
        if plan.all_refusals:
            running.troubles.note(("join", name), f"topic {name} can't be mirrored: {'; '.join(plan.all_refusals)}")
            return
        for topic in plan.topics:
            await self._apply(topic)
            await self._take_up(running, topic)
            running.stale.ring()

    async def _widen(self, running: Running, topic: Topic) -> None:
        known = [each for each in running.copies if each.topic == topic.name]
        if len(topic.leaders) > len(known) and topic.id == running.source.ids[topic.name]:
            target = self._names[topic.name]
            await topic_admin.widen(self.target, target, len(topic.leaders))
            await self._take_up(running, _widened(topic, target))
            running.stale.ring()

    async def _pass_on_settings(self, running: Running, name: str) -> None:
        target = self._names[name]
        has = await topic_admin.settings(self.target, target)
        settings = await topic_admin.settings(self.source, name)
        holds = any(each.flow.done_target for each in running.copies.values() if each.source.topic == name)
        if changes := setting_changes(wanted_settings(settings, frozenset(has)), has, holds_records=holds):
            await topic_admin.change(self.target, target, changes)
        for copying in running.copies.values():
            if copying.source.topic == name:
                copying.flow.compacted = "compact" in (settings["cleanup.policy"].value or "")
                copying.largest = int(has["max.message.bytes"].value or copying.largest)

    async def standings(self) -> list[Standing]:
        """Where each partition stands at this moment."""
        now, now_ms = time.monotonic(), time.time() * 1000
        copies = self.running.copies.values() if self.running else ()
        return [_standing(each, now, now_ms) for each in sorted(copies, key=lambda each: each.source)]


def _widened(topic: Topic, target: str) -> TopicPlan:
    return TopicPlan(topic.name, target, len(topic.leaders), False, True, {}, {}, 0, None, (), ())


def _standing(copying: Copying, now: float, now_ms: float) -> Standing:
    flow = copying.flow
    is_known = copying.source_end is not None and now - copying.end_known_at < KNOWN_FOR_S
    was_placed = flow.done_target > 0 or copying.state is State.COPIED
    behind = lag(flow.done_source, copying.source_end, copying.first_timestamp, now_ms) if is_known else UNKNOWN
    return Standing(
        copying.source,
        copying.target,
        flow.done_source if was_placed else None,
        copying.source_end,
        flow.done_target if was_placed else None,
        behind if was_placed else UNKNOWN,
        flow.records_sent,
        flow.bytes_sent,
    )
