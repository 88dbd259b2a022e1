"""The recording options of a tracer: the target, and what happens in an outage."""

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
"""The spool folder if none is named, in the program's folder."""


@dataclass(frozen=True, kw_only=True)
class RecordingOptions:
    """The options of a tracer. Tracers with equal options share a queue.

    Attributes:
        target: a cluster, or a capture file in its place.
        topic: the topic.
        redact: the user's redaction function, or None.
        use_builtin_rules: whether the built-in rules of redaction apply.
        payload_store: the store for large values, a folder or a URL. None if there is none.
        outage_timeout_s: how long events wait for Kafka before ``on_outage`` applies, in seconds.
        on_outage: what happens to events in an outage.
        spool_folder: the folder of the spool files. For "spool" it is absolute: the program may change its folder.
        queue_bytes: how much memory waiting events may take, in bytes.
        shutdown_timeout_s: how long the end of the process may wait for undelivered events, in seconds.

    Raises:
        SettingsError: a value is out of range, or the spool folder can't be made.
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
            raise SettingsError("outage_s and exit_s are seconds: outage_s must be above 0, exit_s 0 or more")
        if self.on_outage == "spool":
            try:
                self.spool_folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = error.strerror or error
                raise SettingsError(f"{self.spool_folder}: {reason}; name another spool folder: spool=") from error

    def make_sharing_key(self) -> tuple[object, ...]:
        """Return a key that is equal for options whose tracers may share a queue."""
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
    def where(self) -> str:
        """The place that events are written to, for messages."""
        return (
            str(self.target) if isinstance(self.target, Path) else f"topic {self.topic} of cluster {self.target.name}"
        )

    @property
    def spool_name(self) -> str:
        """The beginning of the spool files' names. It differs for each cluster and topic, so events never mix."""
        return f"{_make_unique_name(self.target.name)}.{_make_unique_name(self.topic)}"

    def open_sink(self, batch_bytes: int | None = None) -> Sink:
        """Open a sink that takes the events. Each process needs its own.

        Args:
            batch_bytes: the largest batch that is sent to Kafka, in bytes. None means the cluster's properties.

        Raises:
            AgentlogError: a setting is wrong, or the file can't be opened.
        """
        if isinstance(self.target, Path):
            return FileSink(self.target)
        from ..sinks.kafka_sink import KafkaSink  # noqa: PLC0415  a capture file needs no librdkafka

        return KafkaSink(self.target, self.topic, batch_bytes)


def sanitize_name(text: str) -> str:
    """Return ``text`` as part of a file's name: only letters, digits, ``-`` and ``_``, at most 60."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:60]


def _make_unique_name(text: str) -> str:
    """Return ``text`` as part of a file's name that differs from every other text's."""
    name = sanitize_name(text)
    return name if name == text else f"{name}-{sha256(text.encode()).hexdigest()[:8]}"


def _freeze_properties(properties: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(properties.items())
