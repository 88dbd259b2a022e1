"""The plan of what a mirror would do, or why it can't, made from collected facts. Pure."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..kafka.metadata import BATCH_LIMIT, MARKER_BYTES, Bounds, Setting, Topic

NO_LIMIT_MS = str(2**63 - 1)

EXACT_COPY_SETTINGS: Mapping[str, str] = {
    "compression.type": "producer",
    "message.timestamp.type": "CreateTime",
    "message.timestamp.before.max.ms": NO_LIMIT_MS,
    "message.timestamp.after.max.ms": NO_LIMIT_MS,
}
"""Settings that every target topic gets, so that its brokers store records unchanged."""

FOLLOWED_SETTINGS = (
    "cleanup.policy",
    "delete.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "min.compaction.lag.ms",
    "retention.bytes",
    "retention.ms",
)
"""Settings that a target copies even where the source only has its brokers' defaults."""

LOCAL_SETTINGS = (
    "follower.replication.throttled.replicas",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "message.timestamp.difference.max.ms",
    "min.insync.replicas",
    "remote.",
    "unclean.leader.election.enable",
)
"""Settings that are each cluster's own, and aren't copied. A name that ends with a dot is a prefix."""

READ, WRITE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS = 3, 4, 6, 7, 8, 10, 11
_RIGHT_NAMES = {
    READ: "READ",
    WRITE: "WRITE",
    DELETE: "DELETE",
    ALTER: "ALTER",
    DESCRIBE: "DESCRIBE",
    DESCRIBE_CONFIGS: "DESCRIBE_CONFIGS",
    ALTER_CONFIGS: "ALTER_CONFIGS",
}


class ForeignPrefix(NamedTuple):
    """Records in the target that this mirror didn't write: their end, and their difference from the source or None."""

    end: int
    difference: str | None


class TopicFacts(NamedTuple):
    """A topic on one side.

    Attributes:
        topic: the topic.
        settings: all its settings.
        bounds: the bounds of each partition that can be had.
        rights: Kafka's numbers of the operations that we may do; None when unknown.
        unknown: why the other partitions can't be had, by partition.
    """

    topic: Topic
    settings: Mapping[str, Setting]
    bounds: Mapping[int, Bounds]
    rights: frozenset[int] | None
    unknown: Mapping[int, str] = {}


@dataclass(frozen=True)
class TopicPairFacts:
    """A topic on both sides.

    Attributes:
        source: the topic in the source.
        target: the topic in the target; None when it doesn't exist yet.
        target_name: the topic's name in the target.
        foreign_prefixes: records in the target that this mirror didn't write, by partition.
        copied_from_target: partitions of the source that a mirror in the other direction wrote.
        create_error: why the topic can't be created in the target, or None.
        stored_bytes: the size of the source's partitions on disk; None when unknown.
        group_rights: what we may do on the mirror's own group in the target; None when unknown.
    """

    source: TopicFacts
    target: TopicFacts | None
    target_name: str
    foreign_prefixes: Mapping[int, ForeignPrefix]
    copied_from_target: tuple[int, ...]
    create_error: str | None
    stored_bytes: int | None
    group_rights: frozenset[int] | None = None

    @property
    def unknown(self) -> dict[int, str]:
        """The source's partitions that can't be had on one side or the other, and why."""
        reasons = {**(self.target.unknown if self.target else {}), **self.source.unknown}
        return {number: reasons[number] for number in sorted(reasons.keys() & self.source.topic.leaders.keys())}

    @property
    def source_bounds(self) -> dict[int, Bounds]:
        """The source's bounds of the partitions that can be had on both sides."""
        return {number: bounds for number, bounds in self.source.bounds.items() if number not in self.unknown}

    def get_target_end(self, number: int) -> int:
        """Return the end of a partition of the target, 0 when it doesn't exist."""
        return self.target.bounds[number].end if self.target and number in self.target.bounds else 0


