"""The stores for large payloads. A payload is stored under its hash, and fetched and verified by a reference.

An event keeps the reference in place of the large value::

    {"$ref": "s3://bucket/prefix/9f/9f86d0….json", "bytes": 48213, "sha256": "9f86d0…", "preview": "first characters"}

The stored object is a text in UTF-8 (``.txt``), or any other value as JSON (``.json``). If ``$ref`` is null, the value
was never stored, because no store was named or the store couldn't be reached.

A store is a folder or a URL: ``s3://bucket/prefix``, ``gs://…``, ``az://…``. URLs need the extra
``agentlog[payloads]``. Access comes from the environment variables of each cloud's own tools (``AWS_ACCESS_KEY_ID``,
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
from .home import expand_home

SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})
"""The schemes of object stores that obstore reaches."""
MAX_PAYLOAD_BYTES = 256 * 1024 * 1024
"""The largest payload that ``resolve`` fetches."""
PREVIEW_CHARACTERS = 200
"""How many characters of a value a reference's preview holds."""


class PayloadStore(Protocol):
    """A store for large values. Any method may raise OSError or an error of the store's library."""

    def put(self, name: str, content: bytes) -> str:
        """Store ``content`` under ``name`` unless it is there already. Return its URL."""
        ...


class FolderStore:
    """A store in a folder. If other machines have to resolve the references, the folder must be shared."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def put(self, name: str, content: bytes) -> str:
        """Store ``content`` under ``name``, whole or not at all. Return its URL."""
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
    """An error for a store whose client was used before this process was forked. The client would hang."""


class _ForkGuard:
    """The id of the process that first used obstore. obstore's threads don't survive a fork."""

    def __init__(self) -> None:
        self.pid = 0

    def check(self) -> None:
        self.pid = self.pid or os.getpid()
        if self.pid != os.getpid():
            raise StoreUsedBeforeForkError(
                "the store was used before this process was forked; use it only in the children"
            )


_FORK_GUARD = _ForkGuard()


class ObjectStore:
    """A store in a bucket of S3, or of another object store that obstore reaches."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._store = _import_obstore(url).from_url(self._url, retry_config=_RETRY)

    def put(self, name: str, content: bytes) -> str:
        """Store ``content`` under ``name`` unless it is there already. Return its URL.

        Raises:
            StoreUsedBeforeForkError: the parent of this forked process has used a store.
        """
        _FORK_GUARD.check()
        try:
            self._store.head(name)
        except FileNotFoundError:
            self._store.put(name, content)
        return f"{self._url}/{name}"


_RETRY: Any = {"max_retries": 2}


def open_store(location: str) -> PayloadStore:
    """Return the store at ``location``, a folder or a URL. The store isn't contacted yet.

    Raises:
        SettingsError: the URL's scheme is unknown, or the extra ``agentlog[payloads]`` isn't installed.
    """
    scheme, separator, path = location.partition("://")
    if not separator:
        return FolderStore(expand_home(location))
    if scheme == "file":
        return FolderStore(Path(unquote(path)))
    if scheme not in SCHEMES:
        raise SettingsError(f"payloads: {scheme}:// is an unknown kind of store; name a folder, or s3://BUCKET/PREFIX")
    return ObjectStore(location)


def _import_obstore(url: str) -> Any:
    try:
        import obstore.store  # noqa: PLC0415  an extra
    except ImportError:
        raise SettingsError(f"{url} needs an object store's client: pip install 'agentlog[payloads]'.") from None
    return obstore.store


def make_object_name(content: bytes, suffix: str) -> str:
    """Return the name of ``content`` in a store. Equal contents have the same name."""
    digest = sha256(content).hexdigest()
    return f"{digest[:2]}/{digest}{suffix}"


def make_reference(url: str | None, content: bytes, preview: str | None = None) -> dict[str, Any]:
    """Return the reference that an event keeps in place of ``content``. ``url`` is None if it isn't stored.

    Args:
        preview: what to show for it. None means its beginning.
    """
    if preview is None:
        preview = content[: PREVIEW_CHARACTERS * 4].decode(errors="ignore")[:PREVIEW_CHARACTERS]
    return {"$ref": url, "bytes": len(content), "sha256": sha256(content).hexdigest(), "preview": preview}


def resolve(reference: Mapping[str, Any]) -> bytes | str:
    """Return the content behind ``reference``, or a sentence that says why there is none.

    A reference comes from an event, so it isn't trusted. Only folders and object stores are read, and the content is
    returned only if its size and hash match.
    """
    match reference:
        case {"$ref": None}:
            return "it was shortened when it was recorded, and the whole was not kept"
        case {"$ref": str(url), "bytes": int(size), "sha256": str(digest)}:
            return _fetch_verified(url, size, digest)
    return "the reference lacks its $ref, bytes or sha256"


def _fetch_verified(url: str, size: int, digest: str) -> bytes | str:
    if size > MAX_PAYLOAD_BYTES:
        return f"{size:,} bytes, more than the limit of {MAX_PAYLOAD_BYTES:,}"
    try:
        content = _fetch_content(url, size)
    except Exception as error:  # noqa: BLE001  each store's library has its own errors
        return f"{url}: {summarize_store_error(error)}"
    if isinstance(content, str):
        return f"{url}: {content}"
    if len(content) != size or sha256(content).hexdigest() != digest:
        return f"{url}: the stored content is not what was recorded; its SHA-256 differs"
    return content


def _fetch_content(url: str, size: int) -> bytes | str:
    """Return the content at ``url``, or why it can't be read. It isn't read if its size isn't ``size``."""
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
        return "neither a folder nor a known object store"
    return read_content() if actual_size == size else f"the stored content has {actual_size:,} bytes, not {size:,}"


def summarize_store_error(error: Exception) -> str:
    """Return the first line of a store's error, without the details of its library."""
    if isinstance(error, FileNotFoundError):
        return "there is no such object"
    return next(iter(str(error).splitlines()), "") or type(error).__name__
