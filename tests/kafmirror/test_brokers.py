"""Three brokers on one side: leaders change, too few replicas are in sync, and a source loses records."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from agentlog import AgentTracer
from devkafka import KafkaCluster, Message, create_topic, eventually, produce
from devkafka.client import SILENT_LOGGER
from tests.kafmirror.logs import fill_topic, read_bounds, read_log, sum_end_offsets
from tests.kafmirror.side import Pair

pytestmark = [pytest.mark.soak, pytest.mark.xdist_group("three brokers")]


def test_a_leader_that_is_killed_and_too_few_in_sync_are_waited_for(pair: Pair, three: KafkaCluster) -> None:
    onto_three = Pair(pair.source, three)
    topic = onto_three.create_filled_topic(200_000)
    one, two, _ = three.brokers
    with onto_three.run_mirror(topic) as mirror:
        onto_three.wait_for_records(topic, 1000)
        one.kill()
        fill_topic(pair.source.bootstrap, topic, 60_000)
        onto_three.wait_for_records(topic, 260_000)
        two.kill()
        fill_topic(pair.source.bootstrap, topic, 6_000)
        mirror.wait_for_output("still waiting after", timeout=120)
        three.recover()
        onto_three.wait_for_records(topic, 266_000)
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert onto_three.count_exact_records(topic) == 266_000


def on_two_brokers(pair: Pair) -> str:
    """Create a topic on both sides. In the source its second replica may lead although it lacks records."""
    name, config = create_topic(pair.target.bootstrap), {"unclean.leader.election.enable": "true", "retention.ms": "-1"}
    admin = AdminClient({"bootstrap.servers": pair.source.bootstrap}, logger=SILENT_LOGGER)
    new = NewTopic(name, 1, replica_assignment=[[1, 2]], config={**config, "min.insync.replicas": "1"})
    admin.create_topics([new])[name].result(timeout=30)
    eventually(lambda: leader(pair, name) == 1, 30)
    return name


def leader(pair: Pair, topic: str) -> int:
    """Return the broker that leads partition 0 in the source; -1 when none is known."""
    admin = AdminClient({"bootstrap.servers": pair.source.bootstrap}, logger=SILENT_LOGGER)
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
    return partitions[0].leader if partitions else -1


def write(pair: Pair, topic: str, kind: str, count: int) -> None:
    produce(pair.source.bootstrap, topic, [Message("k", f"{kind} {n}") for n in range(count)])


def lose_the_last_records(pair: Pair, topic: str) -> None:
    """Make the replica the leader that was down when the last records were written."""
    one, two, _ = pair.source.brokers
    one.kill()
    two.start()
    eventually(lambda: leader(pair, topic) == 2, 60)


def test_an_unclean_election_in_the_source_stops_every_mirror(pair: Pair, three: KafkaCluster) -> None:
    from_three = Pair(three, pair.target)
    topic = on_two_brokers(from_three)
    write(from_three, topic, "kept", 100)
    with from_three.run_mirror(topic) as mirror, from_three.run_mirror(topic) as frozen:
        from_three.wait_for_records(topic, 100)
        for each in (mirror, frozen):
            each.wait_for_output("0 records behind")  # one mirror may write them while the other still connects
        three.brokers[1].kill()
        write(from_three, topic, "lost", 50)
        from_three.wait_for_records(topic, 150)
        frozen.send_signal(signal.SIGSTOP)
        lose_the_last_records(from_three, topic)
        stopped = mirror.wait_for_end()
        assert stopped.code == 1
        assert f"{topic}[0]" in stopped.err
        differs, ends_early = " (an unclean leader election): its log differs from offset 100 on", ": it ends at 100"
        assert any(f"lost records{reason}" in stopped.err for reason in (differs, ends_early)), stopped.err
        assert f"the source has lost records{ends_early}" in from_three.replicate_once(topic).err
        write(from_three, topic, "other", 80)
        frozen.send_signal(signal.SIGCONT)
        assert frozen.wait_for_end().code == 1
    late = from_three.replicate_once(topic)
    assert late.code == 1
    assert "record at offset 149 isn't the one that was mirrored" in late.err
    assert read_bounds(pair.target.bootstrap, topic) == (0, 150)


def test_an_unclean_election_while_the_target_is_away_stops_the_mirror(pair: Pair, three: KafkaCluster) -> None:
    from_three = Pair(three, pair.target)
    topic = on_two_brokers(from_three)
    write(from_three, topic, "kept", 100)
    assert from_three.replicate_once(topic).code == 0
    with from_three.run_mirror(topic, "-X", "socket.timeout.ms=3000") as mirror:
        write(from_three, topic, "kept", 1)
        from_three.wait_for_records(topic, 101)
        three.brokers[1].kill()
        write(from_three, topic, "lost", 50)
        from_three.wait_for_records(topic, 151)
        pair.target.brokers[0].pause()
        write(from_three, topic, "lost on the way", 5)
        mirror.wait_for_output("still waiting after")
        lose_the_last_records(from_three, topic)
        write(from_three, topic, "other", 80)
        pair.target.brokers[0].resume()
        stopped = mirror.wait_for_end()
    assert stopped.code == 1
    assert "an unclean leader election" in stopped.err
    # A broker that comes back from a pause first has to lead its partitions again.
    eventually(lambda: sum_end_offsets(pair.target.bootstrap, topic) in {151, 156}, 60)


AGENTS, PAUSE_S = 4, 0.02
"""Agents that record at the same time, and the pause of each between two events."""

MORE = 500
"""So many records must reach the target after each broker's end and start."""


