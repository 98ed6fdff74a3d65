"""The planned levels as text: tiling, memory plan and schedule; stable, for people, goldens and differences.

In: a `Tiling`, `MemoryPlan` or `Schedule`. Out: text. Always: the same record gives the same text in any process; every
field that changes behaviour is visible, constants by size and checksum. (`lm.listing` prints the program, with
addresses.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sima_compiler.ir.program import Command, Constants, DramTensor, ProgramLayer
from sima_compiler.ir.schedule import LayerTiming, Schedule
from sima_compiler.ir.text_commands import command_text, wait_text
from sima_compiler.ir.text_values import array_text, list_text, quant_text, shape_text
from sima_compiler.ir.tiles import MemoryPlan, Tiling


def tiling_text(tiling: Tiling) -> str:
    """A tiled segment: tables first, then every step behind its loads and before its stores."""
    lines = [f"tiling {tiling.segment}, batch {tiling.batch}"]
    lines += [f"tensor t{number} {_tensor(tensor)}" for number, tensor in enumerate(tiling.tensors)]
    lines += [f"constants k{number} {_constants(block)}" for number, block in enumerate(tiling.constants)]
    lines += [
        f"buffer b{number} {found.kind} {found.name!r}, {found.bytes} bytes, steps {found.first}..{found.last}"
        for number, found in enumerate(tiling.buffers)
    ]
    lines += [f"spilled {name}" for name in tiling.spilled]
    lines += [f"fused {name}" for name in tiling.fused]
    return "\n".join([*lines, *_steps(tiling)]) + "\n"


def memory_text(plan: MemoryPlan) -> str:
    """A memory plan: the peak, each buffer's addresses, then the tiling that they belong to."""
    tiling = plan.tiling
    head = f"memory {tiling.segment}, peak {plan.peak} of {plan.capacity} bytes, at least {plan.lower_bound}"
    places = [
        f"b{number} at 0x{address:06x}..0x{address + buffer.bytes:06x}"
        for number, (address, buffer) in enumerate(zip(plan.addresses, tiling.buffers, strict=True))
    ]
    return "\n".join([head, *places]) + "\n" + tiling_text(tiling)


def schedule_text(schedule: Schedule) -> str:
    """A schedule: when the model says that each layer works, what DRAM holds, and the three streams with waits."""
    program = schedule.program
    form = "compressed" if program.compressed else "raw"
    lines = [
        f"schedule {program.segment}, batch {program.batch}, {program.quads} quads, peak {schedule.peak_on_chip} bytes",
        f"runtime {schedule.runtime} of which compute {schedule.compute}",
    ]
    lines += [_timing(layer, times) for layer, times in zip(program.layers, schedule.layers, strict=True)]
    lines += [
        f"constants k{number} {_constants(block)}, {len(stored)} bytes {form}"
        for number, (block, stored) in enumerate(zip(program.constants, schedule.stored, strict=True))
    ]
    lines += [
        f"buffer b{number} {found.kind} {found.name!r} at 0x{found.address:06x}..0x{found.address + found.bytes:06x}"
        for number, found in enumerate(program.buffers)
    ]
    lines += [f"tensor t{number} {_tensor(tensor)}" for number, tensor in enumerate(program.tensors)]
    for engine, stream in (("in", program.dma_in), ("out", program.dma_out), ("compute", program.compute)):
        lines += _stream(engine, stream, program.layers)
    return "\n".join(lines) + "\n"


def _steps(tiling: Tiling) -> Iterator[str]:
    load, store = 0, 0
    for number, step in enumerate(tiling.steps):
        while load < len(tiling.loads) and tiling.loads[load].needed <= number:
            found = tiling.loads[load]
            early = f" from step {found.earliest}" if found.earliest != found.needed else ""
            yield f"  {_command(found.command, tiling.layers)}, needed at step {found.needed}{early}"
            load += 1
        yield f"step {number} {_command(step, tiling.layers)}"
        while store < len(tiling.stores) and tiling.stores[store].produced <= number:
            yield f"  {_command(tiling.stores[store].command, tiling.layers)}"
            store += 1


def _stream(engine: str, stream: Sequence[Command], layers: Sequence[ProgramLayer]) -> list[str]:
    return [
        f"{engine}[{number}] {_command(command, layers)}{wait_text(command.wait)}"
        for number, command in enumerate(stream)
    ]


def _command(command: Command, layers: Sequence[ProgramLayer]) -> str:
    return f"{layers[command.layer].name} {command_text(command)}"


def _timing(layer: ProgramLayer, times: LayerTiming) -> str:
    stalls = "".join(f" + {name} {cycles}" for name, cycles in times.stalls.items() if cycles)
    spans = ", ".join(f"{start}..{end}" for start, end in times.intervals)
    moved = f"weights {times.weights_cycles}, activations {times.activation_cycles}"
    spent = f"compute {times.compute}{stalls} = {times.runtime}, bound by {times.bound_by}"
    return f"{layer.name}: {spent}, {times.macs} MACs, {moved}, at {spans or 'no time'}"


def _tensor(tensor: DramTensor) -> str:
    sizes = shape_text((tensor.samples, tensor.rows, tensor.columns, tensor.channels))
    strides = "/".join(map(str, (tensor.sample_stride, tensor.row_stride, tensor.pixel_stride)))
    source = f"of {shape_text(tensor.source_shape)} axes {list_text(tensor.source_axes)}"
    return (
        f"{tensor.role} {tensor.name!r} {sizes} {tensor.layout} at 0x{tensor.address:06x} by {strides} "
        f"{quant_text(tensor.quant)} {source}"
    )


def _constants(block: Constants) -> str:
    return f"{block.name!r} of layer {block.layer}, {array_text(np.frombuffer(block.data, np.uint8))}"
