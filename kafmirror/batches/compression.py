"""Kafka's compression codecs, in the forms that its clients and brokers read and write. Pure."""

import cramjam

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)

_XERIAL = b"\x82SNAPPY\0"
_XERIAL_HEADER_BYTES = 16  # the magic bytes, then two version numbers of 4 bytes
_LZ4_HEADER = bytes.fromhex("04224d18 60 40 82")  # a frame of independent blocks of 64 KB, the form that Kafka uses
_LZ4_BLOCK = 64 * 1024
_LZ4_UNCOMPRESSED = 0x80000000  # the bit of a block's size that marks it as uncompressed


def decompress(codec: int, data: bytes) -> bytes:
    """Return the uncompressed bytes.

    Raises:
        ValueError: ``data`` is damaged, or ``codec`` is unknown.
    """
    try:
        match codec:
            case 0:
                return data
            case 1:
                return bytes(cramjam.gzip.decompress(data))
            case 2:
                return _decompress_snappy(data)
            case 3:
                return bytes(cramjam.lz4.decompress(data))
            case 4:
                return bytes(cramjam.zstd.decompress(data))
    except cramjam.DecompressionError as error:
        raise ValueError(f"compressed records are damaged: {error}") from error
    raise ValueError(f"compression codec {codec} is unknown")


def _decompress_snappy(data: bytes) -> bytes:
    """Uncompress Java's framed blocks, or the single plain block of other clients."""
    if not data.startswith(_XERIAL):
        return bytes(cramjam.snappy.decompress_raw(data))
    parts, position = [], _XERIAL_HEADER_BYTES
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        parts.append(bytes(cramjam.snappy.decompress_raw(data[position + 4 : position + 4 + size])))
        position += 4 + size
    return b"".join(parts)


def compress(codec: int, data: bytes) -> bytes:
    """Return ``data`` compressed in the form that every Kafka client reads.

    Raises:
        ValueError: ``codec`` is unknown.
    """
    match codec:
        case 0:
            return data
        case 1:
            return bytes(cramjam.gzip.compress(data))
        case 2:
            return bytes(cramjam.snappy.compress_raw(data))
        case 3:
            return _compress_lz4(data)
        case 4:
            return bytes(cramjam.zstd.compress(data))
    raise ValueError(f"compression codec {codec} is unknown")


def _compress_lz4(data: bytes) -> bytes:
    parts = [_LZ4_HEADER]
    for start in range(0, len(data), _LZ4_BLOCK):
        plain = data[start : start + _LZ4_BLOCK]
        compressed = bytes(cramjam.lz4.compress_block(plain, store_size=False))
        is_uncompressed = len(compressed) >= len(plain)
        parts.append((len(plain) | _LZ4_UNCOMPRESSED if is_uncompressed else len(compressed)).to_bytes(4, "little"))
        parts.append(plain if is_uncompressed else compressed)
    return b"".join((*parts, bytes(4)))
