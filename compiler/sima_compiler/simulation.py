"""Running an archive: every `.lm` executed bit for bit and replayed cycle by cycle, every host segment in numpy.

In: an `Archive` and float32 arrays by the model's input names, in the source's layout, the leading dimension equal to
the actual batch. Out: a `Run` with float32 outputs by name, the integers behind them, and the runtime trace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.a65.native import run_native
from sima_compiler.archive.names import stage_order
from sima_compiler.archive.reader import Archive
from sima_compiler.ir.host import HostSegment, HostTensor
from sima_compiler.ir.program import Program, Role
from sima_compiler.ir.schedule import STALLS
from sima_compiler.sim.pipeline import HostRunner, Pipeline
from sima_compiler.sim.timing import Event, RuntimeTrace, replay_file

#: Names of the stalls of a trace, in the order in which reports list them.
STALL_NAMES = STALLS


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Run:
    """One run of the whole batch. ``outputs`` are float32 (of the A65 whatever it makes), ``quantized`` the int8 behind
    those of the MLA, all (batch, ...) in the source's layout; ``trace`` says where the MLA's cycles went.
    """

    outputs: Mapping[str, npt.NDArray[Any]]
    quantized: Mapping[str, npt.NDArray[np.int8]]
    trace: RuntimeTrace

    def __repr__(self) -> str:
        """Cycles and shapes: never the arrays, which hold a whole batch."""
        stalls = ", ".join(f"{name} {cycles:,}" for name, cycles in self.trace.stall_cycles.items() if cycles)
        shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in self.outputs.items())
        stalled = f"; stalls: {stalls}" if stalls else ""
        cycles = f"{self.trace.runtime_cycles:,} cycles, compute {self.trace.compute_cycles:,}{stalled}"
        return f"Run: {cycles}; outputs: {shapes}"

    def to_dict(self) -> dict[str, Any]:
        """The figures of the trace under the names that the command line prints."""
        return {
            "runtime_cycles": self.trace.runtime_cycles,
            "compute_cycles": self.trace.compute_cycles,
            "stall_cycles": dict(self.trace.stall_cycles),
        }


def simulate(archive: Archive, inputs: Mapping[str, npt.ArrayLike], *, native: bool = False) -> Run:
    """Runs what was compiled.

    Host segments run in numpy, from what their libraries carry. With ``native`` their machine code runs under
    qemu-aarch64: code out of the archive, with the rights of the caller.

    Raises:
        InputError: an input is missing, unknown, of another shape, or not finite.
        ArchiveError: the archive holds no `.lm` that this release wrote.
        LmError: a binary is damaged or does something illegal.
        MissingExtraError: ``native`` without qemu or the cross compiler. HostError: the machine code did not run.
    """
    stages = archive.decoded()
    found = [stage if isinstance(stage, HostSegment) else stage.program for stage in stages]
    pipeline = Pipeline.of(found, _native_host(archive, found)) if native else Pipeline.of(found)
    values = pipeline.start(inputs)
    for stage in pipeline.stages:
        values = pipeline.after(stage, values)
    names = _outputs(archive, pipeline)
    return Run(
        outputs={name: values.reals[name] for name in names},
        quantized={name: values.bytes[name] for name in names if name in values.bytes},
        trace=_joined([replay_file(stage) for stage in stages if not isinstance(stage, HostSegment)]),
    )


def _native_host(archive: Archive, stages: Sequence[Program | HostSegment]) -> HostRunner:
    """Runs the machine code of each segment's own library."""
    segments = [stage for stage in stages if isinstance(stage, HostSegment)]
    names = sorted(archive.host_files, key=stage_order)
    libraries = {id(segment): archive.read(name) for segment, name in zip(segments, names, strict=True)}
    return lambda segment, inputs: run_native(libraries[id(segment)], segment, inputs)


def _outputs(archive: Archive, pipeline: Pipeline) -> list[str]:
    """What the pipeline ends in; an archive that does not say so ends in what its last stage makes."""
    last = archive.mpk.plugins[-1]
    named = [port.name for port in last.outputs] if last.kernel == "pass_through" else []
    stage = pipeline.stages[-1]
    tensors = stage.outputs if isinstance(stage, HostSegment) else stage.tensors
    made = [tensor.name for tensor in tensors if isinstance(tensor, HostTensor) or tensor.role is Role.OUTPUT]
    return named or made


def random_inputs(archive: Archive, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Standard normal numbers for every input of the model, (batch, *source shape): what takes no samples to try.

    Raises:
        ArchiveError: the archive holds no `.lm` that this release wrote.
    """
    stages = archive.decoded()
    pipeline = Pipeline.of([stage if isinstance(stage, HostSegment) else stage.program for stage in stages])
    random = np.random.default_rng(seed)
    return {
        name: random.standard_normal(tensor.shape, dtype=np.float32).astype(tensor.dtype.numpy)
        for name, tensor in pipeline.inputs.items()
    }


def _joined(traces: list[RuntimeTrace]) -> RuntimeTrace:
    """Segments run one after the other."""
    first, *others = traces
    for following in others:
        offset = first.runtime_cycles
        events = (Event(e.engine, e.layer, e.start + offset, e.end + offset) for e in following.events)
        first = replace(
            first,
            runtime_cycles=offset + following.runtime_cycles,
            compute_cycles=first.compute_cycles + following.compute_cycles,
            stall_cycles={n: first.stall_cycles[n] + following.stall_cycles[n] for n in STALLS},
            layers=first.layers + following.layers,
            events=(*first.events, *events),
        )
    return first
