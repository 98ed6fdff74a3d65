"""Kernels inside the text form of the layers: one indented line per fact.

In: a kernel. Out: lines. Always: defaults that do nothing are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.layers import (
    Binary,
    Blend,
    Convolution,
    Copy,
    Elementwise,
    Kernel,
    Lookup,
    Move,
    Normalization,
    Pooling,
    Product,
    Resize,
    Window,
)
from sima_compiler.ir.text_values import array_text, clamp_text, list_text, quant_text, response_text, window_text


def kernel_lines(kernel: Kernel) -> Iterator[str]:
    """Everything that the kernel's record says."""
    match kernel:
        case Convolution():
            yield from _convolution(kernel)
        case Pooling():
            yield " ".join([f"{kernel.kind} pool", *_pool_details(kernel)])
            yield from _table(kernel.lookup)
        case Elementwise():
            yield from _binary(kernel.binary)
        case Lookup():
            yield from _table(kernel.table)
        case Copy():
            if kernel.fill is not None:
                yield f"fill {kernel.fill}"
            for move in kernel.moves:
                yield from _move(move)
        case Product():
            sums = "reals" if kernel.real else "sums"
            yield f"matrix product, {sums} times {np.float32(kernel.multiplier)!s}"
            yield " ".join([f"gives {quant_text(kernel.intermediate)}", *clamp_text(kernel.clamp)])
            yield from _table(kernel.lookup)
        case Resize() | Blend():
            yield from _resampling(kernel)
        case Normalization():
            yield from _normalization(kernel)
        case _:
            assert_never(kernel)


def _convolution(kernel: Convolution) -> Iterator[str]:
    groups = [f"groups {kernel.groups}"] if kernel.groups > 1 else []
    yield " ".join([_window(kernel.window), *groups])
    yield f"weights {array_text(kernel.weights)}"
    if kernel.real_bias is None:
        yield f"bias {array_text(kernel.bias)}"
    else:
        yield f"real bias {array_text(kernel.real_bias)}"
    yield f"multipliers {array_text(kernel.multipliers)}"
    yield " ".join([f"gives {quant_text(kernel.intermediate)}", *clamp_text(kernel.clamp)])
    yield from _table(kernel.lookup)
    if kernel.binary is not None:
        yield from _binary(kernel.binary)


def _resampling(kernel: Resize | Blend) -> Iterator[str]:
    if isinstance(kernel, Resize):
        yield f"rows {list_text(kernel.rows)} columns {list_text(kernel.columns)}"
    else:
        for what, found in (("rows", kernel.rows), ("columns", kernel.columns)):
            yield f"{what} {list_text(found.near)} and {list_text(found.far)}"
            yield f"weights {array_text(np.array([found.near_weights, found.far_weights], np.float32))}"
        yield " ".join(["blend", *clamp_text(kernel.clamp)])
    yield from _table(kernel.lookup)


def _normalization(kernel: Normalization) -> Iterator[str]:
    epsilon = [f"epsilon {kernel.epsilon!r}"] if kernel.epsilon else []
    yield " ".join([f"{kernel.kind} of {kernel.channels} channels", *epsilon, *clamp_text(kernel.clamp)])
    if kernel.exponentials is not None:
        yield f"exponentials {array_text(kernel.exponentials)}"
    if kernel.response is not None:
        yield response_text(kernel.response)
    spread = "pixel" if kernel.per_pixel else "channel"
    for what, found in (("gains", kernel.gains), ("offsets", kernel.offsets)):
        if found is not None:
            yield f"{what} per {spread} {array_text(found)}"


def _window(window: Window) -> str:
    return window_text(window.kernel, window.strides, window.dilations, window.pads)


def _pool_details(kernel: Pooling) -> Iterator[str]:
    yield _window(kernel.window)
    if kernel.is_global:
        yield "global"
    if kernel.count_include_pad:
        yield "counting pads"
    if kernel.reals is not None:
        yield f"of {array_text(kernel.reals)}"
    yield from clamp_text(kernel.clamp)


def _binary(binary: Binary) -> Iterator[str]:
    other = binary.operand if binary.values is None else f"constant {array_text(binary.values)}"
    sides = (other, "value") if binary.swapped else ("value", other)
    spread = f"spread {binary.broadcast}"
    yield f"{binary.op}({sides[0]} as {quant_text(binary.left)}, {sides[1]} as {quant_text(binary.right)}) {spread}"
    yield " ".join([f"gives {quant_text(binary.output)}", *clamp_text(binary.clamp)])
    yield from _table(binary.lookup)


def _table(table: npt.NDArray[np.int8] | None) -> Iterator[str]:
    if table is not None:
        yield f"lookup {array_text(table)}"


def _move(move: Move) -> Iterator[str]:
    loops = ", ".join(
        f"{size} by {read} to {write}"
        for size, read, write in zip(move.sizes, move.source_strides, move.target_strides, strict=True)
    )
    yield f"move {move.source}+{move.source_offset} to +{move.target_offset}: {loops or '1 element'}"
    yield from _table(move.lookup)
