"""Decisions where a copy continues, lags and thresholds, and the settings of a target topic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.errors import UsageError
from kafmirror.batches import offset_header, record_batch
from kafmirror.batches.checkpoint import CopyFrom, Fill, RecordsLost, Refuse, ReplicaState, Trim, decide
from kafmirror.batches.filler import FillProgress, build_filler
from kafmirror.batches.offset_header import HeaderPolicy
from kafmirror.batches.record import DecodedRecord, encode_batch
from kafmirror.batches.record_batch import Batch, Stamp
from kafmirror.copy.partition_buffer import PartitionBuffer
from kafmirror.copy.partition_copy import LEFT_OUT_AFTER_S, CopyState, PartitionCopy
from kafmirror.kafka.metadata import NO_TOPIC_ID, Partition, Setting, Topic
from kafmirror.lag.end_history import EndHistory
from kafmirror.lag.lag import (
    MIN_LAG_S,
    NO_LAG,
    UNKNOWN_LAG,
    Lag,
    RecordAge,
    Threshold,
    combine_lags,
    compute_lag,
    parse_threshold,
)
from kafmirror.plan.plan import compute_setting_changes, compute_target_settings, match_topics

PRODUCER = record_batch.derive_producer_id("cluster", "topic")
RECORD = b"\x01\x01\x00"


def build_mirrored_batch(offset: int, *, source: int | None = None, producer: int = PRODUCER) -> Batch:
    """Return a mirror's batch of one record, at an offset of the target."""
    record = DecodedRecord(offset if source is None else source, 0, RECORD)
    records = (
        [record]
        if source is None
        else offset_header.with_offset_headers([record], HeaderPolicy(PRODUCER, is_for_every_record=False))
    )
    batch = record_batch.read_first_batch(encode_batch(records, Stamp(producer, offset), 0))
    assert batch is not None
    return batch._replace(base_offset=offset)


def test_an_empty_target_begins_at_the_beginning() -> None:
    assert decide(ReplicaState(0, 100, 0, 0, None), PRODUCER) == CopyFrom(0, 0, should_read_back_first=True)


def test_a_source_that_begins_later_is_filled_up_to_then_trimmed() -> None:
    assert decide(ReplicaState(500, 900, 0, 0, None), PRODUCER) == Fill(500)
    filler = record_batch.read_first_batch(build_filler(10, Stamp(PRODUCER, 490), 0))
    assert filler
    last = filler._replace(base_offset=490)
    assert decide(ReplicaState(500, 900, 0, 500, last), PRODUCER) == Trim(500)
    assert decide(ReplicaState(600, 900, 0, 500, last), PRODUCER) == Fill(600)


def test_a_filling_says_how_far_it_is_and_how_long_it_still_takes() -> None:
    filling = FillProgress(start=0, position=0, up_to=300_000_000, started_at=100.0)
    begun = "0 of the 300,000,000 offsets before the source's first record are filled"
    assert filling.describe(105.0) == begun
    assert filling._replace(position=100_000_000).describe(160.0) == (
        "100,000,000 of the 300,000,000 offsets before the source's first record are filled, "
        "which takes about 2 m 0 s more"
    )
    continued = filling._replace(start=200_000_000, position=250_000_000)
    assert continued.describe(110.0).endswith("which takes about 10.0 s more")


def test_a_copy_goes_on_behind_its_last_batch() -> None:
    assert decide(ReplicaState(0, 100, 0, 8, build_mirrored_batch(7)), PRODUCER) == CopyFrom(
        8, 8, should_read_back_first=False
    )
    assert decide(ReplicaState(0, 100, 0, 8, build_mirrored_batch(7, source=20)), PRODUCER) == CopyFrom(
        21, 8, should_read_back_first=False
    )


def test_records_deleted_before_they_were_copied_are_a_loss() -> None:
    assert decide(ReplicaState(50, 100, 0, 8, build_mirrored_batch(7)), PRODUCER) == RecordsLost(8, 50, 8)


def test_a_batch_of_somebody_else_is_refused_unless_it_was_compared() -> None:
    replica = ReplicaState(0, 100, 0, 8, build_mirrored_batch(7, producer=1))
    assert isinstance(decide(replica, PRODUCER), Refuse)
    assert decide(ReplicaState(0, 100, 0, 8, build_mirrored_batch(7, producer=1), adopted_end=8), PRODUCER) == CopyFrom(
        8, 8, should_read_back_first=True
    )


