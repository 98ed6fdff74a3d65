"""Running an archive: every `.lm` executed bit for bit and replayed cycle by cycle.

In: an `Archive` and float32 arrays by the model's input names, in the source's layout, the leading dimension equal to
the actual batch. Out: a `Run` with float32 outputs by name, the integers behind them, and the runtime trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.programs import lm_programs
from sima_compiler.archive.reader import Archive
from sima_compiler.errors import InputError
from sima_compiler.ir.program import Role
from sima_compiler.ir.schedule import STALLS
from sima_compiler.sim.execute import dequantize_outputs, quantize_inputs, run_program
from sima_compiler.sim.timing import Event, RuntimeTrace, replay_file

#: Names of the stalls of a trace, in the order in which reports list them.
STALL_NAMES = STALLS


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Run:
    """One run of the whole batch. ``outputs`` are float32, ``quantized`` the int8 behind them, both (batch, ...) in the
    source's layout; ``trace`` says where the cycles went.
    """

    outputs: Mapping[str, npt.NDArray[np.float32]]
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


def simulate(archive: Archive, inputs: Mapping[str, npt.ArrayLike]) -> Run:
    """Runs what was compiled.

    Raises:
        InputError: an input is missing, unknown, of another shape, or not finite.
        ArchiveError: the archive holds no `.lm` that this release wrote.
        LmError: a binary is damaged or does something illegal.
    """
    files = lm_programs(str(archive.path), archive.lm_files, archive.read)
    _check_finite(inputs)
    values: dict[str, npt.NDArray[np.int8]] = {}
    outputs: dict[str, npt.NDArray[np.float32]] = {}
    traces: list[RuntimeTrace] = []
    for index, found in enumerate(files):
        given = quantize_inputs(found.program, inputs) if index == 0 else values
        values = run_program(found.program, given)
        outputs = dequantize_outputs(found.program, values)
        traces.append(replay_file(found))
    return Run(outputs, values, _joined(traces))


def random_inputs(archive: Archive, seed: int = 0) -> dict[str, npt.NDArray[np.float32]]:
    """Standard normal numbers for every input of the model, (batch, *source shape): what takes no samples to try.

    Raises:
        ArchiveError: the archive holds no `.lm` that this release wrote.
    """
    first = lm_programs(str(archive.path), archive.lm_files, archive.read)[0].program
    random = np.random.default_rng(seed)
    inputs = (tensor for tensor in first.tensors if tensor.role is Role.INPUT)
    return {
        tensor.name: random.standard_normal((tensor.samples, *tensor.source_shape), dtype=np.float32)
        for tensor in inputs
    }


def _check_finite(inputs: Mapping[str, npt.ArrayLike]) -> None:
    for name, value in inputs.items():
        bad = int(np.sum(~np.isfinite(np.asarray(value, dtype=np.float32))))
        if bad:
            raise InputError(f"input {name!r} holds {bad} values that are not finite", hint="replace NaN and infinity")


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