@contextmanager
def record(cluster: KafkaCluster, topic: str) -> Iterator[list[str]]:
    """Let agents record messages for the block, and yield the list of the messages that were taken."""
    taken: list[str] = []
    has_ended = threading.Event()

    def run_agent(number: int) -> None:
        # An outage isn't what is tried here, so a slow machine may take its time.
        with AgentTracer(
            f"sess_{number}", agent_id="agent", kafka=cluster.client_properties(), topic=topic, outage_s=600, exit_s=120
        ) as tracer:
            count = 0
            while not has_ended.wait(PAUSE_S):
                tracer.user_message(f"{number}:{count}")
                taken.append(f"{number}:{count}")
                count += 1

    agents = [threading.Thread(target=run_agent, args=[number]) for number in range(AGENTS)]
    for each in agents:
        each.start()
    try:
        yield taken
    finally:
        has_ended.set()
        for each in agents:
            each.join()


def is_in_sync(cluster: KafkaCluster, topic: str) -> bool:
    """Return whether all three replicas of each partition of a topic are in sync."""
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap}, logger=SILENT_LOGGER)
    try:
        partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
    except KafkaException:
        return False
    return bool(partitions) and all(len(each.isrs) == 3 for each in partitions.values())


def read_messages(bootstrap: str, topic: str) -> list[str]:
    """Return the messages of a topic's events, in no certain order."""
    records = [each for partition in read_log(bootstrap, topic).values() for each in partition]
    events = [orjson.loads(each.value) for each in records if each.value]
    return [each["payload"]["text"] for each in events if each["event_type"] == "user_message"]


def test_agents_and_a_mirror_lose_and_repeat_nothing_while_brokers_are_killed_in_turn(
    pair: Pair, three: KafkaCluster
) -> None:
    from_three = Pair(three, pair.target)
    topic = from_three.create_source_topic(partitions=6)
    create_topic(pair.target.bootstrap, topic, partitions=6)

    def wait_for_more() -> None:
        from_three.wait_for_records(topic, sum_end_offsets(pair.target.bootstrap, topic) + MORE, timeout=240)

    with from_three.run_mirror(topic) as mirror:
        with record(three, topic) as taken:
            wait_for_more()
            for broker in three.brokers:
                broker.kill()
                wait_for_more()
                broker.start()
                eventually(lambda: is_in_sync(three, topic), 240)
                wait_for_more()
        from_three.wait_until_exact(topic, 240)
        assert mirror.stop().code == 128 + signal.SIGTERM
    assert sorted(read_messages(three.bootstrap, topic)) == sorted(taken)
    verified = from_three.run("verify", "--topics", topic)
    assert verified.code == 0, verified.err
