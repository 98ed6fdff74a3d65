"""Lossless compression of constants: independent Huffman-coded blocks that a simple hardware decoder can stream.

In: raw bytes. Out: stored bytes, and back. Always holds: ``decompress(compress(x)) == x``; equal input gives equal
output; the stored form exceeds the raw one by at most the index (4 bytes and 2 per block of 16 KiB); decompression
never holds more than the raw size that the first four bytes state plus one block.

Stored form: raw size (u32), one u16 per block with its stored size, then the blocks. A block whose stored size equals
its raw size is raw; any other is a raw deflate stream of literals only (no matches): per-block Huffman coding. A block
whose bytes promise (by their entropy) to save less than one part in 64 is stored raw without trying.
"""

from __future__ import annotations

import hashlib
import struct
import zlib

import numpy as np

from sima_compiler.errors import InternalError, LmError
from sima_compiler.ir.program import Constants

BLOCK_BYTES = 1 << 14
_SIZE = struct.Struct("<I")
_MAX_RAW = (1 << 32) - 1
#: A literal costs at least one bit, so no block shrinks by more than this.
MAX_RATIO = 8
#: A block is coded when its entropy is at most this share of its raw size.
WORTHWHILE = 63 / 64
#: One byte in so many is counted for that.
SAMPLE = 4


def compress(data: bytes) -> bytes:
    """The stored form of ``data``."""
    return Compressor().compress(data)


class Compressor:
    """`compress` that remembers the blocks it has seen: candidates of the batch size cut the same weights anew."""

    def __init__(self) -> None:
        self._known: dict[bytes, bytes | None] = {}

    def compress(self, data: bytes) -> bytes:
        """The stored form of ``data``."""
        if len(data) > _MAX_RAW:
            raise InternalError(f"encode: one block of constants has {len(data)} bytes, the limit is {_MAX_RAW}")
        blocks = [self._stored(block) for block in _blocks(data)]
        index = struct.pack(f"<{len(blocks)}H", *(len(block) for block in blocks))
        return _SIZE.pack(len(data)) + index + b"".join(blocks)

    def stored_bytes(self, data: bytes) -> int:
        """Size of the stored form."""
        return index_bytes(len(data)) + sum(len(self._stored(block)) for block in _blocks(data))

    def _stored(self, block: memoryview) -> bytes | memoryview:
        key = hashlib.sha256(block).digest()
        if key not in self._known:
            self._known[key] = _shrink(block)
        coded = self._known[key]
        return block if coded is None else coded


def _blocks(data: bytes) -> list[memoryview]:
    view = memoryview(data)
    return [view[start : start + BLOCK_BYTES] for start in range(0, len(data), BLOCK_BYTES)]


def decompress(stored: bytes) -> bytes:
    """What `compress` was given.

    Raises:
        LmError: the stored form is truncated, too long, or a block does not decode to its size.
    """
    raw = raw_bytes(stored)
    count = -(-raw // BLOCK_BYTES)
    start = index_bytes(raw)
    if start > len(stored) or raw > MAX_RATIO * len(stored):
        raise LmError(f"constants: {len(stored)} stored bytes cannot hold {raw} bytes")
    sizes = struct.unpack_from(f"<{count}H", stored, _SIZE.size)
    if start + sum(sizes) != len(stored):
        raise LmError(f"constants: the block index accounts for {start + sum(sizes)} bytes of {len(stored)}")
    parts: list[bytes] = []
    for number, size in enumerate(sizes):
        expected = min(BLOCK_BYTES, raw - number * BLOCK_BYTES)
        parts.append(_grow(stored[start : start + size], expected, number))
        start += size
    return b"".join(parts)


def raw_bytes(stored: bytes) -> int:
    """Size of what a stored form decompresses to."""
    if len(stored) < _SIZE.size:
        raise LmError(f"constants: a compressed block has at least {_SIZE.size} bytes, found {len(stored)}")
    size: int = _SIZE.unpack_from(stored)[0]
    return size


def stored_bytes(stored: bytes) -> int:
    """Bytes that DMA reads from DRAM for a stored form: all of it, index included."""
    return len(stored)


def index_bytes(raw: int) -> int:
    """Bytes by which a stored form of ``raw`` bytes can exceed them."""
    return _SIZE.size + 2 * -(-raw // BLOCK_BYTES)


def store(constants: Constants, compressed: bool) -> bytes:
    """The bytes that DRAM holds for one block of constants: raw, or compressed."""
    return compress(constants.data) if compressed else constants.data


def restore(stored: bytes, compressed: bool) -> bytes:
    """Inverse of `store`."""
    return decompress(stored) if compressed else stored


def _shrink(block: memoryview) -> bytes | None:
    """The coded block, or None when it is better stored raw."""
    if _entropy_bytes(block) > len(block) * WORTHWHILE:
        return None
    coder = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    coded = coder.compress(block) + coder.flush()
    return coded if len(coded) < len(block) else None


def _entropy_bytes(block: memoryview) -> float:
    """About what no code of single bytes can beat for this block, by every fourth of them."""
    counts = np.bincount(np.frombuffer(block, np.uint8)[::SAMPLE])
    counts = counts[counts > 0]
    return float((counts * np.log2(counts.sum() / counts)).sum()) * SAMPLE / 8


def _grow(block: bytes, expected: int, number: int) -> bytes:
    if len(block) == expected:
        return block
    decoder = zlib.decompressobj(-15)
    try:
        data = decoder.decompress(block, expected + 1)
    except zlib.error as error:
        raise LmError(f"constants: block {number} does not decode: {error}") from error
    if len(data) != expected or not decoder.eof or decoder.unused_data:
        raise LmError(f"constants: block {number} decodes to {len(data)} bytes, expected {expected}")
    return data
