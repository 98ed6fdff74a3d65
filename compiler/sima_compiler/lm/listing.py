"""A program as text for people: tables first, then all commands in the order in which their waits let them start.

In: a `Program` or the bytes of an `.lm` file. Out: text, one command per line. Always holds: each engine's commands
appear in their own order; a command appears after everything that it waits for, unless the program deadlocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from sima_compiler.ir.graph import Quantization
from sima_compiler.ir.layers import Window
from sima_compiler.ir.program import (
    BinaryStep,
    Box,
    Combine,
    Command,
    Convolve,
    DramTensor,
    Engine,
    Fill,
    Gather,
    Interpolate,
    LoadConstants,
    LoadTensor,
    Multiply,
    Normalize,
    Operand,
    Part,
    Pool,
    Program,
    Resample,
    StoreTensor,
    Translate,
    Wait,
)
from sima_compiler.lm.reader import decode

_LABELS = {Engine.DMA_IN: "in", Engine.DMA_OUT: "out", Engine.COMPUTE: "compute"}


def disassemble(program: Program | bytes) -> str:
    """The listing of a program.

    Raises:
        LmError: the bytes are no intact `.lm` file.
    """
    known = program if isinstance(program, Program) else decode(program)
    lines = [*_summary(known), "", *_tables(known), "", "commands"]
    width = max((len(layer.name) for layer in known.layers), default=0)
    for engine, number, command in merged(known):
        label = f"{_LABELS[engine]}[{number}]"
        text = f"{label:<14} {known.layers[command.layer].name:<{width}}  {describe(known, command)}"
        lines.append("  " + text + _wait(command.wait))
    return "\n".join(lines) + "\n"


def merged(program: Program) -> Iterator[tuple[Engine, int, Command]]:
    """All commands in an order that their waits allow; what never becomes ready comes last."""
    streams: dict[Engine, tuple[Command, ...]] = {
        Engine.DMA_IN: program.dma_in,
        Engine.DMA_OUT: program.dma_out,
        Engine.COMPUTE: program.compute,
    }
    done = dict.fromkeys(Engine, 0)
    while left := [engine for engine in Engine if done[engine] < len(streams[engine])]:
        ready = [engine for engine in left if _ready(streams[engine][done[engine]].wait, done)]
        engine = (ready or left)[0]
        yield engine, done[engine], streams[engine][done[engine]]
        done[engine] += 1


def describe(program: Program, command: Command) -> str:
    """One command without its layer and its waits."""
    match command:
        case LoadTensor() | StoreTensor():
            return _transfer(program, command)
        case LoadConstants(constants=constants, buffer=buffer):
            block = program.constants[constants]
            return f"load constants {block.name!r} ({len(block.data)} bytes) -> {_buffer(program, buffer, 0)}"
        case Fill(target=target, value=value):
            return f"fill {value} -> {_operand(program, target)}"
        case Gather():
            return _gather(program, command)
        case Convolve() | Pool() | Combine() | Translate() | Resample() | Interpolate() | Normalize() | Multiply():
            ends = f"{_operand(program, command.source)} -> {_operand(program, command.target)}"
            return f"{_details(program, command)} {ends}{_parameters(program, command.parameters)}"
        case _:
            assert_never(command)


def _ready(wait: Wait, done: dict[Engine, int]) -> bool:
    counts = (done[Engine.DMA_IN], done[Engine.DMA_OUT], done[Engine.COMPUTE])
    return all(need <= have for need, have in zip((wait.dma_in, wait.dma_out, wait.compute), counts, strict=True))


def _wait(wait: Wait) -> str:
    parts = [
        f"{label} {count}"
        for label, count in (("in", wait.dma_in), ("out", wait.dma_out), ("compute", wait.compute))
        if count
    ]
    return f"  after {', '.join(parts)}" if parts else ""


def _summary(program: Program) -> list[str]:
    machine = next((line for line in program.machine.splitlines() if line.startswith("name:")), "name: ?")
    form = "compressed" if program.compressed else "raw"
    return [
        f"segment {program.segment}, machine {machine[5:].strip()}, {program.quads} quads, batch {program.batch}",
        f"{len(program.layers)} layers, {len(program.constants)} blocks of {form} constants",
        f"commands: {len(program.dma_in)} in, {len(program.dma_out)} out, {len(program.compute)} compute",
    ]


def _tables(program: Program) -> Iterator[str]:
    yield "DRAM tensors"
    for number, tensor in enumerate(program.tensors):
        yield f"  t{number} {tensor.role} {tensor.name!r} {_tensor(tensor)}"
    yield ""
    yield "on-chip buffers"
    for number, buffer in enumerate(program.buffers):
        end = buffer.address + buffer.bytes
        yield f"  b{number} {buffer.kind} {buffer.name!r} 0x{buffer.address:06x}..0x{end:06x} ({buffer.bytes} bytes)"


def _tensor(tensor: DramTensor) -> str:
    shape = f"{tensor.samples}x{tensor.rows}x{tensor.columns}x{tensor.channels}"
    end = tensor.address + tensor.bytes
    return f"{shape} {tensor.layout} 0x{tensor.address:08x}..0x{end:08x} {_quant(tensor.quant)}"


def _quant(quant: Quantization) -> str:
    return f"scale {quant.scale:.9g} zero {quant.zero_point}"


def _buffer(program: Program, number: int, offset: int) -> str:
    return f"b{number}@0x{program.buffers[number].address + offset:06x}"


def _operand(program: Program, operand: Operand) -> str:
    shape = f"{operand.samples}x{operand.rows}x{operand.columns}x{operand.channels}"
    strides = f"{operand.sample_stride}/{operand.row_stride}/{operand.pixel_stride}"
    padding = f"+{operand.padding}" if operand.padding else ""
    return f"{_buffer(program, operand.buffer, operand.offset)}[{shape}{padding} by {strides}]"


def _parameters(program: Program, number: int | None) -> str:
    return "" if number is None else f" with {_buffer(program, number, 0)}"


def _transfer(program: Program, command: LoadTensor | StoreTensor) -> str:
    chip = f"{_buffer(program, command.buffer, command.chip_offset)} by {_strides(command.box.chip_strides)}"
    dram = f"t{command.tensor}+0x{command.dram_offset:x} by {_strides(command.box.dram_strides)}"
    size = _box(command.box)
    return f"load {size} {dram} -> {chip}" if isinstance(command, LoadTensor) else f"store {size} {chip} -> {dram}"


def _box(box: Box) -> str:
    return "x".join(map(str, box.sizes))


def _strides(strides: tuple[int, ...]) -> str:
    return "/".join(map(str, strides))


def _gather(program: Program, command: Gather) -> str:
    source = f"{_buffer(program, command.source_buffer, command.source_offset)} by {_strides(command.source_strides)}"
    target = f"{_buffer(program, command.target_buffer, command.target_offset)} by {_strides(command.target_strides)}"
    size = "x".join(map(str, command.sizes))
    return f"gather {size} {source} -> {target}{_parameters(program, command.parameters)}"


def _details(
    program: Program, command: Convolve | Pool | Combine | Translate | Resample | Interpolate | Normalize | Multiply
) -> str:
    match command:
        case Convolve(window=window, groups=groups, mapping=mapping, clamp=clamp, binary=step):
            tiles = f"tiles {mapping.pixels}x{mapping.outputs}x{mapping.contraction}{' folded' * mapping.folded}"
            then = f" then {_step(program, step)}" if step else ""
            extra = " real" * command.real + _clamp(clamp) + _lookup(command.has_lookup)
            return f"convolve{_part(command)} {_window(window)} groups {groups} {tiles}{extra}{then}"
        case Pool(kind=kind, window=window, is_global=is_global, clamp=clamp):
            shape = "global" if is_global else _window(window)
            return f"{kind} pool{_part(command)} {shape}{_clamp(clamp)}{_lookup(command.has_lookup)}"
        case Combine(binary=step):
            return _step(program, step)
        case Translate():
            return "translate"
        case Resample():
            return f"resample{_lookup(command.has_lookup)}"
        case Multiply(right=right, mapping=mapping, clamp=clamp):
            tiles = f"tiles {mapping.pixels}x{mapping.outputs}x{mapping.contraction}"
            extra = " real" * command.real + _clamp(clamp) + _lookup(command.has_lookup)
            return f"multiply by {_operand(program, right)} {tiles}{extra} to {_quant(command.intermediate)},"
        case Interpolate(clamp=clamp):
            return f"interpolate to {_quant(command.output)}{_clamp(clamp)}{_lookup(command.has_lookup)}"
        case Normalize(kind=kind, gains=gains, offsets=offsets, per_pixel=per_pixel, clamp=clamp):
            held = " gains" * gains + " offsets" * offsets + " per pixel" * per_pixel
            epsilon = f" epsilon {command.epsilon:.9g}" if command.epsilon else ""
            reach = f" of {command.response.size}" if command.response else ""
            return f"{kind}{reach}{held}{epsilon} to {_quant(command.output)}{_clamp(clamp)}"
        case _:
            assert_never(command)


def _step(program: Program, step: BinaryStep) -> str:
    other = _operand(program, step.operand) if step.operand else "constants"
    order = " swapped" if step.swapped else ""
    return f"{step.op} {other}{order} to {_quant(step.output)}{_clamp(step.clamp)}{_lookup(step.has_lookup)}"


def _part(command: Convolve | Pool) -> str:
    return "" if command.part is Part.WHOLE else f" {command.part} part"


def _clamp(clamp: tuple[int, int]) -> str:
    return "" if clamp == (-128, 127) else f" clamp {clamp[0]}..{clamp[1]}"


def _lookup(present: bool) -> str:
    return " lookup" if present else ""


def _window(window: Window) -> str:
    size = "x".join(map(str, window.kernel))
    parts = [size, f"stride {_strides(window.strides)}"]
    if window.dilations != (1, 1):
        parts.append(f"dilation {_strides(window.dilations)}")
    if any(window.pads):
        parts.append(f"pads {_strides(window.pads)}")
    return " ".join(parts)
