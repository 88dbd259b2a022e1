"""The command `kshark clusters`: the clusters of the settings, and whether each one answers."""

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import orjson

from agentlog.errors import AgentlogError, KafkaError, SettingsError, TopicNotFound
from agentlog.event import codec
from agentlog.event.escape import escape_controls
from agentlog.formatting import format_count
from agentlog.log.open_source import load_user_settings
from agentlog.log.reader import KafkaReader
from agentlog.settings.clusters import BOOTSTRAP, Settings
from agentlog.terminal.output import get_width, write_bytes, write_lines, write_stderr
from agentlog.terminal.style import Style, choose_paint
from agentlog.terminal.text_width import cell_width, wrap_text
from agentlog.text.coverage_text import describe_unavailable

MIN_WIDTH = 30


@dataclass(frozen=True)
class ClusterStatus:
    """The status of a cluster.

    Attributes:
        answers: whether the cluster can be reached; a cluster without the topic answers, too.
        problem: why the topic can't be read, or None.
        partitions: the topic's number of partitions, or None.
        records: the number of offsets that the topic holds, or None.
    """

    name: str
    address: str
    topic: str
    answers: bool
    problem: str | None = None
    partitions: int | None = None
    records: int | None = None


def check_clusters(topic: str | None, properties: Sequence[str], output_format: str, timeout_s: float) -> int:
    """Write the status of each cluster of the settings; return exit code 3 if one doesn't answer, else 0.

    Raises:
        SettingsError: the settings name no cluster.
    """
    user_settings = load_user_settings()
    if not user_settings.cluster_names:
        raise SettingsError("the settings name no cluster; docs/settings.md shows an agentlog.toml")
    with ThreadPoolExecutor(len(user_settings.cluster_names)) as pool:
        statuses = list(
            pool.map(
                lambda name: _check_cluster(user_settings, name, topic, properties, timeout_s),
                user_settings.cluster_names,
            )
        )
    if output_format == "ndjson":
        write_bytes(codec.flatten_json(orjson.dumps(asdict(status))) + b"\n" for status in statuses)
    else:
        write_lines(_render_lines(statuses, user_settings))
    return KafkaError.exit_code if not all(status.answers for status in statuses) else 0


def _check_cluster(
    user_settings: Settings, name: str, topic: str | None, properties: Sequence[str], timeout_s: float
) -> ClusterStatus:
    topic_name, address = topic or "", ""
    try:
        topic_name = user_settings.get_topic(topic)
        cluster = user_settings.get_cluster(name, properties)
        address = cluster.get_redacted_properties()[BOOTSTRAP]
        with KafkaReader(cluster, timeout_s) as reader:
            count = reader.partition_count(topic_name)
            bounds = reader.fetch_bounds(topic_name, range(count))
            unavailable = dict(reader.unavailable)
            reader.check_readable(topic_name)
    except AgentlogError as error:
        return ClusterStatus(name, address, topic_name, isinstance(error, TopicNotFound), str(error))
    problem = describe_unavailable(unavailable) if unavailable else None
    return ClusterStatus(name, address, topic_name, True, problem, count, sum(b.high - b.low for b in bounds.values()))


def _render_lines(statuses: Sequence[ClusterStatus], user_settings: Settings) -> Iterator[str]:
    paint = choose_paint(sys.stdout)
    names = [escape_controls(status.name) for status in statuses]
    indent = " " * (max(map(cell_width, names)) + 2)
    for name, status in zip(names, statuses, strict=True):
        status_text = paint("answers", Style.GOOD) if status.answers else paint("fails", Style.BAD) + "  "
        gap = " " * (len(indent) - cell_width(name))
        yield f"{paint(name, Style.STRONG)}{gap}{status_text}  {escape_controls(status.address)}".rstrip()
        counts = f"{format_count(status.partitions or 0, 'partition')}, {format_count(status.records or 0, 'record')}"
        details = escape_controls(status.problem or f"topic {status.topic}: {counts}")
        yield from (indent + line for line in wrap_text(details, max(get_width() - len(indent), MIN_WIDTH)))
    if user_settings.file is not None:
        write_stderr(f"from {user_settings.file.display_name}")
