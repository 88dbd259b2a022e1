"""What a shell completes a session's id to: the newest that a catalogue knows, without asking any cluster."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentlog.cli import Where, chosen_cluster
from agentlog.errors import AgentlogError
from agentlog.settings.clusters import BOOTSTRAP

from .catalogue.files import folder
from .source.lookup import about, recent

MOST = 100
SAFE = re.compile(r"[\w.:@%+,/=-]+", re.ASCII)
"""What a shell takes as it stands: an id is text from outside, and what is completed may be run."""


def completed(where: Where, beginning: str) -> list[str]:
    """Ids that begin so; none where nothing is known, or anything is wrong: who is typing is told nothing."""
    try:
        found = next(_catalogues(where), None)
        ids = recent(found, beginning, MOST) if found is not None else []
    except (AgentlogError, OSError, sqlite3.Error):
        return []
    return list(filter(SAFE.fullmatch, ids))


def _catalogues(where: Where) -> Iterator[Path]:
    """The topic's catalogues, the one that was written last first; one made anew leaves its old one behind."""
    if where.file is not None:
        return
    cluster, topic, _ = chosen_cluster(where)
    wanted = {BOOTSTRAP: cluster.properties[BOOTSTRAP], "topic": topic}
    for path in sorted(folder().glob("*/*.sqlite"), key=_written, reverse=True):
        with suppress(sqlite3.Error):  # one of another topic, damaged or of an older version, says nothing of this one
            if about(path) == wanted:
                yield path


def _written(path: Path) -> float:
    return max(each.stat().st_mtime for each in path.parent.glob(f"{path.name}*"))
