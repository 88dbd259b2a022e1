"""The facts for a plan, gathered from both clusters; nothing is changed."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from agentlog.errors import AgentlogError, KafkaUnavailable, TopicNotFound

from ..batches.record_batch import Batch, is_written_by
from ..kafka import topic_admin
from ..kafka.cluster_view import Side
from ..kafka.connection import Wire
from ..kafka.metadata import Bounds, Metadata, Partition, Setting
from ..kafka.topic_selection import Wanted
from ..verify.compare import Comparison, Pair, Span
from .plan import Facts, Plan, Prefix, TopicFacts, is_pattern, matching, plan_topic


class Gathering:
    """Gathers the facts about topics that are to be mirrored."""

    def __init__(self, source: Wire, target: Wire, wanted: Wanted) -> None:
        self._source, self._target, self._wanted = source, target, wanted

    async def plan(self) -> Plan:
        """The plan.

        Raises:
            KafkaUnavailable, KafkaRefused: a side doesn't answer.
            TopicNotFound: a name that is no topic of the source.
        """
        asked = self._source.loop.spawn(self._source.metadata, None)
        here = await self._target.metadata(None)
        there = await asked
        names = self.names(there)
        if there.cluster_id == here.cluster_id:
            same = f"source and target are the same cluster: its id is {there.cluster_id}"
            return Plan(self._source.name, self._target.name, (), (same,))
        settings = self._target.loop.spawn(topic_admin.broker_settings, self._target, min(self._target.brokers()))
        found = await self._source.loop.each(lambda name: self._facts(there, here, name), names)
        defaults = await settings
        knows = _topic_settings(defaults)
        plans = [plan_topic(facts, knows) for facts in found]
        warnings = (*self._left_out(there), *_broker_warnings(defaults))
        return Plan(self._source.name, self._target.name, tuple(plans), (), warnings)

    def names(self, there: Metadata) -> list[str]:
        """The source's topics that are wanted; raises TopicNotFound for a name that is none."""
        for pattern in self._wanted.patterns:
            if not matching([pattern], there.topics) and not is_pattern(pattern):
                names = sorted(name for name in there.topics if not name.startswith("__"))
                some = ", ".join(dict.fromkeys([*get_close_matches(pattern, names), *names]))
                raise TopicNotFound(
                    f"cluster {self._source.name} has no topic {pattern}, or its rights don't let us see it; "
                    f"we see {some[:500] or 'none'}"
                )
        return self.matched(there)

    def matched(self, there: Metadata) -> list[str]:
        """The source's topics that are named, or meant by a pattern and no copies of the target's."""
        return [
            name
            for name in matching(self._wanted.patterns, there.topics)
            if name in self._wanted.patterns or not self._wanted.leaves_out(self._target, name)
        ]

    def _left_out(self, there: Metadata) -> Iterator[str]:
        """What a pattern might have been thought to mean."""
        for pattern in self._wanted.patterns:
            if not matching([pattern], there.topics):
                yield f"no topic of {self._source.name} matches {pattern} yet"
        if copies := set(matching(self._wanted.patterns, there.topics)) - set(self.matched(there)):
            yield f"left out, being copies of what {self._target.name} has: {', '.join(sorted(copies))}"

    async def _facts(self, there: Metadata, here: Metadata, name: str) -> Facts:
        spawn, target_name = self._source.loop.spawn, self._wanted.target_name(self._source, name)
        source, target = Side.of(self._source, there, name), Side.of(self._target, here, target_name)
        stored_bytes = spawn(topic_admin.stored_bytes, self._source, there.topics[name])
        theirs = spawn(lambda: _of_topic(source, name, stable=True))
        if target_name not in here.topics:
            refused = await self._try_to_create(target_name, len(there.topics[name].leaders))
            return Facts(await theirs, None, target_name, {}, (), refused, await stored_bytes)
        ours = await _of_topic(target, target_name, stable=False)
        held = spawn(_held, source, target, await theirs, ours)
        copied = await _written_by(source, await theirs, target.producer(target_name))
        return Facts(await theirs, ours, target_name, await held, copied, None, await stored_bytes)

    async def _try_to_create(self, name: str, partitions: int) -> str | None:
        try:
            await topic_admin.create(self._target, name, partitions, {}, only_try=True)
        except KafkaUnavailable as error:
            if getattr(error, "code", None) is None:
                raise
            return str(error)
        except AgentlogError as error:
            return str(error)
        return None


async def _of_topic(side: Side, name: str, *, stable: bool) -> TopicFacts:
    settings = side.wire.loop.spawn(topic_admin.settings, side.wire, name)
    rights = side.wire.loop.spawn(topic_admin.rights, side.wire, name)
    bounds = await side.all_bounds(name, stable=stable)
    return TopicFacts(side.metadata.topics[name], await settings, bounds, await rights)


async def _held(source: Side, target: Side, theirs: TopicFacts, ours: TopicFacts) -> dict[int, Prefix]:
    """Partitions whose last batch in the target isn't this mirror's, compared with the source."""
    producer = source.producer(theirs.topic.name)

    async def held(number: int) -> Prefix | None:
        partition = Partition(ours.topic.name, number)
        last = await target.last_batch(partition, ours.bounds[number])
        if last is None or is_written_by(last, producer):
            return None
        pair = Pair(Partition(theirs.topic.name, number), partition, producer)
        return await _compared(pair, source, target, theirs.bounds[number], ours.bounds[number])

    numbers = [number for number in ours.bounds if number in theirs.bounds]
    found = zip(numbers, await target.wire.loop.each(held, numbers), strict=True)
    return {number: prefix for number, prefix in found if prefix}


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


async def _written_by(source: Side, facts: TopicFacts, producer: int) -> tuple[int, ...]:
    """The partitions of a topic that hold records, when a mirror of the target's topic wrote the last batch of each.

    Where others have written behind it, that mirror is over: the copy has taken over, and this is the way home.
    """

    async def last(number: int) -> Batch | None:
        return await source.last_batch(Partition(facts.topic.name, number), facts.bounds[number])

    lasts = zip(facts.bounds, await source.wire.loop.each(last, facts.bounds), strict=True)
    found = {number: batch for number, batch in lasts if batch is not None}
    return tuple(found) if all(batch.producer_id == producer for batch in found.values()) else ()


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
