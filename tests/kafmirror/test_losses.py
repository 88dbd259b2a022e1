"""An accepted loss is told at once, everywhere, and by each mirror that starts later."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlog.terminal.style import paint_plain
from devkafka import Message, eventually, produce
from devkafka.ports import get_port, reserve_port
from kafmirror.batches.loss import LAST_TIME_MS, MAX_NOTED, Loss, OffsetNote, merge_losses, parse_note
from kafmirror.commands.text import Terminal, live_lines, summarize, table_lines
from kafmirror.kafka.metadata import Partition
from kafmirror.lag.lag import NO_LAG
from kafmirror.lag.partition_status import PartitionStatus
from tests.kafmirror.logs import delete_records, sum_end_offsets
from tests.kafmirror.side import Pair
from tests.kafmirror.test_status import page

OFFSETS = st.integers(0, 2**62)
TIMES = st.integers(0, LAST_TIME_MS)
LOSSES = st.builds(lambda first, size, at: Loss(first, first + size, at), OFFSETS, st.integers(1, 2**62), TIMES)


def lose_records(pair: Pair) -> str:
    """Return a topic of which 100 records are mirrored, 50 more are lost, and 50 more wait."""
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}") for n in range(100)])
    assert pair.replicate_once(topic).code == 0
    produce(pair.source.bootstrap, topic, [Message("k", f"later {n}") for n in range(100)])
    delete_records(pair.source.bootstrap, topic, 150)
    return topic


def test_a_running_mirror_tells_an_accepted_loss_and_so_does_the_next_one(pair: Pair) -> None:
    topic = lose_records(pair)
    labels = f'{{partition="0",target_topic="{topic}",topic="{topic}"}}'
    with reserve_port() as reserved:
        address = f"127.0.0.1:{get_port(reserved)}"
        with pair.run_mirror(topic, "--accept-loss", "--metrics", address) as mirror:
            mirror.wait_for_output(f"lost, as accepted: {topic}[0]")
            eventually(lambda: f"kafmirror_records_lost_total{labels} 50.0" in page(address, "/metrics")[1], 60)
            assert sum_end_offsets(pair.target.bootstrap, topic) == 100  # told before anything is copied behind it
            pair.wait_for_records(topic, 150)
            ended = mirror.stop()
    assert "offsets 100 to 149" in ended.err
    [first_told] = ended.json["lost"]
    [noted] = ended.json["partitions"][0]["lost"]
    assert (noted["from"], noted["to"]) == (100, 149)
    [status] = pair.run("status", "--topics", topic).json["partitions"]
    assert (status["lost"], status["lag_records"], status["problem"]) == ([noted], 0, None)
    again = pair.replicate_once(topic)
    assert (again.code, again.json["lost"]) == (0, [first_told]), again.err
    assert f"lost earlier: {topic}[0]" in again.err


def test_a_loss_behind_which_nothing_came_yet_need_not_be_accepted_twice(pair: Pair) -> None:
    topic = pair.create_source_topic()
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}") for n in range(10)])
    assert pair.replicate_once(topic).code == 0
    produce(pair.source.bootstrap, topic, [Message("k", f"later {n}") for n in range(10)])
    delete_records(pair.source.bootstrap, topic, 20)
    accepted = pair.replicate_once(topic, "--accept-loss", "--lag-threshold", "0")
    assert accepted.code == 0, accepted.err
    again = pair.replicate_once(topic, "--lag-threshold", "0")
    assert (again.code, again.json["lost"]) == (0, accepted.json["lost"]), again.err


@given(st.integers(0, 2**62), st.integers(0, 2**62), st.lists(LOSSES, max_size=MAX_NOTED + 5))
def test_a_note_keeps_offsets_and_the_newest_losses_within_what_a_broker_takes(
    target: int, source: int, losses: list[Loss]
) -> None:
    text = OffsetNote(target, source, tuple(losses)).encode()
    assert parse_note(target, text) == OffsetNote(target, source, tuple(losses[-MAX_NOTED:]))
    assert len(text) <= 4096


@given(st.text())
def test_a_note_of_another_program_is_refused_or_read_but_never_breaks(text: str) -> None:
    try:
        note = parse_note(8, text)
    except ValueError:
        return
    assert all(str(each) for each in note.losses)


def test_a_note_without_losses_is_the_offset_alone() -> None:
    assert OffsetNote(8, 30).encode() == "30"


@given(st.lists(LOSSES), st.lists(LOSSES))
def test_merged_losses_hold_each_offset_once_and_nothing_else(some: list[Loss], others: list[Loss]) -> None:
    merged = merge_losses(some, others)
    assert merged == merge_losses(others, some) == merge_losses(merged)
    assert all(before.end <= after.first for before, after in pairwise(merged))
    assert all(any(each.covers(loss) for each in merged) for loss in (*some, *others))
    edges = {edge for loss in (*some, *others) for edge in (loss.first, loss.end)}
    assert {edge for loss in merged for edge in (loss.first, loss.end)} <= edges


def make_status(number: int, *losses: Loss, **more: Any) -> PartitionStatus:
    partition = Partition("t", number)
    return PartitionStatus(partition, partition, 200, 200, 150, NO_LAG, losses=losses, **more)


LOSS = Loss(100, 150, 1_700_000_000_000)


def test_a_table_names_the_newest_loss_below_its_partition_and_the_summary_counts_all() -> None:
    statuses = [make_status(0), make_status(1, LOSS, Loss(180, 190, 1_700_000_100_000))]
    *_, row, text = table_lines(statuses, paint_plain, 140)
    assert row.startswith("t[1]")
    assert text == (
        "  lost: retention deleted offsets 180 to 189 before they were mirrored (found 2023-11-14 22:15:00 UTC), "
        "and 1 loss before"
    )
    assert summarize(statuses).endswith(", lag 0 s, 60 offsets lost")
    assert summarize([make_status(0)]).endswith(", lag 0 s")


@pytest.mark.parametrize("rows", [4, 6, 10, 40])
def test_a_live_table_keeps_its_summary_however_many_losses_it_has(rows: int) -> None:
    lines = live_lines([make_status(n, LOSS) for n in range(20)], {}, ["waiting"], Terminal(80, rows, paint_plain))
    assert len(lines) < rows
    assert any(line.startswith("20 partitions") for line in lines)
