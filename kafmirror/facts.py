"""The facts for a plan, gathered from both clusters; nothing is changed."""

from collections.abc import Mapping
from typing import NamedTuple

from agentlog.errors import AgentlogError, KafkaUnavailable, TopicNotFound, UsageError

from . import topics
from .batches import is_written_by, producer_id
from .comparing import Comparison, Pair, Span
from .known import Bounds, Metadata, Partition, Setting, Topic
from .plan import Facts, Plan, Prefix, is_pattern, matching, plan_topic
from .side import Side
from .wire import Wire


class Wanted(NamedTuple):
    """What the user wants to be mirrored.

    Attributes:
        patterns: names of topics, or shell patterns.
        target_topic: what a topic is called in the target; ``{source}`` and ``{topic}`` stand for names.
    """

    patterns: list[str]
    target_topic: str = "{topic}"

    def target_name(self, source: Wire, topic: str) -> str:
        """What ``topic`` is called in the target."""
        return self.target_topic.replace("{source}", source.name).replace("{topic}", topic)


def check_target_topic(template: str) -> str:
    """``--target-topic`` as given; raises UsageError when it would make several topics one."""
    if "{topic}" not in template:
        raise UsageError(f"--target-topic {template[:60]!r} must hold {{topic}}, and may hold {{source}}")
    return template


class Gathering:
    """Gathers the facts about topics that are to be mirrored."""

    def __init__(self, source: Wire, target: Wire, wanted: Wanted) -> None:
        self._source, self._target, self._wanted = source, target, wanted
        self._target_knows: frozenset[str] = frozenset()

    async def plan(self) -> Plan:
        """The plan.

        Raises:
            KafkaUnavailable, KafkaRefused: a side doesn't answer.
            TopicNotFound: a name or a pattern that matches no topic of the source.
        """
        there = await self._source.metadata(None)
        here = await self._target.metadata(None)
        names = self.names(there)
        if there.cluster_id == here.cluster_id:
            same = f"source and target are the same cluster: its id is {there.cluster_id}"
            return Plan(self._source.name, self._target.name, (), (same,))
        defaults = await topics.broker_settings(self._target, min(self._target.brokers()))
        self._target_knows = _topic_settings(defaults)
        plans = [plan_topic(await self._facts(there, here, name)) for name in names]
        return Plan(self._source.name, self._target.name, tuple(plans), (), tuple(_broker_warnings(defaults)))

    def names(self, there: Metadata) -> list[str]:
        """The source's topics that are wanted; raises TopicNotFound for a name that is none."""
        for pattern in self._wanted.patterns:
            if not matching([pattern], there.topics) and not is_pattern(pattern):
                some = ", ".join(name for name in sorted(there.topics) if not name.startswith("__"))
                raise TopicNotFound(
                    f"cluster {self._source.name} has no topic {pattern}, or its rights don't let us see it; "
                    f"we see {some[:500] or 'none'}"
                )
        return matching(self._wanted.patterns, there.topics)

    async def _facts(self, there: Metadata, here: Metadata, name: str) -> Facts:
        target_name = self._wanted.target_name(self._source, name)
        source, target = there.topics[name], here.topics.get(target_name)
        settings = await topics.settings(self._source, name)
        sides = (
            Side(self._source, there, {name: source.id}),
            Side(self._target, here, {target_name: target.id} if target else {}),
        )
        bounds = await sides[0].all_bounds(name, stable=True)
        target_bounds = await sides[1].all_bounds(target_name) if target else {}
        return Facts(
            source=source,
            target=target,
            target_name=target_name,
            source_settings=settings,
            target_settings=await topics.settings(self._target, target_name) if target else {},
            target_knows=self._target_knows,
            source_bounds=bounds,
            target_bounds=target_bounds,
            held=await self._held(sides, source, target, bounds, target_bounds) if target else {},
            copied_from_target=await _written_by(sides[0], source, bounds, here, target) if target else (),
            source_rights=await topics.rights(self._source, name),
            target_rights=await topics.rights(self._target, target_name) if target else None,
            refused=await self._try_to_create(target_name, len(source.leaders)) if target is None else None,
            stored_bytes=await topics.stored_bytes(self._source, name),
        )

    async def _try_to_create(self, name: str, partitions: int) -> str | None:
        try:
            await topics.create(self._target, name, partitions, {}, only_try=True)
        except KafkaUnavailable as error:
            if getattr(error, "code", None) is None:
                raise
            return str(error)
        except AgentlogError as error:
            return str(error)
        return None

    async def _held(
        self,
        sides: tuple[Side, Side],
        source: Topic,
        target: Topic,
        bounds: Mapping[int, Bounds],
        target_bounds: Mapping[int, Bounds],
    ) -> dict[int, Prefix]:
        """Partitions whose last batch in the target isn't this mirror's, compared with the source."""
        there, here = sides
        producer = producer_id(there.metadata.cluster_id, str(source.id))
        found = {}
        for number, (low, end) in target_bounds.items():
            partition = Partition(target.name, number)
            last = await here.batch_at(partition, end - 1) if end > low else None
            if last is not None and not is_written_by(last, producer) and number in bounds:
                pair = Pair(Partition(source.name, number), partition, producer)
                found[number] = await _compared(pair, there, here, bounds[number], Bounds(low, end))
        return found


