"""The facts for a plan, collected from both clusters. Nothing is changed there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from agentlog.errors import AgentlogError, KafkaRefused, KafkaUnavailable, TopicNotFound

from ..batches.record_batch import Batch, is_mirror_producer_id, is_written_by
from ..kafka import consumer_groups, topic_admin
from ..kafka.cluster_view import ClusterView, name_mirror_group
from ..kafka.connection import NO_LEADER, ClusterConnection
from ..kafka.metadata import Bounds, Metadata, Partition, Setting
from ..kafka.network.event_loop import MAX_QUESTIONS
from ..kafka.topic_selection import TopicSelection
from ..verify.compare import OffsetRanges, PartitionComparison, PartitionPair
from .plan import ForeignPrefix, Plan, TopicFacts, TopicPairFacts, TopicPlan, is_pattern, match_topics, plan_topic


class FactCollector:
    """A collector of facts about the selected topics."""

    def __init__(self, source: ClusterConnection, target: ClusterConnection, selection: TopicSelection) -> None:
        self._source, self._target, self._selection = source, target, selection

    async def make_plan(self) -> Plan:
        """Collect the facts, and return the plan.

        Raises:
            KafkaUnavailable, KafkaRefused: a cluster doesn't answer.
            TopicNotFound: a name that isn't a pattern is no topic of the source.
        """
        source_metadata_future = self._source.loop.spawn(self._source.fetch_metadata, None)
        target_metadata = await self._target.fetch_metadata(None)
        source_metadata = await source_metadata_future
        names = self.find_topics(source_metadata)
        if source_metadata.cluster_id == target_metadata.cluster_id:
            refusal = f"source and target are the same cluster: its id is {source_metadata.cluster_id}"
            return Plan(self._source.name, self._target.name, (), (refusal,))
        settings = self._target.loop.spawn(_fetch_broker_settings_if_allowed, self._target)
        topic_facts = await self._source.loop.map_concurrently(
            lambda name: self._collect_facts(source_metadata, target_metadata, name), names
        )
        defaults = await settings
        known_settings = None if defaults is None else _list_topic_settings(defaults)
        plans = [plan_topic(facts, known_settings) for facts in topic_facts]
        if known_settings is None:
            plans = await self._target.loop.map_concurrently(self._check_settings_of_new_topic, plans)
        warnings = (*self._describe_left_out(source_metadata), *self._describe_unknown(defaults, plans))
        return Plan(self._source.name, self._target.name, tuple(plans), (), warnings)

    def find_topics(self, source_metadata: Metadata) -> list[str]:
        """Return the names of the selected topics; raises TopicNotFound for a name that is no topic of the source."""
        for pattern in self._selection.patterns:
            if not match_topics([pattern], source_metadata.topics) and not is_pattern(pattern):
                names = sorted(name for name in source_metadata.topics if not name.startswith("__"))
                candidates = ", ".join(dict.fromkeys([*get_close_matches(pattern, names), *names]))
                raise TopicNotFound(
                    f"cluster {self._source.name} has no topic {pattern} that we may see. "
                    f"We may see: {candidates[:500] or 'none'}"
                )
        return self.select_topics(source_metadata)

    def select_topics(self, source_metadata: Metadata) -> list[str]:
        """Return the topics that are named or match a pattern. Patterns skip copies of the target's topics."""
        return [
            name
            for name in match_topics(self._selection.patterns, source_metadata.topics)
            if name in self._selection.patterns or not self._selection.is_excluded(self._target, name)
        ]

    def _describe_left_out(self, source_metadata: Metadata) -> Iterator[str]:
        """Yield a warning for each pattern without a topic, and one for the copies that patterns skip."""
        for pattern in self._selection.patterns:
            if not match_topics([pattern], source_metadata.topics):
                yield f"no topic of {self._source.name} matches {pattern} yet"
        if copies := set(match_topics(self._selection.patterns, source_metadata.topics)) - set(
            self.select_topics(source_metadata)
        ):
            yield f"skipped, because they are copies of topics of {self._target.name}: {', '.join(sorted(copies))}"

    def _describe_unknown(self, defaults: Mapping[str, Setting] | None, plans: Sequence[TopicPlan]) -> Iterator[str]:
        """Yield a warning for what we may not know, and for brokers' settings that don't fit together."""
        if defaults is None:
            yield (
                f"{self._target.name} doesn't show us its brokers' settings, as it needs DESCRIBE_CONFIGS on the "
                "cluster. See to it that connections.max.idle.ms there is less than producer.id.expiration.ms"
            )
        else:
            yield from _check_idle_timeout(defaults)
        if any(each.stored_bytes is None for each in plans):
            yield (
                f"{self._source.name} doesn't show us the topics' size on disk, as it needs DESCRIBE on the cluster. "
                "Nothing depends on it"
            )

    async def _check_settings_of_new_topic(self, plan: TopicPlan) -> TopicPlan:
        """Ask the target whether it knows all settings of a topic that it gets. Return the plan with its refusal."""
        if not plan.create or plan.refusals:
            return plan
        settings = {name: value for name, value in plan.changes.items() if value is not None}
        error = await self._try_to_create(plan.target, plan.partitions, settings)
        return replace(plan, refusals=(error,)) if error else plan

    async def _collect_facts(self, source_metadata: Metadata, target_metadata: Metadata, name: str) -> TopicPairFacts:
        spawn, target_name = self._source.loop.spawn, self._selection.make_target_name(self._source, name)
        source, target = (
            ClusterView.for_topic(self._source, source_metadata, name),
            ClusterView.for_topic(self._target, target_metadata, target_name),
        )
        stored_bytes = spawn(topic_admin.measure_stored_bytes, self._source, source_metadata.topics[name])
        mirror_group = name_mirror_group(source.derive_mirror_producer_id(name))
        group_rights = spawn(consumer_groups.fetch_group_rights, self._target, mirror_group)
        source_facts_future = spawn(lambda: _collect_topic_facts(source, name, is_read_committed=True))
        if target_name not in target_metadata.topics:
            create_error = await self._try_to_create(target_name, len(source_metadata.topics[name].leaders), {})
            return TopicPairFacts(
                await source_facts_future,
                None,
                target_name,
                {},
                (),
                create_error,
                await stored_bytes,
                await group_rights,
            )
        target_facts = await _collect_topic_facts(target, target_name, is_read_committed=False)
        foreign_prefixes = spawn(_compare_foreign_tails, source, target, await source_facts_future, target_facts)
        copied_from_target = await _find_partitions_written_by(
            source, await source_facts_future, target.derive_mirror_producer_id(target_name)
        )
        return TopicPairFacts(
            await source_facts_future,
            target_facts,
            target_name,
            await foreign_prefixes,
            copied_from_target,
            None,
            await stored_bytes,
            await group_rights,
        )

    async def _try_to_create(self, name: str, partitions: int, settings: Mapping[str, str]) -> str | None:
        try:
            await topic_admin.create_topic(self._target, name, partitions, settings, is_dry_run=True)
        except KafkaUnavailable as error:
            if getattr(error, "code", None) is None:
                raise
            return str(error)
        except AgentlogError as error:
            return str(error)
        return None


