"""Sample by sample: a batch whose maps do not fit on chip at once runs as one sample after the other.

In: the tiling of one sample. Out: the tiling of the batch, in which every sample repeats its steps on buffers of its
own and on its own part of each DRAM tensor, while parameters are loaded once and stay.

::

    before: load p, load x0, compute y0, store y0
    after:  load p, load x0, compute y0, store y0, load x1, compute y1 (same p), store y1, ...

Checks: it is worth it only while all parameters together leave most of the memory to the maps; a batch that loaded its
parameters again for every sample would be no batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from sima_compiler.ir.commands import with_buffers
from sima_compiler.ir.layers import Segment
from sima_compiler.ir.program import BufferKind, DramTensor, LoadConstants, LoadTensor, StoreTensor
from sima_compiler.ir.tiles import Lifetime, Load, Store, Tiling
from sima_compiler.machine.description import Machine
from sima_compiler.stages.tiling.block.parameters import parameter_bytes

Transfer = TypeVar("Transfer", LoadTensor, StoreTensor)

#: All parameters together may take this share of on-chip memory.
PARAMETERS_SHARE = 4


def kept_parameters(segment: Segment, machine: Machine) -> int:
    """On-chip bytes of all layers' parameters at once."""
    sizes = (parameter_bytes(layer, segment.maps[layer.output].channels) for layer in segment.layers)
    return sum(machine.align(size) for size in sizes)


def repeatable(segment: Segment, machine: Machine, quads: int) -> bool:
    """Whether all parameters may stay on chip while samples follow each other."""
    return kept_parameters(segment, machine) * PARAMETERS_SHARE <= machine.sram_bytes(quads)


def repeated(one: Tiling, tensors: Sequence[DramTensor], batch: int) -> Tiling:
    """``one`` sample's tiling for each sample of ``batch``; ``tensors`` are those of the whole batch."""
    length = len(one.steps)
    buffers = [_kept(buffer, length * (batch - 1)) for buffer in one.buffers]
    steps, loads, stores = list(one.steps), list(one.loads), list(one.stores)
    for sample in range(1, batch):
        later = sample * length
        places: list[int] = []
        for index, buffer in enumerate(one.buffers):
            if buffer.kind is BufferKind.PARAMETERS:
                places.append(index)
            else:
                places.append(len(buffers))
                name = f"{buffer.name}[sample {sample}]"
                buffers.append(replace(buffer, name=name, first=buffer.first + later, last=buffer.last + later))
        steps += [with_buffers(step, places.__getitem__) for step in one.steps]
        for load in one.loads:
            if not isinstance(load.command, LoadConstants):
                command = _transfer(load.command, places, tensors, sample)
                loads.append(Load(command, load.needed + later, load.earliest + later))
        stores += [
            Store(_transfer(store.command, places, tensors, sample), store.produced + later) for store in one.stores
        ]
    return replace(
        one,
        batch=batch,
        steps=tuple(steps),
        loads=tuple(loads),
        stores=tuple(stores),
        buffers=tuple(buffers),
        tensors=tuple(tensors),
    )


def _kept(buffer: Lifetime, longer: int) -> Lifetime:
    """Parameters live on until the last sample has used them."""
    return replace(buffer, last=buffer.last + longer) if buffer.kind is BufferKind.PARAMETERS else buffer


def _transfer(command: Transfer, places: Sequence[int], tensors: Sequence[DramTensor], sample: int) -> Transfer:
    offset = command.dram_offset + sample * tensors[command.tensor].sample_stride
    return replace(command, buffer=places[command.buffer], dram_offset=offset)
