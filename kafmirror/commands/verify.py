"""`kafmirror verify`: compare both sides of each partition, up to where it is mirrored, and name what differs."""

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentlog.errors import KafkaRefused, UsageError
from agentlog.event.position import Moment, Position
from agentlog.formatting import format_count
from agentlog.terminal.output import write_bytes, write_lines
from agentlog.terminal.progress import show_progress
from agentlog.terminal.style import Paint, Style, choose_paint

from ..batches.filler import describe_filled
from ..batches.offset_header import restore_source_records
from ..copy.offset_translation import MirroredRange, translate_within
from ..kafka import topic_admin
from ..kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from ..kafka.cluster_view import ClusterView
from ..kafka.connection import OffsetKind
from ..kafka.metadata import Bounds, Partition
from ..kafka.network.event_loop import MAX_QUESTIONS
from ..lag import read_status
from ..lag.partition_status import PartitionStatus
from ..verify.batch_reader import MAX_READERS, divide_fetch_bytes
from ..verify.compare import ComparisonOptions, ComparisonResult, OffsetRanges, PartitionComparison, PartitionPair

SAMPLE_OFFSETS = 1000
"""The number of offsets in each window of a sample."""

SAVE_INTERVAL_S = 2.0
"""The time between two writes of the ``--resume`` file."""


class VerifyOptions(NamedTuple):
    """The options of `kafmirror verify`.

    Attributes:
        start: where to begin; None for the beginning.
        sample: the share of the offsets to compare; None for all.
        resume_path: a file that keeps the progress, from which an interrupted run continues.
        digest: whether to compute a digest of each partition's records.
    """

    start: Position | None
    sample: float | None
    resume_path: Path | None
    digest: bool
    output_format: str


@dataclass
class PartitionVerification:
    """The verification of a partition.

    Attributes:
        source, target: the partition on both sides.
        start, end: the source's offsets that were compared; the end isn't included.
        is_compacted: whether compaction may have removed records on either side; None when we may not know.
        problem: why the partition wasn't compared, or None.
        filled: how many of how many offsets before the source's first record are filled, while nothing is copied yet.
        result: the result of the comparison.
    """

    source: Partition
    target: Partition
    start: int
    end: int
    is_compacted: bool | None = False
    problem: str | None = None
    filled: tuple[int, int] | None = None
    result: ComparisonResult = field(default_factory=ComparisonResult)

    @property
    def is_exact(self) -> bool:
        """Whether both sides hold the same records, apart from compaction."""
        missing = [] if self.is_compacted else [*self.result.missing, *self.result.extra]
        return not (self.result.differing or missing or self.problem or self.filled)

    @property
    def verdict(self) -> str:
        """``same``, ``differs``, ``unknown`` where nothing could be compared, or ``not there yet``."""
        if self.filled:
            return "not there yet"
        return "same" if self.is_exact else "unknown" if self.problem else "differs"


class TopicViews(NamedTuple):
    """A topic on both sides, and whether compaction may remove its records; None when that is unknown."""

    source: ClusterView
    target: ClusterView
    is_compacted: bool | None


class PreparedPartition(NamedTuple):
    """A partition to compare, and how far it is mirrored; None when that is unknown."""

    verification: PartitionVerification
    mirrored: MirroredRange | None


def verify(request: MirrorRequest, options: VerifyOptions) -> int:
    """Compare both sides, show what differs, and return the exit code: 1 when anything does.

    Raises:
        KafkaError: a cluster doesn't answer.
        UsageError: the ``--resume`` file isn't one, or ``--digest`` is combined with ``--sample`` or ``--resume``.
    """
    if options.digest and (options.sample is not None or options.resume_path is not None):
        raise UsageError("--digest reads all records in one run, so --sample and --resume can't be used with it")
    with open_clusters(request) as clusters:
        verification_run = VerificationRun(clusters, options)
        with show_progress(verification_run.progress_text):
            clusters.loop.run(verification_run.compare_all)
    is_exact = all(each.is_exact for each in verification_run.verifications)
    if options.output_format == "json":
        partitions = [_encode_verification(each) for each in verification_run.verifications]
        request_fields = {
            "source": request.source,
            "target": request.target,
            "exact": is_exact,
            "sample": options.sample,
        }
        write_bytes([orjson.dumps({**request_fields, "partitions": partitions}), b"\n"])
    else:
        write_lines(_verification_lines(verification_run.verifications, options, choose_paint(sys.stdout)))
    return 0 if is_exact else 1