@dataclass(frozen=True)
class TopicPlan:
    """The plan for one topic.

    Attributes:
        source, target: the topic's name on both sides.
        partitions: the number of partitions in the source.
        create: whether the topic must be created in the target.
        widen: whether the topic must get more partitions in the target.
        changes: settings to change in the target; None resets one to the default.
        adopted: by partition, the end of records in the target that equal the source's and stay as they are.
        records: the number of offsets that are still to be copied, without those of unknown partitions.
        stored_bytes: the topic's size on the source's disks; None when unknown.
        refusals: the reasons why the topic can't be mirrored.
        warnings: sentences that the user should read.
        unknown: the partitions that can't be had now on one side or the other, and why. They wait until they can.
    """

    source: str
    target: str
    partitions: int
    create: bool
    widen: bool
    changes: Mapping[str, str | None]
    adopted: Mapping[int, int]
    records: int
    stored_bytes: int | None
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    unknown: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The plan for all topics. Nothing is done while there are refusals."""

    source: str
    target: str
    topics: tuple[TopicPlan, ...]
    refusals: tuple[str, ...] = field(default=())
    warnings: tuple[str, ...] = field(default=())

    @property
    def all_refusals(self) -> list[str]:
        """The refusals of the whole plan and of each topic."""
        return [*self.refusals, *(text for topic in self.topics for text in topic.refusals)]


def match_topics(patterns: list[str], topics: Mapping[str, Topic]) -> list[str]:
    """Return the topics that match one of ``patterns``: a name, or a shell pattern. Patterns skip internal topics."""
    return sorted(
        name
        for name, topic in topics.items()
        if name in patterns
        or (not topic.is_internal and not name.startswith("__") and any(fnmatchcase(name, each) for each in patterns))
    )


def is_pattern(text: str) -> bool:
    """Return whether ``text`` is a shell pattern."""
    return any(sign in text for sign in "*?[")


def compute_target_settings(source: Mapping[str, Setting], known_settings: frozenset[str] | None) -> dict[str, str]:
    """Return the settings that a target topic gets. Its brokers know ``known_settings``; None means all."""
    desired = {
        name: setting.value
        for name, setting in source.items()
        if (setting.is_overridden or name in FOLLOWED_SETTINGS) and setting.value is not None and not _is_local(name)
    }
    all_settings = {**desired, **EXACT_COPY_SETTINGS}
    return {name: value for name, value in all_settings.items() if known_settings is None or name in known_settings}


def _is_local(name: str) -> bool:
    return any(name == each or (each.endswith(".") and name.startswith(each)) for each in LOCAL_SETTINGS)


def compute_setting_changes(
    desired_settings: Mapping[str, str], current_settings: Mapping[str, Setting], *, holds_records: bool
) -> dict[str, str | None]:
    """Return the settings to change in a target topic. None resets a setting to the default.

    Compaction is never switched on in a target that holds records, because not all records behind gaps have a
    ``kafmirror.offset`` header, and compaction may remove those that have it. A limit that refuses all writers, as
    failback sets it for a while, isn't copied.
    """
    limit = current_settings[BATCH_LIMIT].value if BATCH_LIMIT in current_settings else None
    if limit and int(desired_settings.get(BATCH_LIMIT, limit)) <= MARKER_BYTES:
        desired_settings = {**desired_settings, BATCH_LIMIT: limit}
    policy = current_settings["cleanup.policy"].value if "cleanup.policy" in current_settings else None
    if holds_records and policy and "compact" not in policy and "compact" in desired_settings.get("cleanup.policy", ""):
        desired_settings = {**desired_settings, "cleanup.policy": policy}
    changes: dict[str, str | None] = {
        name: value
        for name, value in desired_settings.items()
        if name not in current_settings or current_settings[name].value != value
    }
    surplus = (
        name
        for name, setting in current_settings.items()
        if setting.is_overridden and name not in desired_settings and not _is_local(name)
    )
    return {**changes, **dict.fromkeys(surplus)}


def plan_topic(facts: TopicPairFacts, known_settings: frozenset[str] | None) -> TopicPlan:
    """Return the plan for a topic.

    Args:
        facts: the topic on both sides.
        known_settings: the topic settings that the target's brokers know; None when they don't say.
    """
    if known_settings is None and facts.target is not None:
        known_settings = frozenset(facts.target.settings)
    partitions = len(facts.source.topic.leaders)
    existing_count = len(facts.target.topic.leaders) if facts.target else 0
    desired_settings = compute_target_settings(facts.source.settings, known_settings)
    has_records = any(facts.get_target_end(number) for number in range(existing_count))
    may_hold_records = has_records or (facts.target is not None and bool(facts.target.unknown))
    changes = compute_setting_changes(
        desired_settings, facts.target.settings if facts.target else {}, holds_records=may_hold_records
    )
    return TopicPlan(
        source=facts.source.topic.name,
        target=facts.target_name,
        partitions=partitions,
        create=facts.target is None,
        widen=0 < existing_count < partitions,
        changes=changes,
        adopted={number: prefix.end for number, prefix in facts.foreign_prefixes.items() if prefix.difference is None},
        records=sum(
            max(end - max(low, facts.get_target_end(number)), 0) for number, (low, end) in facts.source_bounds.items()
        ),
        stored_bytes=facts.stored_bytes,
        refusals=tuple(_find_refusals(facts)),
        warnings=tuple(_find_warnings(facts)),
        unknown=facts.unknown,
    )


def _find_refusals(facts: TopicPairFacts) -> list[str]:
    source, refusals = facts.source.topic.name, []
    if facts.create_error:
        refusals.append(facts.create_error)
    if facts.copied_from_target:
        refusals.append(
            f"a mirror in the other direction writes {source} ({_format_partitions(facts.copied_from_target)}). "
            "If both regions are active, use --target-topic '{source}.{topic}' in both directions. "
            "To bring a topic home, use kafmirror failback"
        )
    refusals += _find_missing_rights(source, "source", facts.source.rights, {READ, DESCRIBE, DESCRIBE_CONFIGS})
    if _is_group_right_missing(facts) and _has_gaps(facts):
        refusals.append(f"not authorised on groups kafmirror-* in the target: READ needed for {source}, as it has gaps")
    return refusals + (_find_target_refusals(facts, facts.target) if facts.target else [])


def _find_target_refusals(facts: TopicPairFacts, target: TopicFacts) -> list[str]:
    """Return the reasons why an existing target topic can't be used."""
    name, refusals = facts.target_name, []
    existing_count, partitions = len(target.topic.leaders), len(facts.source.topic.leaders)
    if existing_count > partitions:
        refusals.append(
            f"topic {name} has {existing_count} partitions in the target, "
            f"and {facts.source.topic.name} has {partitions} in the source. Kafka can't remove partitions"
        )
    refusals += [
        f"{name}[{number}] holds records that aren't the source's: {prefix.difference}"
        for number, prefix in facts.foreign_prefixes.items()
        if prefix.difference
    ]
    needed_rights = {READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS}
    needed_rights |= {DELETE} if _find_partitions_to_fill(facts) else set()
    needed_rights |= {ALTER} if existing_count < partitions else set()
    return refusals + _find_missing_rights(name, "target", target.rights, needed_rights)


