"""Runs the machine code of a host segment under qemu.

In: the bytes of a `.so`, the segment that it carries, inputs. Out: outputs. Always: what runs is foreign code with
the caller's rights, so nothing here is called without being asked for by name.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.a65.toolchain import compile_c
from sima_compiler.errors import HostError, MissingExtraError
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.ir.host import Array, HostSegment, HostTensor

#: Programs that run AArch64 code of Linux elsewhere, and how one is had.
EMULATORS = ("qemu-aarch64", "qemu-aarch64-static")
INSTALL = "apt-get install qemu-user"
#: What the runner's exit statuses from `_FIRST_FAULT` on mean.
_FIRST_FAULT = 101
_FAULTS = (
    "the library cannot be opened",
    "the library is no AArch64 ELF file",
    "there is not enough memory",
    "the library's parts lie outside of its file",
    "the library lacks sima_host_run or sima_host_workspace_bytes",
    "the library needs other libraries",
    "the inputs do not arrive",
    "the run failed",
)
_RUNNER = (
    *("-target", "aarch64-linux-gnu", "-O2", "-std=gnu11", "-ffreestanding", "-nostdlib", "-static", "-g0", "-s"),
    *("-fno-stack-protector", "-fno-strict-aliasing", "-Wl,--build-id=none", "runner.c"),
)


def emulator() -> str | None:
    """The emulator of this machine; None where there is none."""
    return next(filter(None, map(shutil.which, EMULATORS)), None)


def run_native(
    library: bytes, segment: HostSegment, inputs: Mapping[str, npt.NDArray[Any]], seconds: float = 600.0
) -> dict[str, Array]:
    """The outputs of the machine code.

    Raises:
        MissingExtraError: there is no emulator or no cross compiler for the program that loads the library.
        HostError: the code failed, or took longer than ``seconds``.
    """
    program = emulator()
    if program is None:
        raise MissingExtraError("machine code of the Cortex-A65 runs under qemu, which is not installed", hint=INSTALL)
    runner = compile_c(
        {"runner.c": files("sima_compiler.a65.kernels").joinpath("runner.c").read_bytes()}, _RUNNER, "runner"
    )
    with scratch_folder("native") as folder:
        (folder / "runner").write_bytes(runner)
        (folder / "runner").chmod(0o700)
        (folder / "segment.so").write_bytes(library)
        command = [program, str(folder / "runner"), str(folder / "segment.so")]
        return _outputs(segment, _run(command, _stream(segment, inputs), segment, seconds))


def _run(command: Sequence[str], stream: bytes, segment: HostSegment, seconds: float) -> bytes:
    try:
        done = subprocess.run(command, input=stream, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise HostError(f"{segment.name}: its machine code did not end within {seconds:.0f} seconds") from error
    if done.returncode:
        place = done.returncode - _FIRST_FAULT
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[:1] or [f"it stopped with {done.returncode}"]
        reason = _FAULTS[place] if 0 <= place < len(_FAULTS) else said[0]
        raise HostError(f"{segment.name}: its machine code did not run: {reason}")
    return done.stdout


def _stream(segment: HostSegment, inputs: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """What the runner reads: counts, sizes, then the inputs."""
    tensors = (*segment.inputs, *segment.outputs)
    counts = struct.pack("<QQ", len(segment.inputs), len(segment.outputs))
    sizes = struct.pack(f"<{len(tensors)}Q", *(tensor.bytes for tensor in tensors))
    parts = [np.ascontiguousarray(inputs[tensor.name]).tobytes() for tensor in segment.inputs]
    return counts + sizes + b"".join(parts)


def _outputs(segment: HostSegment, stream: bytes) -> dict[str, Array]:
    found: dict[str, Array] = {}
    place = 0
    for tensor in segment.outputs:
        found[tensor.name] = _output(segment, tensor, stream, place)
        place += tensor.bytes
    return found


def _output(segment: HostSegment, tensor: HostTensor, stream: bytes, place: int) -> Array:
    if len(stream) < place + tensor.bytes:
        raise HostError(f"{segment.name}: its machine code gave {len(stream):,} bytes, too few for {tensor.name!r}")
    return np.frombuffer(stream, tensor.dtype.numpy, tensor.size, place).reshape(tensor.shape).copy()
