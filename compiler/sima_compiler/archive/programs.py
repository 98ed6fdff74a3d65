"""The MLA programs of an archive, decoded.

In: what to call the archive in errors, the names of its MLA binaries, a way to read one. Out: `LmFile`s in the order of
execution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sima_compiler.errors import ArchiveError, LmError
from sima_compiler.lm.reader import LmFile, read


def lm_programs(archive: str, binaries: Sequence[str], content: Callable[[str], bytes]) -> list[LmFile]:
    """Every `.lm` among the binaries.

    Raises:
        ArchiveError: there is none that this compiler wrote. LmError: one is damaged.
    """
    names = [name for name in binaries if name.endswith(".lm")]
    if not names:
        raise ArchiveError(
            f"{archive}: no .lm to simulate (MLA binaries: {', '.join(binaries) or 'none'})",
            hint="only archives that this compiler wrote can run on the bundled simulator",
        )
    return [_program(archive, name, content(name)) for name in names]


def _program(archive: str, name: str, data: bytes) -> LmFile:
    try:
        return read(data)
    except LmError as error:
        raise type(error)(
            f"{archive}: {name}: {error.message}", hint=error.hint or "only .lm files of this compiler can be read"
        ) from error