def _find_missing_rights(topic: str, side: str, rights: frozenset[int] | None, needed_rights: Set[int]) -> list[str]:
    lacking = [_RIGHT_NAMES[each] for each in sorted(needed_rights) if rights is not None and each not in rights]
    return [f"not authorised on topic {topic} in the {side}: {', '.join(lacking)} needed"] if lacking else []


def _find_warnings(facts: TopicPairFacts) -> list[str]:
    warnings = []
    if partitions_to_fill := _find_partitions_to_fill(facts):
        count = sum(facts.source_bounds[number].low for number in partitions_to_fill)
        warnings.append(
            f"the source no longer holds the beginning of {_format_partitions(partitions_to_fill)}. "
            f"The target gets {count:,} empty records there, which are deleted at once, so that it begins at the same "
            "offsets"
        )
    lost_ranges = [
        f"partition {number}, offsets {facts.get_target_end(number)} to {bounds.low - 1}"
        for number, bounds in sorted(facts.source_bounds.items())
        if 0 < facts.get_target_end(number) < bounds.low
    ]
    if lost_ranges:
        warnings.append(
            f"retention may have deleted records of the source before they were mirrored: {'; '.join(lost_ranges)}"
        )
    if _is_group_right_missing(facts) and not _has_gaps(facts):
        warnings.append(
            "not authorised on groups kafmirror-* in the target. The mirror needs READ there if the source's offsets "
            "have gaps, or when the target's retention has emptied a partition"
        )
    if _is_compacted(facts):
        warnings.append(
            "the topic is compacted, so offsets differ behind gaps. Each record there gets the header kafmirror.offset"
        )
    return warnings


def _is_compacted(facts: TopicPairFacts) -> bool:
    policy = facts.source.settings.get("cleanup.policy", Setting("delete", is_overridden=False)).value or ""
    return "compact" in policy


def _has_gaps(facts: TopicPairFacts) -> bool:
    """Return whether the source's offsets certainly have gaps, so that the mirror must note where it stands."""
    return bool(_find_partitions_to_fill(facts)) or _is_compacted(facts)


def _is_group_right_missing(facts: TopicPairFacts) -> bool:
    return facts.group_rights is not None and READ not in facts.group_rights


def _find_partitions_to_fill(facts: TopicPairFacts) -> list[int]:
    """Return the partitions that no longer begin at offset 0 in the source, and hold nothing in the target."""
    return [
        number
        for number, bounds in sorted(facts.source_bounds.items())
        if bounds.low > 0 and not facts.get_target_end(number)
    ]


def _format_partitions(numbers: Sequence[int]) -> str:
    return f"partition {numbers[0]}" if len(numbers) == 1 else f"partitions {', '.join(map(str, numbers))}"