def describe_unknown(connection: ClusterConnection, error: KafkaUnavailable) -> str:
    """Return why a partition can't be had."""
    return f"no leader in {connection.name}" if getattr(error, "code", None) == NO_LEADER else str(error)


async def _fetch_broker_settings_if_allowed(connection: ClusterConnection) -> dict[str, Setting] | None:
    """Return the settings of a broker, or None when we may not see them, as in most managed services.

    Raises:
        KafkaUnavailable: no broker answers.
    """
    nodes = sorted(connection.list_brokers())
    for node in nodes:
        try:
            return await topic_admin.fetch_broker_settings(connection, node)
        except KafkaRefused:
            return None
        except KafkaUnavailable:
            if node == nodes[-1]:
                raise
    return None


async def _collect_topic_facts(view: ClusterView, name: str, *, is_read_committed: bool) -> TopicFacts:
    settings = view.connection.loop.spawn(topic_admin.fetch_settings, view.connection, name)
    rights = view.connection.loop.spawn(topic_admin.fetch_rights, view.connection, name)
    bounds, unknown = await _fetch_known_bounds(view, name, is_read_committed=is_read_committed)
    return TopicFacts(view.metadata.topics[name], await settings, bounds, await rights, unknown)


async def _fetch_known_bounds(
    view: ClusterView, name: str, *, is_read_committed: bool
) -> tuple[dict[int, Bounds], dict[int, str]]:
    """Return the bounds of the partitions that can be had, and why the others can't be.

    Raises:
        KafkaUnavailable: no partition can be had although there are leaders.
    """
    answers = await view.fetch_bounds_or_errors(name, is_read_committed=is_read_committed)
    bounds = {number: each for number, each in answers.items() if isinstance(each, Bounds)}
    errors = {number: each for number, each in answers.items() if isinstance(each, KafkaUnavailable)}
    unreachable = next((each for each in errors.values() if getattr(each, "code", None) != NO_LEADER), None)
    if unreachable is not None and not bounds:
        raise unreachable
    return bounds, {number: describe_unknown(view.connection, each) for number, each in errors.items()}


_OTHER_TOPIC = (
    "They were copied from another topic: the source's was probably deleted and created again. Delete the target's, if "
    "nobody needs its records, or mirror to another name"
)


