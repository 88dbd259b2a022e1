"""The transfer of consumer groups' offsets, to the same records in the target: never beyond its end, never back."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..kafka import consumer_groups
from ..kafka.cluster_view import ClusterView
from ..kafka.consumer_groups import CommittedOffset
from ..kafka.metadata import Partition
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


class GroupOffsetResult(NamedTuple):
    """The result for a group's offset of a partition. ``skip_reason`` says why it wasn't set; None if it was."""

    group: str
    partition: Partition
    source_offset: int
    target_offset: int
    skip_reason: str | None


class GroupOffsetSync:
    """A transfer of the offsets of the source's groups to the target.

    Args:
        source, target: both clusters.
        patterns: names of groups, or shell patterns.
    """

    def __init__(self, source: ClusterView, target: ClusterView, patterns: Sequence[str]) -> None:
        self._source, self._target, self._patterns = source, target, patterns
        self._settled: dict[tuple[str, Partition], int] = {}

    async def sync(self, copies: Mapping[Partition, CopyProgress]) -> list[GroupOffsetResult]:
        """Set the offsets that have changed since the last call.

        Args:
            copies: the progress of each partition, by the partition of the source.

        Raises:
            KafkaUnavailable, KafkaRefused: a cluster doesn't answer, or refuses an offset.
        """
        results: list[GroupOffsetResult] = []
        for group in sorted(await consumer_groups.list_groups(self._source.connection)):
            if not group.startswith("kafmirror-") and any(fnmatchcase(group, each) for each in self._patterns):
                results += await self._sync_group(group, copies)
        return results

    async def _sync_group(self, group: str, copies: Mapping[Partition, CopyProgress]) -> list[GroupOffsetResult]:
        source_offsets = await consumer_groups.fetch_committed_offsets(self._source.connection, group)
        changed = {
            each: committed
            for each, committed in source_offsets.items()
            if each in copies and self._settled.get((group, each)) != committed.offset
        }
        if not changed:
            return []
        target_offsets = await consumer_groups.fetch_committed_offsets(self._target.connection, group)
        busy_reason = (
            "consumers use the group in the target"
            if await consumer_groups.has_members(self._target.connection, group)
            else None
        )
        results = []
        for partition, committed in changed.items():
            new_offset = await self._translate(copies[partition], committed.offset)
            current_offset = (
                target_offsets[copies[partition].target].offset if copies[partition].target in target_offsets else -1
            )
            skip_reason = busy_reason or (
                f"it is at {current_offset} already" if current_offset >= new_offset else None
            )
            results.append(GroupOffsetResult(group, partition, committed.offset, new_offset, skip_reason))
        await self._commit(
            group, copies, {each: changed[each.partition] for each in results if each.skip_reason is None}
        )
        return results

    async def _translate(self, copy: CopyProgress, offset: int) -> int:
        if offset >= copy.done_source:
            return copy.done_target
        return await translate_offset(self._target, copy.target, copy.producer_id, offset)

    async def _commit(
        self, group: str, copies: Mapping[Partition, CopyProgress], results: Mapping[GroupOffsetResult, CommittedOffset]
    ) -> None:
        if results:
            offsets = {
                copies[each.partition].target: CommittedOffset(each.target_offset, committed.metadata)
                for each, committed in results.items()
            }
            await consumer_groups.commit_offsets(self._target.connection, group, offsets)
        for each in results:
            if each.source_offset <= copies[each.partition].done_source:
                self._settled[group, each.partition] = each.source_offset
