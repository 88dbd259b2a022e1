"""`kafmirror failback`: the way home. What only the old primary holds is saved, its topic made anew, and filled."""

import base64
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from agentlog.atomic_file import new_file
from agentlog.errors import TopicNotFound, UsageError
from agentlog.event import capture
from agentlog.event.escape import escaped
from agentlog.event.event import Place
from agentlog.formatting import counted
from agentlog.terminal.output import Paint, Style, paint_for, write, write_bytes

from ..batches.offset_header import source_position
from ..batches.record import Opened, headers, key_value, opened
from ..batches.record_batch import is_written_by
from ..copy.mirror import Mirror, Options
from ..errors import Refused
from ..kafka import topic_admin
from ..kafka.cluster_pair import Named, Sides
from ..kafka.cluster_pair import opened as sides_opened
from ..kafka.cluster_view import Side
from ..kafka.connection import UNKNOWN_TOPIC
from ..kafka.metadata import Bounds, Partition
from ..verify.batch_reader import Reader


class Failback(NamedTuple):
    """How `kafmirror failback` was called: where to save what would be lost, and whether to do it at all."""

    save: Path | None
    yes: bool
    shape: str


@dataclass
class Homecoming:
    """What the old primary holds that the new one doesn't.

    Attributes:
        topic: its name.
        beyond: by partition, the offsets of the old primary that were never mirrored, the end not included.
        saved: how many records were saved.
        copied: how many records were copied home.
    """

    topic: str
    beyond: dict[Partition, Bounds] = field(default_factory=dict)
    saved: int = 0
    copied: int = 0

    @property
    def records(self) -> int:
        """How many offsets lie beyond."""
        return sum(bounds.end - bounds.low for bounds in self.beyond.values())


def failback(named: Named, how: Failback) -> int:
    """Bring topics home; the exit code: 1 when it isn't done.

    Raises:
        UsageError: there is something to save and no file is named, or the file is there already.
        Refused: the plan of the way home says no.
    """
    with sides_opened(named) as sides:
        found = sides.loop.run(_looked, sides)
        if how.yes:
            sides.loop.run(_bring_home, sides, found, how)
    if how.shape == "json":
        write_bytes([orjson.dumps(_as_json(found, named, how)), b"\n"])
    else:
        write(_lines(found, named, how, paint_for(sys.stdout)))
    return 0 if how.yes else 1


async def _looked(sides: Sides) -> list[Homecoming]:
    found = []
    for topic in sides.wanted.patterns:
        there = await sides.target.metadata([topic])
        if there.topics[topic].error == UNKNOWN_TOPIC:
            found.append(Homecoming(topic))
        else:
            source, target = await sides.of(topic, topic)
            found.append(await _beyond(source, target, topic))
    return found


async def _beyond(source: Side, target: Side, topic: str) -> Homecoming:
    """What the old primary (the target of the way home) holds behind what was mirrored from it."""
    found = Homecoming(topic)
    producer = target.producer(topic)
    for number, bounds in (await target.all_bounds(topic, stable=True)).items():
        partition = Partition(topic, number)
        mirrored = await _mirrored_up_to(source, partition, producer)
        if mirrored < bounds.end:
            found.beyond[partition] = Bounds(max(mirrored, bounds.low), bounds.end)
    return found