async def _compare_foreign_tails(
    source: ClusterView, target: ClusterView, source_facts: TopicFacts, target_facts: TopicFacts
) -> dict[int, ForeignPrefix]:
    """Compare each partition whose last batch in the target isn't this mirror's. Return the results by partition."""
    producer_id = source.derive_mirror_producer_id(source_facts.topic.name)

    async def fetch_last(number: int) -> Batch | None:
        return await target.fetch_last_batch(Partition(target_facts.topic.name, number), target_facts.bounds[number])

    async def compare_partition(number: int) -> ForeignPrefix:
        partition = Partition(target_facts.topic.name, number)
        pair = PartitionPair(Partition(source_facts.topic.name, number), partition, producer_id)
        prefix = await _compare_tail(pair, source, target, source_facts.bounds[number], target_facts.bounds[number])
        if prefix.difference and is_mirror_producer_id(foreign[number].producer_id):
            return prefix._replace(difference=f"{prefix.difference}. {_OTHER_TOPIC}")
        return prefix

    loop, numbers = source.connection.loop, [each for each in target_facts.bounds if each in source_facts.bounds]
    last_batches = zip(numbers, await loop.map_concurrently(fetch_last, numbers, MAX_QUESTIONS), strict=True)
    foreign = {number: last for number, last in last_batches if last and not is_written_by(last, producer_id)}
    return dict(zip(foreign, await loop.map_concurrently(compare_partition, foreign), strict=True))


async def _compare_tail(
    pair: PartitionPair, source: ClusterView, target: ClusterView, source_bounds: Bounds, target_bounds: Bounds
) -> ForeignPrefix:
    start = max(source_bounds.low, target_bounds.low)
    if target_bounds.end > source_bounds.end:
        return ForeignPrefix(
            target_bounds.end, f"it ends at {target_bounds.end}, but the source ends at {source_bounds.end}"
        )
    if target_bounds.low > source_bounds.low or start >= target_bounds.end:
        return ForeignPrefix(
            target_bounds.end,
            f"it holds offsets {target_bounds.low} to {target_bounds.end - 1}, "
            f"but the source begins at {source_bounds.low}",
        )
    result = await PartitionComparison(
        pair, source, target, OffsetRanges(start, target_bounds.end, start, target_bounds.end)
    ).run()
    if result.is_exact:
        return ForeignPrefix(target_bounds.end, None)
    if result.first_difference:
        offset, difference = result.first_difference
        return ForeignPrefix(target_bounds.end, f"at offset {offset} they differ in {difference}")
    first_range = min([*result.missing, *result.extra])
    return ForeignPrefix(target_bounds.end, f"offset {first_range[0]} is only on one side")


async def _find_partitions_written_by(source: ClusterView, facts: TopicFacts, producer_id: int) -> tuple[int, ...]:
    """Return the partitions of a topic that hold records, if one mirror wrote the last batch of each.

    If anybody else has written behind it in any partition, return none: the copy has taken over from the other
    direction, and this direction is the way home.
    """

    async def fetch_last(number: int) -> Batch | None:
        return await source.fetch_last_batch(Partition(facts.topic.name, number), facts.bounds[number])

    last_batches = zip(
        facts.bounds,
        await source.connection.loop.map_concurrently(fetch_last, facts.bounds, MAX_QUESTIONS),
        strict=True,
    )
    batches = {number: batch for number, batch in last_batches if batch is not None}
    return tuple(batches) if all(batch.producer_id == producer_id for batch in batches.values()) else ()


_BROKER_NAMES = {
    "file.delete.delay.ms": "log.segment.delete.delay.ms",
    "flush.messages": "log.flush.interval.messages",
    "flush.ms": "log.flush.interval.ms",
    "max.message.bytes": "message.max.bytes",
    "min.cleanable.dirty.ratio": "log.cleaner.min.cleanable.ratio",
    "segment.index.bytes": "log.index.size.max.bytes",
    "segment.jitter.ms": "log.roll.jitter.ms",
    "segment.ms": "log.roll.ms",
}


def _list_topic_settings(defaults: Mapping[str, Setting]) -> frozenset[str]:
    """Return the names of the topic settings that a broker knows, from its own settings that are their defaults."""
    names = {name.removeprefix("log.").removeprefix("cleaner.") for name in defaults if name.startswith("log.")}
    names |= {name for name, broker in _BROKER_NAMES.items() if broker in defaults}
    return frozenset(names | {"compression.type"})


def _check_idle_timeout(defaults: Mapping[str, Setting]) -> list[str]:
    def read_number(name: str) -> int | None:
        value = defaults[name].value if name in defaults else None
        return int(value) if value is not None else None

    expiry, idle = read_number("producer.id.expiration.ms"), read_number("connections.max.idle.ms")
    if expiry is not None and idle is not None and not 0 <= idle < expiry:
        return [
            f"the target forgets producers after {expiry} ms (producer.id.expiration.ms) and closes idle connections "
            f"after {idle} ms (connections.max.idle.ms). The second time must be shorter; otherwise a mirror that was "
            "frozen may write records twice"
        ]
    return []
