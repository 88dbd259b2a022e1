"""`kafmirror verify`: both sides of each partition compared, as far as the mirror is, and what differs named."""

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentlog.errors import UsageError
from agentlog.event.position import Moment, Position
from agentlog.formatting import counted
from agentlog.terminal.output import Paint, Style, paint_for, progress, write, write_bytes

from ..batches.offset_header import as_in_source
from ..copy.offset_translation import target_offset
from ..kafka import topic_admin
from ..kafka.cluster_pair import Named, Sides, opened
from ..kafka.cluster_view import Side
from ..kafka.metadata import Partition
from ..lag import read_status
from ..lag.partition_status import Standing
from ..verify.compare import Compared, Comparison, Pair, Span

SAMPLE_OFFSETS = 1000
KEPT_EVERY_S = 2.0


class Verification(NamedTuple):
    """How `kafmirror verify` was called.

    Attributes:
        start: where to begin, None for the beginning.
        sample: the share of the offsets to compare, None for all.
        resume: a file that keeps how far it is, and is gone on from.
        digest: whether to compute a digest of each partition's records.
    """

    start: Position | None
    sample: float | None
    resume: Path | None
    digest: bool
    shape: str


@dataclass
class Verified:
    """What came of a partition.

    Attributes:
        start, end: the source's offsets that were compared; the end isn't included.
        compacted: whether compaction may have taken records on either side.
        problem: why it wasn't compared, or None.
    """

    source: Partition
    target: Partition
    start: int
    end: int
    compacted: bool = False
    problem: str | None = None
    found: Compared = field(default_factory=Compared)

    @property
    def is_exact(self) -> bool:
        """Whether nothing is wrong with it."""
        missing = [] if self.compacted else [*self.found.missing, *self.found.extra]
        return not (self.found.differing or missing or self.problem)


def verify(named: Named, how: Verification) -> int:
    """Compare, and show what differs; the exit code: 1 when anything does.

    Raises:
        KafkaError: a side doesn't answer.
        UsageError: the file to resume from is another run's, or a digest of what isn't read in one go was asked for.
    """
    if how.digest and (how.sample is not None or how.resume is not None):
        raise UsageError("--digest reads all records in one go: it goes neither with --sample nor with --resume")
    with opened(named) as sides:
        run = Run(sides, how)
        with progress(run.progress):
            sides.loop.run(run.all)
    exact = all(each.is_exact for each in run.verified)
    if how.shape == "json":
        partitions = [_as_json(each) for each in run.verified]
        about = {"source": named.source, "target": named.target, "exact": exact, "sample": how.sample}
        write_bytes([orjson.dumps({**about, "partitions": partitions}), b"\n"])
    else:
        write(_lines(run.verified, how, paint_for(sys.stdout)))
    return 0 if exact else 1


