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
from agentlog.event.position import PositionRange
from agentlog.log.capture_file import CaptureSource
from agentlog.session.coverage import Coverage, measure_coverage
from agentlog.session.timeline import Timeline, build_timeline
from kshark.transfer.demo import write_file


class LoadedSession(NamedTuple):
    """A session as `kshark replay` loads it."""

    timeline: Timeline
    covered: Coverage
    unreadable: list[Unreadable]


def load_session(
    session_id: str, path: Path | None = None, content: bytes = b"", span: PositionRange | None = None
) -> LoadedSession:
    """Load a session of a capture file, or of ``content`` as standard input."""
    stdin = io.BufferedReader(io.BytesIO(content))  # type: ignore[type-var]
    source = CaptureSource("-" if path is None else str(path), stdin)
    items = list(source.records(session_id, span or PositionRange()))
    timeline = build_timeline(session_id, [item for item in items if isinstance(item, Record)])
    coverage = measure_coverage(source.searched, timeline, span or PositionRange())
    return LoadedSession(timeline, coverage, [item for item in items if isinstance(item, Unreadable)])


@pytest.fixture(scope="session")
def story_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return `story.ndjson`, as `kshark demo` writes it, in its own folder."""
    path = tmp_path_factory.mktemp("story") / "story.ndjson"
    write_file(str(path), None)
    return path


@pytest.fixture(scope="session")
def sessions(story_file: Path) -> dict[str, LoadedSession]:
    """Return every session of the story, by its id."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    for line in story_file.read_bytes().splitlines(keepends=True):
        with suppress(orjson.JSONDecodeError):
            lines[orjson.loads(line)["session_id"]].append(line)
    return {session_id: load_session(session_id, content=b"".join(parts)) for session_id, parts in lines.items()}


@pytest.fixture(scope="session")
def load() -> Callable[..., LoadedSession]:
    """Return `load_session`, for the capture file of a test."""
    return load_session
