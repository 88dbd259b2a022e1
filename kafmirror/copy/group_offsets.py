"""The transfer of consumer groups' offsets, to the same records in the target: never beyond its end, never back."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from agentlog.errors import AgentlogError, KafkaRefused, KafkaUnavailable

from ..kafka import consumer_groups
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import GROUP_AUTHORIZATION_FAILED, LATEST, ClusterConnection, is_transient
from ..kafka.consumer_groups import CommittedOffset, Group
from ..kafka.metadata import Partition
from ..kafka.network.event_loop import MAX_QUESTIONS
from ..lag.partition_status import PartitionStatus
from ..plan.plan import READ, is_pattern
from .group_result import GroupOffsetResult, GroupOutcome
from .offset_translation import translate_offset


class CopyProgress(NamedTuple):
    """The progress of a partition's copy.

    Attributes:
        target: the partition in the target.
        producer_id: the mirror's producer id.
        done_source: the source's offset up to which records are copied.
        done_target: the same place in the target.
    """

    target: Partition
    producer_id: int
    done_source: int
    done_target: int


class GroupOffsetSync:
    """A transfer of the offsets of the source's groups to the target.

    Args:
        source, target: both clusters.
        patterns: names of groups, or shell patterns.
        is_check: whether to say only what would be done.
    """

    def __init__(
        self, source: ClusterView, target: ClusterView, patterns: Sequence[str], *, is_check: bool = False
    ) -> None:
        self._source, self._target, self._patterns = source, target, patterns
        self._is_check = is_check
        self._settled: dict[tuple[str, Partition], int] = {}
        self._unknown: Mapping[Partition, str] = {}

    async def sync(
        self, copies: Mapping[Partition, CopyProgress], unknown: Mapping[Partition, str] = MappingProxyType({})
    ) -> list[GroupOffsetResult]:
        """Set the offsets that have changed since the last call. A group that can't be set doesn't keep the others.

        Args:
            copies: the progress of each partition, by the partition of the source.
            unknown: why the other partitions can't be had now.

        Raises:
            KafkaUnavailable, KafkaRefused: a cluster doesn't tell its groups.
        """
        self._unknown = unknown
        deadline = consumer_groups.start_deadline()  # all groups together wait no longer than one would
        loop = self._source.connection.loop
        source_groups_future = loop.spawn(consumer_groups.list_groups, self._source.connection, deadline)
        target_groups = await consumer_groups.list_groups(self._target.connection, deadline)
        source_groups = await source_groups_future
        names = _select_groups(self._patterns, source_groups)
        sync_group = partial(self._sync_group, copies, source_groups, target_groups, deadline)
        return [each for results in await loop.map_concurrently(sync_group, names) for each in results]

    async def _sync_group(
        self,
        copies: Mapping[Partition, CopyProgress],
        source_groups: Mapping[str, Group],
        target_groups: Mapping[str, Group],
        deadline: float,
        group: str,
    ) -> list[GroupOffsetResult]:
        """Return the results for a group. A failure is a result for the whole group."""
        result = GroupOffsetResult(group, None, None, None, None)
        if group in source_groups and source_groups[group].is_share:
            return [result.refuse("it is a share group: Kafka keeps its progress for each record, not as an offset")]
        try:
            source_offsets = await consumer_groups.fetch_committed_offsets(
                self._source.connection, group, deadline=deadline
            )
            offsets = {each: committed for each, committed in source_offsets.items() if each in copies}
            left_out = [
                result._replace(partition=each, source_offset=committed.offset).refuse(self._unknown[each])
                for each, committed in source_offsets.items()
                if each in self._unknown
            ]
            if not offsets and not left_out and not is_pattern(group) and group in self._patterns:
                reason = f"{self._source.connection.name} has no offset of it for these topics"
                return [result.refuse(reason, GroupOutcome.ABSENT)]
            changed = {each: offset for each, offset in offsets.items() if self._is_changed(group, each, offset)}
            target_group = target_groups.get(group)
            results = await self._carry_over(group, copies, changed, target_group, deadline) if changed else []
            return [*results, *left_out]
        except (AgentlogError, ValueError) as error:
            return [result.refuse(str(error), _classify_error(error))]

    def _is_changed(self, group: str, partition: Partition, committed: CommittedOffset) -> bool:
        return self._settled.get((group, partition)) != committed.offset

    async def _carry_over(
        self,
        group: str,
        copies: Mapping[Partition, CopyProgress],
        changed: Mapping[Partition, CommittedOffset],
        target_group: Group | None,
        deadline: float,
    ) -> list[GroupOffsetResult]:
        target_offsets = await consumer_groups.fetch_committed_offsets(
            self._target.connection, group, deadline=deadline
        )
        source_ends = await self._fetch_ends_behind_copies(copies, changed)

        async def decide(partition: Partition) -> GroupOffsetResult:
            committed, copy = changed[partition], copies[partition]
            result = GroupOffsetResult(group, partition, committed.offset, None, None)
            source_end = source_ends.get(partition, committed.offset)
            if isinstance(source_end, KafkaUnavailable):
                return result.refuse(str(source_end), _classify_error(source_end))
            if committed.offset > source_end:
                return result.refuse(f"it is at {committed.offset}, beyond the source's end at {source_end}")
            try:
                new_offset = await self._translate(copy, committed.offset)
            except (AgentlogError, ValueError) as error:
                return result.refuse(str(error), _classify_error(error))
            current = target_offsets.get(copy.target)
            result = result._replace(target_offset=new_offset)
            return _decide(result, current.offset if current else -1, target_group)

        results = await self._target.connection.loop.map_concurrently(decide, changed, MAX_QUESTIONS)
        if self._is_check:
            return await self._check_right(group, results, deadline)
        return await self._commit(copies, changed, results, deadline)

    async def _check_right(
        self, group: str, results: list[GroupOffsetResult], deadline: float
    ) -> list[GroupOffsetResult]:
        """Return the results, refused where the right to commit for the group is missing in the target."""
        target = self._target.connection
        coordinator = await consumer_groups.find_coordinator(target, group, deadline)
        rights = await consumer_groups.fetch_group_rights(target, group, coordinator)
        code = 0 if rights is None or READ in rights else GROUP_AUTHORIZATION_FAILED
        return [_apply_refusal(each, code, target.name) for each in results]

    async def _fetch_ends_behind_copies(
        self, copies: Mapping[Partition, CopyProgress], changed: Mapping[Partition, CommittedOffset]
    ) -> dict[Partition, int | KafkaUnavailable]:
        """Return the source's ends of the partitions whose offset lies behind what is copied, or why it isn't known."""
        beyond = [each for each, committed in changed.items() if committed.offset > copies[each].done_source]
        if not beyond:
            return {}
        return await self._source.connection.list_offsets_or_errors(self._source.metadata, beyond, LATEST)

    async def _translate(self, copy: CopyProgress, offset: int) -> int:
        if offset >= copy.done_source:
            return copy.done_target
        return await translate_offset(self._target, copy.target, copy.producer_id, offset)

    async def _commit(
        self,
        copies: Mapping[Partition, CopyProgress],
        changed: Mapping[Partition, CommittedOffset],
        results: Sequence[GroupOffsetResult],
        deadline: float,
    ) -> list[GroupOffsetResult]:
        """Commit the offsets that may be set. Return the results, with the target's refusals."""
        offsets = {
            copies[each.partition].target: CommittedOffset(each.target_offset, changed[each.partition].metadata)
            for each in results
            if each.outcome is GroupOutcome.SET and each.partition and each.target_offset is not None
        }
        if not offsets:
            return list(results)
        group, target = results[0].group, self._target.connection
        refusals = await consumer_groups.commit_offsets(target, group, offsets, deadline)
        codes = [refusals.get(copies[each.partition].target, 0) if each.partition else 0 for each in results]
        final = [_apply_refusal(each, code, target.name) for each, code in zip(results, codes, strict=True)]
        self._note_settled(copies, final)
        return final

    def _note_settled(self, copies: Mapping[Partition, CopyProgress], results: Iterable[GroupOffsetResult]) -> None:
        """Remember the offsets that need no second look until they change."""
        for each in results:
            if (
                each.outcome is GroupOutcome.SET
                and each.partition
                and each.source_offset is not None
                and each.source_offset <= copies[each.partition].done_source
            ):
                self._settled[each.group, each.partition] = each.source_offset


