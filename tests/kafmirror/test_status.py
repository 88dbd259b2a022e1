"""Status, verify, the health page and the groups' offsets, compared with the real state."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from devkafka import Message, create_topic, eventually, produce
from devkafka.ports import get_port, reserve_port
from tests.kafmirror.logs import commit_offset, delete_topic, fill_topic, read_committed_offset, sum_end_offsets
from tests.kafmirror.side import Pair
from tests.running import Terminal, run


def an_hour_ago() -> int:
    return int(time.time() * 1000) - 3_600_000


def test_status_shows_the_lag_of_a_mirror_that_does_not_run(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 10)
    assert pair.replicate_once(topic).code == 0
    caught_up = pair.run("status", "--topics", topic, "--lag-threshold", "10s")
    assert (caught_up.code, caught_up.json["lag_records"], caught_up.json["lag_seconds"]) == (0, 0, 0)
    produce(pair.source.bootstrap, topic, [Message("k", "v", an_hour_ago())] * 5)
    behind = pair.run("status", "--topics", topic, "--lag-threshold", "10s")
    assert (behind.code, behind.json["lag_records"]) == (1, 5)
    assert 3600 <= behind.json["lag_seconds"] < 3700
    assert pair.run("status", "--topics", topic, "--lag-threshold", "5").code == 0
    assert pair.run("status", "--topics", topic, "--lag-threshold", "4").code == 1


def test_a_pipe_gets_the_table_and_the_plan_of_a_terminal(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")] * 10)
    assert pair.replicate_once(topic).code == 0
    for command, ending in (("status", "0 records behind"), ("plan", "It can be done.")):
        arguments = pair.build_arguments(command, "--topics", topic)
        piped, terminal = run("kafmirror", *arguments), Terminal("kafmirror", *arguments, columns=100)
        assert terminal.wait_for_end() == piped.code == 0
        assert piped.lines == terminal.lines
        assert ending in piped.lines[-1]


def test_status_of_a_topic_that_was_never_mirrored_is_unknown_not_nothing(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", "v")])
    ran = pair.run("status", "--topics", topic, "--lag-threshold", "10s")
    assert (ran.code, ran.json["lag_records"], ran.json["lag_seconds"]) == (1, None, None)


def test_verify_finds_both_sides_the_same(pair: Pair) -> None:
    topic = pair.create_source_topic(partitions=3)
    fill_topic(pair.source.bootstrap, topic, 3000, partitions=3)
    assert pair.replicate_once(topic).code == 0
    ran = pair.run("verify", "--topics", topic)
    assert ran.code == 0
    assert [(each["equal"], each["exact"]) for each in ran.json["partitions"]] == [(1000, True)] * 3
    assert pair.run("verify", "--topics", topic, "--sample", "0.01").code == 0
    whole = pair.run("verify", "--topics", topic, "--digest")
    assert whole.code == 0
    assert len({each["digest"] for each in whole.json["partitions"]}) == 3


def test_verify_from_a_time_behind_all_records_compares_nothing(pair: Pair) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 10, partitions=1)
    assert pair.replicate_once(topic).code == 0
    ran = pair.run("verify", "--topics", topic, "--from", "-1h")
    [partition] = ran.json["partitions"]
    assert (ran.code, partition["from"], partition["to"], partition["equal"]) == (0, 10, 10, 0)


def damaged(pair: Pair) -> str:
    """Create a mirrored topic whose copy has a changed record at offset 7, and ends after offset 9."""
    topic = pair.create_source_topic()
    same = [Message("k", f"{n}", 1000 + n) for n in range(20)]
    produce(pair.source.bootstrap, topic, same)
    assert pair.replicate_once(topic).code == 0
    delete_topic(pair.target.bootstrap, topic)
    create_topic(pair.target.bootstrap, topic)
    produce(pair.target.bootstrap, topic, [*same[:7], Message("k", "changed", 1007), *same[8:10]])
    return topic


def test_verify_names_the_first_record_that_differs(pair: Pair) -> None:
    ran = pair.run("verify", "--topics", damaged(pair))
    assert ran.code == 1
    [partition] = ran.json["partitions"]
    assert partition["first_difference"] == {"offset": 7, "in": "value"}
    assert (partition["to"], partition["equal"], partition["differing"]) == (10, 9, 1)


def test_verify_continues_where_it_was_interrupted(pair: Pair, tmp_path: Path) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 500, partitions=1)
    assert pair.replicate_once(topic).code == 0
    state = tmp_path / "verify.json"
    kept = {"equal": 400, "differing": 0, "first_difference": None, "missing": [], "extra": [], "position": 400}
    state.write_text(json.dumps({f"{topic}[0]": {**kept, "digest": None}}))
    ran = pair.run("verify", "--topics", topic, "--resume", str(state))
    assert (ran.code, ran.json["partitions"][0]["equal"]) == (0, 500)
    assert not state.exists()


def test_a_group_s_offsets_are_set_in_the_target_and_never_moved_back(pair: Pair) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 100, partitions=1)
    commit_offset(pair.source.bootstrap, "billing", topic, 60)
    assert pair.replicate_once(topic, "--groups", "bill*").code == 0
    assert read_committed_offset(pair.target.bootstrap, "billing", topic) == 60
    commit_offset(pair.source.bootstrap, "billing", topic, 40)
    assert pair.replicate_once(topic, "--groups", "billing").code == 0
    assert read_committed_offset(pair.target.bootstrap, "billing", topic) == 60
    commit_offset(pair.source.bootstrap, "billing", topic, 100)
    assert pair.replicate_once(topic, "--groups", "billing").code == 0
    assert read_committed_offset(pair.target.bootstrap, "billing", topic) == 100


def page(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_the_lag_rises_and_the_health_page_says_503_while_the_target_stands_still(pair: Pair) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 10, partitions=1)
    with reserve_port() as reserved:
        address = f"127.0.0.1:{get_port(reserved)}"
        with pair.run_mirror(topic, "--metrics", address, "--lag-threshold", "2s") as mirror:
            eventually(lambda: page(address, "/readyz")[0] == 200, 30)
            eventually(lambda: page(address, "/healthz") == (200, "ok\n"), 30)
            pair.target.brokers[0].pause()
            produce(pair.source.bootstrap, topic, [Message("k", "v")])
            eventually(lambda: page(address, "/healthz")[0] == 503, 30)
            labels = f'{{partition="0",target_topic="{topic}",topic="{topic}"}}'
            assert f"kafmirror_lag_records{labels} 1.0" in page(address, "/metrics")[1]
            first = lag_seconds(address, labels)
            eventually(lambda: lag_seconds(address, labels) > first + 1, 30)
            pair.target.brokers[0].resume()
            eventually(lambda: page(address, "/healthz") == (200, "ok\n"), 60)
            assert "over 2 s" in mirror.err


def lag_seconds(address: str, labels: str, metric: str = "kafmirror_lag_seconds") -> float:
    start = f"{metric}{labels} "
    return next(
        float(line[len(start) :]) for line in page(address, "/metrics")[1].splitlines() if line.startswith(start)
    )


def test_the_lag_is_unknown_while_the_source_cannot_be_asked(pair: Pair) -> None:
    topic = pair.create_source_topic()
    fill_topic(pair.source.bootstrap, topic, 10, partitions=1)
    with reserve_port() as reserved:
        address = f"127.0.0.1:{get_port(reserved)}"
        labels = f'{{partition="0",target_topic="{topic}",topic="{topic}"}}'
        with pair.run_mirror(topic, "--metrics", address, "--lag-threshold", "60s"):
            eventually(
                lambda: (
                    sum_end_offsets(pair.target.bootstrap, topic) == 10 if page(address, "/readyz")[0] == 200 else False
                ),
                30,
            )
            pair.source.brokers[0].kill()
            eventually(lambda: f"kafmirror_lag_seconds{labels} NaN" in page(address, "/metrics")[1], 60)
            assert page(address, "/healthz")[0] == 503