def test_a_mirrored_batch_at_another_offset_is_refused() -> None:
    assert isinstance(
        decide(ReplicaState(0, 100, 0, 9, build_mirrored_batch(7)._replace(base_offset=8)), PRODUCER), Refuse
    )


def test_a_source_that_ends_before_its_copy_has_lost_records() -> None:
    refused = decide(ReplicaState(0, 5, 0, 8, build_mirrored_batch(7)), PRODUCER)
    assert isinstance(refused, Refuse)
    assert "the source has lost records: it ends at 5, but the target holds its records up to 7" in refused.reason


def test_a_target_that_retention_emptied_goes_on_by_its_note_and_only_where_it_fits() -> None:
    assert decide(ReplicaState(0, 100, 8, 8, None), PRODUCER) == CopyFrom(8, 8, should_read_back_first=True)
    assert decide(ReplicaState(0, 100, 8, 8, None, noted_offsets=(8, 30)), PRODUCER) == CopyFrom(
        30, 8, should_read_back_first=True
    )
    assert isinstance(decide(ReplicaState(0, 100, 8, 8, None, noted_offsets=(7, 29)), PRODUCER), Refuse)


def test_a_last_batch_that_compaction_emptied_goes_on_by_the_note() -> None:
    emptied = build_mirrored_batch(7, source=20)._replace(record_count=0, body=b"")
    assert decide(ReplicaState(0, 100, 0, 8, emptied, noted_offsets=(8, 30)), PRODUCER) == CopyFrom(
        30, 8, should_read_back_first=False
    )
    assert isinstance(decide(ReplicaState(0, 100, 0, 8, emptied, noted_offsets=(6, 19)), PRODUCER), Refuse)


def test_the_lag_is_0_when_caught_up_and_unknown_when_an_end_is_unknown() -> None:
    assert compute_lag(10, 10, RecordAge(None)) == NO_LAG
    assert compute_lag(10, None, RecordAge(None)) == UNKNOWN_LAG
    assert compute_lag(4, 10, RecordAge.at(3500, 1000)) == Lag(6, 2.5)
    assert compute_lag(4, 10, RecordAge(None)) == Lag(6, None)
    assert combine_lags([NO_LAG, Lag(6, 2.5), Lag(1, 7.0)]) == Lag(7, 7.0)
    assert combine_lags([NO_LAG, UNKNOWN_LAG]) == UNKNOWN_LAG


@pytest.mark.parametrize(
    ("stamped", "at_most", "waited"),
    [
        (3.0, None, 3.0),  # the timestamp alone
        (3.0, 7.0, 3.0),  # it can be true
        (0.0, None, MIN_LAG_S),  # a record that waits has a lag
        (-3000.0, None, None),  # the writer's clock is ahead, and nothing else is known
        (-3000.0, 7.0, 7.0),  # ahead, and it wasn't there 7 s ago
        (3000.0, 7.0, 7.0),  # an old record that arrived late
        (None, 7.0, 7.0),
        (-1.0, 0.0, MIN_LAG_S),
        (None, None, None),
    ],
)
def test_a_record_has_waited_by_its_timestamp_where_that_can_be_true(
    stamped: float | None, at_most: float | None, waited: float | None
) -> None:
    assert RecordAge(stamped, at_most).waited == waited


def test_a_copy_with_a_goal_ends_without_a_partition_that_has_had_no_leader_for_long() -> None:
    copy = PartitionCopy(Partition("t", 0), Partition("t", 0), PartitionBuffer(PRODUCER), 1 << 20, goal=5)
    assert not copy.is_left_out(1000.0)
    copy.leaderless_since = 1000.0
    assert [copy.is_left_out(1000.0 + LEFT_OUT_AFTER_S + more) for more in (-1, 1)] == [False, True]
    copy.leaderless_since, copy.state = None, CopyState.UNKNOWN
    assert copy.is_left_out(1000.0)


