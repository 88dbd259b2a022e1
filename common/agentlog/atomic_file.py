"""The user's files: their paths, and new ones that appear only when they are complete."""

import gzip
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from .errors import UsageError

MAX_NAME_CHARACTERS = 50
"""A temporary name keeps this many characters of the file's name, so that any file system accepts it."""


@contextmanager
def open_output_file(path: str) -> Iterator[BinaryIO]:
    """Open a new file that replaces ``path`` at the end of the block. If the block fails, the old file stays.

    ``.gz`` and ``.zst`` are compressed. A pipe, or anything else that isn't a regular file, is written directly.

    Raises:
        UsageError: the file can't be written, or zstd isn't installed.
    """
    compress = _choose_compressor(path)
    try:
        with open_replacement(Path(path)) as raw, compress(raw) as file:
            yield file
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


@contextmanager
def open_replacement(path: Path) -> Iterator[io.BufferedWriter]:
    """Open a file that is moved to ``path`` at the end of the block. What isn't a regular file is written directly.

    Raises:
        OSError: the file can't be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    temporary_path = target.with_name(f".{target.name[:MAX_NAME_CHARACTERS]}.{os.getpid()}.part")
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
                raise UsageError(f"{path} needs zstd for its compression. Run pip install 'agentlog[zstd]'.") from None
            return lambda raw: cast(BinaryIO, zstandard.ZstdCompressor().stream_writer(raw, closefd=False))
    return lambda raw: raw
