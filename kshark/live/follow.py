"""The option `kshark replay --follow`: a session's steps, followed by its new events as they arrive."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from agentlog.capture_format import capture
from agentlog.errors import SessionUnavailable, UsageError
from agentlog.event.event import Record, Unreadable
from agentlog.event.position import PositionRange
from agentlog.log.growing_capture import GrowingCapture, open_growing
from agentlog.log.open_source import check_file_alone
from agentlog.log.topic_source import TopicSource
from agentlog.session.coverage import measure_coverage
from agentlog.session.timeline import LiveTimeline, Step, Timeline, build_timeline
from agentlog.terminal.output import write_bytes, write_lines, write_stderr
from agentlog.terminal.unreadable_report import UnreadableReport

from ..source.indexed_source import open_topic
from ..source.read_session import read_records
from ..source.session_request import SessionRequest
from ..view.layout import Layout
from ..view.ndjson import render_ndjson
from ..view.replay_options import ReplayOptions
from ..view.step_lines import format_step, format_steps
from ..view.timeline_text import format_footer, format_header

LiveSource = TopicSource | GrowingCapture
MIN_LARGEST_NUMBER = 999
"""The column of step numbers has room for this number, because more steps will arrive."""


def follow_session(request: SessionRequest, options: ReplayOptions) -> None:
    """Show a session and its new events until it ends or a signal arrives. Wait for a session that doesn't exist yet.

    Raises:
        UsageError: an option doesn't go with --follow.
        KafkaError: the cluster can't be read.
    """
    _check_options(request, options)
    session_id, span = request.session_id, request.span
    with _open_source(request) as source:
        records = _read_known(request, source)
        known_timeline = build_timeline(session_id, records)
        try:
            _show_known(known_timeline, span, source, options)
            if known_timeline.outcome is None:
                _follow_live(session_id, source, known_timeline, records, options)
        finally:
            _show_end(build_timeline(session_id, records), span, source, options)


def _read_known(request: SessionRequest, source: LiveSource) -> list[Record]:
    """Return the records that are there. If there are none, say that they are waited for, and what can't be read."""
    waiting = f"waiting for session {request.session_id} in {source.searched.what}"
    try:
        records, _ = read_records(request, source)
    except SessionUnavailable as error:
        write_stderr(f"{error}\n{waiting}")
        return []
    if not records:
        write_stderr(waiting)
    return records


@contextmanager
def _open_source(request: SessionRequest) -> Iterator[LiveSource]:
    """Open the topic, or the capture file that is being written."""
    if request.source.file is None:
        with open_topic(request) as topic:
            yield topic
    else:
        check_file_alone(request.source)
        with open_growing(request.source.file, sys.stdin.buffer) as file:  # type: ignore[arg-type]
            yield file


def _follow_live(
    session_id: str,
    source: LiveSource,
    known_timeline: Timeline,
    records: list[Record],
    options: ReplayOptions,
) -> None:
    live, layout = LiveTimeline(known_timeline), _make_layout(known_timeline, options)
    unreadable_report = UnreadableReport()
    for item in source.follow(session_id, write_stderr):
        if isinstance(item, Unreadable):
            unreadable_report.announce(item)
        step = live.add(item) if isinstance(item, Record) else None
        if step is None:
            continue
        records.append(step.record)
        if len(records) == 1:
            layout = options.make_layout(step.began, MIN_LARGEST_NUMBER)
        elif step.number > layout.step_count:
            layout = replace(layout, step_count=step.number)
        if options.matches(step):
            _show_step(step, layout, options)
        if step.kind == "session_end" and step.lane.depth == 0:
            return


def _show_known(known_timeline: Timeline, span: PositionRange, source: LiveSource, options: ReplayOptions) -> None:
    steps = [step for step in known_timeline.steps if options.matches(step)]
    if options.format == "ndjson":
        write_bytes(render_ndjson(steps))
    elif known_timeline.steps:
        layout = _make_layout(known_timeline, options)
        write_lines(
            [*format_header(known_timeline, measure_coverage(source.searched, known_timeline, span), layout), ""]
        )
        write_lines(format_steps(known_timeline, steps, layout))


def _make_layout(timeline: Timeline, options: ReplayOptions) -> Layout:
    return options.make_layout(timeline.began, max(len(timeline.steps), MIN_LARGEST_NUMBER))


def _show_step(step: Step, layout: Layout, options: ReplayOptions) -> None:
    if options.format == "ndjson":
        write_bytes([capture.write_line(step.record.value, step.record.place)])
    else:
        write_lines(format_step(step, layout))


def _show_end(timeline: Timeline, span: PositionRange, source: LiveSource, options: ReplayOptions) -> None:
    if options.format == "text" and timeline.steps:
        coverage = measure_coverage(source.searched, timeline, span)
        write_lines(
            [
                "",
                *format_footer(
                    timeline,
                    timeline.steps,
                    coverage,
                    _make_layout(timeline, options),
                ),
            ]
        )


def _check_options(request: SessionRequest, options: ReplayOptions) -> None:
    if request.span.end is not None:
        raise UsageError("--follow goes on for as long as the session does; leave out --to")
    if options.format not in ("text", "ndjson"):
        raise UsageError(f"--follow writes text or ndjson; {options.format} needs the whole session")
