"""Events that the broker refuses for their own sake: they are settled alone, and all others arrive once."""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import given
from hypothesis import strategies as st

from agentlog import AgentTracer, KafkaRefused, TopicNotFound
from agentlog.recording.delivery.accounting import Ledger
from agentlog.recording.delivery.dispatcher import Dispatcher
from agentlog.recording.delivery.options import RecordingOptions
from agentlog.recording.delivery.spool import SpoolQueue
from agentlog.recording.delivery.suspects import split_at_refused
from agentlog.recording.sinks import outbound
from agentlog.recording.sinks.kafka_sink import KafkaSink
from agentlog.recording.sinks.outbound import Author, Loss, OutboundEvent, make_event, make_loss_event
from agentlog.recording.sinks.sink import FailureKind
from agentlog.settings.clusters import Settings
from devkafka import create_topic, eventually
from tests.conftest import TopicFactory
from tests.tracing import get_error, group_by_session, list_call_numbers, read_records

HOUR_MS = 3_600_000


@contextmanager
def wrong_clock(monkeypatch: pytest.MonkeyPatch, hours: float) -> Iterator[None]:
    """Let the clock of recorded events be wrong by some hours."""

    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(hours=hours)

    with monkeypatch.context() as patch:
        patch.setattr(outbound, "datetime", WrongClock)
        yield


def record_at(hours: float) -> Callable[[AgentTracer, pytest.MonkeyPatch], None]:
    def record(tracer: AgentTracer, monkeypatch: pytest.MonkeyPatch) -> None:
        with wrong_clock(monkeypatch, hours):
            tracer.user_message("at a wrong time")

    return record


def record_large(tracer: AgentTracer, monkeypatch: pytest.MonkeyPatch) -> None:
    tracer.user_message(secrets.token_urlsafe(5_000))


REFUSED: dict[str, tuple[dict[str, str], Callable[[AgentTracer, pytest.MonkeyPatch], None], str]] = {
    "a_time_too_far_ahead": ({}, record_at(2), "Broker: Invalid timestamp (INVALID_TIMESTAMP)"),
    "a_time_too_long_ago": (
        {"message.timestamp.before.max.ms": str(HOUR_MS)},
        record_at(-2),
        "Broker: Invalid timestamp (INVALID_TIMESTAMP)",
    ),
    "a_time_too_far_ahead_in_a_compacted_topic": (
        {"cleanup.policy": "compact"},
        record_at(2),
        "Broker: Invalid timestamp (INVALID_TIMESTAMP)",
    ),
    "more_than_the_topic_takes": (
        {"max.message.bytes": "5000"},
        record_large,
        "Broker: Message size too large (MSG_SIZE_TOO_LARGE)",
    ),
}


