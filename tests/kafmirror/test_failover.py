"""A target takes over with the same offsets and names lost records, and the way home loses nothing."""

import gzip
import json
import signal
from pathlib import Path

from devkafka import Message, eventually, produce
from tests.kafmirror.logs import commit_offset, read_bounds, read_committed_offset, read_log, sum_end_offsets
from tests.kafmirror.side import Pair


def mirrored(pair: Pair, count: int = 50) -> str:
    topic = pair.create_source_topic(partitions=2)
    produce(pair.source.bootstrap, topic, [event(f"sess_{n % 5}", n) for n in range(count)])
    assert pair.replicate_once(topic).code == 0
    return topic


def event(session: str, number: int) -> Message:
    return Message(
        session, json.dumps({"session_id": session, "event_id": f"evt_{number}"}), 1_700_000_000_000 + number
    )


def test_a_target_that_holds_all_takes_over_with_the_groups(pair: Pair) -> None:
    topic = group = mirrored(pair)
    commit_offset(pair.source.bootstrap, group, topic, 7)
    ran = pair.run("failover", "--topics", topic, "--groups", group)
    assert ran.code == 0, ran.err + ran.out
    assert ran.json["lost"] == []
    assert read_committed_offset(pair.target.bootstrap, group, topic) == 7


def test_records_that_are_not_mirrored_are_counted_by_session_and_must_be_given_up(pair: Pair) -> None:
    topic = mirrored(pair)
    produce(pair.source.bootstrap, topic, [event("sess_late", n) for n in range(3)])
    ran = pair.run("failover", "--topics", topic)
    assert ran.code == 1
    assert ran.json["lost_by_session"] == {"sess_late": 3}
    assert pair.run("failover", "--topics", topic, "--accept-loss").code == 0


def test_a_failover_without_the_source_says_so(pair: Pair) -> None:
    topic = mirrored(pair)
    pair.source.brokers[0].kill()
    ran = pair.run("failover", "--topics", topic)
    assert ran.code == 0, ran.err
    assert ran.json["source_answers"] is False
    assert sum(each["end"] for each in ran.json["ends"]) == 50


def test_the_way_home_saves_the_records_that_only_the_old_primary_holds(pair: Pair, tmp_path: Path) -> None:
    topic = mirrored(pair)
    key = '"sess_late"'  # a serializer of JSON writes quotes
    late = [event("sess_late", 100)._replace(key=key), Message(key, b"\xff")]
    produce(pair.source.bootstrap, topic, late)
    produce(pair.target.bootstrap, topic, [event("sess_new", n) for n in range(200, 210)])
    home, save = Pair(pair.target, pair.source), tmp_path / "late.ndjson.gz"
    looked = home.run("failback", "--topics", topic)
    assert looked.code == 1
    assert sum(each["to"] - each["from"] + 1 for each in looked.json["topics"][0]["beyond"]) == 2
    nowhere = home.run("failback", "--topics", topic, "--save", str(tmp_path / "gone" / "late.ndjson"), "--yes")
    assert (nowhere.code, "late.ndjson: No such file or directory" in nowhere.err) == (2, True), nowhere.err
    assert sum_end_offsets(pair.source.bootstrap, topic) == 52
    ran = home.run("failback", "--topics", topic, "--save", str(save), "--yes")
    assert ran.code == 0, ran.err
    assert read_log(pair.source.bootstrap, topic) == read_log(pair.target.bootstrap, topic)
    first, second = map(json.loads, gzip.decompress(save.read_bytes()).splitlines())
    assert (first["event_id"], first["_record"]["topic"]) == ("evt_100", topic)
    assert first["_record"]["key"] == key
    assert second["raw"]["value"] == "/w=="


def test_a_topic_whose_records_are_all_mirrored_is_kept_on_the_way_home(pair: Pair) -> None:
    topic = mirrored(pair)
    produce(pair.target.bootstrap, topic, [event("sess_new", n) for n in range(200, 210)])
    home = Pair(pair.target, pair.source)
    ran = home.run("failback", "--topics", topic, "--yes")
    assert ran.code == 0, ran.err
    assert ran.json["topics"][0] == {"topic": topic, "made_anew": False, "beyond": [], "saved": 0, "copied": 10}
    assert read_log(pair.source.bootstrap, topic) == read_log(pair.target.bootstrap, topic)
    assert read_bounds(pair.source.bootstrap, topic)[0] == 0
    with home.run_mirror(topic) as mirror:
        produce(pair.target.bootstrap, topic, [event("sess_new", 300)])
        eventually(lambda: sum_end_offsets(pair.source.bootstrap, topic) == 61, 30)
        assert mirror.stop().code == 128 + signal.SIGTERM
