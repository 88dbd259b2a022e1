"""A broker can be killed, paused, stopped and restarted, and keeps what it acknowledged."""

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from devkafka import KafkaCluster, Message, NotReady, create_topic, produce
from tests.kafmirror.link import Link


def values(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    read = consumer.consume(count, timeout=30)
    consumer.close()
    return [record.value() for record in read]


def answers(bootstrap: str, timeout: float) -> bool:
    try:
        AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=timeout)
    except KafkaException:
        return False
    return True


def test_records_come_back_in_the_order_in_which_they_were_produced(fragile_kafka: KafkaCluster) -> None:
    topic = create_topic(fragile_kafka.bootstrap)
    places = produce(fragile_kafka.bootstrap, topic, (Message("key", str(number)) for number in range(1000)))
    assert [place.offset for place in places] == list(range(1000))
    assert values(fragile_kafka.bootstrap, topic, 1000) == [str(number).encode() for number in range(1000)]


def test_a_message_keeps_its_partition_timestamp_and_headers(fragile_kafka: KafkaCluster) -> None:
    topic = create_topic(fragile_kafka.bootstrap, partitions=3)
    headers = [("agentlog.process", b"p1"), ("empty", None)]
    assert produce(fragile_kafka.bootstrap, topic, [Message("k", None, 1000, headers, partition=2)]) == [(2, 0)]
    consumer = Consumer({"bootstrap.servers": fragile_kafka.bootstrap, "group.id": "unused"})
    consumer.assign([TopicPartition(topic, 2, 0)])
    [record] = consumer.consume(1, timeout=30)
    consumer.close()
    assert (record.value(), record.timestamp()[1], record.headers()) == (None, 1000, headers)


def test_a_message_that_no_broker_takes_raises(fragile_kafka: KafkaCluster) -> None:
    topic = create_topic(fragile_kafka.bootstrap)
    with pytest.raises(KafkaException):
        produce(fragile_kafka.bootstrap, topic, [Message("k", "v", partition=7)])


def test_a_killed_broker_comes_back_with_what_it_acknowledged(fragile_kafka: KafkaCluster) -> None:
    [broker] = fragile_kafka.brokers
    topic = create_topic(fragile_kafka.bootstrap)
    produce(fragile_kafka.bootstrap, topic, [Message("key", "kept")])
    broker.kill()
    assert not answers(fragile_kafka.bootstrap, timeout=0.5)
    broker.restart()
    assert values(fragile_kafka.bootstrap, topic, 1) == [b"kept"]


def test_a_paused_broker_answers_nothing_until_it_is_resumed(fragile_kafka: KafkaCluster) -> None:
    [broker] = fragile_kafka.brokers
    broker.pause()
    assert not answers(fragile_kafka.bootstrap, timeout=1)
    broker.resume()
    assert answers(fragile_kafka.bootstrap, timeout=30)


def test_a_broker_that_answers_slowly_is_ready_also_while_its_advertised_address_leads_nowhere() -> None:
    nowhere = {"advertised.listeners": "PLAIN://127.0.0.1:1"}
    with KafkaCluster("far", properties=nowhere) as cluster, Link() as link, link.slow_down(0.6, 0):
        [broker] = cluster.brokers
        link.target_port = int(cluster.bootstrap.rpartition(":")[2])
        broker.bootstrap = f"127.0.0.1:{link.port}"
        broker.wait_until_ready(20)


def test_a_paused_broker_can_be_stopped_and_runs_again_after_recover(fragile_kafka: KafkaCluster) -> None:
    [broker] = fragile_kafka.brokers
    broker.pause()
    broker.stop()
    with pytest.raises(NotReady, match=r"broker 1 of fragile at .* doesn't run"):
        broker.pause()
    fragile_kafka.recover()
    assert answers(fragile_kafka.bootstrap, timeout=5)