async def sync_groups(
    source: ClusterConnection,
    target: ClusterConnection,
    statuses: Sequence[PartitionStatus],
    patterns: Sequence[str],
    *,
    is_check: bool = False,
) -> list[GroupOffsetResult]:
    """Set the offsets of the groups that match ``patterns`` once, as far as ``statuses`` say that it is mirrored.

    Args:
        source, target: both clusters.
        statuses: the partitions; those whose position is unknown are left out.
        patterns: names of groups, or shell patterns.
        is_check: whether to say only what would be done.

    Raises:
        KafkaUnavailable, KafkaRefused: a cluster doesn't tell its topics or groups.
    """
    source_view = await ClusterView.for_topics(source, {each.source.topic for each in statuses})
    target_view = await ClusterView.for_topics(target, {each.target.topic for each in statuses})
    copies = {
        each.source: CopyProgress(
            each.target, source_view.derive_mirror_producer_id(each.source.topic), each.position, each.target_end
        )
        for each in statuses
        if each.position is not None and each.target_end is not None
    }
    return await GroupOffsetSync(source_view, target_view, patterns, is_check=is_check).sync(copies)


def _select_groups(patterns: Sequence[str], groups: Iterable[str]) -> list[str]:
    """Return the names of groups: those that match a pattern, and those that the user named."""
    matching = {name for name in groups if any(fnmatchcase(name, each) for each in patterns)}
    named = {each for each in patterns if not is_pattern(each)}
    return sorted(name for name in matching | named if not name.startswith("kafmirror-"))


def _decide(result: GroupOffsetResult, current_offset: int, target_group: Group | None) -> GroupOffsetResult:
    """Return the result with a reason if the offset must not be set. It never goes back, nor below running consumers.

    Args:
        result: the group's offset, and the same place in the target.
        current_offset: the group's offset in the target; -1 when it has none.
        target_group: the group as the target knows it; None when it has none that we may see.
    """
    if result.target_offset is not None and current_offset >= result.target_offset:
        return result.refuse(f"it is at {current_offset} already", GroupOutcome.AHEAD)
    if target_group and target_group.is_share:
        return result.refuse("the target has a share group of that name")
    if target_group and target_group.has_members:
        return result.refuse("consumers use the group in the target")
    return result


def _apply_refusal(result: GroupOffsetResult, code: int, cluster: str) -> GroupOffsetResult:
    """Return the result with the target's refusal of the offset, if ``code`` is Kafka's number of an error."""
    if not code or result.outcome is not GroupOutcome.SET:
        return result
    outcome = GroupOutcome.UNREACHED if is_transient(code) else GroupOutcome.REFUSED
    return result.refuse(f"{consumer_groups.describe_refusal(code)} in {cluster}", outcome)


def _classify_error(error: Exception) -> GroupOutcome:
    code = getattr(error, "code", None)
    is_final = isinstance(error, KafkaRefused | ValueError) or (code is not None and not is_transient(code))
    return GroupOutcome.REFUSED if is_final else GroupOutcome.UNREACHED
