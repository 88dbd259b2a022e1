"""A run of failback: save what only the old primary holds, create its topics again, and copy them home."""

import base64
import logging
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import orjson

from agentlog.atomic_file import open_output_file
from agentlog.capture_format import capture
from agentlog.errors import AgentlogError, KafkaUnavailable, UsageError
from agentlog.event.event import Place
from agentlog.formatting import format_count

from ..batches.record import DecodedRecord, decode_headers, decode_key_value, decode_records
from ..copy.mirror import CopyOptions, Mirror
from ..errors import MirrorStopped, Refused
from ..kafka import topic_admin
from ..kafka.cluster_pair import ClusterPair
from ..kafka.cluster_view import ClusterView
from ..kafka.metadata import BATCH_LIMIT, Bounds, Partition, Topic
from ..kafka.write_block import WriteBlock
from ..plan.plan import compute_target_settings
from ..verify.batch_reader import BatchReader

DELETION_TIMEOUT_S = 30
"""How long an old primary may take to delete a topic."""

QUIET_S = 2.0
"""The time between two looks at the ends of the old primary. If they differ, it is still being written."""

_log = logging.getLogger("kafmirror")


@dataclass
class TopicFailback:
    """A topic on its way home.

    Attributes:
        topic: the topic's name.
        unmirrored: the offsets that only the old primary holds, by partition.
        obstacles: why the topic can't be deleted and created again, a sentence each.
        saved_count: the number of records that were saved.
        copied_count: the number of records that were copied home.
    """

    topic: str
    unmirrored: dict[Partition, Bounds] = field(default_factory=dict)
    obstacles: list[str] = field(default_factory=list)
    saved_count: int = 0
    copied_count: int = 0

    @property
    def unmirrored_count(self) -> int:
        """The number of offsets that only the old primary holds."""
        return sum(bounds.end - bounds.low for bounds in self.unmirrored.values())


InspectTopic = Callable[[ClusterView, ClusterView, str], Awaitable[TopicFailback]]
"""A function that finds what only the old primary, the second view, holds of a topic."""


