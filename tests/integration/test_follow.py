"""`kshark replay --follow` on real Kafka: new events, until the session ends or the user stops it."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from devkafka import KafkaCluster, Message, create_topic, produce
from tests.recording import Event, make_call_started, make_event, make_messages, make_session_end, make_tool_call
from tests.running import RunningTool, Terminal, make_command, make_environment, run

TopicFactory = Callable[..., str]

BEGAN = make_event(0, "session_start", payload={"goal": "send mail"})


Follow = Callable[..., RunningTool]


@pytest.fixture
def follow(kafka: str) -> Iterator[Follow]:
    """Return a function that starts `kshark replay --follow`. Tools that still run after the test are killed."""
    started: list[RunningTool] = []

    def start(topic: str, *options: str, bootstrap: str = kafka) -> RunningTool:
        arguments = ("replay", "sess_1", "--follow", "--cluster", bootstrap, "--topic", topic, *options)
        started.append(RunningTool("kshark", *arguments))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait_for_end()


def send(kafka: str, topic: str, *events: Event) -> None:
    produce(kafka, topic, make_messages(events))


def test_events_are_shown_as_they_come_until_the_session_ends(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, make_tool_call(1))
    running = follow(name, "--format", "text")
    known = running.read_lines_until("mail.send")
    assert known[0].startswith("sess_1  send mail")
    send(kafka, name, make_tool_call(2, "mail.find"))
    assert running.read_line() == "  3  14:00:01.750     1.8 s  tool       mail.find  0.25 s"
    send(kafka, name, make_tool_call(3, "disk.write", error="no_disk: full"), make_session_end(4, "failed"))
    assert running.read_lines_until("failed")[:-1] == [
        "  4  14:00:02.750     2.8 s  tool       disk.write  0.25 s",
        "                               error    no_disk: full",
    ]
    code, lines, told = running.wait_for_end()
    assert (code, told) == (0, [])
    assert lines[0] == ""
    assert " ".join(" ".join(lines).split()).endswith(
        "all 1 partition: 5 records; the log reaches back beyond the beginning"
    )


def test_ndjson_follows_line_by_line_and_is_a_capture_file(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    running = follow(name)
    lines = [running.read_line()]
    for each in (make_call_started(1, "evt_2"), make_tool_call(2), make_session_end(3)):
        send(kafka, name, each)
        lines.append(running.read_line())
        assert orjson.loads(lines[-1])["event_id"] == each["event_id"]
    assert running.wait_for_end() == (0, [], [])
    replayed = run("kshark", "replay", "sess_1", "--file", "-", stdin="\n".join(lines).encode() + b"\n")
    assert replayed.lines == lines


def test_a_session_that_is_not_there_yet_is_waited_for(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic(partitions=3)
    send(kafka, name, make_event(1, session_id="sess_other"))
    running = follow(name)
    assert running.read_error_line() == f"waiting for session sess_1 in topic {name} of {kafka}"
    for partition, each in enumerate((BEGAN, make_tool_call(1), make_session_end(2))):
        produce(kafka, name, make_messages([each], partition))
        assert orjson.loads(running.read_line())["event_id"] == each["event_id"]
    assert running.wait_for_end()[0] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_writes_the_footer_and_ends_it(
    kafka: str, topic: TopicFactory, follow: Follow, number: signal.Signals, code: int
) -> None:
    name = topic()
    send(kafka, name, BEGAN, make_call_started(1, "evt_9"))
    running = follow(name, "--format", "text")
    running.read_lines_until("still open")
    running.send_signal(number)
    ended_with, lines, told = running.wait_for_end()
    assert (ended_with, told) == (code, [])
    assert lines[0] == ""
    assert "open     mail.send" in lines
    assert "end      there is no session_end: it is still running, or it died" in lines


def test_ctrl_c_in_a_terminal_writes_the_footer_and_ends_it(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    arguments = ("replay", "sess_1", "--follow", "--cluster", kafka, "--topic", name)
    terminal = Terminal("kshark", *arguments)
    terminal.wait_for_text("start      send mail")
    send(kafka, name, make_tool_call(1))
    terminal.wait_for_text("mail.send  0.25 s")
    terminal.process.sendintr()
    assert terminal.wait_for_end() == 130
    assert any(line.startswith("read     topic") for line in terminal.lines)
    assert b"Traceback" not in terminal.raw


def test_an_event_that_comes_twice_is_shown_once(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, BEGAN, make_tool_call(1))
    running = follow(name)
    shown = [running.read_line(), running.read_line()]
    send(
        kafka,
        name,
        BEGAN,
        make_tool_call(1),
        make_tool_call(2),
        make_tool_call(2),
        make_tool_call(1),
        make_session_end(3),
    )
    _, rest, _ = running.wait_for_end()
    assert [orjson.loads(line)["event_id"] for line in [*shown, *rest]] == ["evt_0", "evt_1", "evt_2", "evt_3"]


def test_a_call_is_shown_when_it_begins_and_when_it_ends(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    running = follow(name, "--format", "text")
    running.read_lines_until("send mail")
    send(kafka, name, make_call_started(1, "evt_9", "mail.send"))
    assert running.read_lines_until("mail.send")[-1].endswith("1.0 s  tool       mail.send  [still open]")
    send(kafka, name, make_tool_call(9, "mail.send", latency_ms=8000))
    assert running.read_lines_until("mail.send")[-1].endswith("1.0 s  tool       mail.send  8.0 s")
    send(kafka, name, make_session_end(10))
    _, lines, _ = running.wait_for_end()
    assert not any(line.startswith("open") for line in lines)


def test_a_filter_holds_while_it_follows(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, make_tool_call(1))
    running = follow(name, "--errors")
    send(kafka, name, make_tool_call(2), make_tool_call(3, error="no"), make_session_end(4))
    assert [orjson.loads(line)["event_id"] for line in running.wait_for_end()[1]] == ["evt_3"]


def test_what_cannot_be_read_is_named_as_it_comes(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN)
    running = follow(name, "--format", "text")
    running.read_lines_until("send mail")
    produce(kafka, name, [Message("sess_1", b"no json")])
    assert running.read_error_line().startswith(f"unreadable: {name}[0]@1: not JSON: ")
    send(kafka, name, make_session_end(2))
    assert "3 records, 1 unreadable;" in " ".join(" ".join(running.wait_for_end()[1]).split())


def test_a_session_that_has_ended_is_shown_and_not_waited_for(kafka: str, topic: TopicFactory, follow: Follow) -> None:
    name = topic()
    send(kafka, name, BEGAN, make_session_end(1))
    code, lines, _ = follow(name).wait_for_end()
    assert (code, len(lines)) == (0, 2)


def test_a_reader_who_has_seen_enough_ends_it(kafka: str, topic: TopicFactory) -> None:
    name = topic()
    send(kafka, name, BEGAN, make_tool_call(1))
    arguments = ("replay", "sess_1", "--follow", "--cluster", kafka, "--topic", name)
    process = subprocess.Popen(
        make_command("kshark", *arguments), env=make_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        process.stdout.readline()
        process.stdout.close()
        send(kafka, name, make_tool_call(2))
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == b""


def test_it_goes_on_when_the_broker_comes_back(fragile_kafka: KafkaCluster, follow: Follow) -> None:
    name = create_topic(fragile_kafka.bootstrap)
    send(fragile_kafka.bootstrap, name, BEGAN)
    running = follow(name, bootstrap=fragile_kafka.bootstrap)
    assert orjson.loads(running.read_line())["event_id"] == "evt_0"
    fragile_kafka.brokers[0].kill()
    assert "can't be reached" in running.read_error_line()
    assert running.read_error_line() == "waiting for the cluster; events recorded until then will be shown"
    fragile_kafka.brokers[0].start()
    send(fragile_kafka.bootstrap, name, make_tool_call(1))
    assert orjson.loads(running.read_line())["event_id"] == "evt_1"
    assert running.read_error_line().startswith("the cluster answers again, after ")
    send(fragile_kafka.bootstrap, name, make_session_end(2))
    code, lines, told = running.wait_for_end()
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
    assert why in done.error_text
