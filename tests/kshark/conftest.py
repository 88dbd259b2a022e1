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
    """A session as `kshark replay` has it before it is written out."""

    timeline: Timeline
    covered: Coverage
    unreadable: list[Unreadable]


def load_session(
    session_id: str, path: Path | None = None, content: bytes = b"", span: PositionRange | None = None
) -> LoadedSession:
    """A session of a capture file, or of its ``content`` read from standard input."""
    stdin = io.BufferedReader(io.BytesIO(content))  # type: ignore[type-var]
    source = CaptureSource("-" if path is None else str(path), stdin)
    items = list(source.records(session_id, span or PositionRange()))
    session_timeline = build_timeline(session_id, [item for item in items if isinstance(item, Record)])
    return LoadedSession(
        session_timeline,
        measure_coverage(source.searched, session_timeline, span or PositionRange()),
        [i for i in items if isinstance(i, Unreadable)],
    )


@pytest.fixture(scope="session")
def story_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`story.ndjson`, as `kshark demo` writes it, in a folder of its own."""
    path = tmp_path_factory.mktemp("story") / "story.ndjson"
    write_file(str(path), None)
    return path


@pytest.fixture(scope="session")
def sessions(story_file: Path) -> dict[str, LoadedSession]:
    """Every session of the story, by its id."""
    lines: dict[str, list[bytes]] = defaultdict(list)
    for line in story_file.read_bytes().splitlines(keepends=True):
        with suppress(orjson.JSONDecodeError):
            lines[orjson.loads(line)["session_id"]].append(line)
    return {session_id: load_session(session_id, content=b"".join(own)) for session_id, own in lines.items()}


@pytest.fixture(scope="session")
def load() -> Callable[..., LoadedSession]:
    """`loaded`, for a test's own capture file."""
    return load_session
