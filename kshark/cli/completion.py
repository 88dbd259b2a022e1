"""What a shell completes a session's id to: the newest that a catalogue knows, without asking any cluster."""

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
"""What a shell takes as it stands: an id is text from outside, and what is completed may be run."""


def complete_session_id(where: SourceOptions, prefix: str) -> list[str]:
    """Ids that begin so; none where nothing is known, or anything is wrong: who is typing is told nothing."""
    try:
        catalogue_path = next(_find_catalogues(where), None)
        ids = list_recent_sessions(catalogue_path, prefix, MAX_COMPLETIONS) if catalogue_path is not None else []
    except (AgentlogError, OSError, sqlite3.Error):
        return []
    return list(filter(SHELL_SAFE_ID.fullmatch, ids))


def _find_catalogues(where: SourceOptions) -> Iterator[Path]:
    """The topic's catalogues, the one that was written last first; one made anew leaves its old one behind."""
    if where.file is not None:
        return
    cluster, topic, _ = choose_cluster(where)
    topic_description = {BOOTSTRAP: cluster.properties[BOOTSTRAP], "topic": topic}
    for path in sorted(locate_catalogue_folder().glob("*/*.sqlite"), key=_last_write_time, reverse=True):
        with suppress(sqlite3.Error):  # one of another topic, damaged or of an older version, says nothing of this one
            if read_about(path) == topic_description:
                yield path


def _last_write_time(path: Path) -> float:
    return max(each.stat().st_mtime for each in path.parent.glob(f"{path.name}*"))
