"""The lag on real clusters where timestamps don't tell it: clocks ahead of time, and old records that arrive late."""

import time

import pytest

from devkafka import Message, eventually, produce
from devkafka.ports import get_port, reserve_port
from kafmirror.kafka.metadata import Partition
from kafmirror.lag.lag import Lag, RecordAge
from kafmirror.lag.partition_status import PartitionStatus, compare_looks, describe_wait
from tests.kafmirror.side import Pair
from tests.kafmirror.test_status import lag_seconds, page

MINUTE_MS = 60_000


def stamp(minutes: float) -> int:
    """Return the timestamp that a clock gives that is ahead by ``minutes``."""
    return round(time.time() * 1000 + minutes * MINUTE_MS)


def test_records_of_a_clock_ahead_that_wait_are_an_unknown_lag_and_the_skew_is_named(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 10)
    assert pair.replicate_once(topic).code == 0
    produce(pair.source.bootstrap, topic, [Message("k", "v", stamp(50))] * 5)
    ran = pair.run("status", "--topics", topic, "--lag-threshold", "10s")
    [partition] = ran.json["partitions"]
    assert (ran.code, ran.json["over_threshold"]) == (1, True)
    assert (partition["lag_records"], partition["lag_seconds"], partition["advancing"]) == (5, None, False)
    assert -3000 <= partition["first_record_age_seconds"] < -2700
    text = " ".join(pair.run("status", "--topics", topic, "--format", "text").out.split())
    assert "s ahead of this clock; the copy stands still" in text
    assert "5 records behind, lag unknown" in text
    assert pair.replicate_once(topic, "--lag-threshold", "10s").code == 0
    assert pair.run("status", "--topics", topic, "--lag-threshold", "0").code == 0


@pytest.mark.parametrize("minutes", [50, -50])
def test_a_running_mirror_counts_from_the_arrival_where_the_timestamp_can_not_be_true(
    pair: Pair, minutes: float
) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 10)
    with reserve_port() as reserved:
        address = f"127.0.0.1:{get_port(reserved)}"
        labels = f'{{partition="0",target_topic="{topic}",topic="{topic}"}}'
        with pair.run_mirror(topic, "--metrics", address, "--lag-threshold", "60s") as mirror:
            pair.wait_for_records(topic, 10)
            eventually(lambda: page(address, "/healthz") == (200, "ok\n"), 30)
            eventually(lambda: f"kafmirror_lag_records{labels} 0.0" in page(address, "/metrics")[1], 30)
            pair.target.brokers[0].pause()
            produce(pair.source.bootstrap, topic, [Message("k", "v", stamp(minutes))])
            eventually(lambda: f"kafmirror_lag_records{labels} 1.0" in page(address, "/metrics")[1], 30)
            first = lag_seconds(address, labels)
            assert first > 0
            eventually(lambda: lag_seconds(address, labels) > first + 1, 30)
            age = lag_seconds(address, labels, "kafmirror_first_record_age_seconds")
            assert age < 0 if minutes > 0 else 3000 <= age < 3600
            assert lag_seconds(address, labels) < 2000
            pair.target.brokers[0].resume()
            eventually(lambda: f"kafmirror_lag_records{labels} 0.0" in page(address, "/metrics")[1], 60)
            assert lag_seconds(address, labels) == 0
            assert "over 60 s" not in mirror.err


def test_the_health_page_says_503_and_names_the_skew_while_a_mirror_stands_still(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v", stamp(50))] * 10)
    with reserve_port() as reserved:
        address = f"127.0.0.1:{get_port(reserved)}"
        with pair.run_mirror(topic, "--metrics", address, "--lag-threshold", "2s"):
            pair.wait_for_records(topic, 10)
            eventually(lambda: page(address, "/healthz") == (200, "ok\n"), 30)
            pair.target.brokers[0].pause()
            produce(pair.source.bootstrap, topic, [Message("k", "v", stamp(50))])
            eventually(lambda: page(address, "/healthz")[0] == 503, 30)
            eventually(lambda: "ahead of this clock" in page(address, "/healthz")[1], 30)
            pair.target.brokers[0].resume()
            eventually(lambda: page(address, "/healthz") == (200, "ok\n"), 60)


def make_look(position: int | None, end: int, stamped: float | None, seconds: float | None) -> PartitionStatus:
    lag = Lag(None if position is None else end - position, seconds)
    partition = Partition("t", 0)
    return PartitionStatus(partition, partition, position, end, position, lag, age=RecordAge(stamped))


@pytest.mark.parametrize(
    ("first", "second", "seconds", "is_advancing", "words"),
    [
        pytest.param((5, 10, -3000.0), (10, 12, -3000.0), 2.0, True, "clock; the copy advances", id="ahead"),
        pytest.param((5, 10, -3000.0), (5, 12, -3000.0), None, False, "the copy stands still", id="ahead, still"),
        pytest.param((5, 10, -3000.0), (7, 12, -3000.0), None, True, "clock; the copy advances", id="slow"),
        pytest.param((5, 10, 3000.0), (11, 12, 3000.0), 2.0, True, "is old", id="old"),
        pytest.param((5, 10, 3000.0), (5, 10, 3002.0), 3002.0, False, "the copy stands still", id="stands still"),
        pytest.param((5, 10, 3000.0), (7, 10, 3002.0), 3002.0, True, None, id="catching up"),
        pytest.param((None, 10, None), (7, 10, 3.0), 3.0, None, None, id="position unknown before"),
    ],
)
def test_two_looks_tell_old_records_and_clocks_ahead_from_a_standstill(
    first: tuple[int | None, int, float | None],
    second: tuple[int, int, float],
    seconds: float | None,
    is_advancing: bool | None,
    words: str | None,
) -> None:
    waited = second[2] if second[2] >= 0 else None
    both = compare_looks(make_look(*first, None), make_look(*second, waited), 2.0)
    assert (both.lag.seconds, both.is_advancing) == (seconds, is_advancing)
    told = describe_wait(both)
    assert told is None if words is None else words in (told or "")
