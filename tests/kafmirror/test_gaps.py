"""Gaps in the source's offsets: each readable record is copied once, and the target knows its offset in the source."""

import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka import Producer

from devkafka import Message, create_topic, eventually, produce
from tests.kafmirror.logs import (
    HEADER,
    ConsumedRecord,
    commit_offset,
    delete_records,
    fill_topic,
    read_bounds,
    read_committed_offset,
    read_log,
)
from tests.kafmirror.side import Pair

ROOT = Path(__file__).parents[2]


def in_source(records: Iterable[ConsumedRecord]) -> list[ConsumedRecord]:
    """Return mirrored records with their offsets and headers in the source."""
    result, shift = [], 0
    for record in records:
        for key, value in record.headers:
            if key == HEADER:
                shift = int((value or b"").split()[0]) - record.offset
        result.append(record.without_mirror_header._replace(offset=record.offset + shift))
    return result


def transactions(bootstrap: str, topic: str, count: int, each: int, start: int = 0) -> None:
    """Write ``count`` transactions of ``each`` records, every third one aborted."""
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"{topic}-{start}", "linger.ms": 0})
    producer.init_transactions(30)
    for number in range(count):
        producer.begin_transaction()
        for n in range(each):
            producer.produce(topic, f"{start + number}-{n}", b"key", headers=[("own", b"x")])
        producer.flush()
        (producer.abort_transaction if number % 3 == 2 else producer.commit_transaction)(30)


def test_a_copy_behind_which_only_markers_and_aborted_records_are_left_is_complete(pair: Pair) -> None:
    topic = pair.create_source_topic()
    transactions(pair.source.bootstrap, topic, 3, 2)
    assert pair.replicate_once(topic).code == 0
    status = pair.run("status", "--topics", topic, "--lag-threshold", "0")
    assert (status.code, status.json["lag_records"], status.json["partitions"][0]["position"]) == (0, 0, 9)
    failover = pair.run("failover", "--topics", topic)
    assert (failover.code, failover.json["lost"]) == (0, []), failover.out
    transactions(pair.source.bootstrap, topic, 1, 2, start=100)
    behind = pair.run("status", "--topics", topic, "--lag-threshold", "0")
    assert (behind.code, behind.json["partitions"][0]["position"]) == (1, 5)


def test_committed_records_of_transactions_are_copied_once_and_aborted_ones_never(pair: Pair) -> None:
    topic = pair.create_source_topic()
    transactions(pair.source.bootstrap, topic, 9, 5)
    assert pair.replicate_once(topic).code == 0
    transactions(pair.source.bootstrap, topic, 9, 5, start=100)
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    source, target = pair.read_logs(topic)
    assert len(source[0]) == 60
    assert in_source(target[0]) == source[0]
    assert [record.offset for record in target[0]] == list(range(60))
    assert pair.run("verify", "--topics", topic, "--digest").json["exact"]


def test_a_running_mirror_copies_transactions_as_they_are_committed(pair: Pair) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 100, partitions=1)
    create_topic(pair.target.bootstrap, topic)
    with pair.run_mirror(topic) as one, pair.run_mirror(topic) as two:
        transactions(pair.source.bootstrap, topic, 30, 3)
        eventually(lambda: len(read_log(pair.target.bootstrap, topic).get(0, [])) == 160, 30)
        assert (one.is_running, two.is_running) == (True, True), one.err + two.err
    source, target = pair.read_logs(topic)
    assert in_source(target[0]) == source[0]


def test_a_group_is_taken_to_the_same_record_behind_gaps(pair: Pair) -> None:
    topic = group = pair.create_source_topic()
    transactions(pair.source.bootstrap, topic, 12, 4)
    source = read_log(pair.source.bootstrap, topic)[0]
    for place in (0, 3, 4, 17, 31):
        commit_offset(pair.source.bootstrap, group, topic, source[place].offset)
        ran = pair.replicate_once(topic, "--groups", group)
        assert ran.code == 0, ran.err
        assert read_committed_offset(pair.target.bootstrap, group, topic) == place


def compacted(pair: Pair) -> str:
    """Create a topic that is compacted while it is written."""
    quick = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0"}
    config = {"cleanup.policy": "compact", "max.compaction.lag.ms": "200", **quick}
    return pair.create_source_topic(config=config)


def write_keys(pair: Pair, topic: str, rounds: int, start: int = 0) -> None:
    for number in range(start, start + rounds):
        produce(pair.source.bootstrap, topic, [Message(f"k{n % 20}", f"{number}-{n}") for n in range(60)])


def is_compacted(pair: Pair, topic: str) -> bool:
    low, end = read_bounds(pair.source.bootstrap, topic)
    return len(read_log(pair.source.bootstrap, topic)[0]) < (end - low) // 2


def holds_all(pair: Pair, topic: str) -> bool:
    """Return whether the copy has the last record of each key, and no record twice, out of order or misplaced."""
    source, target = pair.read_logs(topic)
    copied = in_source(target.get(0, []))
    offsets = [record.offset for record in copied]
    assert offsets == sorted(set(offsets))
    assert [record.value for record in copied] == [f"{each // 60}-{each % 60}".encode() for each in offsets]
    return {record.key: record for record in source[0]} == {record.key: record for record in copied}