class VerificationRun:
    """A verification of all partitions."""

    def __init__(self, clusters: ClusterPair, options: VerifyOptions) -> None:
        self._clusters, self._options = clusters, options
        self.verifications: list[PartitionVerification] = []
        self._saved: dict[str, dict[str, Any]] = _load_progress(options.resume_path)
        self._saved_at = 0.0
        self._views: dict[str, TopicViews] = {}
        self._fetch_bytes = divide_fetch_bytes(1)
        self._current: Partition | None = None
        self._total_records = 0

    def progress_text(self) -> str:
        """Return a line about the progress."""
        if self._current is None:
            return "asking both sides ..."
        results = [each.result for each in self.verifications]
        compared = sum(each.equal + each.differing for each in results)
        quotas = [each.describe_throttling() for each in (self._clusters.source, self._clusters.target)]
        quota_text = "".join(f"; {each}" for each in quotas if each)
        return f"comparing {self._current}: {compared:,} of {self._total_records:,} records{quota_text}"

    async def compare_all(self) -> None:
        """Compare all partitions, and delete the ``--resume`` file at the end."""
        loop, statuses = self._clusters.loop, await read_status.read_statuses(self._clusters)
        self._total_records = sum(each.position or 0 for each in statuses)
        topics = sorted({(each.source.topic, each.target.topic) for each in statuses})
        views = await loop.map_concurrently(lambda names: self._fetch_topic_views(*names), topics)
        self._views = {name: each for (name, _), each in zip(topics, views, strict=True)}
        prepared = await loop.map_concurrently(self._prepare, statuses, MAX_QUESTIONS)
        self.verifications = [each.verification for each in prepared]
        self._fetch_bytes = divide_fetch_bytes(min(len(prepared), MAX_READERS))
        await loop.map_concurrently(self._compare, prepared, MAX_READERS)
        if self._options.resume_path is not None:
            self._options.resume_path.unlink(missing_ok=True)

    async def _fetch_topic_views(self, topic: str, target_topic: str) -> TopicViews:
        source, target = await self._clusters.fetch_views(topic, target_topic)
        return TopicViews(source, target, await self._fetch_is_compacted(topic))

    async def _fetch_is_compacted(self, topic: str) -> bool | None:
        try:
            settings = await topic_admin.fetch_settings(self._clusters.source, topic)
        except KafkaRefused:
            return None
        return "compact" in (settings["cleanup.policy"].value or "")

    async def _prepare(self, status: PartitionStatus) -> PreparedPartition:
        """Find the offsets to compare."""
        verification = PartitionVerification(status.source, status.target, 0, status.position or 0)
        if status.position is None or status.target_end is None or status.problem:
            verification.problem = status.problem or "how far it is mirrored is unknown"
            return PreparedPartition(verification, None)
        if status.filled:
            verification.filled, verification.end = status.filled, 0
            return PreparedPartition(verification, None)
        source, target, verification.is_compacted = self._views[status.source.topic]
        pair = PartitionPair(status.source, status.target, source.derive_mirror_producer_id(status.source.topic))
        target_low = (await target.fetch_bounds(pair.target)).low
        mirrored = MirroredRange(Bounds(target_low, status.target_end), status.position)
        verification.start = min(await self._find_start(pair, mirrored), verification.end)
        return PreparedPartition(verification, mirrored)

    async def _find_start(self, pair: PartitionPair, mirrored: MirroredRange) -> int:
        """Return the first offset that both sides still hold and that the options include."""
        source, target, _ = self._views[pair.source.topic]
        low = (await source.fetch_bounds(pair.source)).low
        target_low, target_end = mirrored.bounds
        if target_end > target_low and (batch := await target.fetch_batch_at(pair.target, target_low)):
            low = max(low, next((each.offset for each in restore_source_records(batch, pair.producer_id)), low))
        start = self._options.start
        if isinstance(start, Moment):
            kind = OffsetKind(start.microseconds // 1000)
            offsets = await source.connection.list_offsets(source.metadata, [pair.source], kind)
            return max(low, offsets[pair.source]) if offsets[pair.source] >= 0 else 2**62
        if start is not None and start.partition in (None, pair.source.number):
            return max(low, start.offset)
        return low if start is None else 2**62

    async def _compare(self, prepared: PreparedPartition) -> None:
        verification, mirrored = prepared
        if mirrored is None:
            return
        source, target, _ = self._views[verification.source.topic]
        producer_id = source.derive_mirror_producer_id(verification.source.topic)
        pair = PartitionPair(verification.source, verification.target, producer_id)
        saved = self._saved.get(str(pair.source))
        if saved is not None:
            verification.result = ComparisonResult(**saved)
        first_offset = max(verification.start, verification.result.position)
        for start, end in self._list_windows(first_offset, verification.end):
            target_start = await translate_within(target, pair.target, producer_id, start, mirrored)
            target_end = await translate_within(target, pair.target, producer_id, end, mirrored)
            comparison = PartitionComparison(
                pair,
                source,
                target,
                OffsetRanges(start, end, target_start, target_end),
                ComparisonOptions(self._options.digest, self._fetch_bytes),
            ).add_to(verification.result)
            self._current = pair.source
            while await comparison.compare_next():
                self._save_progress(verification)
            verification.result.position = end
        self._save_progress(verification, is_forced=True)

    def _list_windows(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of offsets to compare: all, or random windows with ``--sample``."""
        if self._options.sample is None:
            if start < end:
                yield start, end
            return
        count = -(-(end - start) // SAMPLE_OFFSETS)
        sample_count = max(round(count * self._options.sample), 1)
        for number in sorted(random.SystemRandom().sample(range(count), min(sample_count, count))) if count > 0 else ():
            yield start + number * SAMPLE_OFFSETS, min(start + (number + 1) * SAMPLE_OFFSETS, end)

    def _save_progress(self, verification: PartitionVerification, *, is_forced: bool = False) -> None:
        """Write the progress to the ``--resume`` file, at most every ``SAVE_INTERVAL_S`` unless forced."""
        if self._options.resume_path is None or not (is_forced or time.monotonic() - self._saved_at > SAVE_INTERVAL_S):
            return
        self._saved_at = time.monotonic()
        self._saved[str(verification.source)] = asdict(verification.result)
        temporary = self._options.resume_path.with_name(f"{self._options.resume_path.name}.part")
        temporary.write_text(json.dumps(self._saved))
        temporary.replace(self._options.resume_path)


def _load_progress(path: Path | None) -> dict[str, dict[str, Any]]:
    """Return the progress that an interrupted run saved."""
    if path is None or not path.exists():
        return {}
    try:
        saved: dict[str, dict[str, Any]] = json.loads(path.read_text())
        return {name: {**asdict(ComparisonResult(**each))} for name, each in saved.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        raise UsageError(f"--resume {path}: the file wasn't written by kafmirror verify; name another file") from None


def _encode_verification(verification: PartitionVerification) -> dict[str, Any]:
    result = verification.result
    first = result.first_difference
    return {
        "topic": verification.source.topic,
        "partition": verification.source.number,
        "from": verification.start,
        "to": verification.end,
        "exact": verification.is_exact,
        "verdict": verification.verdict,
        "equal": result.equal,
        "differing": result.differing,
        "first_difference": {"offset": first[0], "in": first[1]} if first else None,
        "missing": result.missing,
        "extra": result.extra,
        "compacted": verification.is_compacted,
        "digest": result.digest,
        "problem": verification.problem,
        "filled_offsets": verification.filled[0] if verification.filled else None,
        "offsets_to_fill": verification.filled[1] if verification.filled else None,
    }


def _verification_lines(
    verifications: Sequence[PartitionVerification], options: VerifyOptions, paint: Paint
) -> Iterator[str]:
    for verification in verifications:
        result = verification.result
        verdict = {
            "same": paint("same", Style.GOOD),
            "differs": paint("DIFFERS", Style.BAD),
            "unknown": paint("unknown", Style.NOTICE),
            "not there yet": paint("not there yet", Style.NOTICE),
        }[verification.verdict]
        is_empty = verification.start == verification.end
        offsets = "" if is_empty else f" of offsets {verification.start} to {verification.end - 1}"
        yield f"{verification.source}  {verdict}  {format_count(result.equal, 'record')}{offsets}"
        if result.digest:
            yield f"  sha256   {result.digest}"
        if result.first_difference:
            offset, parts = result.first_difference
            yield f"  differ   {format_count(result.differing, 'record')}, the first at offset {offset} in {parts}"
        missing_text = "only in the source (compaction)" if verification.is_compacted else "missing in the target"
        yield from (f"  {missing_text}: offsets {a} to {b}" for a, b in result.missing)
        yield from (f"  only in the target: offsets {a} to {b} of the source" for a, b in result.extra)
        if verification.is_compacted is None and (result.missing or result.extra):
            yield "  perhaps compaction removed them: that is unknown without DESCRIBE_CONFIGS on the source's topic"
        if verification.filled:
            yield f"  {describe_filled(*verification.filled)}"
        if verification.problem:
            yield f"  {paint(verification.problem, Style.BAD)}"
    sampled = f", a sample of {options.sample:.2%}" if options.sample is not None else ""
    total = sum(verification.result.equal for verification in verifications)
    verdicts = Counter(verification.verdict for verification in verifications)
    partitions = format_count(len(verifications), "partition")
    unknown = "".join(f", {verdicts[each]} {each}" for each in ("unknown", "not there yet") if verdicts[each])
    yield f"{partitions}, {format_count(total, 'record')} the same{sampled}, {verdicts['differs']} differ{unknown}"