@pytest.mark.parametrize("on_outage", ["raise", "drop", "spool"])
@pytest.mark.parametrize("kind", REFUSED)
def test_an_event_is_settled_alone_that_has(  # noqa: PLR0917  fixtures
    kind: str,
    on_outage: Any,
    kafka: str,
    topic: TopicFactory,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    config, record_refused, error = REFUSED[kind]
    name = topic(partitions=2, config=config)
    tracers = [
        AgentTracer(f"sess_{n}", agent_id="a", cluster=kafka, topic=name, on_outage=on_outage, spool=tmp_path)
        for n in range(6)
    ]
    tracers[0].user_message("first")
    assert tracers[0].flush(20)
    for n in range(300):
        if n % 100 == 50:
            record_refused(tracers[0], monkeypatch)
        for tracer in tracers:
            tracer.track_tool_call("count", {"n": n}, str)
    with caplog.at_level(logging.ERROR, "agentlog"):
        assert tracers[0].flush(60)
        eventually(lambda: error in caplog.text)
    stats = tracers[0].stats()
    assert (stats.dropped, stats.queued, stats.spooled, list(tmp_path.iterdir())) == (3, 0, 0, [])
    sessions = group_by_session(read_records(kafka, name))
    assert {session: sorted(list_call_numbers(events)) for session, events in sessions.items()} == {
        f"sess_{n}": list(range(300)) for n in range(6)
    }
    lost = [event["payload"] for event in sessions["sess_0"] if event["event_type"] == "error"]
    assert sum(each["lost"] for each in lost) == 3
    assert all(each["message"].endswith(f"refused them: {error}") for each in lost)
    assert not any(event["event_type"] == "error" for n in range(1, 6) for event in sessions[f"sess_{n}"])


def test_many_events_that_are_too_large_for_the_topic_are_settled_without_a_new_producer_for_each(
    kafka: str, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[int | None] = []
    open_sink = RecordingOptions.open_sink
    name = topic(partitions=2, config={"max.message.bytes": "1500", "compression.type": "uncompressed"})

    def count_sinks(options: RecordingOptions, batch_bytes: int | None = None) -> Any:
        if options.topic == name:  # a queue of an earlier test may still be at work in this process
            opened.append(batch_bytes)
        return open_sink(options, batch_bytes)

    monkeypatch.setattr(RecordingOptions, "open_sink", count_sinks)
    tracer = AgentTracer("sess_1", agent_id="a", cluster=kafka, topic=name)
    for n in range(200):
        tracer.track_tool_call("count", {"n": n}, partial(secrets.token_urlsafe, 1 if n % 5 else 2_000))
    assert tracer.flush(60)
    assert (tracer.stats().dropped, tracer.stats().queued) == (40, 0)
    assert opened[-1] == 1_000
    assert len(opened) <= 4  # one for each smaller size of a batch
    events = group_by_session(read_records(kafka, name))["sess_1"]
    assert list_call_numbers(events) == [n for n in range(200) if n % 5]


def test_where_the_topic_has_the_brokers_time_no_clock_of_ours_is_wrong(
    kafka: str, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = topic(config={"message.timestamp.type": "LogAppendTime"})
    tracer = AgentTracer("sess_1", agent_id="a", cluster=kafka, topic=name)
    record_at(48)(tracer, monkeypatch)
    assert tracer.flush(20)
    assert len(read_records(kafka, name)) == 1


def test_a_process_whose_clock_is_wrong_is_told_and_neither_held_up_nor_raised_at(
    kafka: str, topic: TopicFactory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tracer = AgentTracer("sess_1", agent_id="a", cluster=kafka, topic=topic(), outage_s=2)
    with wrong_clock(monkeypatch, 3), caplog.at_level(logging.WARNING, "agentlog"):
        for n in range(100):
            tracer.track_tool_call("count", {"n": n}, str)
        tracer.close(60)
        eventually(lambda: tracer.stats().dropped >= 100 and not tracer.stats().queued)
        tracer.close(20)
    assert tracer.stats().delivered == 0
    assert len([line for line in caplog.messages if "Invalid timestamp" in line]) <= 2


def test_events_of_a_spool_that_are_refused_are_told_and_the_others_arrive_once(
    kafka: str, topic: TopicFactory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    name = topic(partitions=2)
    options = RecordingOptions(
        target=Settings({}, None).get_cluster(kafka), topic=name, on_outage="spool", spool_folder=tmp_path
    )
    ledger, now = Ledger(lambda _: None), datetime.now(UTC)
    spools, records = SpoolQueue(options, ledger, "host-1-aa"), []
    for n in range(2_400):
        event = {"event_id": f"evt_{n}", "session_id": f"sess_{n % 6}", "agent_id": "a", "event_type": "tool_call"}
        value = orjson.dumps(event | {"timestamp": now.isoformat(), "payload": {"input": {"n": n}}})
        at = now + timedelta(hours=2 * (n % 1_000 == 300))
        records.append(OutboundEvent(Author(f"sess_{n % 6}", "a"), value, at, []))
        ledger.add_taken(records[-1:])
    spools.write(records)
    spools.release()
    with caplog.at_level(logging.WARNING, "agentlog"):
        tracer = AgentTracer(
            "sess_next", agent_id="a", cluster=kafka, topic=name, on_outage="spool", spool=tmp_path, outage_s=30
        )
        tracer.user_message("hello")
        eventually(lambda: not list(tmp_path.iterdir()), timeout=60)
        assert tracer.flush(20)
    assert "3 lines refused or unreadable" in caplog.text
    assert "have all been sent" not in caplog.text
    stats = tracer.stats()
    assert (stats.resent, stats.dropped, stats.queued, stats.spooled) == (2_397, 0, 0, 0)
    sessions = group_by_session(read_records(kafka, name))
    for number in range(6):
        expected = [n for n in range(number, 2_400, 6) if n % 1_000 != 300]
        assert sorted(list_call_numbers(sessions[f"sess_{number}"])) == expected
    told = [e["payload"] for events in sessions.values() for e in events if e["event_type"] == "error"]
    assert sum(payload["lost"] for payload in told) == 3
    assert all("Broker: Invalid timestamp" in payload["message"] for payload in told)


def test_a_loss_report_that_is_refused_too_is_not_reported_again_also_if_it_comes_from_a_spool(tmp_path: Path) -> None:
    broker = Broker({0}, 10, is_naming=True)
    dispatcher, ledger = dispatch(broker, 0, on_outage="spool", spool_folder=tmp_path)
    loss = Loss(3, 0, ("refused",))
    records = [make_loss_event(Author("sess_1", "a"), "evt_0", loss, [])]
    records.append(make_event(Author("sess_2", "a"), "evt_1", "error", {"type": "TimeoutError"}, {}, []))
    broker.read_number = lambda record: 0
    for record in records:
        ledger.add_taken([record])
    dispatcher._spools.write(records)
    for _ in range(20):
        dispatcher.advance(0.0)
    assert dispatcher.is_idle
    assert (ledger.dropped, ledger.delivered) == (2, 0)
    assert {author.session_id: each.events for author, each in ledger.losses.items()} == {"sess_2": 1}


def test_a_producer_that_knows_that_the_topic_is_gone_takes_no_event_and_loses_none(kafka: str) -> None:
    sink = KafkaSink(Settings({}, None).get_cluster(kafka), "never-made")
    answers: list[Any] = []
    event = OutboundEvent(Author("sess_1", "a"), b"{}", datetime.now(UTC), [], answers=answers)
    assert sink.send(event)

    def is_answered() -> bool:
        sink.poll(0.1)
        return bool(answers)

    eventually(is_answered, timeout=30)
    assert not sink.send(event)
    assert sink.is_broken
    assert isinstance(sink.refusal(), TopicNotFound)


def test_events_wait_for_a_topic_that_was_deleted_while_they_were_sent(kafka: str) -> None:
    name = create_topic(kafka)
    tracer = AgentTracer("sess_1", agent_id="a", cluster=kafka, topic=name)
    tracer.user_message("first")
    assert tracer.flush(20)
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.delete_topics([name])[name].result(20)

    def is_told() -> bool:
        with suppress(TopicNotFound):
            tracer.user_message("more")
        return bool(get_error(tracer, TopicNotFound))

    eventually(is_told, timeout=150)  # librdkafka believes in the topic for 30 s, and longer on a busy machine
    assert tracer.stats().dropped == 0
    create_topic(kafka, name)
    assert tracer.flush(60)
    stats = tracer.stats()
    assert (stats.delivered, stats.dropped) == (stats.recorded, 0)


class Broker:
    """A sink that refuses whole batches because of some records, as a broker does. It answers at each ``poll``.

    Args:
        refused: the records that it refuses.
        batch_count: how many records a batch has at most.
        is_naming: whether it names the refused ones, where a batch has more than one.
        error: what it says of a refused one.
    """

    where, is_closed, is_broken, is_warm = "a broker", False, False, True

    def __init__(
        self, refused: set[int], batch_count: int, *, is_naming: bool, error: FailureKind = FailureKind.RECORD_REFUSED
    ) -> None:
        self.refused, self.batch_count, self.is_naming, self.error = refused, batch_count, is_naming, error
        self.read_number: Callable[[OutboundEvent], int] = lambda record: int(record.value)
        self.written: list[int] = []
        self._queue: deque[OutboundEvent] = deque()

    def send(self, record: OutboundEvent) -> bool:
        self._queue.append(record)
        return True

    def poll(self, timeout_s: float) -> None:
        batch = [self._queue.popleft() for _ in range(min(self.batch_count, len(self._queue)))]
        bad = [record for record in batch if self.read_number(record) in self.refused]
        if not bad:
            self.written += [self.read_number(record) for record in batch]
        for record in batch:
            named = self.error if record in bad or len(bad) < 2 or not self.is_naming else None
            record.on_delivery((named or FailureKind.RETURNED) if bad else None, None)

    def recall_queued(self) -> None:
        while self._queue:
            self._queue.popleft().on_delivery(FailureKind.RETURNED, None)

    def classify_error(self, error: FailureKind) -> FailureKind:
        return error

    def describe_error(self, error: FailureKind) -> str:
        return error.value

    def reset_failures(self) -> None: ...

    def purge(self) -> None:
        self.recall_queued()

    def probe(self) -> bool:
        return False

    def refusal(self) -> KafkaRefused:
        return KafkaRefused("it says why")

    last_error = refusal


class Options(RecordingOptions):
    """Options that lead to a made-up broker."""

    broker: Broker

    def open_sink(self, batch_bytes: int | None = None) -> Any:
        return self.broker


def dispatch(
    broker: Broker, count: int, on_outage: Any = "raise", spool_folder: Path = Path("/none")
) -> tuple[Dispatcher, Ledger]:
    """Hand `count` records to a dispatcher, and let it work."""
    options = Options(
        target=Settings({}, None).get_cluster("127.0.0.1:1"), topic="t", on_outage=on_outage, spool_folder=spool_folder
    )
    object.__setattr__(options, "broker", broker)
    ledger = Ledger(lambda _: None)
    dispatcher = Dispatcher(options, options.open_sink(), ledger, SpoolQueue(options, ledger, "p"))
    for n in range(count):
        record = OutboundEvent(Author("sess_1", "a"), b"%d" % n, datetime(2026, 1, 15, tzinfo=UTC), [])
        ledger.add_taken([record])
        dispatcher.add([record])
    for _ in range(20 * count):
        dispatcher.advance(0.0)
    return dispatcher, ledger


@given(
    st.integers(1, 40).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, count - 1)))),
    st.integers(1, 12),
    st.booleans(),
)
def test_whatever_is_refused_is_lost_alone_and_all_else_arrives_once(
    numbers: tuple[int, set[int]], batch_count: int, is_naming: bool
) -> None:
    count, refused = numbers
    broker = Broker(refused, batch_count, is_naming=is_naming)
    dispatcher, ledger = dispatch(broker, count)
    assert dispatcher.is_idle
    assert sorted(broker.written) == [n for n in range(count) if n not in refused]
    assert (ledger.delivered, ledger.dropped) == (count - len(refused), len(refused))


@given(st.sets(st.integers(0, 39)))
def test_a_record_that_is_refused_alone_holds_up_no_other_one(refused: set[int]) -> None:
    broker = Broker(refused, 1, is_naming=True, error=FailureKind.RECORD_REFUSED_ALONE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Broker, "recall_queued", lambda _: pytest.fail("the others were recalled"))
        _, ledger = dispatch(broker, 40)
    assert broker.written == [n for n in range(40) if n not in refused]
    assert (ledger.delivered, ledger.dropped) == (40 - len(refused), len(refused))


@given(st.integers(2, 40), st.data(), st.integers(1, 12))
def test_an_event_that_is_refused_without_a_reason_is_lost_if_others_are_taken_after_it_or_it_is_told_and_waits(
    count: int, data: st.DataObject, batch_count: int
) -> None:
    refused = data.draw(st.integers(0, count - 1))
    broker = Broker({refused}, batch_count, is_naming=False, error=FailureKind.UNEXPLAINED)
    dispatcher, ledger = dispatch(broker, count)
    assert sorted(broker.written) == [n for n in range(count) if n != refused]
    assert ledger.delivered == count - 1
    assert (ledger.dropped, isinstance(dispatcher.failure, KafkaRefused)) in {(1, False), (0, True)}
    if batch_count > 1 and refused < count - 1:
        assert ledger.dropped == 1


@given(st.integers(1, 40), st.integers(1, 12))
def test_a_broker_that_refuses_all_without_a_reason_is_an_outage_that_is_told_and_loses_nothing(
    count: int, batch_count: int
) -> None:
    broker = Broker(set(range(count)), batch_count, is_naming=False, error=FailureKind.UNEXPLAINED)
    dispatcher, ledger = dispatch(broker, count)
    assert isinstance(dispatcher.failure, KafkaRefused)
    assert (broker.written, ledger.delivered, ledger.dropped) == ([], 0, 0)


@given(st.sets(st.integers(0, 50), min_size=1), st.integers(51, 80))
def test_the_groups_of_a_refused_batch_hold_its_records_in_order_and_get_smaller(refused: set[int], count: int) -> None:
    records = list(range(count))
    groups = split_at_refused(records, refused)
    assert [record for group in groups for record in group] == records
    assert all(len(group) < count for group in groups)


def test_a_record_that_is_refused_by_itself_is_a_group() -> None:
    assert split_at_refused(["a"], {"a"}) == [["a"]]


def test_the_outbound_event_is_found_under_its_earlier_name() -> None:
    import agentlog.recording.records as records  # noqa: PLC0415, PLR0402  as programs import it

    assert records is outbound
