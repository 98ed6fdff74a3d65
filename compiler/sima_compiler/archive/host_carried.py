"""The segment that an A65 library carries (in work: until the library's section is there)."""

from __future__ import annotations

from sima_compiler.errors import HostError
from sima_compiler.ir.host import HostSegment
from sima_compiler.ir.host_bytes import MAGIC, from_bytes


def carried_segment(data: bytes, origin: str) -> HostSegment:
    """What the library stands for.

    Raises:
        HostError: it carries no segment.
    """
    place = data.find(MAGIC)
    if place < 0:
        raise HostError(f"{origin}: carries no segment of this compiler")
    return from_bytes(data[place:], origin)