class Run:
    """One verification of all partitions."""

    def __init__(self, sides: Sides, how: Verification) -> None:
        self._sides, self._how = sides, how
        self.verified: list[Verified] = []
        self._done: dict[str, dict[str, Any]] = _kept(how.resume)
        self._kept_at = 0.0
        self._current: Comparison | None = None
        self._total, self._before = 0, 0

    def progress(self) -> str:
        """How far it is."""
        if self._current is None:
            return "asking both sides ..."
        found = self._current.found
        compared = self._before + found.equal + found.differing
        return f"comparing {self._current.pair.source}: {compared:,} of {self._total:,} records"

    async def all(self) -> None:
        """Compare each partition."""
        standings = await read_status.standings(self._sides)
        self._total = sum(each.position or 0 for each in standings)
        for standing in standings:
            self.verified.append(await self._partition(standing))
            self._before += self.verified[-1].found.equal
        if self._how.resume is not None:
            self._how.resume.unlink(missing_ok=True)

    async def _partition(self, standing: Standing) -> Verified:
        source, target = await self._sides.of(standing.source.topic, standing.target.topic)
        verified = Verified(standing.source, standing.target, 0, standing.position or 0)
        if standing.position is None or standing.problem:
            verified.problem = standing.problem or "it isn't known how far it is mirrored"
            return verified
        settings = await topic_admin.settings(self._sides.source, standing.source.topic)
        verified.compacted = "compact" in (settings["cleanup.policy"].value or "")
        pair = Pair(standing.source, standing.target, source.producer(standing.source.topic))
        verified.start = await self._start(pair, source, target)
        await self._compare(verified, pair, source, target)
        return verified

    async def _start(self, pair: Pair, source: Side, target: Side) -> int:
        """The first offset that both sides still hold and that was asked for."""
        low = (await source.bounds(pair.source)).low
        held = await target.bounds(pair.target)
        if held.end > held.low and (batch := await target.batch_at(pair.target, held.low)):
            low = max(low, next((each.offset for each in as_in_source(batch, pair.producer)), low))
        wanted = self._how.start
        if isinstance(wanted, Moment):
            at = await source.wire.offsets(source.metadata, [pair.source], wanted.microseconds // 1000)
            return max(low, at[pair.source]) if at[pair.source] >= 0 else 2**62
        if wanted is not None and wanted.partition in (None, pair.source.number):
            return max(low, wanted.offset)
        return low if wanted is None else 2**62

    async def _compare(self, verified: Verified, pair: Pair, source: Side, target: Side) -> None:
        kept = self._done.get(str(pair.source))
        if kept is not None:
            verified.found = Compared(**kept)
        begin = max(verified.start, verified.found.position)
        for start, end in self._windows(begin, verified.end):
            here = await target_offset(target, pair.target, pair.producer, start)
            there = await target_offset(target, pair.target, pair.producer, end)
            span = Span(start, end, here, there)
            comparison = Comparison(pair, source, target, span, digest=self._how.digest).adding_to(verified.found)
            self._current = comparison
            while await comparison.step():
                self._keep(verified)
            verified.found.position = end
        self._keep(verified, now=True)

    def _windows(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The spans to compare: all, or as many samples as asked for."""
        if self._how.sample is None:
            if start < end:
                yield start, end
            return
        count = -(-(end - start) // SAMPLE_OFFSETS)
        chosen = max(round(count * self._how.sample), 1)
        for number in sorted(random.SystemRandom().sample(range(count), min(chosen, count))) if count > 0 else ():
            yield start + number * SAMPLE_OFFSETS, min(start + (number + 1) * SAMPLE_OFFSETS, end)

    def _keep(self, verified: Verified, *, now: bool = False) -> None:
        """Write down how far it is, now and then."""
        if self._how.resume is None or not (now or time.monotonic() - self._kept_at > KEPT_EVERY_S):
            return
        self._kept_at = time.monotonic()
        self._done[str(verified.source)] = asdict(verified.found)
        part = self._how.resume.with_name(f"{self._how.resume.name}.part")
        part.write_text(json.dumps(self._done))
        part.replace(self._how.resume)


def _kept(path: Path | None) -> dict[str, dict[str, Any]]:
    """What an interrupted run wrote down."""
    if path is None or not path.exists():
        return {}
    try:
        kept: dict[str, dict[str, Any]] = json.loads(path.read_text())
        return {name: {**asdict(Compared(**each))} for name, each in kept.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        raise UsageError(f"--resume {path}: it isn't what an interrupted verify wrote; name another file") from None


def _as_json(verified: Verified) -> dict[str, Any]:
    found = verified.found
    first = found.first_difference
    return {
        "topic": verified.source.topic,
        "partition": verified.source.number,
        "from": verified.start,
        "to": verified.end,
        "exact": verified.is_exact,
        "equal": found.equal,
        "differing": found.differing,
        "first_difference": {"offset": first[0], "in": first[1]} if first else None,
        "missing": found.missing,
        "extra": found.extra,
        "compacted": verified.compacted,
        "digest": found.digest,
        "problem": verified.problem,
    }


def _lines(verified: Sequence[Verified], how: Verification, paint: Paint) -> Iterator[str]:
    for each in verified:
        found = each.found
        said = paint("same", Style.GOOD) if each.is_exact else paint("DIFFERS", Style.BAD)
        yield f"{each.source}  {said}  {counted(found.equal, 'record')} of offsets {each.start} to {each.end - 1}"
        if found.digest:
            yield f"  sha256   {found.digest}"
        if found.first_difference:
            offset, what = found.first_difference
            yield f"  differ   {counted(found.differing, 'record')}, the first at offset {offset} in {what}"
        only = "only there (compaction)" if each.compacted else "missing"
        yield from (f"  {only} in the target: offsets {a} to {b}" for a, b in found.missing)
        yield from (f"  only in the target: offsets {a} to {b} of the source" for a, b in found.extra)
        if each.problem:
            yield f"  {paint(each.problem, Style.BAD)}"
    sampled = f", a sample of {how.sample:.2%}" if how.sample is not None else ""
    total = sum(each.found.equal for each in verified)
    differ = sum(not each.is_exact for each in verified)
    yield f"{counted(len(verified), 'partition')}, {counted(total, 'record')} the same{sampled}, {differ} differ"