async def _mirrored_up_to(source: Side, partition: Partition, producer: int) -> int:
    """The old primary's offset up to which its mirror wrote: found by halving, as others wrote only behind it."""
    if partition.number not in source.metadata.topics[partition.topic].leaders:
        return 0
    low, end = await source.bounds(partition)
    position = 0
    while low < end:
        batch = await source.batch_at(partition, (low + end) // 2)
        if batch is not None and is_written_by(batch, producer):
            position, low = source_position(batch, producer), batch.next_offset
        else:
            end = min(batch.base_offset, end - 1) if batch is not None else (low + end) // 2
    return position


async def _bring_home(sides: Sides, found: list[Homecoming], how: Failback) -> None:
    if any(each.records for each in found):
        await _save(sides, found, _fresh(how.save))
    for each in found:
        if each.beyond:
            await _delete(sides, each.topic)
    mirror = Mirror(sides.source, sides.target, sides.wanted, Options(once=True))
    plan = await mirror.plan()
    if plan.all_refusals:
        raise Refused("\n".join(["nothing was copied home:", *(f"  {text}" for text in plan.all_refusals)]))
    await mirror.run(plan)
    standings = await mirror.standings()
    for each in found:
        each.copied = sum(standing.records for standing in standings if standing.source.topic == each.topic)


def _fresh(path: Path | None) -> Path:
    if path is None:
        raise UsageError("the old primary holds records that were never mirrored: --save FILE keeps them")
    if path.exists():
        raise UsageError(f"--save {path}: there is such a file already; name another one")
    return path


async def _save(sides: Sides, found: list[Homecoming], path: Path) -> None:
    """Write what lies beyond as a capture file, whole before anything is deleted."""
    with new_file(str(path)) as file:
        for each in found:
            for partition, bounds in each.beyond.items():
                side = Side.of(sides.target, await sides.target.metadata([each.topic]), each.topic)
                each.saved += await _save_partition(side, partition, bounds, file)


async def _save_partition(side: Side, partition: Partition, bounds: Bounds, file: BinaryIO) -> int:
    reader, count = Reader(side, partition, bounds.low, bounds.end), 0
    while batch := await reader.next():
        for record in opened(batch):
            if record.offset >= bounds.low:
                file.write(line(record, partition))
                count += 1
    return count


def line(record: Opened, partition: Partition) -> bytes:
    """A line of a capture file; of a record that is no JSON object its key and value in base64."""
    key, value = key_value(record.rest)
    pairs = tuple((name.decode(errors="replace"), each) for name, each in headers(record.rest))
    place = Place(partition.topic, partition.number, record.offset, record.timestamp, pairs)
    try:
        if isinstance(orjson.loads(value or b""), dict):
            return capture.write_line(value or b"", place)
    except orjson.JSONDecodeError:
        pass
    raw = {"key": _base64(key), "value": _base64(value)}
    return capture.write_line(orjson.dumps({"raw": raw}), place)


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


async def _delete(sides: Sides, topic: str) -> None:
    """Delete a topic of the old primary, and wait until it is gone."""
    await topic_admin.delete(sides.target, topic)
    for _ in range(300):
        try:
            await sides.target.topic(topic)
        except TopicNotFound:
            return
        await sides.loop.sleep(0.1)


def _as_json(found: list[Homecoming], named: Named, how: Failback) -> dict[str, Any]:
    return {
        "source": named.source,
        "target": named.target,
        "done": how.yes,
        "topics": [
            {
                "topic": each.topic,
                "made_anew": bool(each.beyond),
                "beyond": [
                    {"partition": partition.number, "from": bounds.low, "to": bounds.end - 1}
                    for partition, bounds in each.beyond.items()
                ],
                "saved": each.saved,
                "copied": each.copied,
            }
            for each in found
        ],
    }


def _lines(found: list[Homecoming], named: Named, how: Failback, paint: Paint) -> Iterator[str]:
    home, away = escaped(named.target), escaped(named.source)
    for each in found:
        yield paint(each.topic, Style.STRONG)
        for partition, bounds in sorted(each.beyond.items()):
            yield f"  never mirrored  {partition} offsets {bounds.low} to {bounds.end - 1}"
        if not each.beyond:
            yield f"  {home} holds nothing that {away} doesn't have"
        elif how.yes:
            yield f"  {counted(each.saved, 'record')} saved in {how.save}, the topic in {home} made anew"
        else:
            yield f"  they would be saved with --save FILE, and the topic in {home} deleted and made anew"
        if how.yes:
            yield f"  {counted(each.copied, 'record')} copied from {away} to {home}"
    yield ""
    if how.yes:
        yield "Next, until the switch: kafmirror replicate in the same direction. Then kafmirror failover, likewise."
    else:
        yield "Nothing was done. With --yes it is."
