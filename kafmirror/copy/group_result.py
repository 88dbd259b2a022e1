"""The result of the transfer of a group's offset: whether it was set in the target, and why not. Pure."""

from enum import Enum
from typing import Any, NamedTuple

from ..kafka.metadata import Partition


class GroupOutcome(Enum):
    """The outcome for a group's offset of a partition.

    SET: it was set, or could be set if this is only a check.
    AHEAD: the group is at the record in the target already, or behind it.
    ABSENT: the group has no offset of these topics in the source.
    REFUSED: it can't be carried over as things are.
    UNREACHED: a broker didn't answer, or not yet.
    """

    SET = "set"
    AHEAD = "ahead"
    ABSENT = "absent"
    REFUSED = "refused"
    UNREACHED = "unreached"


class GroupOffsetResult(NamedTuple):
    """The result for a group's offset of a partition.

    Attributes:
        group: the group's name.
        partition: the partition in the source; None if the result is for the whole group.
        source_offset: the group's offset in the source.
        target_offset: the offset of the same record in the target.
        skip_reason: why the offset wasn't set; None if it was.
        outcome: what this means.
    """

    group: str
    partition: Partition | None
    source_offset: int | None
    target_offset: int | None
    skip_reason: str | None
    outcome: GroupOutcome = GroupOutcome.SET

    @property
    def is_left_behind(self) -> bool:
        """Whether the group would not continue in the target where it was in the source."""
        return self.outcome in {GroupOutcome.REFUSED, GroupOutcome.UNREACHED}

    def refuse(self, reason: str, outcome: GroupOutcome = GroupOutcome.REFUSED) -> "GroupOffsetResult":
        """Return the result with the reason why the offset wasn't set."""
        return self._replace(skip_reason=reason, outcome=outcome)


def encode_group_result(result: GroupOffsetResult) -> dict[str, Any]:
    """Return a result as the JSON that docs/kafmirror.md describes."""
    return {
        "group": result.group,
        "topic": result.partition.topic if result.partition else None,
        "partition": result.partition.number if result.partition else None,
        "source_offset": result.source_offset,
        "target_offset": result.target_offset,
        "skipped": result.skip_reason,
        "left_behind": result.is_left_behind,
    }


def describe_result(result: GroupOffsetResult, set_text: str = "set to") -> str:
    """Return a line about an offset. ``set_text`` goes before the offset that was set."""
    outcome_text = f"skipped: {result.skip_reason}" if result.skip_reason else f"{set_text} {result.target_offset}"
    return "  ".join([f"group {result.group}", *([str(result.partition)] if result.partition else []), outcome_text])
