"""Steps as NDJSON: their events as stored, each with its ``_record``. Pure."""

from collections.abc import Iterable, Iterator

from agentlog.capture_format import capture
from agentlog.session.timeline import Step


def render_ndjson(steps: Iterable[Step]) -> Iterator[bytes]:
    """Yield the steps' events as stored, each with its ``_record``; a ``call_started`` comes before its call."""
    for step in steps:
        yield from (capture.write_line(record.value, record.place) for record in step.announced)
        if not step.is_open:
            yield capture.write_line(step.record.value, step.record.place)
