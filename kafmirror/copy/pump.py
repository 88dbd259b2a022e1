"""The pump, which moves batches from the leaders of one cluster to the leaders of another.

Each produce request is a compare-and-set. One task per broker of the source fetches, and one task per broker of the
target sends. After anything but a plain success, the mirror reads the target's end again and continues from there.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

from agentlog.errors import AgentlogError, KafkaUnavailable
from agentlog.text.coverage_text import describe_unavailable

from ..batches.checkpoint import CopyFrom, RecordsLost
from ..batches.loss import Loss, merge_losses
from ..errors import MirrorStopped
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import LATEST, LATEST_COMMITTED, NO_LEADER, UNKNOWN_TOPIC, BrokerError
from ..kafka.network.event_loop import Wakeup
from .fetcher import run_fetcher
from .mirror_state import MirrorState
from .partition_copy import CopyState, PartitionCopy
from .resume import find_resume_point
from .sender import Sender, commit_offset_note

REFRESH_INTERVAL_S = 3.0
"""The time between two looks at leaders, topics, ends and notes."""

DELETED_AFTER_S = 10.0
"""How long a topic must be missing before it counts as deleted."""

DRAIN_TIMEOUT_S = 10.0
"""How long the mirror waits at its end for the answers to what it sent."""

STANDBY_S = 2.0
"""How long the target must stand still, while the source has more, before a standby mirror takes over."""

LOSS_QUIET_S = 15.0
"""How long the target must stand still before the mirror continues behind an accepted loss.