def test_a_compacted_topic_is_copied_with_all_that_it_still_holds(pair: Pair) -> None:
    topic = compacted(pair)
    write_keys(pair, topic, 10)
    eventually(lambda: is_compacted(pair, topic), 60)
    create_topic(pair.target.bootstrap, topic)
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    assert holds_all(pair, topic)
    write_keys(pair, topic, 2, start=10)
    assert pair.replicate_once(topic).code == 0
    assert holds_all(pair, topic)
    assert pair.run("verify", "--topics", topic).json["exact"]


def test_two_mirrors_copy_a_topic_exactly_while_it_is_compacted(pair: Pair) -> None:
    topic = compacted(pair)
    write_keys(pair, topic, 3)
    with pair.run_mirror(topic) as one, pair.run_mirror(topic) as two:
        for number in range(8):
            write_keys(pair, topic, 3, start=3 + 3 * number)
        eventually(lambda: is_compacted(pair, topic), 60)
        end = read_bounds(pair.source.bootstrap, topic)[1]
        last = read_log(pair.source.bootstrap, topic)[0][-1]
        assert last.offset <= end
        eventually(lambda: last in in_source(read_log(pair.target.bootstrap, topic).get(0, [])), 60)
        assert (one.is_running, two.is_running) == (True, True), one.err + two.err
        eventually(lambda: holds_all(pair, topic), 30)


def test_a_mirror_whose_batch_another_wrote_first_continues_behind_that_one(pair: Pair) -> None:
    """The other mirror read the source after compaction removed 4 and 5, so its three records are 3, 6 and 7."""
    topic = pair.create_source_topic(config={"cleanup.policy": "compact"})
    create_topic(pair.target.bootstrap, topic)
    write_values(pair, topic, range(3))
    with pair.run_mirror(topic) as mirror:
        pair.wait_for_records(topic, 3)
        mirror.send_signal(signal.SIGSTOP)
        write_values(pair, topic, range(3, 6))
        write_values(pair, topic, range(6, 8))
        write_as_another_mirror(pair, topic, [3, 6, 7], at=3)
        mirror.send_signal(signal.SIGCONT)
        write_values(pair, topic, [8])
        pair.wait_for_records(topic, 7)
        copied = in_source(read_log(pair.target.bootstrap, topic)[0])
        assert [(record.offset, record.value) for record in copied] == [(n, b"%d" % n) for n in (0, 1, 2, 3, 6, 7, 8)]
        assert mirror.is_running, mirror.err


def write_values(pair: Pair, topic: str, numbers: Iterable[int]) -> None:
    """Write a batch of records whose values are their offsets."""
    produce(pair.source.bootstrap, topic, [Message(f"k{n}", f"{n}") for n in numbers], {"linger.ms": 100})


def write_as_another_mirror(pair: Pair, topic: str, offsets: list[int], at: int) -> None:
    """Write records of the source into the target, as another mirror writes them in one batch."""
    module = [sys.executable, "-m", "tests.kafmirror.another_mirror"]
    numbers = map(str, [at, *offsets])
    subprocess.run([*module, pair.source.bootstrap, pair.target.bootstrap, topic, *numbers], cwd=ROOT, check=True)


def test_with_accepted_loss_the_copy_continues_behind_a_gap(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}") for n in range(100)])
    assert pair.replicate_once(topic).code == 0
    produce(pair.source.bootstrap, topic, [Message("k", f"later {n}") for n in range(100)])
    delete_records(pair.source.bootstrap, topic, 150)
    assert pair.replicate_once(topic).code == 1
    ran = pair.replicate_once(topic, "--accept-loss")
    assert ran.code == 0, ran.err
    assert "offsets 100 to 149" in ran.json["lost"][0]
    source, target = pair.read_logs(topic)
    assert in_source(target[0])[100:] == source[0]
    assert read_bounds(pair.target.bootstrap, topic) == (0, 150)
    produce(pair.source.bootstrap, topic, [Message("k", "more")])
    assert pair.replicate_once(topic).code == 0
    assert in_source(read_log(pair.target.bootstrap, topic)[0])[-1].offset == 200


def test_the_time_at_which_a_broker_took_a_record_becomes_its_timestamp(pair: Pair) -> None:
    topic = pair.create_source_topic(config={"message.timestamp.type": "LogAppendTime"})
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}", 1000) for n in range(100)], {"compression.type": "lz4"})
    assert pair.replicate_once(topic).code == 0
    source, target = pair.read_logs(topic)
    assert source[0][0].timestamp > 1000
    assert target == source


def test_a_copy_of_a_copy_keeps_the_headers_of_the_first_and_its_own_apart(pair: Pair) -> None:
    topic = pair.create_source_topic()
    transactions(pair.source.bootstrap, topic, 6, 3)
    assert pair.replicate_once(topic).code == 0
    back = Pair(pair.target, pair.source)
    ran = back.replicate_once(topic, "--target-topic", "back.{topic}")
    assert ran.code == 0, ran.err
    produce(pair.target.bootstrap, topic, [Message("k", "after")])
    assert back.replicate_once(topic, "--target-topic", "back.{topic}").code == 0
    assert read_log(pair.source.bootstrap, f"back.{topic}") == read_log(pair.target.bootstrap, topic)


def test_a_batch_that_grows_too_large_by_its_headers_is_split(pair: Pair) -> None:
    topic = pair.create_source_topic(config={"max.message.bytes": "5000"})
    transactions(pair.source.bootstrap, topic, 1, 1)
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}") for n in range(3000)], {"batch.size": 5000})
    ran = pair.replicate_once(topic)
    assert ran.code == 0, ran.err
    source, target = pair.read_logs(topic)
    assert len(source[0]) == 3001
    assert in_source(target[0]) == source[0]
