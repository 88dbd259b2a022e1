"""Where a tracer records to, and what happens when that can't be reached: checked early, one for all alike tracers."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from ...errors import SettingsError
from ...settings.clusters import Cluster
from ..prepare.redaction import Redact
from ..sinks.file_sink import FileWriter
from ..sinks.sink import Outlet

OnOutage = Literal["raise", "spool", "drop"]
SPOOL = "agentlog-spool"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What tracers that share a queue have in common.

    Attributes:
        target: a cluster, or the capture file that stands for one.
        ready_rules: whether the ready rules of redaction are on.
        payloads: the store for large values, a folder or a URL; None when there is none.
        outage_s: how long events wait for Kafka, in seconds, before ``on_outage`` holds.
        spool: the folder of the capture files that events wait in; absolute, as the program may go to another folder.
        queue_bytes: how much may wait in memory.
        exit_s: how long the end of the process may be held up by what isn't delivered, in seconds.
    """

    target: Cluster | Path
    topic: str
    redact: Redact | None = None
    ready_rules: bool = True
    payloads: str | None = None
    outage_s: float = 60.0
    on_outage: OnOutage = "raise"
    spool: Path
    queue_bytes: int = 128 * 1024 * 1024
    exit_s: float = 10.0

    def __post_init__(self) -> None:
        if self.on_outage not in get_args(OnOutage):
            raise SettingsError(f'on_outage is {self.on_outage!r}; it takes "raise", "spool" or "drop"')
        if not self.outage_s > 0 or not self.exit_s >= 0:
            raise SettingsError("outage_s and exit_s are seconds, and outage_s is more than 0")
        if self.on_outage == "spool":
            try:
                self.spool.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                told = error.strerror or error
                raise SettingsError(f"{self.spool}: {told}. It is to be the spool folder.") from error

    def key(self) -> tuple[object, ...]:
        """Equal for options that may share a queue."""
        target = self.target
        where: object = target if isinstance(target, Path) else (target.name, _frozen(target.properties))
        rest = (self.topic, self.redact, self.ready_rules, self.payloads, self.outage_s, self.on_outage)
        return where, *rest, self.spool, self.queue_bytes, self.exit_s

    @property
    def spool_name(self) -> str:
        """What the names of its spool files begin with: no cluster or topic gets another one's events."""
        return f"{_distinct(self.target.name)}.{_distinct(self.topic)}"

    def outlet(self, batch_bytes: int | None = None) -> Outlet:
        """What takes the events; a new one in each process.

        Args:
            batch_bytes: how much is sent to Kafka at once at most; None: as it is set.

        Raises:
            AgentlogError: what was set doesn't work.
        """
        if isinstance(self.target, Path):
            return FileWriter(self.target)
        from ..sinks.kafka_sink import KafkaWriter  # noqa: PLC0415  librdkafka is loaded where Kafka is recorded to

        return KafkaWriter(self.target, self.topic, batch_bytes)


def bare(text: str) -> str:
    """``text`` as a part of a file's name: nothing in it but letters, digits, ``-`` and ``_``."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:60]


def _distinct(text: str) -> str:
    """``text`` as a part of a file's name, which no other text has."""
    name = bare(text)
    return name if name == text else f"{name}-{sha256(text.encode()).hexdigest()[:8]}"


def _frozen(properties: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(properties.items())
