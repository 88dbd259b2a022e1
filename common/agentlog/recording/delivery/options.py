"""Where a tracer records to, and what happens when that can't be reached: checked early, one for all alike tracers."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from ...errors import SettingsError
from ...settings.clusters import Cluster
from ..prepare.redaction import Redact
from ..sinks.file_sink import FileSink
from ..sinks.sink import Sink

OnOutage = Literal["raise", "spool", "drop"]
DEFAULT_SPOOL = "agentlog-spool"


@dataclass(frozen=True, kw_only=True)
class RecordingOptions:
    """What tracers that share a queue have in common.

    Attributes:
        target: a cluster, or the capture file that stands for one.
        use_builtin_rules: whether the ready rules of redaction are on.
        payload_store: the store for large values, a folder or a URL; None when there is none.
        outage_timeout_s: how long events wait for Kafka, in seconds, before ``on_outage`` holds.
        spool_folder: the folder of the capture files that events wait in; absolute, as the program may go to another folder.
        queue_bytes: how much may wait in memory.
        shutdown_timeout_s: how long the end of the process may be held up by what isn't delivered, in seconds.
    """

    target: Cluster | Path
    topic: str
    redact: Redact | None = None
    use_builtin_rules: bool = True
    payload_store: str | None = None
    outage_timeout_s: float = 60.0
    on_outage: OnOutage = "raise"
    spool_folder: Path
    queue_bytes: int = 128 * 1024 * 1024
    shutdown_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if self.on_outage not in get_args(OnOutage):
            raise SettingsError(f'on_outage is {self.on_outage!r}; it takes "raise", "spool" or "drop"')
        if not self.outage_timeout_s > 0 or not self.shutdown_timeout_s >= 0:
            raise SettingsError("outage_s and exit_s are seconds, and outage_s is more than 0")
        if self.on_outage == "spool":
            try:
                self.spool_folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or error
                raise SettingsError(f"{self.spool_folder}: {reason}. It is to be the spool folder.") from error

    def make_sharing_key(self) -> tuple[object, ...]:
        """Equal for options that may share a queue."""
        target = self.target
        where: object = target if isinstance(target, Path) else (target.name, _freeze_properties(target.properties))
        other_options = (
            self.topic,
            self.redact,
            self.use_builtin_rules,
            self.payload_store,
            self.outage_timeout_s,
            self.on_outage,
        )
        return where, *other_options, self.spool_folder, self.queue_bytes, self.shutdown_timeout_s

    @property
    def spool_name(self) -> str:
        """What the names of its spool files begin with: no cluster or topic gets another one's events."""
        return f"{_make_unique_name(self.target.name)}.{_make_unique_name(self.topic)}"

    def open_sink(self, batch_bytes: int | None = None) -> Sink:
        """What takes the events; a new one in each process.

        Args:
            batch_bytes: how much is sent to Kafka at once at most; None: as it is set.

        Raises:
            AgentlogError: what was set doesn't work.
        """
        if isinstance(self.target, Path):
            return FileSink(self.target)
        from ..sinks.kafka_sink import KafkaSink  # noqa: PLC0415  librdkafka is loaded where Kafka is recorded to

        return KafkaSink(self.target, self.topic, batch_bytes)


def sanitize_name(text: str) -> str:
    """``text`` as a part of a file's name: nothing in it but letters, digits, ``-`` and ``_``."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:60]


def _make_unique_name(text: str) -> str:
    """``text`` as a part of a file's name, which no other text has."""
    name = sanitize_name(text)
    return name if name == text else f"{name}-{sha256(text.encode()).hexdigest()[:8]}"


def _freeze_properties(properties: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(properties.items())
