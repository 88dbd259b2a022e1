"""Taking consumer groups' offsets along: to the same records in the target, never beyond what it holds, never back."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..kafka import consumer_groups
from ..kafka.cluster_view import Side
from ..kafka.consumer_groups import Committed
from ..kafka.metadata import Partition
from .offset_translation import target_offset


class Copied(NamedTuple):
    """A partition's copy: the target's partition, its mirror's producer id, and how far it goes on both sides."""

    target: Partition
    producer: int
    done_source: int
    done_target: int


class Moved(NamedTuple):
    """What became of a group's offset of a partition; ``skipped`` is why it wasn't set."""

    group: str
    partition: Partition
    source_offset: int
    target_offset: int
    skipped: str | None


class Grouping:
    """Sets offsets of the source's groups in the target.

    Args:
        source, target: both clusters.
        patterns: names of groups, or shell patterns.
    """

    def __init__(self, source: Side, target: Side, patterns: Sequence[str]) -> None:
        self._source, self._target, self._patterns = source, target, patterns
        self._settled: dict[tuple[str, Partition], int] = {}

    async def take_along(self, held: Mapping[Partition, Copied]) -> list[Moved]:
        """Set the offsets that have changed since the last time, of the partitions in ``held`` by the source's name.

        Raises:
            KafkaUnavailable, KafkaRefused: a side doesn't answer.
        """
        moved: list[Moved] = []
        for group in sorted(await consumer_groups.all_groups(self._source.wire)):
            if not group.startswith("kafmirror-") and any(fnmatchcase(group, each) for each in self._patterns):
                moved += await self._take(group, held)
        return moved

    async def _take(self, group: str, held: Mapping[Partition, Copied]) -> list[Moved]:
        there = await consumer_groups.committed(self._source.wire, group)
        changed = {
            each: at for each, at in there.items() if each in held and self._settled.get((group, each)) != at.offset
        }
        if not changed:
            return []
        here = await consumer_groups.committed(self._target.wire, group)
        busy = (
            "consumers use the group in the target"
            if await consumer_groups.has_members(self._target.wire, group)
            else None
        )
        moved = []
        for partition, at in changed.items():
            wanted = await self._in_target(held[partition], at.offset)
            has = here[held[partition].target].offset if held[partition].target in here else -1
            skipped = busy or (f"it is at {has} already" if has >= wanted else None)
            moved.append(Moved(group, partition, at.offset, wanted, skipped))
        await self._set(group, held, {each: changed[each.partition] for each in moved if each.skipped is None})
        return moved

    async def _in_target(self, held: Copied, offset: int) -> int:
        if offset >= held.done_source:
            return held.done_target
        return await target_offset(self._target, held.target, held.producer, offset)

    async def _set(self, group: str, held: Mapping[Partition, Copied], moved: Mapping[Moved, Committed]) -> None:
        if moved:
            offsets = {
                held[each.partition].target: Committed(each.target_offset, at.metadata) for each, at in moved.items()
            }
            await consumer_groups.commit(self._target.wire, group, offsets)
        for each in moved:
            if each.source_offset <= held[each.partition].done_source:
                self._settled[group, each.partition] = each.source_offset
