"""A topic that is deleted and created again while it is followed: the new topic is read whole, by name another one."""

import signal

import orjson
import pytest

from agentlog.log import connection_monitor
from agentlog.log.live_reader import LiveReader
from agentlog.log.reader import KafkaReader
from agentlog.settings.clusters import Settings
from devkafka import KafkaCluster, Message, create_topic, produce
from tests.kafmirror.logs import delete_topic
from tests.recording import make_messages, make_tool_call
from tests.running import RunningTool, run


@pytest.mark.parametrize("partitions", [1, 3])
def test_live_views_show_all_of_the_new_topic_and_say_that_it_is_another_one(
    fragile_kafka: KafkaCluster, partitions: int
) -> None:
    bootstrap, old, new = fragile_kafka.bootstrap, range(40), range(100, 120)
    topic = create_topic(bootstrap, partitions=2)
    produce(bootstrap, topic, make_messages([make_tool_call(n) for n in old]))
    if partitions == 1:
        fragile_kafka.brokers[0].restart()  # its leader is elected anew: the client remembers the leader's epoch
    options = ("--cluster", bootstrap, "--topic", topic)
    tail = RunningTool("kshark", "tail", *options)
    follow = RunningTool("kshark", "replay", "sess_1", "--follow", *options)
    try:
        assert tail.read_error_line().endswith("Ctrl-C ends it")
        for n in old:
            assert orjson.loads(follow.read_line())["event_id"] == f"evt_{n}"
        produce(bootstrap, topic, make_messages([make_tool_call(50)]))
        for each in (tail, follow):
            assert orjson.loads(each.read_line())["event_id"] == "evt_50"
        delete_topic(bootstrap, topic)
        create_topic(bootstrap, topic, partitions=partitions)
        produce(bootstrap, topic, make_messages([make_tool_call(n) for n in new]))
        for each in (tail, follow):
            assert [orjson.loads(each.read_line())["event_id"] for _ in new] == [f"evt_{n}" for n in new]
            each.send_signal(signal.SIGINT)
            code, lines, told = each.wait_for_end()
            assert (code, lines) == (130, [])
            assert any("was deleted and created again; it is another topic" in line for line in told), told
            assert not any("records before offset" in line for line in told), told
    finally:
        for each in (tail, follow):
            each.kill()
            each.wait_for_end()


def test_a_new_topic_that_has_outgrown_the_old_one_is_shown_whole_and_once(fragile_kafka: KafkaCluster) -> None:
    bootstrap = fragile_kafka.bootstrap
    topic = create_topic(bootstrap)
    produce(bootstrap, topic, make_messages([make_tool_call(0)]))
    tail = RunningTool("kshark", "tail", "--cluster", bootstrap, "--topic", topic)
    try:
        assert tail.read_error_line().endswith("Ctrl-C ends it")
        delete_topic(bootstrap, topic)
        create_topic(bootstrap, topic)
        produce(bootstrap, topic, make_messages([make_tool_call(n) for n in range(100, 600)]))
        shown = [orjson.loads(tail.read_line())["event_id"] for _ in range(500)]
        produce(bootstrap, topic, make_messages([make_tool_call(700)]))
        assert orjson.loads(tail.read_line())["event_id"] == "evt_700"
        assert sorted(shown) == [f"evt_{n}" for n in range(100, 600)]
    finally:
        tail.kill()
        tail.wait_for_end()


def test_what_was_read_of_the_new_topic_before_its_id_was_known_is_not_read_twice(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_monitor, "CHECK_INTERVAL_S", 4.0)
    topic = create_topic(kafka)
    produce(kafka, topic, [Message("k", "old")])
    with KafkaReader(Settings({}, None).get_cluster(kafka)) as reader:
        told, values = list[str](), list[bytes]()
        live = LiveReader(reader, topic, {0: 1}, told.append)
        batches = live.read()
        next(batches)
        delete_topic(kafka, topic)
        create_topic(kafka, topic)
        produce(kafka, topic, [Message("k", f"new {n}") for n in range(300)])
        for batch in batches:
            values += [message.value() or b"" for message in batch]
            if len(values) >= 300 and live.generation:
                break
        produce(kafka, topic, [Message("k", "last")])
        last = next(batch for batch in batches if batch)
    assert sorted(values) == sorted(b"new %d" % n for n in range(300))
    assert [message.value() for message in last] == [b"last"]
    assert any("was deleted and created again" in text for text in told)


def test_the_catalogue_keeps_nothing_of_the_old_topic(kafka: str) -> None:
    topic = create_topic(kafka)
    old = [make_tool_call(n, session_id="sess_old") for n in range(20)]
    both = [make_tool_call(n, session_id="sess_both") for n in range(20)]
    options = ("--cluster", kafka, "--topic", topic, "--format", "ndjson")
    produce(kafka, topic, make_messages(old + both))
    assert {each["session_id"] for each in map(orjson.loads, run("kshark", "sessions", *options).lines)} == {
        "sess_old",
        "sess_both",
    }
    delete_topic(kafka, topic)
    create_topic(kafka, topic)
    produce(kafka, topic, make_messages([make_tool_call(n, session_id="sess_both") for n in range(100, 200)]))
    for _ in range(2):
        [session] = map(orjson.loads, run("kshark", "sessions", *options).lines)
        assert (session["session_id"], session["events"]) == ("sess_both", 100)
    assert len(run("kshark", "replay", "sess_both", *options).lines) == 100
