"""The cross compiler, which an extra of this package brings.

In: files and a command line. Out: the bytes of what the compiler made. Always: it runs in a folder of its own with
relative names, so that no path enters its result.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sima_compiler.errors import InternalError, MissingExtraError, OutputError
from sima_compiler.files.scratch import scratch_folder

#: The command that adds the cross compiler.
INSTALL = 'pip install "sima-nb[a65]"'
_MODULE = "ziglang"
#: Every float operation is its own, none sets errno, types may share memory, nothing is taken from a library.
SHARED = (
    *("-std=c11", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing", "-ffreestanding", "-nostdlib"),
    *(
        "-DSIMA_FREESTANDING",
        "-g0",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unused-function",
        "-Wno-unused-const-variable",
    ),
)
#: The Cortex-A65 under Linux. No build id, which would tell builds apart; no unwinding tables, which nothing reads.
TARGET = (
    *("-target", "aarch64-linux-gnu", "-mcpu=cortex_a65", "-O3", "-fno-asynchronous-unwind-tables"),
    *("-fvisibility=hidden", "-s", "-Wl,--build-id=none"),
)


def is_installed() -> bool:
    """Whether the cross compiler is there."""
    return importlib.util.find_spec(_MODULE) is not None


def compile_c(files: Mapping[str, bytes], arguments: Sequence[str], result: str) -> bytes:
    """Runs the compiler among the files and gives the bytes of ``result``, which it makes.

    Raises:
        MissingExtraError: it is not installed. InternalError: it refused what we wrote.
    """
    if not is_installed():
        raise MissingExtraError(
            "a part of this network runs on the Cortex-A65, and the cross compiler for it is not installed",
            hint=INSTALL,
        )
    try:
        with scratch_folder("cross") as folder:
            return _compiled(folder, files, arguments, result)
    except OSError as error:
        raise OutputError(f"the code of a host segment cannot be built: {error}") from error


def _compiled(folder: Path, files: Mapping[str, bytes], arguments: Sequence[str], result: str) -> bytes:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    command = [sys.executable, "-m", _MODULE, "cc", *arguments, "-o", result]
    done = subprocess.run(command, cwd=folder, env=_environment(folder), capture_output=True, text=True, check=False)
    if done.returncode or not (folder / result).is_file():
        said = "\n".join(done.stderr.strip().splitlines()[:12])
        raise InternalError(f"the cross compiler refused the code of a host segment:\n{said}")
    return (folder / result).read_bytes()


def _environment(folder: Path) -> dict[str, str]:
    """The compiler's own cache where it may be written, else one that goes with the folder."""
    cache = Path(os.environ.get("ZIG_GLOBAL_CACHE_DIR") or Path.home() / ".cache")
    writable = next((place for place in (cache, *cache.parents) if place.exists()), folder)
    own = {} if os.access(writable, os.W_OK) else {"ZIG_GLOBAL_CACHE_DIR": str(folder / "cache")}
    return {**os.environ, "ZIG_LOCAL_CACHE_DIR": str(folder / "local"), **own}
