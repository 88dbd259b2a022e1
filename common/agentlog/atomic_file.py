"""A file that is there once it is whole: written beside its place, packed as its name says, then moved there."""

import gzip
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from .errors import UsageError

MAX_KEPT_NAME = 50
"""So much of a name is kept beside it, so that any file system takes it."""


@contextmanager
def open_output_file(path: str) -> Iterator[BinaryIO]:
    """A new file in place of what is at ``path``; when the block fails, what is there stays.

    ``.gz`` and ``.zst`` are packed. What is no regular file, as a pipe, is written as it comes.

    Raises:
        UsageError: it can't be written, or zstd isn't installed.
    """
    compress = _choose_compressor(path)
    try:
        with open_replacement(Path(path)) as raw, compress(raw) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


@contextmanager
def open_replacement(path: Path) -> Iterator[io.BufferedWriter]:
    """What is to stand at ``path``, moved there once it is whole; what is no regular file is written as it comes.

    Raises:
        OSError: it can't be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    temporary_path = target.with_name(f".{target.name[:MAX_KEPT_NAME]}.{os.getpid()}.part")
    try:
        with temporary_path.open("wb") as file:
            yield file
        temporary_path.replace(target)
    finally:
        temporary_path.unlink(missing_ok=True)


def _choose_compressor(path: str) -> Callable[[io.BufferedWriter], BinaryIO]:
    match Path(path).suffix:
        case ".gz":
            return lambda raw: cast(BinaryIO, gzip.GzipFile("", "wb", 6, raw, mtime=0))
        case ".zst":
            try:
                import zstandard  # noqa: PLC0415  an extra
            except ImportError:
                raise UsageError(f"{path} is to be packed with zstd: pip install 'agentlog[zstd]'") from None
            return lambda raw: cast(BinaryIO, zstandard.ZstdCompressor().stream_writer(raw, closefd=False))
    return lambda raw: raw
