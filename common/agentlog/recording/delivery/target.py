"""The recording target of a tracer, from its parameters and the settings."""

import os
from collections.abc import Mapping
from pathlib import Path

from ...errors import SettingsError, UsageError
from ...home import get_current_folder, make_absolute
from ...settings.clusters import DEFAULT_TOPIC, Cluster, build_cluster, load_settings


def resolve_target(
    cluster: str | None, kafka: Mapping[str, object] | None, file: str | Path | None, topic: str | None
) -> tuple[Cluster | Path, str]:
    """Return the cluster or the capture file, and the topic.

    Raises:
        UsageError: more than one of ``cluster``, ``kafka`` and ``file`` is set.
        SettingsError: a setting is missing or wrong.
    """
    if sum(target is not None for target in (cluster, kafka, file)) > 1:
        raise UsageError("AgentTracer takes only one of cluster=, kafka= and file=")
    if file is not None:
        return make_absolute(file), topic or DEFAULT_TOPIC
    settings = load_settings(os.environ, get_current_folder(), "the program")
    if kafka is not None and not isinstance(kafka, Mapping):
        raise SettingsError(
            f"kafka= takes librdkafka's properties, such as {{'bootstrap.servers': 'HOST:PORT'}}, not a value of type "
            f"{type(kafka).__name__}; an address is given as cluster="
        )
    if kafka is not None:
        return build_cluster(kafka, "kafka="), settings.get_topic(topic)
    try:
        return settings.get_cluster(cluster), settings.get_topic(topic)
    except SettingsError as error:
        if cluster is not None or settings.cluster_names:
            raise
        raise SettingsError(f"{error}\n\n{PROGRAM_HINT}") from error


PROGRAM_HINT = 'In a program: AgentTracer(cluster="HOST:PORT", …), or file="run.ndjson" to record without Kafka.'
"""What to do if no cluster is known. It stands behind the settings' own error."""