By then every other mirror that still holds the lost records has written them, or reads the target's end again.
"""

_log = logging.getLogger("kafmirror")


class Pump:
    """The tasks that copy the partitions of a mirror."""

    def __init__(self, state: MirrorState) -> None:
        self._state = state
        self._missing_since: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Copy until all goals are reached or ``state.is_stopping`` is set. Then wait for requests under way.

        Raises:
            MirrorStopped: the copy can't continue exactly.
            KafkaRefused: a cluster refuses the mirror.
        """
        state = self._state
        self._start_tasks()
        state.loop.spawn(self._run_guarded, self._resume_all)
        state.loop.spawn(self._run_guarded, self._refresh_until_stopped)
        while not state.is_stopping and not self._is_all_done():
            await state.progress_wakeup.wait(0.5)
        state.is_stopping = True
        state.wake_workers()
        await self._drain()
        await self._write_notes()
        if state.error is not None:
            raise state.error

    def _is_all_done(self) -> bool:
        now, copies = time.monotonic(), self._state.copies.values()
        has_goals = any(each.goal is not None for each in copies)
        return has_goals and all(each.is_done or each.is_left_out(now) for each in copies)

    async def _drain(self) -> None:
        deadline = time.monotonic() + DRAIN_TIMEOUT_S
        while time.monotonic() < deadline and any(each.buffer.in_flight_count for each in self._state.copies.values()):
            await self._state.progress_wakeup.wait(0.05)

    async def _run_guarded(self, coroutine: Callable[[], Awaitable[None]]) -> None:
        try:
            await coroutine()
        except BaseException as error:  # noqa: BLE001  a task's error would be lost
            self._state.fail(error)

    def _start_tasks(self) -> None:
        """Start a fetcher and a sender for each broker that has none yet."""
        state = self._state
        for node in state.source.connection.list_brokers():
            if node not in state.fetcher_wakeups:
                state.fetcher_wakeups[node] = Wakeup(state.loop)
                state.loop.spawn(self._run_guarded, lambda node=node: run_fetcher(state, node))
        for node in state.target.connection.list_brokers():
            if node not in state.sender_wakeups:
                state.sender_wakeups[node] = Wakeup(state.loop)
                state.loop.spawn(self._run_guarded, Sender(state, node).run)

    async def _resume_all(self) -> None:
        state = self._state
        while not state.is_stopping:
            for copy in state.to_resume:
                state.loop.spawn(self._run_guarded, lambda copy=copy: self._resume_copy(copy))
            state.to_resume.clear()
            await state.resume_wakeup.wait(1.0)

    async def _resume_copy(self, copy: PartitionCopy) -> None:
        """Look up where a partition's copy continues, again and again until that succeeds, and continue it."""
        state, key, pause_s = self._state, ("examine", copy.target), 0.05
        while copy.buffer.in_flight_count and not state.is_stopping:
            await state.loop.sleep(0.005)
        while not state.is_stopping:
            try:
                decision = await find_resume_point(copy, state.source, state.target)
                if (
                    isinstance(decision, CopyFrom)
                    and copy.race_count
                    and await self._is_other_mirror_writing(copy, decision)
                ):
                    continue
                resume_point = await self._pass_losses(copy, decision)
            except KafkaUnavailable as error:
                state.waits.report(key, str(error))
                state.refresh_wakeup.set()
                await state.loop.sleep(pause_s)
                pause_s = min(pause_s * 2, 1.0)
            else:
                state.waits.resolve(key)
                if resume_point is not None:
                    self._start_copying(copy, resume_point)
                    return

    async def _is_other_mirror_writing(self, copy: PartitionCopy, resume_point: CopyFrom) -> bool:
        """Stand by for a moment, and return whether another mirror still writes the partition.

        It doesn't when the target's end stood still although the source has more.
        """
        state = self._state
        copy.buffer.restart(resume_point.source, resume_point.target)
        if copy.goal is not None and resume_point.source >= copy.goal:
            return False
        await state.loop.sleep(STANDBY_S)
        target_end = (await state.target.fetch_bounds(copy.target)).end
        asked_ms = time.time() * 1000
        source_end = (await state.source.fetch_bounds(copy.source, is_read_committed=True)).end
        copy.update_source_end(source_end, asked_ms)
        return target_end != resume_point.target or source_end <= resume_point.source

    def _start_copying(self, copy: PartitionCopy, resume_point: CopyFrom) -> None:
        copy.buffer.restart(resume_point.source, resume_point.target)
        copy.advanced_at = time.monotonic()
        copy.should_read_back_first, copy.state = resume_point.should_read_back_first, CopyState.COPYING
        copy.confirm_target_end()
        self._state.wake_workers()
        self._state.progress_wakeup.set()

    async def _pass_losses(self, copy: PartitionCopy, decision: CopyFrom | RecordsLost) -> CopyFrom | None:
        """Return where to continue, behind a loss if it is accepted; None if another mirror writes there meanwhile."""
        source_offset = decision.next_source if isinstance(decision, RecordsLost) else decision.source
        if source_offset != decision.target:
            await self._read_noted_losses(copy)
        if isinstance(decision, CopyFrom):
            return decision
        known_losses = copy.losses
        self._accept_loss(copy, decision)
        if not await self._is_target_quiet(copy, decision.target):
            copy.losses = known_losses  # another mirror holds the records, or has noted the loss
            _log.warning("%s: another mirror writes it, so the loss is looked at again", copy.source)
            return None
        copy.is_gap_noted, copy.is_note_due = False, True
        return CopyFrom(decision.next_source, decision.target, True)

    async def _read_noted_losses(self, copy: PartitionCopy) -> None:
        """Read the losses that earlier runs and other mirrors accepted, and log those that are news."""
        try:
            note = await self._state.target.fetch_note(copy.target, copy.buffer.producer_id)
        except ValueError as error:
            raise MirrorStopped(
                f"{copy.target}: the offset's text in the mirror's group isn't a mirror's: {error}"
            ) from error
        self._add_losses(copy, note.losses if note else (), "lost earlier")

    def _accept_loss(self, copy: PartitionCopy, records_lost: RecordsLost) -> None:
        """Add a loss to the copy's. Raise MirrorStopped if it is neither accepted now nor was before."""
        loss = Loss(records_lost.first, records_lost.next_source, int(time.time() * 1000))
        if not self._state.is_loss_accepted and not any(each.covers(loss) for each in copy.losses):
            name = self._state.source.connection.name
            raise MirrorStopped(f"{copy.source} in {name}: {loss}. With --accept-loss the mirror continues behind them")
        self._add_losses(copy, [loss], "lost, as accepted")

    def _add_losses(self, copy: PartitionCopy, losses: Iterable[Loss], label: str) -> None:
        merged = merge_losses(copy.losses, losses)
        for each in merged:
            if each not in copy.losses:
                _log.warning("%s: %s in %s: %s", label, copy.source, self._state.source.connection.name, each)
        copy.losses = merged

    async def _is_target_quiet(self, copy: PartitionCopy, end: int) -> bool:
        """Return whether the target's end stands still for ``LOSS_QUIET_S``."""
        for _ in range(int(LOSS_QUIET_S / 0.5)):
            await self._state.loop.sleep(0.5)
            if (await self._state.target.fetch_bounds(copy.target))[1] != end:
                return False
        return True

    async def _refresh_until_stopped(self) -> None:
        """Refresh leaders, topics and ends every few seconds, and when woken."""
        state = self._state
        while not state.is_stopping:
            await state.refresh_wakeup.wait(REFRESH_INTERVAL_S)
            for view in (state.source, state.target):
                await self._refresh(view)
            self._start_tasks()
            self._note_leaders()
            self._forget_idle_brokers()
            self._report_fills()
            await self._check_ends()
            await self._update_source_ends()
            await self._write_notes()
            state.wake_workers()
            await state.loop.sleep(0.1)

    def _note_leaders(self) -> None:
        """Note which partitions have no leader, and report them topic by topic."""
        state, now, reasons = self._state, time.monotonic(), dict[str, dict[int, str]]()
        for copy in state.copies.values():
            view = state.find_leaderless(copy)
            copy.leaderless_since = None if view is None else copy.leaderless_since or now
            if view is not None:
                copy.unavailable = f"no leader in {view.connection.name}"
            elif copy.state is not CopyState.UNKNOWN:
                copy.unavailable = None
            topic_reasons = reasons.setdefault(copy.source.topic, {})
            if copy.unavailable is not None:
                topic_reasons[copy.source.number] = copy.unavailable
        for topic, topic_reasons in reasons.items():
            if topic_reasons:
                state.waits.report(("leader", topic), f"topic {topic}: {describe_unavailable(topic_reasons)}")
            else:
                state.waits.resolve(("leader", topic))

    def _report_fills(self) -> None:
        """Report how far the offsets before the source's first records are filled, and that this has ended."""
        for copy in self._state.copies.values():
            if copy.fill is not None:
                text = f"{copy.target} in {self._state.target.connection.name}: {copy.fill.describe(time.monotonic())}"
                self._state.waits.report(("fill", copy.target), text)
            else:
                self._state.waits.resolve(("fill", copy.target))

    def _forget_idle_brokers(self) -> None:
        """End the waits for brokers that lead no partition any more."""
        state = self._state
        for key, view, wakeups in (
            ("fetch", state.source, state.fetcher_wakeups),
            ("produce", state.target, state.sender_wakeups),
        ):
            leaders = {leader.node for topic in view.metadata.topics.values() for leader in topic.leaders.values()}
            for node in wakeups.keys() - leaders:
                state.waits.resolve((key, node))

    async def _refresh(self, view: ClusterView) -> None:
        key, topic_ids = ("metadata", view.connection.name), view.topic_ids
        try:
            metadata = await view.connection.fetch_metadata(topic_ids)
        except KafkaUnavailable as error:
            self._state.waits.report(key, str(error))
            return
        self._state.waits.resolve(key)
        if view.topic_ids is not topic_ids:
            return  # a topic was added in the meantime, with newer metadata
        view.metadata = metadata
        for name, expected_id in topic_ids.items():
            self._check_identity(view, name, expected_id)

    def _check_identity(self, view: ClusterView, name: str, expected_id: UUID) -> None:
        topic, key = view.metadata.topics[name], (view.connection.name, name)
        if topic.error == UNKNOWN_TOPIC:
            missing_since = self._missing_since.setdefault(key, time.monotonic())
            if time.monotonic() - missing_since > DELETED_AFTER_S:
                raise MirrorStopped(f"cluster {view.connection.name}: topic {name} was deleted")
            self._state.waits.report(("gone", *key), f"cluster {view.connection.name} has no topic {name}")
            return
        self._missing_since.pop(key, None)
        self._state.waits.resolve(("gone", *key))
        if not topic.error and topic.id != expected_id:
            outcome = (
                "The copy holds records of the old topic"
                if view is self._state.source
                else "The copy is gone; kafmirror replicate, started again, copies all records anew"
            )
            raise MirrorStopped(
                f"cluster {view.connection.name}: topic {name} was deleted and created again: its id was {expected_id} "
                f"and is {topic.id}. {outcome}"
            )

    async def _check_ends(self) -> None:
        """Check that idle partitions of the target still end where the mirror assumes."""
        state, now = self._state, time.monotonic()
        idle = [
            each
            for each in state.copies.values()
            if each.state is CopyState.COPYING and not each.buffer.in_flight_count
        ]
        expected = {
            each.target: (each, each.buffer.done_target, each.generation)
            for each in idle
            if not each.buffer.has_waiting
        }
        ends = await state.target.connection.list_offsets_or_errors(state.target.metadata, expected, LATEST)
        self._report_errors("ends", ends.values())
        if any(isinstance(each, BrokerError) for each in ends.values()):
            state.refresh_wakeup.set()
        for partition, (copy, end, generation) in expected.items():
            if isinstance(ends[partition], KafkaUnavailable):
                continue
            if ends[partition] == end:
                copy.target_end_known_at = max(copy.target_end_known_at, now)
            elif copy.generation == generation and copy.buffer.done_target == end and not copy.buffer.in_flight_count:
                state.reexamine(copy)

    async def _update_source_ends(self) -> None:
        """Update the ends of the source, so that the lag is known of partitions that aren't fetched."""
        state, asked_ms = self._state, time.time() * 1000
        try:
            ends = await state.source.connection.list_offsets_or_errors(
                state.source.metadata, state.copies, LATEST_COMMITTED
            )
        except AgentlogError as error:
            state.waits.report("source ends", str(error))
            return
        self._report_errors("source ends", ends.values())
        for partition, end in ends.items():
            if not isinstance(end, KafkaUnavailable):
                state.copies[partition].update_source_end(end, asked_ms)

    def _report_errors(self, key: str, answers: Iterable[int | KafkaUnavailable]) -> None:
        """Report the first partition's error, or that there is none any more. Those without a leader are known."""
        errors = [
            each for each in answers if isinstance(each, KafkaUnavailable) and getattr(each, "code", None) != NO_LEADER
        ]
        if not errors:
            self._state.waits.resolve(key)
            return
        self._state.waits.report(key, str(errors[0]))

    async def _write_notes(self) -> None:
        for copy in self._state.copies.values():
            if copy.is_note_due:
                try:
                    await commit_offset_note(self._state, copy)
                except AgentlogError as error:
                    copy.is_note_due = True
                    self._state.waits.report(("note", copy.target), str(error))
