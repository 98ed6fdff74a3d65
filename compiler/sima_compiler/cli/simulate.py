"""``simac simulate``: run a compiled archive on the simulated machine."""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sima_compiler.archive.reader import Archive
from sima_compiler.cli.command import Command, Output, add_json_argument, say
from sima_compiler.cli.layout import pairs
from sima_compiler.errors import InputError, OutputError
from sima_compiler.files.whole import check_target, write_whole
from sima_compiler.sources import Array, read_npz
from sima_compiler.view import units

#: Said before machine code runs; its members follow.
NATIVE_WARNING = "running machine code out of the archive under qemu, with your rights"


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac simulate``."""
    parser.add_argument("archive", metavar="ARCHIVE", help="a *_mpk.tar.gz of this compiler")
    parser.add_argument(
        "--input",
        default=None,
        metavar="FILE.npz",
        help="float arrays by model input name; the leading dimension is the archive's actual batch size. Without "
        "it: random numbers, the same every time",
    )
    parser.add_argument("--output", default=None, metavar="FILE.npz", help="write the outputs by model output name")
    parser.add_argument(
        "--native",
        action="store_true",
        help="run the machine code of host segments under qemu-aarch64 in place of the numpy reference: code out of "
        "the archive, with your rights",
    )
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> Output:
    """Simulate; JSON: path, actual_batch_size, runtime_cycles, compute_cycles, stall_cycles, native, outputs {name:
    shape}.
    """
    from sima_compiler.simulation import random_inputs, simulate

    archive = _opened(arguments.archive)
    target = None if arguments.output is None else Path(arguments.output).expanduser()
    if target is not None:
        if target.is_dir():
            raise OutputError(f"{target}: a folder", hint=f"name a file: --output {target / 'outputs.npz'}")
        check_target(target)
    if arguments.native and archive.host_files:
        say(f"warning: {NATIVE_WARNING}: {', '.join(archive.host_files)}")
    inputs = random_inputs(archive) if arguments.input is None else _inputs(arguments.input)
    result = simulate(archive, inputs, native=arguments.native)
    if target is not None:
        write_outputs(target, result.outputs)
    trace = result.trace
    data = {
        "path": str(getattr(arguments.archive, "path", arguments.archive)),
        "actual_batch_size": archive.batch.actual,
        "runtime_cycles": int(trace.runtime_cycles),
        "compute_cycles": int(trace.compute_cycles),
        "stall_cycles": {str(name): int(cycles) for name, cycles in trace.stall_cycles.items()},
        "outputs": {name: list(array.shape) for name, array in result.outputs.items()},
        "output_path": arguments.output,
        "native": arguments.native,
    }
    return Output(data, _text(data), value=result)


def _opened(source: str | Path | Archive) -> Archive:
    return source if isinstance(source, Archive) else Archive.open(Path(source).expanduser())


def _inputs(source: str | Path | Mapping[str, Array]) -> Mapping[str, Array]:
    """Arrays by name; a notebook may hand them over as they are."""
    return source if isinstance(source, Mapping) else read_npz(Path(source).expanduser(), InputError)


def write_outputs(path: Path, outputs: Mapping[str, Array]) -> None:
    """Write an ``.npz`` file beside its target and rename it: the target is complete or untouched.

    Raises:
        OutputError: the folder cannot be written to, or is full.
    """
    write_whole(path, lambda file: _write_arrays(file, outputs))


def _write_arrays(file: BinaryIO, outputs: Mapping[str, Array]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in outputs.items():
            _write_array(archive, name, array)


def _write_array(archive: zipfile.ZipFile, name: str, array: Array) -> None:
    """One member; `numpy.savez` would refuse names such as ``file`` and embed the clock."""
    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
        np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)


def _text(data: dict[str, Any]) -> str:
    stalls = [(f"  {name} stalls", units.count(cycles)) for name, cycles in data["stall_cycles"].items()]
    outputs = [("output", f"{name}  {shape}") for name, shape in data["outputs"].items()]
    written = ("written to", data["output_path"] or "")
    return pairs(
        [
            ("batch", str(data["actual_batch_size"])),
            ("runtime cycles", units.count(data["runtime_cycles"])),
            ("  compute", units.count(data["compute_cycles"])),
            *stalls,
            *outputs,
            written,
        ]
    )


COMMAND = Command(
    "simulate",
    "run an archive on the simulated machine, bit for bit and cycle by cycle",
    "  simac simulate out/resnet50_mpk.tar.gz --input x.npz --output y.npz\n"
    "  simac simulate out/resnet50_mpk.tar.gz --json\n"
    "  simac simulate out/recogniser_mpk.tar.gz --native",
    prepare,
    run,
)
