"""Large payloads in an object store: put there under their hash, and fetched and verified by their reference.

A reference is what an event keeps in the place of a large value::

    {"$ref": "s3://bucket/prefix/9f/9f86d0….json", "bytes": 48213, "sha256": "9f86d0…", "preview": "first characters"}

What lies there is a text as UTF-8 (``.txt``), or any other value as JSON (``.json``). Where ``$ref`` is null the whole
was never stored: no store was named, or it couldn't be reached.

A store is a folder, or a URL: ``s3://bucket/prefix``, ``gs://…``, ``az://…``. These need the extra
``agentlog[payloads]``, and are reached as the variables of their own tools say (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL``, …).
"""

import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from .errors import SettingsError

SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})
MAX_PAYLOAD_BYTES = 256 * 1024 * 1024
PREVIEW_CHARACTERS = 200


class PayloadStore(Protocol):
    """Where large values lie. Any method may raise OSError, or what the store's library raises."""

    def put(self, name: str, content: bytes) -> str:
        """Keep ``content`` under ``name`` unless it is there already; the URL that it has."""
        ...


class FolderStore:
    """A folder; a shared one, if another machine shall resolve the references."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def put(self, name: str, content: bytes) -> str:
        """Keep ``content``, whole or not at all."""
        path = self._folder / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary_path = path.with_name(f".{path.name}.{uuid4().hex}")
            try:
                temporary_path.write_bytes(content)
                temporary_path.replace(path)
            finally:
                temporary_path.unlink(missing_ok=True)
        return path.as_uri()


class StoreUsedBeforeForkError(Exception):
    """The store's client can't be used in this process: it was used before the process was forked, and would hang."""


class _ForkGuard:
    """The process that first used obstore: its threads, and so its use, don't survive a fork."""

    def __init__(self) -> None:
        self.pid = 0

    def check(self) -> None:
        self.pid = self.pid or os.getpid()
        if self.pid != os.getpid():
            raise StoreUsedBeforeForkError(
                "the store was used before this process was forked; open it in the children only"
            )


_FORK_GUARD = _ForkGuard()


class ObjectStore:
    """A bucket of S3, or of what else obstore reaches."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._store = _import_obstore(url).from_url(self._url, retry_config=_RETRY)

    def put(self, name: str, content: bytes) -> str:
        """Keep ``content``; what is there under the same hash is the same.

        Raises:
            StoreLost: in a forked child of a process that has used a store.
        """
        _FORK_GUARD.check()
        try:
            self._store.head(name)
        except FileNotFoundError:
            self._store.put(name, content)
        return f"{self._url}/{name}"


_RETRY: Any = {"max_retries": 2}


def open_store(location: str) -> PayloadStore:
    """The store that ``location`` names, a folder or a URL; nothing is asked of it yet.

    Raises:
        SettingsError: a kind of store that we don't know, or the extra for it isn't installed.
    """
    scheme, separator, path = location.partition("://")
    if not separator:
        return FolderStore(Path(location).expanduser())
    if scheme == "file":
        return FolderStore(Path(unquote(path)))
    if scheme not in SCHEMES:
        raise SettingsError(f"payloads: {scheme}:// is no store that we know; name a folder, or s3://BUCKET/PREFIX")
    return ObjectStore(location)


def _import_obstore(url: str) -> Any:
    try:
        import obstore.store  # noqa: PLC0415  an extra
    except ImportError:
        raise SettingsError(f"{url} needs an object store's client: pip install 'agentlog[payloads]'.") from None
    return obstore.store


def make_object_name(content: bytes, suffix: str) -> str:
    """Where ``content`` lies in a store: equal contents lie at the same place."""
    digest = sha256(content).hexdigest()
    return f"{digest[:2]}/{digest}{suffix}"


def make_reference(url: str | None, content: bytes) -> dict[str, Any]:
    """What an event keeps of ``content``; ``url`` is None where the whole isn't kept."""
    preview = content[: PREVIEW_CHARACTERS * 4].decode(errors="ignore")[:PREVIEW_CHARACTERS]
    return {"$ref": url, "bytes": len(content), "sha256": sha256(content).hexdigest(), "preview": preview}


def resolve(reference: Mapping[str, Any]) -> bytes | str:
    """The content that ``reference`` names, its size and hash verified; or a sentence that says why not.

    A reference comes from an event, so it isn't trusted: only a folder or an object store is asked, and only what has
    the hash is returned.
    """
    match reference:
        case {"$ref": None}:
            return "it was shortened when it was recorded, and the whole was not kept"
        case {"$ref": str(url), "bytes": int(size), "sha256": str(digest)}:
            return _fetch_verified(url, size, digest)
    return "the reference lacks its $ref, bytes or sha256"


def _fetch_verified(url: str, size: int, digest: str) -> bytes | str:
    if size > MAX_PAYLOAD_BYTES:
        return f"{size:,} bytes, more than the {MAX_PAYLOAD_BYTES:,} that we take"
    try:
        content = _fetch_content(url, size)
    except Exception as error:  # noqa: BLE001  each store's library has its own errors
        return f"{url}: {summarize_store_error(error)}"
    if isinstance(content, str):
        return f"{url}: {content}"
    if len(content) != size or sha256(content).hexdigest() != digest:
        return f"{url}: what lies there is not what was recorded; its SHA-256 is another one"
    return content


def _fetch_content(url: str, size: int) -> bytes | str:
    """What lies at ``url``, or why it can't be had; not read when it isn't of the ``size`` that it should have."""
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        path = Path(unquote(parts.path))
        if not path.is_file():
            return "there is no such file"
        actual_size, read_content = path.stat().st_size, path.read_bytes
    elif parts.scheme in SCHEMES and parts.netloc:
        store = _import_obstore(url).from_url(f"{parts.scheme}://{parts.netloc}", retry_config=_RETRY)
        stored_object = store.get(unquote(parts.path).lstrip("/"))
        actual_size, read_content = stored_object.meta["size"], lambda: bytes(stored_object.bytes())
    else:
        return "not a folder, nor an object store that we know"
    return read_content() if actual_size == size else f"{actual_size:,} bytes lie there, not {size:,}"


def summarize_store_error(error: Exception) -> str:
    """What a store's error says, without what its library knows of itself."""
    if isinstance(error, FileNotFoundError):
        return "there is no such object"
    return next(iter(str(error).splitlines()), "") or type(error).__name__