class FailbackRun:
    """The steps that bring topics home. ``stop`` ends them at the next place where nothing is lost."""

    def __init__(
        self, clusters: ClusterPair, topics: list[TopicFailback], save_path: Path | None, inspect: InspectTopic
    ) -> None:
        self._clusters, self._topics, self._save_path = clusters, topics, save_path
        self._inspect_topic = inspect
        self._mirror = Mirror(clusters.source, clusters.target, clusters.selection, CopyOptions(once=True))
        self._blocks: dict[str, WriteBlock] = {}
        self._is_stopping = False

    def stop(self) -> None:
        """End cleanly. Call this in the loop's thread."""
        self._is_stopping = True
        self._mirror.stop()

    def check_stop(self) -> None:
        """Raise Refused if the command was stopped."""
        if self._is_stopping:
            raise Refused("stopped by a signal")

    async def run(self) -> None:
        """Save what only the old primary holds, create its topics again, and fill them."""
        if to_recreate := [each for each in self._topics if each.unmirrored]:
            if obstacles := [text for each in to_recreate for text in each.obstacles]:
                raise Refused("\n".join(["nothing was changed:", *(f"  {text}" for text in obstacles)]))
            _check_save_path(self._save_path, to_recreate)
            await self._check_quiet(to_recreate)
            try:
                await self._save_and_recreate(to_recreate)
            finally:
                await self._end_blocks()
        self.check_stop()
        await self._copy_home()

    async def _check_quiet(self, topics: list[TopicFailback]) -> None:
        """Raise Refused if the old primary is still written, because its new topics couldn't be filled then."""
        ends = await self._fetch_ends(topics)
        await self._clusters.loop.sleep(QUIET_S)
        self.check_stop()
        later_ends = await self._fetch_ends(topics)
        if written := [str(each) for each, end in later_ends.items() if end != ends.get(each)]:
            name = self._clusters.target.name
            raise Refused(
                f"nothing was changed: {', '.join(written)} in {name} is still written; stop its writers first"
            )

    async def _fetch_ends(self, topics: list[TopicFailback]) -> dict[Partition, int]:
        ends = dict[Partition, int]()
        for each in topics:
            metadata = await self._clusters.target.fetch_metadata([each.topic])
            view = ClusterView.for_topic(self._clusters.target, metadata, each.topic)
            bounds_by_number = await view.fetch_all_bounds(each.topic)
            ends |= {Partition(each.topic, number): bounds.end for number, bounds in bounds_by_number.items()}
        return ends

    async def _save_and_recreate(self, topics: list[TopicFailback]) -> None:
        for each in topics:
            await self._block_writers(each.topic)
        for each in topics:
            source, target = await self._clusters.fetch_views(each.topic, each.topic)
            each.unmirrored = (await self._inspect_topic(source, target, each.topic)).unmirrored
        if path := _check_save_path(self._save_path, topics):
            with open_output_file(str(path)) as file:
                for each in topics:
                    await self._save_topic(each, file)
            sync_file(path)
        for each in topics:
            try:
                self.check_stop()
                await self._check_unchanged(each.topic)
                await self._recreate_topic(each.topic)
            except AgentlogError:
                if path:
                    _log.warning("%s: %s that only %s held", path, _count_saved(topics), self._clusters.target.name)
                raise

    async def _block_writers(self, topic: str) -> None:
        target = self._clusters.target
        view = ClusterView.for_topic(target, await target.fetch_metadata([topic]), topic)
        self._blocks[topic] = block = WriteBlock(view, topic, self.check_stop)
        _log.warning("%s: cluster %s takes no records of other writers any more", topic, target.name)
        await block.begin()

    async def _save_topic(self, topic_failback: TopicFailback, file: BinaryIO) -> None:
        view = self._blocks[topic_failback.topic].view
        for partition, bounds in topic_failback.unmirrored.items():
            reader = BatchReader(view, partition, bounds.low, bounds.end)
            while batch := await reader.read_next():
                self.check_stop()
                for record in decode_records(batch):
                    if record.offset >= bounds.low:
                        file.write(encode_capture_line(record, partition))
                        topic_failback.saved_count += 1

    async def _check_unchanged(self, topic: str) -> None:
        if change := await self._blocks[topic].find_change():
            raise Refused(
                f"topic {topic} wasn't deleted, because it was written while its records were saved: {change}"
            )

    async def _recreate_topic(self, topic: str) -> None:
        """Delete a topic of the old primary, and create it again at once, before anybody else does."""
        source, target = self._clusters.source, self._clusters.target
        partitions = len((await source.fetch_topic(topic)).leaders)
        settings = compute_target_settings(
            await topic_admin.fetch_settings(source, topic),
            frozenset(await topic_admin.fetch_settings(target, topic)),
        )
        old_topic = await target.fetch_topic(topic)
        await topic_admin.delete_topic(target, old_topic)
        del self._blocks[topic]
        deadline = time.monotonic() + DELETION_TIMEOUT_S
        while not await topic_admin.create_topic(target, topic, partitions, settings):
            found = (await target.fetch_metadata([topic])).topics[topic]
            if not found.error and found.id != old_topic.id:
                raise Refused(_describe_foreign_creation(target.name, found, partitions))
            if time.monotonic() > deadline:
                raise KafkaUnavailable(
                    f"cluster {target.name}: topic {topic} isn't deleted after {DELETION_TIMEOUT_S} s"
                )
            await self._clusters.loop.sleep(0.1)
        await topic_admin.wait_until_known(target, topic, partitions, old_topic.id)

    async def _end_blocks(self) -> None:
        """Let writers write again into the topics that weren't deleted."""
        for topic, block in self._blocks.items():
            name = self._clusters.target.name
            if block.was_there_before:
                _log.warning("%s in cluster %s refused all writers before (%s)", topic, name, BATCH_LIMIT)
            try:
                await block.end()
            except AgentlogError as error:
                _log.warning(
                    "%s in cluster %s still refuses all writers: set its %s. %s", topic, name, BATCH_LIMIT, error
                )

    async def _copy_home(self) -> None:
        advice = (
            f"If somebody still writes into {self._clusters.target.name}, stop that writer, and run failback again: "
            "it saves what was written there"
        )
        plan = await self._mirror.make_plan()
        if plan.all_refusals:
            raise Refused("\n".join(["nothing was copied home:", *(f"  {text}" for text in plan.all_refusals), advice]))
        try:
            await self._mirror.run(plan)
        except MirrorStopped as error:
            raise MirrorStopped(f"{error}\n{advice}") from error
        statuses = await self._mirror.list_statuses()
        for each in self._topics:
            each.copied_count = sum(status.records for status in statuses if status.source.topic == each.topic)
        self.check_stop()
        if self._mirror.has_left_out:
            missing = "; ".join(f"{each.source}: {each.problem}" for each in statuses if each.problem)
            raise KafkaUnavailable(f"not all was copied home: {missing}. Run failback again when they can be had")


def _count_saved(topics: list[TopicFailback]) -> str:
    return format_count(sum(each.saved_count for each in topics), "record")


def _describe_foreign_creation(cluster: str, topic: Topic, partitions: int) -> str:
    """Return the message for a topic that somebody else created while it was deleted."""
    return (
        f"topic {topic.name} was deleted in {cluster}, and at once somebody else created it there again, with "
        f"{format_count(len(topic.leaders), 'partition')} (the source has {partitions}). Where "
        "auto.create.topics.enable is true, any client that still uses the topic does that. It wasn't filled. Stop "
        "that client, and run failback again: it saves what was written there"
    )


def _check_save_path(path: Path | None, topics: list[TopicFailback]) -> Path | None:
    """Return the path for the records that only the old primary holds, or None when there are none."""
    if not any(each.unmirrored_count for each in topics):
        return None
    if path is None:
        raise UsageError(
            "the old primary holds records that were never mirrored. Name a file for them with --save FILE"
        )
    if path.exists():
        raise UsageError(f"--save {path}: the file exists already; name another one")
    return path


def encode_capture_line(record: DecodedRecord, partition: Partition) -> bytes:
    """Return a record as a line of a capture file. If it isn't a JSON object, write its key and value in base64."""
    key, value = decode_key_value(record.body)
    pairs = tuple((name.decode(errors="replace"), each) for name, each in decode_headers(record.body))
    place = Place(partition.topic, partition.number, record.offset, record.timestamp, pairs)
    try:
        event = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        event = None
    if isinstance(event, dict):
        is_other_key = key is not None and key.decode(errors="replace") != event.get("session_id")
        return capture.write_line(value or b"", place._replace(key=key) if is_other_key else place)
    raw = {"key": _encode_base64(key), "value": _encode_base64(value)}
    return capture.write_line(orjson.dumps({"raw": raw}), place)


def _encode_base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def sync_file(path: Path) -> None:
    """Write a file and its name to the disk, so that they outlive a power cut."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
