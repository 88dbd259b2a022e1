"""A mirror that sees the source otherwise: writes chosen records into the target, as one batch at an offset.

`python -m tests.kafmirror.another_mirror SOURCE TARGET TOPIC AT OFFSET...`: a process, as every mirror is one.
"""

import sys

from kafmirror.batches.offset_header import Naming, named
from kafmirror.batches.record import built, opened
from kafmirror.batches.record_batch import Stamp, producer_id
from kafmirror.kafka.cluster_pair import Named, Sides
from kafmirror.kafka.cluster_pair import opened as sides_opened
from kafmirror.kafka.fetch_produce import produce, produced
from kafmirror.kafka.metadata import Partition


async def write(sides: Sides, topic: str, at: int, offsets: list[int]) -> None:
    """Write these records of partition 0, with the headers that tell where they lay."""
    partition = Partition(topic, 0)
    source, target = await sides.of(topic, topic)
    producer = producer_id(source.metadata.cluster_id, str(source.ids[topic]))
    batches = [await source.batch_at(partition, offset) for offset in offsets]
    found = {record.offset: record for batch in batches if batch for record in opened(batch)}
    records = named([found[each] for each in offsets], Naming(producer, every=True))
    data = built(records, Stamp(producer, at), 0)
    answer = await produce(target.wire, target.node(partition), {partition: data}, target.ids)
    told = produced(answer, target.ids)[partition]
    if (told.error, told.base_offset) != (0, at):
        sys.exit(f"not taken: {told}")


if __name__ == "__main__":
    source, target, topic, at, *offsets = sys.argv[1:]
    with sides_opened(Named(source, target)) as sides:
        sides.loop.run(write, sides, topic, int(at), [int(each) for each in offsets])
