"""`kshark replay --follow`: show a session, and go on with its events as they come."""

from agentlog.errors import UsageError
from agentlog.event import capture
from agentlog.event.event import Record, Unreadable
from agentlog.event.position import Span
from agentlog.log.topic_source import TopicSource
from agentlog.session.coverage import coverage
from agentlog.session.timeline import Live, Step, Timeline, timeline
from agentlog.terminal.output import complain, write, write_bytes
from agentlog.terminal.unreadable_report import name_unreadable

from ..render import Look, body, footer, header, step_lines
from ..replay.command import Choice, gathered, ndjson
from ..source.indexed_source import opened_topic
from ..wanted import Wanted


def follow(wanted: Wanted, choice: Choice) -> None:
    """Show a session and go on until it ends, or until a signal comes; a session that isn't there yet is waited for.

    Raises:
        UsageError: what was asked for has no live form.
        KafkaError: the cluster can't be read.
    """
    _check(wanted, choice)
    session_id, span = wanted.session_id, wanted.span
    with opened_topic(wanted) as source:
        records, _ = gathered(wanted, source)
        known = timeline(session_id, records)
        if not records:
            complain(f"waiting for session {session_id} in {source.searched.what}")
        try:
            _show_known(known, span, source, choice)
            if known.outcome is None:
                _go_on(session_id, source, known, records, choice)
        finally:
            _show_end(timeline(session_id, records), span, source, choice)


def _go_on(session_id: str, source: TopicSource, known: Timeline, records: list[Record], choice: Choice) -> None:
    live, look = Live(known), choice.look(known.began)
    for found in source.follow(session_id, complain):
        if isinstance(found, Unreadable):
            name_unreadable(found)
        step = live.add(found) if isinstance(found, Record) else None
        if step is None:
            continue
        records.append(step.record)
        if len(records) == 1:
            look = choice.look(step.began)
        if choice.holds(step):
            _show_step(step, look, choice)
        if step.kind == "session_end" and step.lane.depth == 0:
            return


def _show_known(known: Timeline, span: Span, source: TopicSource, choice: Choice) -> None:
    steps = [step for step in known.steps if choice.holds(step)]
    if choice.format == "ndjson":
        write_bytes(ndjson(steps))
    elif known.steps:
        look = choice.look(known.began)
        write([*header(known, coverage(source.searched, known, span), look), ""])
        write(body(known, steps, look))


def _show_step(step: Step, look: Look, choice: Choice) -> None:
    if choice.format == "ndjson":
        write_bytes([capture.write_line(step.record.value, step.record.place)])
    else:
        write(step_lines(step, look))


def _show_end(found: Timeline, span: Span, source: TopicSource, choice: Choice) -> None:
    if choice.format == "text" and found.steps:
        covered = coverage(source.searched, found, span)
        write(["", *footer(found, found.steps, covered, choice.look(found.began))])


def _check(wanted: Wanted, choice: Choice) -> None:
    if wanted.where.file is not None:
        raise UsageError("--follow needs a cluster: a capture file doesn't grow")
    if wanted.span.end is not None:
        raise UsageError("--follow goes on for as long as the session does; leave out --to")
    if choice.format not in ("text", "ndjson"):
        raise UsageError(f"--follow writes text or ndjson; {choice.format} needs the whole session")
