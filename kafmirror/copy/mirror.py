"""A mirror from its plan to its end: it creates topics, copies partitions, and follows changes of the source."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agentlog.errors import AgentlogError, KafkaUnavailable

from ..errors import Refused
from ..kafka import topic_admin
from ..kafka.cluster_view import LEADER_TIMEOUT_S, ClusterView
from ..kafka.connection import LATEST_COMMITTED, ClusterConnection
from ..kafka.metadata import Partition, Topic
from ..kafka.topic_selection import TopicSelection
from ..lag.lag import UNKNOWN_LAG, compute_lag
from ..lag.partition_status import PartitionStatus
from ..plan.gather import FactCollector, describe_unknown
from ..plan.plan import Plan, TopicPlan, compute_setting_changes, compute_target_settings
from .group_offsets import CopyProgress, GroupOffsetSync
from .group_result import GroupOffsetResult, GroupOutcome, describe_result
from .mirror_state import MirrorState
from .partition_buffer import PartitionBuffer
from .partition_copy import CopyState, PartitionCopy
from .pump import Pump

FOLLOW_INTERVAL_S = 3.0
"""The time between two looks for new topics, partitions, settings and groups' offsets in the source."""

MAX_END_AGE_S = 10.0
"""How long the source's end counts as known. After that the lag is unknown."""

GROUPS_TIMEOUT_S = 30.0
"""How long the mirror tries to set the groups' offsets at its end."""

_log = logging.getLogger("kafmirror")


class CopyOptions(NamedTuple):
    """The options of a copy.

    Attributes:
        once: whether to end when the records that the source held at the start are copied.
        accept_loss: whether to continue behind records that retention deleted before they were copied.
    """

    once: bool = False
    accept_loss: bool = False


