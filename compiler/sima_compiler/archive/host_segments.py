"""The host segment that a `.so` carries: what the bundled reference runs in place of the machine code.

In: the bytes of an archive's `.so`. Out: its `HostSegment`, or its ONNX form. Always: what is read has
passed the segment's own verifier, so that running it is safe.
"""

from __future__ import annotations

from sima_compiler.archive.elf import section_bytes
from sima_compiler.errors import ArchiveError, HostError, InvalidArchiveError
from sima_compiler.ir.host import HostSegment
from sima_compiler.ir.host_bytes import from_bytes
from sima_compiler.ir.verify_host import infer

#: Sections of a `.so` that this compiler wrote.
SEGMENT_SECTION, ONNX_SECTION, SOURCE_SECTION = ".sima.segment", ".sima.onnx", ".sima.source"


def read_segment(library: bytes, entry: str) -> HostSegment:
    """The segment of the library; ``entry`` names it in errors.

    Raises:
        ArchiveError: the library is damaged, or another compiler wrote it.
    """
    try:
        segment = from_bytes(_section(library, SEGMENT_SECTION, entry), entry)
        infer(segment)
    except HostError as error:
        raise InvalidArchiveError(f"{entry}: {error.message}", entry=entry, hint=error.hint) from error
    return segment


def read_onnx(library: bytes, entry: str) -> bytes:
    """The segment of the library as an ONNX model.

    Raises:
        ArchiveError: the library is damaged, or another compiler wrote it.
    """
    return _section(library, ONNX_SECTION, entry)


def read_source(library: bytes, entry: str) -> str | None:
    """The C that the library was built from; None where it carries none.

    Raises:
        ArchiveError: the library is damaged.
    """
    found = section_bytes(library, SOURCE_SECTION, entry)
    return None if found is None else found.decode("utf-8", "replace")


def _section(library: bytes, name: str, entry: str) -> bytes:
    found = section_bytes(library, name, entry)
    if found is None:
        raise ArchiveError(
            f"{entry}: it carries no segment ({name} is missing)",
            entry=entry,
            hint="only libraries that this compiler wrote can run on the bundled simulator",
        )
    return found
