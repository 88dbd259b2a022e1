"""`kshark replay --follow` on real Kafka: events as they come, until the session ends or somebody stops it."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from devkafka import KafkaCluster, Message, create_topic, produce
from tests.recording import Event, as_messages, ended, event, started, tool_call
from tests.running import Running, Terminal, command, environment, run

TopicFactory = Callable[..., str]

BEGAN = event(0, "session_start", payload={"goal": "send mail"})


Follow = Callable[..., Running]


@pytest.fixture
def follow(kafka: str) -> Iterator[Follow]:
    """Starts `kshark replay --follow`; what still runs at the end of the test is killed."""
    started: list[Running] = []

    def start(topic: str, *options: str, bootstrap: str = kafka) -> Running:
        arguments = ("replay", "sess_1", "--follow", "--cluster", bootstrap, "--topic", topic, *options)
        started.append(Running("kshark", *arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.end()


def send(kafka: str, topic: str, *events: Event) -> None:
    produce(kafka, topic, as_messages(events))


def test_events_are_shown_as_they_come_until_the_session_ends(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, tool_call(1))
    running = follow(name, "--format", "text")
    known = running.lines_to("mail.send")
    assert known[0].startswith("sess_1  send mail")
    send(kafka, name, tool_call(2, "mail.find"))
    assert running.line() == "14:00:01.750     1.8 s  tool       mail.find  0.25 s"
    send(kafka, name, tool_call(3, "disk.write", error="no_disk: full"), ended(4, "failed"))
    assert running.lines_to("failed")[:-1] == [
        "14:00:02.750     2.8 s  tool       disk.write  0.25 s",
        "                          error    no_disk: full",
    ]
    code, lines, told = running.end()
    assert (code, told) == (0, [])
    assert lines[0] == ""
    assert " ".join(" ".join(lines).split()).endswith(
        "all 1 partition: 5 records; the log reaches back beyond the beginning"
    )


def test_ndjson_follows_line_by_line_and_is_a_capture_file(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    running = follow(name)
    lines = [running.line()]
    for each in (started(1, "evt_2"), tool_call(2), ended(3)):
        send(kafka, name, each)
        lines.append(running.line())
        assert orjson.loads(lines[-1])["event_id"] == each["event_id"]
    assert running.end() == (0, [], [])
    replayed = run("kshark", "replay", "sess_1", "--file", "-", stdin="\n".join(lines).encode() + b"\n")
    assert replayed.lines == lines


def test_a_session_that_is_not_there_yet_is_waited_for(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic(partitions=3)
    send(kafka, name, event(1, session_id="sess_other"))
    running = follow(name)
    assert running.told() == f"waiting for session sess_1 in topic {name} of {kafka}"
    for partition, each in enumerate((BEGAN, tool_call(1), ended(2))):
        produce(kafka, name, as_messages([each], partition))
        assert orjson.loads(running.line())["event_id"] == each["event_id"]
    assert running.end()[0] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_writes_the_footer_and_ends_it(
    kafka: str, topic: TopicFactory, follow: Follow, number: signal.Signals, code: int
) -> None:
    name = topic()
    send(kafka, name, BEGAN, started(1, "evt_9"))
    running = follow(name, "--format", "text")
    running.lines_to("still open")
    running.send_signal(number)
    ended_with, lines, told = running.end()
    assert (ended_with, told) == (code, [])
    assert lines[0] == ""
    assert "open     mail.send" in lines
    assert "end      there is no session_end: it is still running, or it died" in lines


def test_ctrl_c_in_a_terminal_writes_the_footer_and_ends_it(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    arguments = ("replay", "sess_1", "--follow", "--cluster", kafka, "--topic", name)
    terminal = Terminal("kshark", *arguments)
    terminal.shows("start      send mail")
    send(kafka, name, tool_call(1))
    terminal.shows("mail.send  0.25 s")
    terminal.process.sendintr()
    assert terminal.end() == 130
    assert any(line.startswith("read     topic") for line in terminal.lines)
    assert b"Traceback" not in terminal.raw


def test_an_event_that_comes_twice_is_shown_once(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, BEGAN, tool_call(1))
    running = follow(name)
    shown = [running.line(), running.line()]
    send(kafka, name, BEGAN, tool_call(1), tool_call(2), tool_call(2), tool_call(1), ended(3))
    _, rest, _ = running.end()
    assert [orjson.loads(line)["event_id"] for line in [*shown, *rest]] == ["evt_0", "evt_1", "evt_2", "evt_3"]


def test_a_call_is_shown_when_it_begins_and_when_it_ends(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    running = follow(name, "--format", "text")
    running.lines_to("send mail")
    send(kafka, name, started(1, "evt_9", "mail.send"))
    assert running.lines_to("mail.send")[-1].endswith("1.0 s  tool       mail.send  [still open]")
    send(kafka, name, tool_call(9, "mail.send", latency_ms=8000))
    assert running.lines_to("mail.send")[-1].endswith("1.0 s  tool       mail.send  8.0 s")
    send(kafka, name, ended(10))
    _, lines, _ = running.end()
    assert not any(line.startswith("open") for line in lines)


def test_a_filter_holds_while_it_follows(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, tool_call(1))
    running = follow(name, "--errors")
    send(kafka, name, tool_call(2), tool_call(3, error="no"), ended(4))
    assert [orjson.loads(line)["event_id"] for line in running.end()[1]] == ["evt_3"]


def test_what_cannot_be_read_is_named_as_it_comes(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    running = follow(name, "--format", "text")
    running.lines_to("send mail")
    produce(kafka, name, [Message("sess_1", b"no json")])
    assert running.told().startswith(f"unreadable: {name}[0]@1: not JSON: ")
    send(kafka, name, ended(2))
    assert "3 records, 1 unreadable;" in " ".join(" ".join(running.end()[1]).split())


def test_a_session_that_has_ended_is_shown_and_not_waited_for(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, ended(1))
    code, lines, _ = follow(name).end()
    assert (code, len(lines)) == (0, 2)


def test_a_reader_who_has_seen_enough_ends_it(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    send(kafka, name, BEGAN, tool_call(1))
    arguments = ("replay", "sess_1", "--follow", "--cluster", kafka, "--topic", name)
    process = subprocess.Popen(
        command("kshark", *arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        process.stdout.readline()
        process.stdout.close()
        send(kafka, name, tool_call(2))
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == b""


def test_it_goes_on_when_the_broker_comes_back(fragile_kafka: KafkaCluster, follow: Follow) -> None:
    name = create_topic(fragile_kafka.bootstrap)
    send(fragile_kafka.bootstrap, name, BEGAN)
    running = follow(name, bootstrap=fragile_kafka.bootstrap)
    assert orjson.loads(running.line())["event_id"] == "evt_0"
    fragile_kafka.brokers[0].kill()
    assert "can't be reached" in running.told()
    assert running.told() == "waiting for it; what is recorded meanwhile comes then"
    fragile_kafka.brokers[0].start()
    send(fragile_kafka.bootstrap, name, tool_call(1))
    assert orjson.loads(running.line())["event_id"] == "evt_1"
    assert running.told().startswith("it answers again, after ")
    send(fragile_kafka.bootstrap, name, ended(2))
    code, lines, told = running.end()
    assert (code, told) == (0, [])
    assert [orjson.loads(line)["event_id"] for line in lines] == ["evt_2"]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--to", "now"], "leave out --to"),
        (["--format", "json"], "json needs the whole session"),
        (["--format", "tree"], "tree needs the whole session"),
    ],
)
def test_what_has_no_live_form_is_2(tmp_path: Path, options: list[str], why: str) -> None:
    arguments = ("replay", "sess_1", "--follow", "--cluster", "localhost:1", *options)
    done = run("kshark", *arguments, cwd=tmp_path)
    assert done.code == 2
    assert why in done.told
