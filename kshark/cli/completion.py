"""Completion of session ids: the newest ones of a catalogue, without asking a cluster."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentlog.errors import AgentlogError
from agentlog.log.open_source import choose_cluster
from agentlog.settings.clusters import BOOTSTRAP
from agentlog.terminal.options import SourceOptions

from ..catalogue.files import locate_catalogue_folder
from ..source.lookup import list_recent_sessions, read_about

MAX_COMPLETIONS = 100
SHELL_SAFE_ID = re.compile(r"[\w.:@%+,/=-]+", re.ASCII)
"""Ids that a shell takes unchanged. An id is untrusted, and a completed line may be run."""


def complete_session_id(where: SourceOptions, prefix: str) -> list[str]:
    """Return the ids that begin with ``incomplete``; none if nothing is known, or if anything fails."""
    try:
        catalogue_path = next(_find_catalogues(where), None)
        ids = list_recent_sessions(catalogue_path, prefix, MAX_COMPLETIONS) if catalogue_path is not None else []
    except (AgentlogError, OSError, sqlite3.Error):
        return []
    return list(filter(SHELL_SAFE_ID.fullmatch, ids))


def _find_catalogues(where: SourceOptions) -> Iterator[Path]:
    """Return the topic's catalogues, the newest first. A topic that was made anew leaves an old one behind."""
    folder = locate_catalogue_folder()
    if where.file is not None or folder is None:
        return
    cluster, topic, _ = choose_cluster(where)
    topic_description = {BOOTSTRAP: cluster.properties[BOOTSTRAP], "topic": topic}
    for path in sorted(folder.glob("*/*.sqlite"), key=_last_write_time, reverse=True):
        with suppress(sqlite3.Error):  # one of another topic, damaged or of an older version, says nothing of this one
            if read_about(path) == topic_description:
                yield path


def _last_write_time(path: Path) -> float:
    return max(each.stat().st_mtime for each in path.parent.glob(f"{path.name}*"))
