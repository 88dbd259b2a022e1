"""`kshark why` and `kshark memory` on real Kafka: a session spread over partitions, and one that is not there."""

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from agentlog.event.partitioner import list_candidate_partitions
from devkafka import Message, produce
from tests.recording import make_event, make_messages, make_session_end, make_tool_call
from tests.running import CompletedRun, run

TopicFactory = Callable[..., str]

FAILING = [make_tool_call(n, "mail.send", error="busy: later", input={"to": 1}) for n in range(3, 9)]
SESSION = [
    make_event(1, "session_start", payload={"goal": "Send it"}),
    make_event(2, "user_message", payload={"text": "send it"}, agent_id="user"),
    *FAILING,
    make_session_end(9, "failed"),
]


def asked(folder: Path, command: str, topic: str, *arguments: str, session: str = "sess_1") -> CompletedRun:
    return run("kshark", command, session, *arguments, "--topic", topic, "--format", "json", cwd=folder)


@pytest.fixture(scope="module")
def written(kafka: str, topic: TopicFactory) -> str:
    """Return a topic of 12 partitions with the session in two of them, and an unreadable record."""
    name = topic(partitions=12)
    one, other = list_candidate_partitions(b"sess_1", 12)[:2]
    produce(kafka, name, make_messages(SESSION[:4], one))
    produce(kafka, name, make_messages(SESSION[3:], other))
    produce(kafka, name, [Message("sess_1", b"no json", 1_768_485_600_000, partition=one)])
    return name


def test_why_tells_where_it_went_wrong_and_how_far_that_can_be_trusted(folder: Path, written: str) -> None:
    done = asked(folder, "why", written)
    found = orjson.loads(done.out)
    assert (done.code, found["wrong"]["kind"], found["wrong"]["evidence"]) == (0, "loop", [3, 4, 5, 6, 7, 8])
    assert (found["searched"]["duplicates"], len(found["searched"]["unreadable"])) == (1, 1)
    assert f"unreadable: {written}[" in done.error_text


def test_memory_tells_what_was_known(folder: Path, written: str) -> None:
    done = asked(folder, "memory", written, "--at", "5", "--since", "14:00:03Z")
    [mind] = orjson.loads(done.out)["lanes"]
    assert [item["step"] for item in mind["results"]] == [3, 4]
    assert mind["changed"]["seen"] == [4]


@pytest.mark.parametrize("command", ["why", "memory"])
def test_a_session_that_is_not_there_ends_with_4_and_no_cluster_with_3(
    folder: Path, written: str, command: str
) -> None:
    missing = asked(folder, command, written, session="sess_2")
    nowhere = asked(folder, command, written, "--cluster", "127.0.0.1:1")
    assert (missing.code, nowhere.code) == (4, 3)
    assert "no session sess_2" in missing.error_text
