"""A host segment as the `.so` that the Cortex-A65 loads.

In: a `HostSegment`. Out: the bytes of a stripped AArch64 shared object; `kernels/sima_host.h` says what it offers.
Always: the same segment gives the same bytes, in any folder.
"""

from __future__ import annotations

from sima_compiler.a65.source import C_FILE, source_of
from sima_compiler.a65.toolchain import SHARED, TARGET, compile_c
from sima_compiler.ir.host import HostSegment


def build(segment: HostSegment) -> bytes:
    """Cross-compiles the segment.

    Raises:
        MissingExtraError: the cross compiler is not installed; the hint is the command.
        HostError: the segment is not sound.
    """
    return compile_c(source_of(segment).files, (*SHARED, *TARGET, "-fPIC", "-shared", C_FILE), "segment.so")
