"""The programs of an archive, decoded: those of the MLA, and what the libraries of the A65 stand for.

In: what to call the archive in errors, the names of its binaries, a way to read one. Out: `LmFile`s and `HostSegment`s
in the order of execution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sima_compiler.archive.host_segments import read_segment
from sima_compiler.archive.names import stage_order
from sima_compiler.errors import ArchiveError, LmError
from sima_compiler.ir.host import HostSegment
from sima_compiler.lm.reader import LmFile, read


def lm_programs(archive: str, binaries: Sequence[str], content: Callable[[str], bytes]) -> list[LmFile]:
    """Every `.lm` among the binaries.

    Raises:
        ArchiveError: there is none that this compiler wrote. LmError: one is damaged.
    """
    return [_program(archive, name, content(name)) for name in _lm_names(archive, binaries)]


def programs(
    archive: str, binaries: Sequence[str], libraries: Sequence[str], content: Callable[[str], bytes]
) -> list[LmFile | HostSegment]:
    """Every `.lm` among the ``binaries`` and the segments of the ``libraries``, by their stages.

    Raises:
        ArchiveError: there is no `.lm` that this compiler wrote, or a library without its segment. LmError: one is
            damaged.
    """
    found: dict[str, LmFile | HostSegment] = dict(
        zip(_lm_names(archive, binaries), lm_programs(archive, binaries, content), strict=True)
    )
    found |= {name: _segment(archive, name, content(name)) for name in libraries}
    return [found[name] for name in sorted(found, key=stage_order)]


def _segment(archive: str, name: str, data: bytes) -> HostSegment:
    try:
        return read_segment(data, name)
    except ArchiveError as error:
        raise type(error)(f"{archive}: {error.message}", entry=name, hint=error.hint) from error


def _lm_names(archive: str, binaries: Sequence[str]) -> list[str]:
    names = [name for name in binaries if name.endswith(".lm")]
    if not names:
        raise ArchiveError(
            f"{archive}: no .lm to simulate (MLA binaries: {', '.join(binaries) or 'none'})",
            hint="only archives that this compiler wrote can run on the bundled simulator",
        )
    return names


def _program(archive: str, name: str, data: bytes) -> LmFile:
    try:
        return read(data)
    except LmError as error:
        raise type(error)(
            f"{archive}: {name}: {error.message}", hint=error.hint or "only .lm files of this compiler can be read"
        ) from error
