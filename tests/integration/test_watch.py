"""Live readers while their cluster is away: their messages, and how they come back."""

import time
from collections.abc import Callable, Iterator

import pytest

from agentlog.errors import KafkaUnavailable, TopicNotFound
from agentlog.log import connection_monitor
from agentlog.log.connection_monitor import ConnectionMonitor
from agentlog.log.reader import KafkaReader
from agentlog.log.reader import Message as Read
from agentlog.log.topic_stream import TopicStream
from agentlog.settings.clusters import Cluster, Settings
from devkafka import KafkaCluster, Message, create_topic, eventually, produce

AWAY = "away\nwaiting for the cluster; events recorded until then will be shown"
BACK = "the cluster answers again"
NEVER_AGAIN = ("reconnect.backoff.ms=600000", "reconnect.backoff.max.ms=600000", "metadata.recovery.strategy=none")
"""A client reconnects only after ten minutes. Without its connection it is like a client that knows no broker."""


def cluster(bootstrap: str, *properties: str) -> Cluster:
    return Settings({}, None).get_cluster(bootstrap, properties)


def numbers(count: int, first: int = 0, partition: int = 0) -> list[Message]:
    return [Message(None, str(n).encode(), partition=partition) for n in range(first, first + count)]


def values(batch: list[Read]) -> list[int]:
    return [int(message.value() or b"") for message in batch if message.error() is None]


def next_values(live: Iterator[list[Read]], count: int) -> list[int]:
    found: list[int] = []

    def enough() -> bool:
        found.extend(values(next(live)))
        return len(found) >= count

    eventually(enough, timeout=60)
    return found


def test_a_client_that_finds_no_broker_any_more_is_replaced_and_nothing_is_lost_or_read_twice(
    fragile_kafka: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_monitor, "CHECK_INTERVAL_S", 0.2)
    monkeypatch.setattr(connection_monitor, "RENEW_INTERVAL_S", 0.2)
    bootstrap, broker, told = fragile_kafka.bootstrap, fragile_kafka.brokers[0], list[str]()
    name = create_topic(bootstrap, partitions=2)
    produce(bootstrap, name, [*numbers(10), *numbers(10, 10, partition=1)])
    with KafkaReader(cluster(bootstrap, *NEVER_AGAIN)) as reader:
        stream = TopicStream(reader, name, told.append)
        stream.begin(None)
        live = stream.read_live()
        assert sorted(next_values(live, 20)) == list(range(20))
        for first in (20, 30):  # partition 1 is read by the first client alone
            broker.kill()
            broker.start()
            produce(bootstrap, name, numbers(10, first))
            assert next_values(live, 10) == list(range(first, first + 10))
            eventually(
                lambda: values(next(live)) == [] and told[-1].startswith("the cluster answers again"), timeout=30
            )
            assert len(told) == 2
            told.clear()


def test_a_new_client_fetches_again_what_the_old_one_had_not_handed_out(fragile_kafka: KafkaCluster) -> None:
    bootstrap, broker = fragile_kafka.bootstrap, fragile_kafka.brokers[0]
    name = create_topic(bootstrap)
    produce(bootstrap, name, numbers(1_500))
    with KafkaReader(cluster(bootstrap, *NEVER_AGAIN)) as reader:
        found, old = first_batch(reader, name), reader._consumer
        broker.kill()
        broker.start()
        eventually(lambda: reader.renew(name, 2.0) or reader._consumer is not old, timeout=30)
        assert found + rest(reader, 1_500 - len(found)) == list(range(1_500))


def first_batch(reader: KafkaReader, topic: str) -> list[int]:
    """Read the first message. The rest of a small topic was fetched with it."""
    reader.start_reading(topic, {0: 0})
    return values(eventually(reader.read_full_batch, timeout=30))


def rest(reader: KafkaReader, count: int) -> list[int]:
    found: list[int] = []
    eventually(lambda: found.extend(values(reader.read_next_batch())) or len(found) >= count, timeout=30)
    return found


def test_a_client_that_gets_an_answer_is_kept(kafka: str, topic: Callable[..., str]) -> None:
    name = topic()
    with KafkaReader(cluster(kafka)) as reader:
        assert reader.partition_count(name) == 1
        old = reader._consumer
        reader.renew(name, 2.0)
        assert reader._consumer is old


def test_a_question_that_gets_no_answer_takes_no_record_away(fragile_kafka: KafkaCluster) -> None:
    bootstrap, broker = fragile_kafka.bootstrap, fragile_kafka.brokers[0]
    name = create_topic(bootstrap)
    produce(bootstrap, name, numbers(1_500))
    with KafkaReader(cluster(bootstrap)) as reader:
        found = first_batch(reader, name)
        broker.kill()
        with pytest.raises(KafkaUnavailable):
            reader.partition_count(name, 0.5)
        assert found + rest(reader, 1_500 - len(found)) == list(range(1_500))


def test_an_outage_is_told_with_its_own_reason_and_not_with_that_of_the_one_before(
    fragile_kafka: KafkaCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_monitor, "CHECK_INTERVAL_S", 0.2)
    broker, told = fragile_kafka.brokers[0], list[str]()
    with KafkaReader(cluster(fragile_kafka.bootstrap)) as reader:
        stream = TopicStream(reader, create_topic(fragile_kafka.bootstrap), told.append)
        stream.begin(None)
        live = stream.read_live()
        broker.kill()
        eventually(lambda: next(live) or told, timeout=240)
        broker.start()
        eventually(lambda: next(live) or told[-1].startswith(BACK), timeout=240)
        for _ in range(20):  # a second, in which it is looked again
            next(live)
        broker.pause()
        eventually(lambda: next(live) or len(told) == 3, timeout=240)
    assert "can't be reached" in told[0]
    assert "gave no answer in time" in told[2]


class Answering(KafkaReader):
    """The answers of a cluster, in turn. A real broker that knows no topic while it starts can't be had in a test."""

    def __init__(self, *answers: Exception | int) -> None:
        super().__init__(cluster("127.0.0.1:1"))
        self.answers = iter(answers)

    def partition_count(self, topic: str, timeout_s: float | None = None) -> int:
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_a_topic_counts_as_deleted_when_a_broker_that_answers_does_not_know_it_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_monitor, "CHECK_INTERVAL_S", 0.0)
    monkeypatch.setattr(connection_monitor, "MISSING_TOLERANCE_S", 0.2)
    away, missing, told = KafkaUnavailable("away"), TopicNotFound("no topic"), list[str]()
    with Answering(away, missing, 3, *[missing] * 2) as reader:
        looking = ConnectionMonitor(reader, "t", told.append)
        assert looking.check_connection() is None
        time.sleep(0.3)  # the cluster is away for longer than a topic may be missing
        assert [looking.check_connection(), looking.check_connection()] == [None, 3]
        assert told == [AWAY, f"{BACK}, after 0 s"]
        assert looking.check_connection() is None
        time.sleep(0.3)
        with pytest.raises(TopicNotFound, match="no topic"):
            looking.check_connection()
