"""The files of catalogues: one for each topic of a cluster, in the user's cache folder."""

import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from agentlog.home import find_home
from agentlog.log.admin import TopicIdentity
from agentlog.session.failure_rules import get_failure_rules

from .store import Store

_log = logging.getLogger("agentlog.catalogue")


def locate_catalogue_folder() -> Path | None:
    """Return the folder of the user's catalogues, or None for a user without a home."""
    cache_home = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(cache_home):  # noqa: PTH117  the standard ignores what isn't
        return Path(cache_home, "agentlog", "catalogue")
    home = find_home()
    if home is None:
        return None
    return home / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "agentlog" / "catalogue"


def locate_catalogue(identity: TopicIdentity) -> Path | None:
    """Return the path of a topic's catalogue, or None for a user without a home.

    Ids are quoted, because a topic's id may have ``/`` and ``+``.
    """
    folder = locate_catalogue_folder()
    cluster, topic = (quote(each, safe="").replace(".", "%2E") for each in identity)
    return folder / cluster / f"{topic}.sqlite" if folder is not None else None


@contextmanager
def open_catalogue(path: Path | None) -> Iterator[Store]:
    """Open the store at ``path``; without a path, or where it can't be used, a temporary store."""
    with _open_store(path) as store:
        yield store


def _open_store(path: Path | None) -> Store:
    if path is None:
        return Store()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return _open_or_recreate(path)
    except (OSError, sqlite3.Error) as error:
        _log.warning("the catalogue %s can't be used, so the log is read without it: %s", path, error)
        return Store()


def _open_or_recreate(path: Path) -> Store:
    """Open the store at ``path``; create it again if it is damaged, or has another schema or other rules."""
    try:
        store = Store(path)
        store.require_failure_rules(get_failure_rules().fingerprint())
        return store
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _log.info("the catalogue %s is created again: %s", path, error)
        delete_catalogue(path)
        return Store(path)


def delete_catalogue(path: Path) -> None:
    """Delete a catalogue's files."""
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).unlink()
