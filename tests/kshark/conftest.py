"""The story as a capture file, and its sessions as timelines."""

import io
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from agentlog.event.event import Record, Unreadable
from agentlog.event.position import Span
from agentlog.log.capture_file import CaptureSource
from agentlog.session.coverage import Coverage, coverage
from agentlog.session.timeline import Timeline, timeline
from kshark.transfer.demo import write_file


class Loaded(NamedTuple):
    """A session as `kshark replay` has it before it is written out."""

    timeline: Timeline
    covered: Coverage
    unreadable: list[Unreadable]


def loaded(session_id: str, path: Path | None = None, content: bytes = b"", span: Span = Span()) -> Loaded:  # noqa: B008
    """A session of a capture file, or of its ``content`` read from standard input."""
    stdin = io.BufferedReader(io.BytesIO(content))  # type: ignore[type-var]
    source = CaptureSource("-" if path is None else str(path), stdin)
    found = list(source.records(session_id, span))
    built = timeline(session_id, [item for item in found if isinstance(item, Record)])
    return Loaded(built, coverage(source.searched, built, span), [i for i in found if isinstance(i, Unreadable)])


@pytest.fixture(scope="session")
def story_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`story.ndjson`, as `kshark demo` writes it, in a folder of its own."""
    path = tmp_path_factory.mktemp("story") / "story.ndjson"
    write_file(str(path), None)
    return path


@pytest.fixture(scope="session")
def sessions(story_file: Path) -> dict[str, Loaded]:
    """Every session of the story, by its id."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    for line in story_file.read_bytes().splitlines(keepends=True):
        with suppress(orjson.JSONDecodeError):
            lines[orjson.loads(line)["session_id"]].append(line)
    return {session_id: loaded(session_id, content=b"".join(own)) for session_id, own in lines.items()}


@pytest.fixture(scope="session")
def load() -> Callable[..., Loaded]:
    """`loaded`, for a test's own capture file."""
    return loaded
