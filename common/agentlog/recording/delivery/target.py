"""Where a tracer records to, from what its caller said and what the settings say."""

import os
from collections.abc import Mapping
from pathlib import Path

from ...errors import SettingsError, UsageError
from ...settings.clusters import DEFAULT_TOPIC, Cluster, build_cluster, load_settings


def resolve_target(
    cluster: str | None, kafka: Mapping[str, object] | None, file: str | Path | None, topic: str | None
) -> tuple[Cluster | Path, str]:
    """The cluster or the capture file, and the topic.

    Raises:
        UsageError: more than one of the three was given.
        SettingsError: a setting is missing or wrong.
    """
    if sum(given is not None for given in (cluster, kafka, file)) > 1:
        raise UsageError("AgentTracer takes one of cluster=, kafka= and file=, not several")
    if file is not None:
        return Path(file).absolute(), topic or DEFAULT_TOPIC
    settings = load_settings(os.environ, Path.cwd(), "the program")
    if kafka is not None:
        return build_cluster(kafka, "kafka="), settings.get_topic(topic)
    try:
        return settings.get_cluster(cluster), settings.get_topic(topic)
    except SettingsError as error:
        if cluster is not None or settings.cluster_names:
            raise
        raise SettingsError(f"{error}\n\n{PROGRAM_HINT}") from error


PROGRAM_HINT = 'In a program: AgentTracer(cluster="HOST:PORT", …), or file="run.ndjson" to record without Kafka.'
