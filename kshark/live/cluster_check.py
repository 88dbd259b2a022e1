"""`kshark clusters`: which clusters the settings name, and for each whether it answers, and why not."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import orjson

from agentlog.cli import settings
from agentlog.errors import AgentlogError, KafkaError, SettingsError, TopicNotFound
from agentlog.event import codec
from agentlog.event.escape import escaped
from agentlog.formatting import counted
from agentlog.log.reader import KafkaReader
from agentlog.settings.clusters import BOOTSTRAP, Settings
from agentlog.terminal.output import Style, cell_width, complain, paint_for, width, wrapped, write, write_bytes

LEAST_WIDTH = 30


@dataclass(frozen=True)
class Answer:
    """What came of asking a cluster.

    Attributes:
        answers: whether it can be asked at all; one that has no such topic does answer.
        problem: why the topic can't be read, or None.
        partitions: how many the topic has, or None.
        records: how many offsets the topic holds, or None.
    """

    name: str
    address: str
    topic: str
    answers: bool
    problem: str | None = None
    partitions: int | None = None
    records: int | None = None


def clusters(topic: str | None, properties: Sequence[str], chosen_format: str, timeout_s: float) -> int:
    """Write a line for each cluster of the settings; the exit code: 3 when one doesn't answer.

    Raises:
        SettingsError: the settings name no cluster.
    """
    known = settings()
    if not known.clusters:
        raise SettingsError("no settings name a cluster; docs/settings.md shows an agentlog.toml")
    with ThreadPoolExecutor(len(known.clusters)) as pool:
        answers = list(pool.map(lambda name: _asked(known, name, topic, properties, timeout_s), known.clusters))
    if chosen_format == "ndjson":
        write_bytes(codec.one_line(orjson.dumps(asdict(answer))) + b"\n" for answer in answers)
    else:
        write(_lines(answers, known))
    return KafkaError.exit_code if not all(answer.answers for answer in answers) else 0


def _asked(known: Settings, name: str, topic: str | None, properties: Sequence[str], timeout_s: float) -> Answer:
    wanted, address = topic or "", ""
    try:
        wanted = known.topic(topic)
        cluster = known.cluster(name, properties)
        address = cluster.shown()[BOOTSTRAP]
        with KafkaReader(cluster, timeout_s) as reader:
            count = reader.partition_count(wanted)
            bounds = reader.bounds(wanted, range(count))
            reader.check_readable(wanted)
    except AgentlogError as error:
        return Answer(name, address, wanted, isinstance(error, TopicNotFound), str(error))
    return Answer(name, address, wanted, True, None, count, sum(b.high - b.low for b in bounds.values()))


def _lines(answers: Sequence[Answer], known: Settings) -> Iterator[str]:
    paint = paint_for(sys.stdout)
    names = [escaped(answer.name) for answer in answers]
    indent = " " * (max(map(cell_width, names)) + 2)
    for name, answer in zip(names, answers, strict=True):
        said = paint("answers", Style.GOOD) if answer.answers else paint("fails", Style.BAD) + "  "
        gap = " " * (len(indent) - cell_width(name))
        yield f"{paint(name, Style.STRONG)}{gap}{said}  {escaped(answer.address)}".rstrip()
        holds = f"{counted(answer.partitions or 0, 'partition')}, {counted(answer.records or 0, 'record')}"
        told = escaped(answer.problem or f"topic {answer.topic}: {holds}")
        yield from (indent + line for line in wrapped(told, max(width() - len(indent), LEAST_WIDTH)))
    if known.file is not None:
        complain(f"from {known.file.shown}")
