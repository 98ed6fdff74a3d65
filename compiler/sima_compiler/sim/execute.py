"""The second judge: decodes `.lm` bytes and executes them on a modelled machine that refuses every illegal access.

In: the file's bytes and int8 arrays by input tensor name, batch in front, in the source model's layout. Out: int8
arrays by output tensor name, likewise. Always holds: the machine knows nothing but the file; engines run as early
as their waits allow, in one of several adversarial orders; a missing wait that no order exposes is still a race.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from sima_compiler import arithmetic
from sima_compiler.errors import ExecutionError, InputError, LmError
from sima_compiler.ir.graph import Float32Array, Int8Array
from sima_compiler.ir.program import Command, DramTensor, Engine, Program, Role
from sima_compiler.lm.reader import decode
from sima_compiler.sim.accumulators import Accumulators
from sima_compiler.sim.commands import State, chip_reads, dram_reads, run_command
from sima_compiler.sim.mappings import machine_of
from sima_compiler.sim.memory import Memory, Range, Region
from sima_compiler.sim.races import check_races

#: Bytes of DRAM that the model is willing to hold.
MAX_DRAM_BYTES = 1 << 34


class Order(StrEnum):
    """Which engine goes first when several could."""

    DMA_FIRST = "dma_first"
    COMPUTE_FIRST = "compute_first"
    DMA_LAST = "dma_last"
    STORES_LAST = "stores_last"


_PRIORITY = {
    Order.DMA_FIRST: (Engine.DMA_IN, Engine.DMA_OUT, Engine.COMPUTE),
    Order.COMPUTE_FIRST: (Engine.COMPUTE, Engine.DMA_IN, Engine.DMA_OUT),
    Order.DMA_LAST: (Engine.COMPUTE, Engine.DMA_OUT, Engine.DMA_IN),
    Order.STORES_LAST: (Engine.DMA_IN, Engine.COMPUTE, Engine.DMA_OUT),
}


def run_lm(
    data: bytes, inputs: Mapping[str, npt.NDArray[np.int8]], order: Order | str = Order.DMA_FIRST
) -> dict[str, Int8Array]:
    """Execute an `.lm` file.

    ``inputs``: int8 (batch, *source_shape) for every input tensor. Returns the same per output
    tensor.

    Raises:
        LmError: the file is damaged. ExecutionError: a command did something illegal, or all engines wait for ever.
        InputError: an input is missing, unknown, not int8, or of another shape.
    """
    return run_program(decode(data), inputs, order)


def run_program(
    program: Program, inputs: Mapping[str, npt.NDArray[np.int8]], order: Order | str = Order.DMA_FIRST
) -> dict[str, Int8Array]:
    """`run_lm` for a program that `lm.reader.decode` gave."""
    state = _power_on(program)
    _place_inputs(state, inputs)
    _run(state, _PRIORITY[Order(order)])
    check_races(program)
    return {
        tensor.name: _collect(state, number, tensor)
        for number, tensor in enumerate(program.tensors)
        if tensor.role is Role.OUTPUT
    }


def quantize_inputs(program: Program, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, Int8Array]:
    """float32 (batch, *source_shape) by input name to int8: rint(x / scale) + zero point, saturated.

    Raises:
        InputError: an input is missing, unknown, not float, or of another shape.
    """
    tensors = {tensor.name: tensor for tensor in program.tensors if tensor.role is Role.INPUT}
    check_arrays({name: (tensor.samples, *tensor.source_shape) for name, tensor in tensors.items()}, inputs)
    return {name: arithmetic.quantize(inputs[name], tensor.quant) for name, tensor in tensors.items()}


def check_arrays(
    expected: Mapping[str, tuple[int, ...]], inputs: Mapping[str, npt.ArrayLike], integers: Collection[str] = ()
) -> None:
    """Names, types and shapes of the arrays of a run; those of ``integers`` may hold whole numbers.

    Raises:
        InputError: an input is missing, unknown, not float, or of another shape.
    """
    _check_names(expected, inputs)
    for name, shape in expected.items():
        values = np.asarray(inputs[name])
        if values.dtype.kind != "f" and (name not in integers or values.dtype.kind not in "iub"):
            raise InputError(
                f"input {name}: expected float32, found {values.dtype}", hint="pass real values as float32"
            )
        if values.shape != shape:
            raise InputError(
                f"input {name}: expected shape {shape}, found {values.shape}",
                hint=f"the leading dimension is the batch that was compiled, {shape[0]}; the rest is the model's",
            )


def dequantize_outputs(program: Program, outputs: Mapping[str, Int8Array]) -> dict[str, Float32Array]:
    """int8 by output name to float32: (q - zero point) * scale."""
    quants = {tensor.name: tensor.quant for tensor in program.tensors if tensor.role is Role.OUTPUT}
    _check_names(quants, outputs)
    return {name: arithmetic.dequantize(values, quants[name]) for name, values in outputs.items()}


def to_storage(values: Int8Array, tensor: DramTensor) -> Int8Array:
    """(samples, *source_shape) as (samples, rows, columns, channels)."""
    axes = (0, *(axis + 1 for axis in tensor.source_axes))
    return values.transpose(axes).reshape(tensor.samples, tensor.rows, tensor.columns, tensor.channels)


def from_storage(values: Int8Array, tensor: DramTensor) -> Int8Array:
    """Inverse of `to_storage`."""
    stored = tuple(tensor.source_shape[axis] for axis in tensor.source_axes)
    back = (0, *(1 + tensor.source_axes.index(axis) for axis in range(len(stored))))
    return np.ascontiguousarray(values.reshape(tensor.samples, *stored).transpose(back))


def _power_on(program: Program) -> State:
    """Empty memories that know how many reads each range still has before it."""
    machine = machine_of(program)
    commands: list[Command] = [*program.dma_in, *program.dma_out, *program.compute]
    buffers = [Range(f"buffer {buffer.name!r}", buffer.address, buffer.bytes) for buffer in program.buffers]
    tensors = [Range(f"tensor {tensor.name!r}", tensor.address, tensor.bytes) for tensor in program.tensors]
    area = max((tensor.end for tensor in tensors), default=0)
    if area > MAX_DRAM_BYTES:
        raise ExecutionError(f"the tensors need {area} bytes of DRAM, the model holds {MAX_DRAM_BYTES}")
    outputs = [int(tensor.role is Role.OUTPUT) for tensor in program.tensors]
    loads = [count + output for count, output in zip(_count(commands, dram_reads, len(tensors)), outputs, strict=True)]
    chip_bytes = machine.sram_bytes(program.quads)
    chip = Memory("on-chip memory", buffers, chip_bytes, _count(commands, chip_reads, len(buffers)))
    dram = Memory("DRAM", tensors, area, loads)
    return State(program, dram, chip, Accumulators(machine, program.quads))


def _count(commands: Sequence[Command], reads: Callable[[Command], frozenset[int]], size: int) -> list[int]:
    counts = Counter(number for command in commands for number in reads(command))
    return [counts[number] for number in range(size)]


def _run(state: State, priority: tuple[Engine, ...]) -> None:
    streams: dict[Engine, tuple[Command, ...]] = {
        Engine.DMA_IN: state.program.dma_in,
        Engine.DMA_OUT: state.program.dma_out,
        Engine.COMPUTE: state.program.compute,
    }
    done = dict.fromkeys(Engine, 0)
    while any(done[engine] < len(streams[engine]) for engine in Engine):
        engine = next((one for one in priority if _ready(streams[one], done, one)), None)
        if engine is None:
            raise _deadlock(state.program, streams, done)
        command = streams[engine][done[engine]]
        try:
            run_command(state, command)
        except LmError as error:
            where = _describe(state.program, engine, done[engine], command)
            raise ExecutionError(f"{where}: {error.message}", hint=error.hint) from error
        done[engine] += 1
    state.accumulators.check_empty("the program ends")


def _ready(stream: tuple[Command, ...], done: Mapping[Engine, int], engine: Engine) -> bool:
    if done[engine] >= len(stream):
        return False
    wait = stream[done[engine]].wait
    return (
        wait.dma_in <= done[Engine.DMA_IN]
        and wait.dma_out <= done[Engine.DMA_OUT]
        and wait.compute <= done[Engine.COMPUTE]
    )


def _deadlock(
    program: Program, streams: Mapping[Engine, tuple[Command, ...]], done: Mapping[Engine, int]
) -> ExecutionError:
    parts: list[str] = []
    for engine, stream in streams.items():
        if done[engine] >= len(stream):
            parts.append(f"{engine.name} has finished its {len(stream)}")
            continue
        command = stream[done[engine]]
        wait = command.wait
        wanted = f"dma_in {wait.dma_in}, dma_out {wait.dma_out}, compute {wait.compute}"
        parts.append(f"{_describe(program, engine, done[engine], command)} waits for {wanted}")
    return ExecutionError("deadlock: no engine can go on: " + "; ".join(parts), hint="a wait counts too many commands")


def _describe(program: Program, engine: Engine, number: int, command: Command) -> str:
    return f"{engine.name} command {number} ({type(command).__name__} of {program.layers[command.layer].name})"


def _place_inputs(state: State, inputs: Mapping[str, npt.NDArray[np.int8]]) -> None:
    tensors = {t.name: (number, t) for number, t in enumerate(state.program.tensors) if t.role is Role.INPUT}
    _check_names(tensors, inputs)
    for name, (number, tensor) in tensors.items():
        values, expected = inputs[name], (tensor.samples, *tensor.source_shape)
        if values.dtype != np.int8 or values.shape != expected:
            raise InputError(f"input {name}: found {values.dtype} {values.shape}, expected int8 {expected}")
        state.dram.write(Region(number, 0, (tensor.bytes,), (1,)))[...] = tensor.quant.zero_point
        state.dram.write(_whole(number, tensor))[...] = to_storage(values, tensor)


def _check_names(wanted: Mapping[str, object], found: Mapping[str, object]) -> None:
    if set(wanted) != set(found):
        raise InputError(
            f"expected arrays for {', '.join(sorted(wanted))}, found {', '.join(sorted(map(str, found))) or 'none'}",
            hint="pass one array per tensor, by name",
        )


def _whole(number: int, tensor: DramTensor) -> Region:
    """Every real value of a tensor, padding left out."""
    shape = (tensor.samples, tensor.rows, tensor.columns, tensor.channels)
    return Region(number, 0, shape, (tensor.sample_stride, tensor.row_stride, tensor.pixel_stride, 1))


def _collect(state: State, number: int, tensor: DramTensor) -> Int8Array:
    try:
        return from_storage(state.dram.read(_whole(number, tensor)), tensor)
    except ExecutionError as error:
        raise ExecutionError(f"after the last command: {error.message}", hint=error.hint) from error
