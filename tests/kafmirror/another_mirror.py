"""A second mirror, in a process of its own, that writes chosen records into the target as one batch.

Run `python -m tests.kafmirror.another_mirror SOURCE TARGET TOPIC TARGET_OFFSET SOURCE_OFFSET...`.
"""

import sys

from kafmirror.batches.offset_header import HeaderPolicy, with_offset_headers
from kafmirror.batches.record import decode_records, encode_batch
from kafmirror.batches.record_batch import Stamp, derive_producer_id
from kafmirror.kafka.cluster_pair import ClusterPair, MirrorRequest, open_clusters
from kafmirror.kafka.fetch_produce import parse_produce_response, produce
from kafmirror.kafka.metadata import Partition


async def write_batch(clusters: ClusterPair, topic: str, base_offset: int, offsets: list[int]) -> None:
    """Write the source's records at ``offsets`` of partition 0, each with a ``kafmirror.offset`` header."""
    partition = Partition(topic, 0)
    source, target = await clusters.fetch_views(topic, topic)
    producer = derive_producer_id(source.metadata.cluster_id, str(source.topic_ids[topic]))
    batches = [await source.fetch_batch_at(partition, offset) for offset in offsets]
    records_by_offset = {record.offset: record for batch in batches if batch for record in decode_records(batch)}
    records = with_offset_headers(
        [records_by_offset[each] for each in offsets], HeaderPolicy(producer, is_for_every_record=True)
    )
    data = encode_batch(records, Stamp(producer, base_offset), 0)
    answer = await produce(target.connection, target.find_leader_node(partition), {partition: data}, target.topic_ids)
    result = parse_produce_response(answer, target.topic_ids)[partition]
    if (result.error, result.base_offset) != (0, base_offset):
        sys.exit(f"the target didn't store the batch at offset {base_offset}: {result}")


if __name__ == "__main__":
    source, target, topic, base_offset, *offsets = sys.argv[1:]
    with open_clusters(MirrorRequest(source, target)) as clusters:
        clusters.loop.run(write_batch, clusters, topic, int(base_offset), [int(each) for each in offsets])
