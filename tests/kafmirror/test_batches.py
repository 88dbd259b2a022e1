"""Batches are read, stamped, opened and built without changing a record."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafmirror.batches import compression, offset_header, record, record_batch
from kafmirror.batches.aborted_transactions import AbortedTransactions
from kafmirror.batches.filler import build_filler, is_filler
from kafmirror.batches.offset_header import HeaderPolicy
from kafmirror.batches.record import DecodedRecord
from kafmirror.batches.record_batch import Batch, Stamp
from kafmirror.copy.partition_buffer import MIN_PATCHED_BYTES, PartitionBuffer

PRODUCER = record_batch.derive_producer_id("cluster", "topic")
BODIES = st.tuples(
    st.none() | st.binary(max_size=50),
    st.none() | st.binary(max_size=300),
    st.lists(st.tuples(st.binary(max_size=10), st.none() | st.binary(max_size=10)), max_size=5),
)


def encode_body(key: bytes | None, value: bytes | None, headers: list[tuple[bytes, bytes | None]]) -> bytes:
    parts = [encode_sized(key), encode_sized(value), record.encode_varint(len(headers))]
    return b"".join([*parts, *(encode_sized(each) for pair in headers for each in pair)])


def encode_sized(data: bytes | None) -> bytes:
    return record.encode_varint(-1) if data is None else record.encode_varint(len(data)) + data


@st.composite
def decoded_records(draw: st.DrawFn) -> list[DecodedRecord]:
    offset, records = draw(st.integers(0, 2**40)), []
    for _ in range(draw(st.integers(1, 30))):
        records.append(DecodedRecord(offset, draw(st.integers(0, 2**41)), encode_body(*draw(BODIES))))
        offset += draw(st.integers(1, 3))
    return records


def make_dense(records: list[DecodedRecord]) -> list[DecodedRecord]:
    return [each._replace(offset=records[0].offset + n) for n, each in enumerate(records)]


def read_stored_batch(data: bytes, base: int) -> Batch:
    """A batch as it stands in a log, where the broker has set its base offset."""
    batch = record_batch.read_first_batch(data)
    assert batch is not None
    assert record_batch.is_intact(batch)
    return batch._replace(base_offset=base)


@given(decoded_records(), st.sampled_from(range(5)), st.booleans())
def test_what_was_built_tells_each_record_and_where_it_lay_in_the_source(
    records: list[DecodedRecord], codec: int, every: bool
) -> None:
    target = records[0].offset // 2
    with_headers = offset_header.with_offset_headers(records, HeaderPolicy(PRODUCER, every))
    batch = read_stored_batch(record.encode_batch(with_headers, Stamp(PRODUCER, target), codec), target)
    assert record_batch.is_written_by(batch, PRODUCER)
    assert batch.is_dense
    assert offset_header.restore_source_records(batch, PRODUCER) == records
    assert offset_header.find_next_source_offset(batch, PRODUCER) == records[-1].offset + 1


@given(decoded_records(), st.sampled_from(range(5)))
def test_naming_the_first_record_of_a_batch_leaves_all_others_as_they_are(
    records: list[DecodedRecord], codec: int
) -> None:
    dense = make_dense(records)
    batch = read_stored_batch(record.encode_batch(dense, Stamp(1, 0), codec), dense[0].offset)
    target = dense[0].offset // 2
    again = read_stored_batch(
        record_batch.stamp_batch(offset_header.with_first_offset_header(batch, PRODUCER), Stamp(PRODUCER, target)),
        target,
    )
    assert offset_header.restore_source_records(again, PRODUCER) == dense
    assert offset_header.find_next_source_offset(again, PRODUCER) == dense[-1].offset + 1


@given(decoded_records(), st.sampled_from(range(5)))
def test_stamping_changes_neither_a_record_nor_a_timestamp(records: list[DecodedRecord], codec: int) -> None:
    dense = make_dense(records)
    batch = read_stored_batch(record.encode_batch(dense, Stamp(1, 0), codec), dense[0].offset)
    again = read_stored_batch(record_batch.stamp_batch(batch, Stamp(PRODUCER, batch.base_offset)), batch.base_offset)
    assert record.decode_records(again) == dense
    assert (again.base_sequence, again.producer_id) == (batch.base_offset & 0x7FFFFFFF, PRODUCER)
    assert record.has_same_records(batch, again)


@given(BODIES, st.binary(max_size=20), st.binary(max_size=20))
def test_a_header_that_was_added_can_be_taken_away(
    parts: tuple[bytes | None, bytes | None, list[tuple[bytes, bytes | None]]], name: bytes, value: bytes
) -> None:
    before = encode_body(*parts)
    after = record.with_header(before, name, value)
    assert record.decode_headers(after) == [*parts[2], (name, value)]
    assert record.decode_key_value(after) == parts[:2]
    assert record.without_last_header(after) == before


@given(st.integers(0, 4), st.binary(max_size=200_000))
def test_each_codec_gives_back_what_it_took(codec: int, data: bytes) -> None:
    assert compression.decompress(codec, compression.compress(codec, data)) == data


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_damaged_compression_is_an_error_not_a_crash(codec: int) -> None:
    with pytest.raises(ValueError, match="damaged"):
        compression.decompress(
            codec, b"\x82SNAPPY\0" + b"\x00" * 8 + b"\x00\x00\x00\x05abcde" if codec == 2 else b"abcde"
        )


def test_a_batch_cut_off_at_the_end_of_a_fetch_is_left_for_the_next() -> None:
    data = build_filler(3, Stamp(PRODUCER, 0), 0)
    assert len(list(record_batch.split_batches(data + data[:-1]))) == 1


def test_records_from_before_batches_are_refused_by_their_offset() -> None:
    data = bytearray(build_filler(1, Stamp(PRODUCER, 0), 0))
    data[16] = 1
    with pytest.raises(record_batch.OldFormat, match="format 1"):
        list(record_batch.split_batches(bytes(data)))


def test_a_filler_is_told_from_records() -> None:
    stamp = Stamp(PRODUCER, 7)
    assert is_filler(read_stored_batch(build_filler(10, stamp, 0), 7), PRODUCER)
    records = [DecodedRecord(7, 0, encode_body(None, None, []))]
    assert not is_filler(read_stored_batch(record.encode_batch(records, stamp, compression.ZSTD), 7), PRODUCER)


def build_batch(offset: int, producer: int, *, control: bool = False) -> Batch:
    data = record.encode_batch([DecodedRecord(offset, 0, encode_body(None, b"v", []))], Stamp(producer, offset), 0)
    return read_stored_batch(data, offset)._replace(attributes=0x30 if control else 0x10)


def test_only_what_was_written_within_an_aborted_transaction_is_hidden() -> None:
    hidden = AbortedTransactions([(5, 2)])
    log = [build_batch(1, 5), build_batch(2, 5), build_batch(3, 6), build_batch(4, 5, control=True), build_batch(5, 5)]
    assert [hidden.is_hidden(each) for each in log] == [False, True, False, True, False]


def encode_stored(batch: Batch) -> bytes:
    data = record_batch.stamp_batch(batch, Stamp(9, batch.base_offset))
    return batch.base_offset.to_bytes(8, "big") + data[8:]


def test_a_large_batch_behind_a_gap_is_sent_by_itself_with_its_first_record_named() -> None:
    large = [DecodedRecord(10 + n, 0, encode_body(b"k", b"%d" % n * 100, [])) for n in range(1000)]
    stored = read_stored_batch(record.encode_batch(large, Stamp(9, 0), compression.NONE), 10)
    assert stored.size > MIN_PATCHED_BYTES
    buffer = PartitionBuffer(PRODUCER)
    buffer.restart(10, 7)
    buffer.add_fetched(encode_stored(stored), [], 0.0)
    outgoing = buffer.build_next_batch(1 << 20)
    assert outgoing
    assert (outgoing.base_offset, outgoing.next_source, outgoing.record_count) == (7, 1010, 1000)
    sent = read_stored_batch(outgoing.data, 7)
    assert offset_header.restore_source_records(sent, PRODUCER) == large
    assert [each.offset for each in record.decode_records(sent) if record.decode_headers(each.body)] == [7]


def test_small_batches_go_in_one_as_far_as_no_offset_skips_and_with_their_offsets_from_there() -> None:
    buffer = PartitionBuffer(PRODUCER)
    buffer.restart(0, 0)
    stored = [build_batch(0, 9), build_batch(1, 9), build_batch(5, 9), build_batch(6, 9)]
    buffer.add_fetched(b"".join(map(encode_stored, stored)), [], 0.0)
    first = buffer.build_next_batch(1 << 20)
    assert first
    assert (first.base_offset, first.record_count, buffer.is_shifted) == (0, 2, False)
    assert record.decode_records(read_stored_batch(first.data, 0)) == [
        expected for each in stored[:2] for expected in record.decode_records(each)
    ]
    second = buffer.build_next_batch(1 << 20)
    assert second
    assert (second.base_offset, second.record_count, second.next_source, buffer.is_shifted) == (2, 2, 7, True)
    assert buffer.done_source == 0
    for each in (first, second):
        buffer.in_flight_count -= 1
        buffer.acknowledge(each)
    assert (buffer.done_source, buffer.done_target) == (7, 4)


@pytest.mark.parametrize(("is_compacted", "counts"), [(False, [50, 50, 50]), (True, [150])])
def test_batches_of_a_compacted_topic_go_in_one_before_a_gap_too_since_each_is_read_back(
    is_compacted: bool, counts: list[int]
) -> None:
    stored = [
        read_stored_batch(
            record.encode_batch(
                [DecodedRecord(n, 0, encode_body(b"k", b"v", [])) for n in range(at, at + 50)], Stamp(9, at), 0
            ),
            at,
        )
        for at in (0, 50, 100)
    ]
    buffer = PartitionBuffer(PRODUCER, is_compacted=is_compacted)
    buffer.restart(0, 0)
    buffer.add_fetched(b"".join(map(encode_stored, stored)), [], 0.0)
    sent = list(iter(lambda: buffer.build_next_batch(1 << 20), None))
    assert ([each.record_count for each in sent], buffer.is_shifted) == (counts, False)
    assert sent[-1].next_source == 150
