"""Values inside the text forms: shapes, quantizations, windows and arrays.

In: fields of the records. Out: short texts without line breaks. Always: floats as the shortest text that reads back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sima_compiler.ir.graph import Quantization, Response

#: Arrays up to this many values are written out.
WRITTEN_OUT = 8


def shape_text(shape: Sequence[int]) -> str:
    """Sizes, as 3x224x224; a scalar's shape is ()."""
    return "x".join(map(str, shape)) or "()"


def list_text(values: Sequence[int]) -> str:
    """Indices, as 1,2,0."""
    return ",".join(map(str, values)) or "()"


def quant_text(quant: Quantization) -> str:
    """Scale and zero point, as 0.0123*(q+5)."""
    scale = np.float32(quant.scale)
    sign = "-" if quant.zero_point > 0 else "+"
    return f"{scale!s}*(q{sign}{abs(quant.zero_point)})"


def clamp_text(clamp: tuple[int, int]) -> Iterator[str]:
    """A clamp, unless it is the whole range."""
    if clamp != (-128, 127):
        yield f"clamp {clamp[0]}..{clamp[1]}"


def window_text(
    kernel: tuple[int, int], strides: tuple[int, int], dilations: tuple[int, int], pads: tuple[int, int, int, int]
) -> str:
    """A window; strides, dilations and pads only where they do something."""
    parts = [f"window {shape_text(kernel)}"]
    parts += [f"strides {shape_text(strides)}"] if strides != (1, 1) else []
    parts += [f"dilations {shape_text(dilations)}"] if dilations != (1, 1) else []
    parts += [f"pads {list_text(pads)}"] if any(pads) else []
    return " ".join(parts)


def array_text(values: npt.NDArray[np.generic]) -> str:
    """An array: its values when there are few, else range and checksum of its little-endian bytes."""
    head = f"{values.dtype.name} {shape_text(values.shape)}"
    if values.size <= WRITTEN_OUT:
        return f"{head} [{', '.join(str(value) for value in values.reshape(-1))}]"
    little = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    checksum = hashlib.sha256(little.tobytes()).hexdigest()[:12]
    return f"{head} {values.min()}..{values.max()} #{checksum}"


def response_text(found: Response) -> str:
    """A local response, as response of 5, alpha 0.0001, beta 0.75, bias 1.0."""
    return f"response of {found.size}, alpha {found.alpha!r}, beta {found.beta!r}, bias {found.bias!r}"
