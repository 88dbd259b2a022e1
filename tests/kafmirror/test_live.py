"""A running mirror on a terminal: a table that is redrawn in place and fits, and a clean end at Ctrl-C."""

import signal

import pytest

from devkafka import Message, produce
from tests.kafmirror.side import Pair
from tests.running import Terminal


@pytest.mark.parametrize("columns", [40, 100])
def test_the_table_is_drawn_over_itself_within_the_terminal_and_ends_at_ctrl_c(pair: Pair, columns: int) -> None:
    topic = pair.create_source_topic(partitions=4)
    produce(pair.source.bootstrap, topic, [Message("k", f"{n}", partition=n % 4) for n in range(400)])
    arguments = pair.build_arguments("replicate", "--topics", topic)
    mirror = Terminal("kafmirror", *arguments, columns=columns, rows=16)
    mirror.wait_for_text("4 partitions, 0 records behind")
    produce(pair.source.bootstrap, topic, [Message("k", "later")] * 100)
    before = mirror.raw.count(b"\x1b[J")
    mirror.wait_until(lambda: mirror.raw.count(b"\x1b[J") > before + 2, "three more tables")
    table = [line for line in mirror.lines if line.startswith("partition")]
    assert len(table) == 1
    assert ("source end" in table[0], "lag" in table[0]) == (columns > 40, True)
    mirror.process.kill(signal.SIGINT)
    assert mirror.wait_for_end() == 128 + signal.SIGINT
    assert "500 records copied; 4 partitions, 0 records behind, lag 0 s" in "\n".join(mirror.lines).replace("\n", "")
    assert pair.count_exact_records(topic) == 500