def test_the_lag_counts_from_the_last_mirrored_record_until_more_is_fetched() -> None:
    copy = PartitionCopy(
        Partition("t", 0), Partition("t", 0), PartitionBuffer(PRODUCER), 1 << 20, state=CopyState.COPYING
    )
    copy.update_source_end(10, 5_000)
    assert copy.compute_age(9_000).waited is None
    copy.buffer.done_source, copy.buffer.done_timestamp = 5, 1_000
    assert copy.compute_age(9_000).waited == 8.0
    copy.buffer.done_source = 10
    copy.update_source_end(10, 6_000)
    assert copy.compute_age(9_000).waited == 3.0
    copy.buffer.pending_timestamp = 7_000
    assert copy.compute_age(9_000).waited == 2.0


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=600))
def test_no_record_arrived_before_the_bound_that_the_ends_give(looks: list[tuple[int, int, int]]) -> None:
    history, arrivals, now, done = EndHistory(), list[int](), 0, 0
    for pause, new_count, copied_count in looks:
        now += pause
        history.add(now, len(arrivals))
        arrivals += [now + 1] * new_count
        done = min(done + copied_count, len(arrivals))
        bound = history.find_arrival_bound(done)
        assert bound is not None
        assert done == len(arrivals) or bound < arrivals[done]


def test_an_overtaken_answer_and_a_log_that_lost_records_give_no_wrong_bound() -> None:
    history = EndHistory()
    history.add(1_000, 10)
    history.add(500, 8)  # asked earlier, answered later
    assert history.find_arrival_bound(10) == 1_000
    history.add(2_000, 4)  # an unclean election
    assert history.find_arrival_bound(4) == 2_000
    assert history.find_arrival_bound(3) is None


def test_an_unknown_lag_is_over_any_threshold() -> None:
    assert Threshold(seconds=10).is_exceeded(UNKNOWN_LAG)
    assert Threshold(records=10).is_exceeded(UNKNOWN_LAG)
    assert not Threshold(seconds=10).is_exceeded(Lag(10**9, 10.0))
    assert Threshold(records=10).is_exceeded(Lag(11, 0.0))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("10s", Threshold(seconds=10)),
        ("500ms", Threshold(seconds=0.5)),
        ("2m", Threshold(seconds=120)),
        ("1.5 h", Threshold(seconds=5400)),
        ("1000", Threshold(records=1000)),
        ("1 record", Threshold(records=1)),
    ],
)
def test_a_threshold_is_a_time_or_a_number_of_records(text: str, meant: Threshold) -> None:
    assert parse_threshold(text) == meant


@pytest.mark.parametrize("text", ["", "ten", "-1s", "1.5", "10 parsecs", "s"])
def test_a_threshold_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--lag-threshold"):
        parse_threshold(text)


def test_a_pattern_skips_internal_topics() -> None:
    topics = {name: Topic(name, NO_TOPIC_ID, name == "inner", {}, 1, 0) for name in ("agent-a", "__x", "inner", "b")}
    assert match_topics(["*"], topics) == ["agent-a", "b"]
    assert match_topics(["agent-*", "b"], topics) == ["agent-a", "b"]


def test_the_target_gets_what_the_source_has_and_takes_records_as_they_are() -> None:
    source = {
        "retention.ms": Setting("-1", is_overridden=False),
        "segment.bytes": Setting("5000000", is_overridden=True),
        "min.insync.replicas": Setting("2", is_overridden=True),
        "compression.type": Setting("gzip", is_overridden=True),
        "flush.ms": Setting("7", is_overridden=False),
    }
    settings = compute_target_settings(source, frozenset({*source, "message.timestamp.type"}))
    exact = {"compression.type": "producer", "message.timestamp.type": "CreateTime"}
    assert settings == {"retention.ms": "-1", "segment.bytes": "5000000", **exact}


def test_compaction_never_begins_in_a_target_that_holds_records() -> None:
    desired, current = {"cleanup.policy": "compact"}, {"cleanup.policy": Setting("delete", is_overridden=True)}
    assert compute_setting_changes(desired, current, holds_records=False) == {"cleanup.policy": "compact"}
    assert compute_setting_changes(desired, current, holds_records=True) == {}


def test_a_setting_that_the_source_no_longer_has_is_reset() -> None:
    current = {"segment.ms": Setting("7", is_overridden=True), "min.insync.replicas": Setting("2", is_overridden=True)}
    assert compute_setting_changes({}, current, holds_records=True) == {"segment.ms": None}