async def _compared(pair: Pair, source: Side, target: Side, theirs: Bounds, ours: Bounds) -> Prefix:
    start = max(theirs.low, ours.low)
    if ours.end > theirs.end:
        return Prefix(ours.end, f"it ends at {ours.end}, and the source at {theirs.end}")
    if ours.low > theirs.low or start >= ours.end:
        return Prefix(ours.end, f"it holds offsets {ours.low} to {ours.end - 1}, and the source begins at {theirs.low}")
    found = await Comparison(pair, source, target, Span(start, ours.end, start, ours.end)).run()
    if found.is_exact:
        return Prefix(ours.end, None)
    if found.first_difference:
        offset, what = found.first_difference
        return Prefix(ours.end, f"at offset {offset} they differ in {what}")
    first = min([*found.missing, *found.extra])
    return Prefix(ours.end, f"offset {first[0]} is only on one side")


async def _written_by(
    source: Side, topic: Topic, bounds: Mapping[int, Bounds], target: Metadata, target_topic: Topic
) -> tuple[int, ...]:
    """The partitions of ``topic``, when a mirror of the target's topic wrote the last batch of all that hold any.

    Where others have written behind it, that mirror is over: the copy has taken over, and this is the way home.
    """
    producer, found = producer_id(target.cluster_id, str(target_topic.id)), list[int]()
    for number, (low, end) in bounds.items():
        last = await source.batch_at(Partition(topic.name, number), end - 1) if end > low else None
        if last is not None and last.producer_id != producer:
            return ()
        found += [number] if last is not None else []
    return tuple(found)


_OTHERWISE_CALLED = {
    "file.delete.delay.ms": "log.segment.delete.delay.ms",
    "flush.messages": "log.flush.interval.messages",
    "flush.ms": "log.flush.interval.ms",
    "max.message.bytes": "message.max.bytes",
    "min.cleanable.dirty.ratio": "log.cleaner.min.cleanable.ratio",
    "segment.index.bytes": "log.index.size.max.bytes",
    "segment.jitter.ms": "log.roll.jitter.ms",
    "segment.ms": "log.roll.ms",
}


def _topic_settings(defaults: Mapping[str, Setting]) -> frozenset[str]:
    """The topic settings that a broker knows, told by its defaults for them."""
    known = {name.removeprefix("log.").removeprefix("cleaner.") for name in defaults if name.startswith("log.")}
    known |= {name for name, broker in _OTHERWISE_CALLED.items() if broker in defaults}
    return frozenset(known | {"compression.type"})


def _broker_warnings(defaults: Mapping[str, Setting]) -> list[str]:
    def number(name: str) -> int | None:
        value = defaults[name].value if name in defaults else None
        return int(value) if value is not None else None

    expiry, idle = number("producer.id.expiration.ms"), number("connections.max.idle.ms")
    if expiry is not None and idle is not None and not 0 <= idle < expiry:
        return [
            f"the target forgets producers after {expiry} ms (producer.id.expiration.ms) and closes idle connections "
            f"after {idle} ms (connections.max.idle.ms): the second should be less, so that a mirror that was frozen "
            "can't write by what it knew before"
        ]
    return []
