"""`kshark replay --follow`: show a session, and go on with its events as they come."""

from dataclasses import replace

from agentlog.errors import UsageError
from agentlog.event import capture
from agentlog.event.event import Record, Unreadable
from agentlog.event.position import PositionRange
from agentlog.log.topic_source import TopicSource
from agentlog.session.coverage import measure_coverage
from agentlog.session.timeline import LiveTimeline, Step, Timeline, build_timeline
from agentlog.terminal.output import write_bytes, write_lines, write_stderr
from agentlog.terminal.unreadable_report import report_unreadable

from ..source.indexed_source import open_topic
from ..source.read_session import read_records
from ..source.session_request import Wanted
from ..view.layout import Look
from ..view.ndjson import render_ndjson
from ..view.replay_options import Choice
from ..view.step_lines import body, step_lines
from ..view.timeline_text import footer, header

MIN_LARGEST_NUMBER = 999
"""A session that goes on will have steps of so high a number: their column is as wide as that."""


def follow_session(wanted: Wanted, choice: Choice) -> None:
    """Show a session and go on until it ends, or until a signal comes; a session that isn't there yet is waited for.

    Raises:
        UsageError: what was asked for has no live form.
        KafkaError: the cluster can't be read.
    """
    _check_options(wanted, choice)
    session_id, span = wanted.session_id, wanted.span
    with open_topic(wanted) as source:
        records, _ = read_records(wanted, source)
        known_timeline = build_timeline(session_id, records)
        if not records:
            write_stderr(f"waiting for session {session_id} in {source.searched.what}")
        try:
            _show_known(known_timeline, span, source, choice)
            if known_timeline.outcome is None:
                _follow_live(session_id, source, known_timeline, records, choice)
        finally:
            _show_end(build_timeline(session_id, records), span, source, choice)


def _follow_live(
    session_id: str, source: TopicSource, known_timeline: Timeline, records: list[Record], choice: Choice
) -> None:
    live, layout = LiveTimeline(known_timeline), _make_layout(known_timeline, choice)
    for item in source.follow(session_id, write_stderr):
        if isinstance(item, Unreadable):
            report_unreadable(item)
        step = live.add(item) if isinstance(item, Record) else None
        if step is None:
            continue
        records.append(step.record)
        if len(records) == 1:
            layout = choice.make_layout(step.began, MIN_LARGEST_NUMBER)
        elif step.number > layout.steps:
            layout = replace(layout, steps=step.number)
        if choice.matches(step):
            _show_step(step, layout, choice)
        if step.kind == "session_end" and step.lane.depth == 0:
            return


def _show_known(known_timeline: Timeline, span: PositionRange, source: TopicSource, choice: Choice) -> None:
    steps = [step for step in known_timeline.steps if choice.matches(step)]
    if choice.format == "ndjson":
        write_bytes(render_ndjson(steps))
    elif known_timeline.steps:
        layout = _make_layout(known_timeline, choice)
        write_lines([*header(known_timeline, measure_coverage(source.searched, known_timeline, span), layout), ""])
        write_lines(body(known_timeline, steps, layout))


def _make_layout(timeline: Timeline, choice: Choice) -> Look:
    return choice.make_layout(timeline.began, max(len(timeline.steps), MIN_LARGEST_NUMBER))


def _show_step(step: Step, layout: Look, choice: Choice) -> None:
    if choice.format == "ndjson":
        write_bytes([capture.write_line(step.record.value, step.record.place)])
    else:
        write_lines(step_lines(step, layout))


def _show_end(session_timeline: Timeline, span: PositionRange, source: TopicSource, choice: Choice) -> None:
    if choice.format == "text" and session_timeline.steps:
        session_coverage = measure_coverage(source.searched, session_timeline, span)
        write_lines(
            [
                "",
                *footer(
                    session_timeline,
                    session_timeline.steps,
                    session_coverage,
                    _make_layout(session_timeline, choice),
                ),
            ]
        )


def _check_options(wanted: Wanted, choice: Choice) -> None:
    if wanted.where.file is not None:
        raise UsageError("--follow needs a cluster: a capture file doesn't grow")
    if wanted.span.end is not None:
        raise UsageError("--follow goes on for as long as the session does; leave out --to")
    if choice.format not in ("text", "ndjson"):
        raise UsageError(f"--follow writes text or ndjson; {choice.format} needs the whole session")
