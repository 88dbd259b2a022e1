"""The HTML page of a session, put together from markup, style, script and data."""

import gzip
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from importlib.resources import files
from string import Template

from agentlog.event.event import Unreadable
from agentlog.session.coverage import Coverage
from agentlog.session.timeline import Step, Timeline

from ..view.ndjson import render_ndjson
from .step_columns import render_step_columns
from .summary_html import escape_text, render_foot, render_head

SCRIPTS = ("words", "media", "data", "find", "rows", "list", "details", "axis", "picture", "tables", "keys", "main")
"""The parts of the page's script, in order."""
CHUNK_BYTES = 2_000_000
"""The size of a packed block of events, which a browser unpacks in a few milliseconds."""


def render_page(timeline: Timeline, coverage: Coverage, unreadable: Sequence[Unreadable]) -> Iterator[bytes]:
    """Yield the page in pieces."""
    style, script = _read_asset("report.css"), "\n".join(_read_asset(f"{name}.js") for name in SCRIPTS)
    start_template, end_template = _read_asset("report.html").split("$data")
    fields = {
        "policy": _build_content_policy(style, script),
        "title": escape_text(timeline.session_id, 120),
        "style": style,
        "script": script,
        "head": render_head(timeline, coverage, unreadable),
        "foot": render_foot(timeline, coverage),
    }
    yield Template(start_template).substitute(fields).encode()
    yield from _pack_lines("columns", [render_step_columns(timeline)])
    yield from _pack_lines("events", render_ndjson(timeline.steps))
    yield from _pack_lines("wholes", _encode_fetched_payloads(timeline.steps))
    yield Template(end_template).substitute(fields).encode()


def _read_asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _build_content_policy(style: str, script: str) -> str:
    """Return a policy that allows only our own style and script, by their hashes, and no network address."""
    rules = {
        "default-src": "'none'",
        "style-src": _hash_source(style),
        "script-src": _hash_source(script),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash_source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _pack_lines(name: str, lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines as packed blocks that the browser reads neither as script nor as markup: base64 has no ``<``."""
    for chunk in _split_into_chunks(lines):
        yield f'<script type="text/plain" class="{name}">'.encode()
        yield b64encode(gzip.compress(chunk, 6, mtime=0))
        yield b"</script>\n"


def _split_into_chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        if size + len(line) > CHUNK_BYTES and chunk:
            yield b"".join(chunk)
            chunk, size = [], 0
        chunk.append(line)
        size += len(line)
    yield b"".join(chunk)


def _encode_fetched_payloads(steps: Iterable[Step]) -> Iterator[bytes]:
    """Yield a line with the step's index and payload for each payload that has fetched parts."""
    for number, step in enumerate(steps):
        if step.event is not step.record.event:
            yield f"{json.dumps([number, step.event.payload], ensure_ascii=False)}\n".encode(errors="replace")
