"""One pass over a gzip file with its limits checked on the way.

In: an open binary file. Out: its decompressed bytes, on request. Always holds: memory stays below two chunks whatever
the file claims; a damaged, cut or prolonged file raises and never ends early in silence.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from sima_compiler.errors import InvalidArchiveError, SizeLimitError

_CHUNK = 1 << 18
# Compressed bytes that are handed over at once: few, because what lies behind a member's end is copied once per member.
_PIECE = 1 << 14
#: How every gzip member begins.
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a reader accepts; sizes in bytes.

    Beyond ``bomb_bytes`` of output, more than ``bomb_ratio`` bytes per compressed byte are a decompression bomb.
    ``kept_bytes`` is how much of the binaries an open archive holds in memory.
    """

    entries: int = 2048
    json_bytes: int = 32 << 20
    yaml_bytes: int = 128 << 20
    entry_bytes: int = 8 << 30
    total_bytes: int = 8 << 30
    bomb_bytes: int = 512 << 20
    bomb_ratio: int = 200
    kept_bytes: int = 64 << 20


#: Called on the way through whatever takes long; raises to stop.
Watch = Callable[[], None]


def unwatched() -> None:
    """For readers whom nobody may stop."""


class GzipStream:
    """Sequential reader of a gzip file: one member or several (as parallel packers write), then at most zero bytes.

    Zero bytes behind the last member are what tapes and block devices leave; anything else there is refused.
    ``watch`` is called for every piece that is read and may raise: nobody reads a gigabyte for one who left.
    """

    def __init__(self, file: BinaryIO, limits: Limits, watch: Watch = unwatched) -> None:
        self._file = file
        self._limits = limits
        self._watch = watch
        self._inflate = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._ready = bytearray()
        self._consumed = 0
        self._produced = 0

    def read(self, size: int) -> bytes:
        """Up to ``size`` decompressed bytes; fewer only at the end of the file, which is checked then.

        Raises:
            InvalidArchiveError: no gzip, damaged, cut, or other bytes than zeros behind the last member.
            SizeLimitError: a decompression bomb.
        """
        while len(self._ready) < size and self._fill():
            pass
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _fill(self) -> bool:
        """Decompresses a little more; False at the end of the file."""
        self._watch()
        if self._inflate.eof and not self._begin_member():
            return False
        compressed = self._pending or self._file.read(_PIECE)
        if not self._consumed and not self._produced and not GZIP_MAGIC.startswith(compressed[:2]):
            raise InvalidArchiveError("not a gzip file")
        try:
            data = self._inflate.decompress(compressed, _CHUNK)
        except zlib.error as error:
            raise InvalidArchiveError(f"corrupt gzip data ({error})") from error
        if not compressed and not data and not self._inflate.eof:
            raise InvalidArchiveError("truncated: the gzip stream ends before its checksum")
        self._pending = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        self._consumed += len(compressed) - len(self._pending)
        self._produced += len(data)
        self._ready += data
        self._check_bomb()
        return True

    def _begin_member(self) -> bool:
        """Behind the end of a member: True if another one begins, False if the file ends with or without zeros."""
        while len(self._pending) < len(GZIP_MAGIC) and (more := self._file.read(_PIECE)):
            self._pending += more
        if self._pending.startswith(GZIP_MAGIC):
            self._inflate = zlib.decompressobj(wbits=31)
            return True
        while self._pending:
            if self._pending.count(0) != len(self._pending):
                raise InvalidArchiveError("trailing bytes after the end of the gzip stream")
            self._pending = self._file.read(_PIECE)
        return False

    def _check_bomb(self) -> None:
        limits = self._limits
        ratio = self._produced // max(1, self._consumed)
        if self._produced > limits.bomb_bytes and ratio > limits.bomb_ratio:
            raise SizeLimitError(
                f"decompression bomb: {self._produced} bytes from {self._consumed}, {ratio} to 1 where "
                f"{limits.bomb_ratio} to 1 is the limit above {limits.bomb_bytes} bytes"
            )
