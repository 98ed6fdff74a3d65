"""Writing one gzip member: what shrinks is deflated, what does not is stored, which is what makes writing fast.

In: bytes in any number of pieces. Out: one gzip member in an open binary file, without name and time. Always holds:
the same pieces give the same bytes; any gzip reader gets back what was written.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

#: Bytes that are deflated or stored together.
CHUNK_BYTES = 1 << 18
#: The first bytes of a chunk are compressed to see whether the rest is worth it.
SAMPLE_BYTES = 1 << 14
#: A sample that keeps more than this share of its size is stored: entropy-coded data cannot be coded again.
WORTHWHILE = 0.97

_LEVEL = 6
#: Magic, deflate, no flags, no time, no hint about the level, unknown system.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class GzipWriter:
    """A file-like sink; `close` ends the member and leaves the file open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pending = bytearray()
        self._check = 0
        self._size = 0
        file.write(_HEADER)

    def write(self, data: bytes) -> int:
        """Takes any number of bytes; returns how many."""
        self._check = zlib.crc32(data, self._check)
        self._size += len(data)
        self._pending += data
        while len(self._pending) >= CHUNK_BYTES:
            self._flush(CHUNK_BYTES)
        return len(data)

    def tell(self) -> int:
        """Bytes taken so far."""
        return self._size

    def close(self) -> None:
        """Writes what is pending, an empty last block, checksum and size."""
        self._flush(len(self._pending))
        self._file.write(zlib.compressobj(_LEVEL, zlib.DEFLATED, -15).flush())
        self._file.write(struct.pack("<II", self._check, self._size & 0xFFFFFFFF))

    def _flush(self, count: int) -> None:
        chunk = bytes(self._pending[:count])
        del self._pending[:count]
        if chunk:
            coder = zlib.compressobj(_LEVEL if _shrinks(chunk) else 0, zlib.DEFLATED, -15)
            self._file.write(coder.compress(chunk) + coder.flush(zlib.Z_SYNC_FLUSH))


def _shrinks(chunk: bytes) -> bool:
    sample = chunk[:SAMPLE_BYTES]
    coder = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    return len(coder.compress(sample) + coder.flush()) <= WORTHWHILE * len(sample)
