"""`kafmirror status` while one side is away: what the other side knows, an unknown lag, and the side by name."""

from devkafka import Message, produce
from tests.kafmirror.side import Pair, run_kafmirror

THRESHOLD = ("--lag-threshold", "10s")


def test_status_without_the_source_shows_how_far_the_copy_had_come(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=2)
    produce(pair.source.bootstrap, topic, [Message("k", "v", partition=0)] * 10)
    assert pair.replicate_once(topic).code == 0
    pair.source.brokers[0].kill()
    ran = pair.run("status", "--topics", topic, *THRESHOLD)
    told = ran.json
    assert (ran.code, told["away"]["side"], told["away"]["cluster"]) == (3, "source", pair.source.bootstrap)
    assert (told["lag_records"], told["lag_seconds"], told["over_threshold"]) == (None, None, True)
    assert [(each["position"], each["source_end"], each["target_end"]) for each in told["partitions"]] == [
        (10, None, 10),
        (None, None, 0),
    ]
    text = pair.run("status", "--topics", topic, *THRESHOLD, "--format", "text")
    flowing = " ".join(text.out.split())
    assert text.code == 3
    assert "2 partitions, an unknown number of records behind, lag unknown" in flowing
    assert f"the source is away: cluster {pair.source.bootstrap} can't be reached" in flowing

    for missing in ("no-such-topic", "no-such-*"):  # nothing known isn't nothing behind
        ran = pair.run("status", "--topics", missing, *THRESHOLD)
        assert (ran.code, ran.json["lag_records"], ran.json["over_threshold"]) == (3, None, True)
    assert "0 records" not in pair.run("status", "--topics", "no-such-*", "--format", "text").out


def test_status_without_the_target_shows_the_ends_of_the_source(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 10)
    assert pair.replicate_once(topic).code == 0
    pair.target.brokers[0].kill()
    ran = pair.run("status", "--topics", topic, *THRESHOLD)
    told = ran.json
    assert (ran.code, told["away"]["side"], told["away"]["cluster"]) == (3, "target", pair.target.bootstrap)
    [partition] = told["partitions"]
    assert (partition["position"], partition["source_end"], partition["target_end"]) == (None, 10, None)
    assert (told["lag_records"], told["lag_seconds"], told["over_threshold"]) == (None, None, True)


def test_both_sides_away_are_both_named() -> None:
    arguments = ["status", "--source", "127.0.0.1:1", "--target", "127.0.0.1:2", "--topics", "t"]
    ran = run_kafmirror(arguments)
    assert (ran.code, ran.out) == (3, "")
    assert "127.0.0.1:1" in ran.err
    assert "127.0.0.1:2" in ran.err
