"""The way out of a kernel: tables and clamps that ride on values as they leave.

In: a kernel and a byte function of its result. Out: the kernel that does both, or None where the record cannot say it.
Always holds: the new kernel's bytes are the table's entries of the old kernel's bytes.

::

    before: conv2d -> Relu (same quantization)     after: conv2d with a narrower clamp
    before: conv2d -> Sigmoid                      after: conv2d with a lookup
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import numpy as np

from sima_compiler import arithmetic
from sima_compiler.ir.graph import Int8Array
from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Convolution,
    Copy,
    Elementwise,
    Kernel,
    Lookup,
    Normalization,
    Pooling,
    PoolKind,
    Product,
    Resize,
)
from sima_compiler.stages.lowering.builder import Builder
from sima_compiler.stages.lowering.byte_functions import Step

Clamp = tuple[int, int]


def fuse_table(builder: Builder, step: Step) -> bool:
    """Fold a byte function into the layer that writes its input; False when that layer's result is read elsewhere.

    Checks: the input is the whole map, nothing else reads it, and the kernel can do it.
    """
    name, table = step.inputs[0], step.table
    index = builder.producer(builder.view(name).source)
    if table is None or index is None or not builder.whole(name) or not builder.exclusive(name):
        return False
    same_quant = builder.tensor(name).quant == builder.tensor(step.output).quant
    kernel = with_table(builder.drafts[index].kernel, table, same_quant=same_quant)
    if kernel is None:
        return False
    builder.rewrite(index, kernel, step)
    return True


def as_clamp(table: Int8Array) -> Clamp | None:
    """The range that a table clamps to, None when it does anything else."""
    low, high = int(table.min()), int(table.max())
    return (low, high) if np.array_equal(table, np.clip(arithmetic.ALL_BYTES, low, high)) else None


def with_table(kernel: Kernel, table: Int8Array, *, same_quant: bool) -> Kernel | None:
    """The kernel followed by ``table``.

    An average pool and linear resampling requantize to their map, so only a table that keeps the quantization fits
    behind them.
    """
    match kernel:
        case Convolution(binary=Binary() as binary) | Elementwise(binary=binary):
            clamp, lookup = followed(binary.clamp, binary.lookup, table, same_quant=same_quant)
            return replace(kernel, binary=replace(binary, clamp=clamp, lookup=lookup))
        case Convolution() | Pooling():
            if isinstance(kernel, Pooling) and kernel.kind is not PoolKind.MAX and not same_quant:
                return None
            clamp, lookup = followed(kernel.clamp, kernel.lookup, table, same_quant=same_quant)
            return replace(kernel, clamp=clamp, lookup=lookup)
        case Lookup():
            return Lookup(arithmetic.apply_table(table, kernel.table))
        case Resize():
            return replace(kernel, lookup=composed(kernel.lookup, table))
        case Copy():
            moves = tuple(replace(move, lookup=composed(move.lookup, table)) for move in kernel.moves)
            return Copy(moves, None if kernel.fill is None else int(table[kernel.fill + 128]))
        case Product():
            clamp, lookup = followed(kernel.clamp, kernel.lookup, table, same_quant=same_quant)
            return replace(kernel, clamp=clamp, lookup=lookup)
        case Blend():
            if not same_quant:
                return None
            clamp, lookup = followed(kernel.clamp, kernel.lookup, table, same_quant=same_quant)
            return replace(kernel, clamp=clamp, lookup=lookup)
        case Normalization():
            return None
        case _:
            assert_never(kernel)


def followed(
    clamp: Clamp, lookup: Int8Array | None, table: Int8Array, *, same_quant: bool
) -> tuple[Clamp, Int8Array | None]:
    """Clamp and lookup that do the given ones and then ``table``.

    A table that changes the quantization never becomes a clamp, even where the bytes are the same.
    """
    bounds = as_clamp(table) if same_quant else None
    if lookup is None and bounds is not None:
        low, high = bounds
        return (min(max(clamp[0], low), high), min(max(clamp[1], low), high)), None
    return clamp, composed(lookup, table)


def composed(lookup: Int8Array | None, table: Int8Array) -> Int8Array:
    """``table`` after ``lookup``."""
    return table if lookup is None else arithmetic.apply_table(table, lookup)
