"""Kafka's compression codecs: the forms in which its clients write them, and the brokers read them. Pure."""

import cramjam

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)

_XERIAL = b"\x82SNAPPY\0"
_XERIAL_HEADER_BYTES = 16  # behind the magic bytes stand two version numbers
_LZ4_HEADER = bytes.fromhex("04224d18 60 40 82")  # a frame of independent blocks of 64 KB, as Kafka wants them
_LZ4_BLOCK = 64 * 1024
_LZ4_UNCOMPRESSED = 0x80000000  # the block isn't compressed


def decompress(codec: int, data: bytes) -> bytes:
    """The plain bytes.

    Raises:
        ValueError: ``data`` is damaged, or ``codec`` isn't known.
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
    raise ValueError(f"compression codec {codec} isn't known")


def _decompress_snappy(data: bytes) -> bytes:
    """Java writes blocks with a header of its own, other clients one plain block."""
    if not data.startswith(_XERIAL):
        return bytes(cramjam.snappy.decompress_raw(data))
    parts, position = [], _XERIAL_HEADER_BYTES
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        parts.append(bytes(cramjam.snappy.decompress_raw(data[position + 4 : position + 4 + size])))
        position += 4 + size
    return b"".join(parts)


def compress(codec: int, data: bytes) -> bytes:
    """``data`` in the form that every Kafka client reads.

    Raises:
        ValueError: ``codec`` isn't known.
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
    raise ValueError(f"compression codec {codec} isn't known")


def _compress_lz4(data: bytes) -> bytes:
    parts = [_LZ4_HEADER]
    for start in range(0, len(data), _LZ4_BLOCK):
        plain = data[start : start + _LZ4_BLOCK]
        compressed = bytes(cramjam.lz4.compress_block(plain, store_size=False))
        is_uncompressed = len(compressed) >= len(plain)
        parts.append((len(plain) | _LZ4_UNCOMPRESSED if is_uncompressed else len(compressed)).to_bytes(4, "little"))
        parts.append(plain if is_uncompressed else compressed)
    return b"".join((*parts, bytes(4)))
