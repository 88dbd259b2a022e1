"""`kshark tail` on real Kafka: new events of all sessions, through outages, floods and new partitions."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from devkafka.client import SILENT_LOGGER
from tests.recording import Event, make_call_started, make_event, make_messages, make_tool_call
from tests.running import RunningTool, Terminal, make_command, make_environment, run

TopicFactory = Callable[..., str]
Tail = Callable[..., RunningTool]


@pytest.fixture
def tail(kafka: str) -> Iterator[Tail]:
    """Return a function that starts `kshark tail` and waits until it has begun. It is killed after the test."""
    started: list[RunningTool] = []

    def start(topic: str, *options: str, bootstrap: str = kafka) -> RunningTool:
        started.append(RunningTool("kshark", "tail", "--cluster", bootstrap, "--topic", topic, *options))
        assert started[-1].read_error_line().endswith(" on; Ctrl-C ends it")
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait_for_end()


def send(kafka: str, topic: str, *events: Event, partition: int | None = None) -> None:
    produce(kafka, topic, make_messages(events, partition))


def ids(lines: list[str]) -> list[str]:
    return [orjson.loads(line)["event_id"] for line in lines]


def stop(running: RunningTool) -> tuple[int, list[str], list[str]]:
    running.send_signal(signal.SIGINT)
    return running.wait_for_end()


def test_events_of_all_sessions_are_shown_from_now_on_line_by_line(kafka: str, topic: TopicFactory, tail: Tail) -> None:
    name = topic(partitions=3)
    send(kafka, name, make_tool_call(1))
    running = tail(name)
    lines = []
    for each in (make_tool_call(2), make_call_started(3, "evt_4", "x"), make_tool_call(5, session_id="sess_2")):
        send(kafka, name, each)
        lines.append(running.read_line())
    assert ids(lines) == ["evt_2", "evt_3", "evt_5"]
    assert stop(running) == (130, [], ["3 events shown"])
    replayed = run("kshark", "replay", "sess_2", "--file", "-", stdin="\n".join(lines).encode())
    assert replayed.lines == [lines[-1]]


def test_from_looks_back(kafka: str, topic: TopicFactory, tail: Tail) -> None:
    name = topic(partitions=3)
    now = datetime.now(UTC)
    ages = {"evt_old": 600, "evt_ten": 10, "evt_five": 5}
    send(
        kafka,
        name,
        *(make_event(0, event_id=i, timestamp=(now - timedelta(seconds=s)).isoformat()) for i, s in ages.items()),
    )
    running = tail(name, "--from", "-5m")
    assert ids([running.read_line(), running.read_line()]) == ["evt_ten", "evt_five"]


def test_what_is_shown_can_be_chosen(kafka: str, topic: TopicFactory, tail: Tail) -> None:
    name = topic()
    running = tail(name, "--errors", "--type", "tool", "--agent", "a", "--format", "text")
    no = {"error": "no_disk: full", "agent_id": "a"}
    send(
        kafka,
        name,
        make_tool_call(1, **no),
        make_tool_call(2, agent_id="a"),
        make_tool_call(3, error="no"),
        make_event(4, "error"),
    )
    send(kafka, name, make_tool_call(5, session_id="sess_2", **no))
    for session in ("sess_1", "sess_2"):
        assert running.read_line().split()[2:] == [session, "a", "tool", "mail.send", "0.25", "s", "no_disk:", "full"]
    code, lines, told = stop(running)
    assert (code, lines, told) == (130, [], ["2 events shown of 5 records"])


def test_what_cannot_be_read_is_named_counted_and_hides_nothing(kafka: str, topic: TopicFactory, tail: Tail) -> None:
    name = topic()
    running = tail(name)
    produce(
        kafka,
        name,
        [Message("sess_1", b"no json"), Message("sess_2\x1b", orjson.dumps(make_event(1))), Message("k", None)],
    )
    send(kafka, name, make_tool_call(2))
    assert ids([running.read_line(), running.read_line()]) == ["evt_1", "evt_2"]
    code, _, told = stop(running)
    assert code == 130
    assert told[0].startswith(f"unreadable: {name}[0]@0: not JSON")
    assert told[1:] == [
        f"unreadable: {name}[0]@2: a tombstone: it has no value",
        "2 events shown of 4 records, 2 unreadable",
    ]


def test_new_partitions_are_read_too(kafka: str, topic: TopicFactory, tail: Tail) -> None:
    name = topic()
    running = tail(name)
    admin = AdminClient({"bootstrap.servers": kafka}, logger=SILENT_LOGGER)
    admin.create_partitions([NewPartitions(name, 3)])[name].result(timeout=30)
    eventually(lambda: len(admin.list_topics(name, timeout=5).topics[name].partitions) == 3)
    send(kafka, name, make_tool_call(1), partition=2)
    assert ids([running.read_line()]) == ["evt_1"]
    assert running.read_error_line() == f"topic {name} of {kafka} has 3 partitions now; the new ones are read too"


def test_it_says_that_the_broker_is_away_and_goes_on_without_loss_or_copies(
    fragile_kafka: KafkaCluster, tail: Tail
) -> None:
    bootstrap, broker = fragile_kafka.bootstrap, fragile_kafka.brokers[0]
    name = create_topic(bootstrap, partitions=3)
    running = tail(name, bootstrap=bootstrap)
    send(bootstrap, name, *(make_tool_call(n, session_id=f"sess_{n}") for n in range(10)))
    lines = [running.read_line() for _ in range(10)]
    broker.kill()
    assert "can't be reached" in running.read_error_line()
    assert running.read_error_line() == "waiting for the cluster; events recorded until then will be shown"
    broker.start()
    send(bootstrap, name, *(make_tool_call(n, session_id=f"sess_{n}") for n in range(10, 20)))
    lines += [running.read_line() for _ in range(10)]
    assert running.read_error_line().startswith("the cluster answers again, after ")
    assert stop(running) == (130, [], ["20 events shown"])
    assert sorted(ids(lines)) == sorted(f"evt_{n}" for n in range(20))


def test_a_topic_that_is_deleted_ends_it_and_one_that_is_not_there_is_3(kafka: str) -> None:
    done = run("kshark", "tail", "--cluster", kafka, "--topic", "no-such-topic")
    assert (done.code, "has no topic no-such-topic" in done.error_text) == (3, True)


def test_in_a_flood_it_says_how_far_behind_it_is_until_it_has_caught_up(kafka: str, topic: TopicFactory) -> None:
    name = topic(partitions=2)
    arguments = ("tail", "--cluster", kafka, "--topic", name)
    process = subprocess.Popen(
        make_command("kshark", *arguments),
        env=make_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        assert "Ctrl-C" in process.stderr.readline()
        began = time.monotonic()
        send(kafka, name, *(make_event(n, session_id=f"sess_{n % 9}") for n in range(60_000)))
        eventually(lambda: time.monotonic() - began > 6)  # nobody read its output meanwhile
        seen = [process.stdout.readline() for _ in range(60_000)]
        behind = process.stderr.readline()
        send(kafka, name, make_event(60_000))
        assert orjson.loads(process.stdout.readline())["event_id"] == "evt_60000"
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(timeout=30) == 130
    assert behind.startswith("behind: ")
    assert behind.endswith(" ago\n")
    assert rest.endswith("60,001 events shown\n")
    assert len(set(ids(seen))) == 60_000


def test_a_reader_who_has_seen_enough_ends_it(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    arguments = ("tail", "--cluster", kafka, "--topic", name)
    process = subprocess.Popen(
        make_command("kshark", *arguments), env=make_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        process.stderr.readline()
        process.stdout.close()
        send(kafka, name, make_tool_call(1))
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_a_terminal_gets_a_line_an_event_in_the_colour_of_its_session(
    kafka: str, topic: TopicFactory, columns: int
) -> None:
    name = topic()
    terminal = Terminal("kshark", "tail", "--cluster", kafka, "--topic", name, columns=columns)
    terminal.wait_until(lambda: "Ctrl-C ends it" in "".join(terminal.lines), "that it has begun")
    long = {"input": {"text": "\x1b[2J and more " * 30}}
    send(kafka, name, make_tool_call(1, **long), make_tool_call(2, session_id="sess_2"), make_tool_call(3, error="no"))
    terminal.wait_for_text("sess_2")
    terminal.wait_until(lambda: sum("mail." in line for line in terminal.lines) == 3, "three events")
    terminal.process.sendintr()
    assert terminal.wait_for_end() == 130
    assert sum(line.startswith("01-15") for line in terminal.lines) == 3  # each on a line of its own
    assert "3 events shown" in terminal.lines[-1]
    assert b"\x1b[2J" not in terminal.raw
    assert b"\x1b[" in terminal.raw