class Mirror:
    """A mirror of topics of one cluster in another."""

    def __init__(
        self,
        source: ClusterConnection,
        target: ClusterConnection,
        selection: TopicSelection,
        options: CopyOptions,
        groups: tuple[str, ...] = (),
    ) -> None:
        self.source, self.target = source, target
        self._selection, self._options = selection, options
        self._collector = FactCollector(source, target, selection)
        self.state: MirrorState | None = None
        self._target_names: dict[str, str] = {}
        self._groups = groups
        self._group_sync: GroupOffsetSync | None = None
        self._group_results: dict[tuple[str, Partition | None], GroupOffsetResult] = {}
        self._is_stopping = False

    @property
    def losses(self) -> list[str]:
        """The accepted losses, also those of earlier runs, a sentence each."""
        copies = sorted(self.state.copies.values(), key=lambda each: each.source) if self.state else ()
        return [f"{copy.source} in {self.source.name}: {loss}" for copy in copies for loss in copy.losses]

    @property
    def has_left_out(self) -> bool:
        """Whether a mirror with ``once`` ended without some partitions, because they couldn't be had."""
        copies = self.state.copies.values() if self.state and self._options.once else ()
        return not all(each.has_reached_goal for each in copies)

    @property
    def group_results(self) -> list[GroupOffsetResult]:
        """The newest result for each offset of the groups."""
        return [self._group_results[key] for key in sorted(self._group_results, key=str)]

    def list_waits(self) -> list[str]:
        """Return the problems that the mirror waits for, a sentence each."""
        quotas = [each for each in (self.source.describe_throttling(), self.target.describe_throttling()) if each]
        return [*(self.state.waits.list_waits() if self.state else []), *quotas]

    async def make_plan(self) -> Plan:
        """Return the plan; raises as ``FactCollector.make_plan`` does."""
        return await self._collector.make_plan()

    async def run(self, plan: Plan) -> None:
        """Carry out ``plan``, and copy: to the end with ``once``, else until ``stop`` is called.

        Raises:
            Refused: the plan has refusals.
            MirrorStopped: the copy can't continue exactly.
            KafkaUnavailable, KafkaRefused: a cluster didn't answer at the start, or refuses the mirror.
        """
        if plan.all_refusals:
            raise Refused("\n".join(["nothing was mirrored:", *(f"  {text}" for text in plan.all_refusals)]))
        source_metadata, target_metadata = (
            self.source.loop.spawn(self.source.fetch_metadata),
            await self.target.fetch_metadata(),
        )
        state = MirrorState(
            self.source.loop,
            ClusterView(self.source, await source_metadata, {}),
            ClusterView(self.target, target_metadata, {}),
            self._options.accept_loss,
        )
        await self.source.loop.map_concurrently(self._apply, plan.topics)
        for topic in plan.topics:
            await self._start_copying(state, topic)
        self.state = state
        state.is_stopping = self._is_stopping
        if self._options.once:
            await self._set_goals_to_ends(state)
            state.is_stopping = state.is_stopping or all(
                each.state is CopyState.UNKNOWN for each in state.copies.values()
            )
        else:
            state.loop.spawn(self._follow_source, state)
        try:
            await Pump(state).run()
        finally:
            if self._groups and state.error is None:
                await self._sync_groups_at_end(state)

    async def _sync_groups_at_end(self, state: MirrorState) -> None:
        """Set the groups' offsets for the last time. Try again for a while where a broker didn't answer."""
        deadline = time.monotonic() + GROUPS_TIMEOUT_S
        await self._sync_groups(state)
        while any(each.outcome is GroupOutcome.UNREACHED for each in self.group_results):
            if time.monotonic() > deadline:
                break
            await state.loop.sleep(0.5)
            await self._sync_groups(state)
        for each in self.group_results:
            if each.is_left_behind:
                _log.warning("%s", describe_result(each))

    async def _sync_groups(self, state: MirrorState) -> None:
        """Set the groups' offsets in the target, and keep the results."""
        copies = {
            each.source: CopyProgress(
                each.target, each.buffer.producer_id, each.buffer.done_source, each.buffer.done_target
            )
            for each in state.copies.values()
            if each.state is CopyState.COPYING
        }
        try:
            self._group_sync = self._group_sync or GroupOffsetSync(state.source, state.target, self._groups)
            unknown = {
                each.source: each.unavailable or "not copied yet"
                for each in state.copies.values()
                if each.state is CopyState.UNKNOWN
            }
            results = await self._group_sync.sync(copies, unknown)
        except AgentlogError as error:
            unset = (GroupOffsetResult(each, None, None, None, None) for each in self._groups)
            results = [each.refuse(str(error), GroupOutcome.UNREACHED) for each in unset]
        self._keep_group_results(state, results)

    def _keep_group_results(self, state: MirrorState, results: Sequence[GroupOffsetResult]) -> None:
        """Keep the newest results, and report the groups that are left behind among what the mirror waits for."""
        new = {(each.group, each.partition): each for each in results}
        for key in [key for key, each in self._group_results.items() if each.is_left_behind and key not in new]:
            state.waits.resolve(("group", *key))
            del self._group_results[key]
        for key, each in new.items():
            self._group_results[key] = each
            if each.is_left_behind:
                state.waits.report(("group", *key), describe_result(each))
            else:
                state.waits.resolve(("group", *key))

    def stop(self) -> None:
        """End cleanly: send nothing new, and wait for the answers to what was sent."""
        self._is_stopping = True
        if self.state is not None:
            self.state.is_stopping = True
            self.state.progress_wakeup.set()

    async def _apply(self, plan: TopicPlan) -> None:
        settings = {name: value for name, value in plan.changes.items() if value is not None}
        if plan.create:
            await topic_admin.create_topic(self.target, plan.target, plan.partitions, settings)
        elif plan.changes:
            await topic_admin.alter_settings(self.target, plan.target, plan.changes)
        if plan.widen:
            await topic_admin.add_partitions(self.target, plan.target, plan.partitions)

    async def _start_copying(self, state: MirrorState, plan: TopicPlan) -> None:
        """Begin to copy a topic that exists on both sides."""
        spawn = state.loop.spawn
        settings, source_topic = (
            spawn(topic_admin.fetch_settings, self.source, plan.source),
            spawn(self.source.fetch_topic, plan.source),
        )
        await topic_admin.wait_until_known(self.target, plan.target, plan.partitions - len(plan.unknown))
        target_description, source_description, target_settings = (
            await self.target.fetch_topic(plan.target),
            await source_topic,
            spawn(topic_admin.fetch_settings, self.target, plan.target),
        )
        state.source.topic_ids = {**state.source.topic_ids, plan.source: source_description.id}
        state.target.topic_ids = {**state.target.topic_ids, plan.target: target_description.id}
        source_metadata = spawn(self.source.fetch_metadata, state.source.topic_ids)
        state.target.metadata = await self.target.fetch_metadata(state.target.topic_ids)
        state.source.metadata = await source_metadata
        self._target_names[plan.source] = plan.target
        max_batch_bytes = int((await target_settings)["max.message.bytes"].value or 1 << 20)
        is_compacted = "compact" in ((await settings)["cleanup.policy"].value or "")
        producer_id = state.source.derive_mirror_producer_id(plan.source)
        known_partitions = {copy.source for copy in state.copies.values()}
        new_numbers = [
            number
            for number in sorted(source_description.leaders)
            if Partition(plan.source, number) not in known_partitions
        ]
        state.add(
            PartitionCopy(
                Partition(plan.source, number),
                Partition(plan.target, number),
                PartitionBuffer(producer_id, is_compacted),
                max_batch_bytes,
                adopted_end=plan.adopted.get(number),
                state=CopyState.UNKNOWN if number in plan.unknown else CopyState.NEW,
                unavailable=plan.unknown.get(number),
            )
            for number in new_numbers
        )

    async def _set_goals_to_ends(self, state: MirrorState) -> None:
        """Set the source's ends as goals. Wait for leaders that move. A partition that can't be had then is unknown."""
        deadline = time.monotonic() + LEADER_TIMEOUT_S
        missing = [each for each, copy in state.copies.items() if copy.state is not CopyState.UNKNOWN]
        while True:
            asked_ms, errors = time.time() * 1000, dict[Partition, KafkaUnavailable]()
            answers = await self.source.list_offsets_or_errors(state.source.metadata, missing, LATEST_COMMITTED)
            for partition, answer in answers.items():
                if isinstance(answer, KafkaUnavailable):
                    errors[partition] = answer
                else:
                    state.copies[partition].goal = answer
                    state.copies[partition].update_source_end(answer, asked_ms)
            missing = list(errors)
            if not missing or time.monotonic() > deadline:
                break
            await state.loop.sleep(0.2)
            state.source.metadata = await self.source.fetch_metadata(state.source.topic_ids)
        for partition, error in errors.items():
            state.set_unknown(state.copies[partition], describe_unknown(self.source, error))

    async def _follow_source(self, state: MirrorState) -> None:
        """Add new topics and partitions, and copy changed settings, until the mirror stops."""
        while not state.is_stopping:
            await state.loop.sleep(FOLLOW_INTERVAL_S)
            try:
                await self._follow_source_once(state)
            except KafkaUnavailable as error:
                state.waits.report("follow", str(error))
            except Exception as error:  # noqa: BLE001  a task's error would be lost
                state.fail(error)
            else:
                state.waits.resolve("follow")
                if self._groups:
                    await self._sync_groups(state)

    async def _follow_source_once(self, state: MirrorState) -> None:
        source_metadata = await self.source.fetch_metadata(None)
        for name in self._collector.select_topics(source_metadata):
            if name not in self._target_names:
                await self._add_topic(state, name)
            else:
                await self._add_partitions(state, source_metadata.topics[name])
                await self._plan_unknown(state, source_metadata.topics[name])
                await self._pass_on_settings(state, name)

    async def _add_topic(self, state: MirrorState, name: str) -> None:
        if (plan := await self._plan_topic(state, name)) is not None:
            await self._apply(plan)
            await self._start_copying(state, plan)
            state.refresh_wakeup.set()

    async def _plan_topic(self, state: MirrorState, name: str) -> TopicPlan | None:
        """Return the plan for a topic while the mirror runs. Report its refusals, and return None, if it has any."""
        plan = await FactCollector(self.source, self.target, self._selection._replace(patterns=[name])).make_plan()
        if plan.all_refusals:
            state.waits.report(("join", name), f"topic {name} can't be mirrored: {'; '.join(plan.all_refusals)}")
            return None
        state.waits.resolve(("join", name))
        return plan.topics[0]

    async def _plan_unknown(self, state: MirrorState, topic: Topic) -> None:
        """Plan a topic again when partitions that were unknown have leaders, and copy those."""
        unknown = [
            each
            for each in state.copies.values()
            if each.source.topic == topic.name and each.state is CopyState.UNKNOWN
        ]
        has_new_leader = any(state.find_leaderless(each) is None for each in unknown)
        if not has_new_leader or topic.id != state.source.topic_ids[topic.name]:
            return
        plan = await self._plan_topic(state, topic.name)
        for copy in unknown if plan is not None else ():
            if plan is not None and copy.source.number not in plan.unknown:
                copy.adopted_end, copy.unavailable = plan.adopted.get(copy.source.number), None
                state.reexamine(copy)

    async def _add_partitions(self, state: MirrorState, topic: Topic) -> None:
        known_partitions = [each for each in state.copies if each.topic == topic.name]
        if len(topic.leaders) > len(known_partitions) and topic.id == state.source.topic_ids[topic.name]:
            target = self._target_names[topic.name]
            target_topic = await self.target.fetch_topic(target)
            await topic_admin.add_partitions(self.target, target, len(topic.leaders))
            unknown = {
                number: f"no leader in {cluster}"
                for cluster, each in ((self.target.name, target_topic), (self.source.name, topic))
                for number, leader in each.leaders.items()
                if leader.node < 0
            }
            await self._start_copying(state, _plan_widening(topic, target, unknown))
            state.refresh_wakeup.set()

    async def _pass_on_settings(self, state: MirrorState, name: str) -> None:
        target = self._target_names[name]
        target_settings = await topic_admin.fetch_settings(self.target, target)
        source_settings = await topic_admin.fetch_settings(self.source, name)
        has_records = any(
            each.buffer.done_target or each.state is not CopyState.COPYING
            for each in state.copies.values()
            if each.source.topic == name
        )
        if changes := compute_setting_changes(
            compute_target_settings(source_settings, frozenset(target_settings)),
            target_settings,
            holds_records=has_records,
        ):
            await topic_admin.alter_settings(self.target, target, changes)
        for copy in state.copies.values():
            if copy.source.topic == name:
                copy.buffer.is_compacted = "compact" in (source_settings["cleanup.policy"].value or "")
                copy.max_batch_bytes = int(target_settings["max.message.bytes"].value or copy.max_batch_bytes)

    async def list_statuses(self) -> list[PartitionStatus]:
        """Return the present status of each partition."""
        now, now_ms = time.monotonic(), time.time() * 1000
        copies = self.state.copies.values() if self.state else ()
        return [_build_status(each, now, now_ms) for each in sorted(copies, key=lambda each: each.source)]


def _plan_widening(topic: Topic, target: str, unknown: Mapping[int, str]) -> TopicPlan:
    return TopicPlan(topic.name, target, len(topic.leaders), False, True, {}, {}, 0, None, (), (), unknown)


def _build_status(copy: PartitionCopy, now: float, now_ms: float) -> PartitionStatus:
    buffer = copy.buffer
    is_known = copy.source_end is not None and now - copy.source_end_known_at < MAX_END_AGE_S
    is_position_known = buffer.done_target > 0 or copy.state is CopyState.COPYING
    age = copy.compute_age(now_ms)
    behind = compute_lag(buffer.done_source, copy.source_end, age) if is_known else UNKNOWN_LAG
    return PartitionStatus(
        copy.source,
        copy.target,
        buffer.done_source if is_position_known else None,
        copy.source_end,
        buffer.done_target if is_position_known else None,
        behind if is_position_known else UNKNOWN_LAG,
        buffer.records_sent,
        buffer.bytes_sent,
        age=age,
        is_advancing=copy.is_advancing(now, age.waited),
        losses=tuple(copy.losses),
        problem=copy.unavailable,
    )
