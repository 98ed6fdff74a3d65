"""What is known about a value before the network runs.

`Known` is an array; `Dequantized` is what DequantizeLinear makes of one, kept as its integers and scales, because
weights are integers to the machine. Always: frozen; arrays are never written to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
import onnx

from sima_compiler.frontend.constants.tensors import Array, decode

#: Integers whose real value is one subtraction and one product in float32, as onnxruntime computes it.
PLAIN_INTEGERS = frozenset(map(np.dtype, ("int8", "uint8", "int16", "uint16", "int32")))


@dataclass(frozen=True, slots=True)
class Known:
    """A constant. ``tensor`` is the file's own when nothing touched it: weights are then not copied."""

    tensor: onnx.TensorProto | None = None
    value: Array | None = None
    _decoded: list[Array] = field(default_factory=list[Array], repr=False, compare=False)

    def array(self) -> Array:
        """The values.

        Raises:
            ModelError: the file's tensor contradicts itself.
        """
        if self.value is not None:
            return self.value
        if not self._decoded:
            assert self.tensor is not None
            self._decoded.append(decode(self.tensor))
        return self._decoded[0]


@dataclass(frozen=True, slots=True)
class Dequantized:
    """Integers with their scales. ``axis`` counts the scales where there are several, and is not negative.

    ``node`` is the file's own DequantizeLinear while nothing has moved its integers.
    """

    values: Known
    scale: Known
    zero_point: Known | None
    axis: int
    block_size: int
    node: onnx.NodeProto

    def shape(self) -> tuple[int, ...]:
        """Sizes of the integers."""
        return tuple(self.values.tensor.dims) if self.values.tensor is not None else self.values.array().shape

    def moved(self, move: Callable[[Array], Array], axis: int) -> Dequantized:
        """The same numbers elsewhere; ``axis`` is where their scales run afterwards."""
        return replace(self, values=Known(value=move(self.values.array())), axis=axis)

    def is_plain(self) -> bool:
        """Whether its real values are what numpy computes in one step (no float16, no blocks, no packed bits)."""
        return (
            not self.block_size
            and self.scale.array().dtype == np.float32
            and self.values.array().dtype in PLAIN_INTEGERS
        )

    def real(self) -> Array:
        """The float32 values of a plain one."""
        values, scale = self.values.array(), self.scale.array()
        zero = self.zero_point.array() if self.zero_point is not None else np.zeros_like(scale, values.dtype)
        if scale.size > 1:
            spread = [scale.size if axis == self.axis else 1 for axis in range(values.ndim)]
            scale, zero = scale.reshape(spread), zero.reshape(spread)
        else:
            scale, zero = scale.reshape(()), zero.reshape(())
        wide = values.astype(np.int32) - zero.astype(np.int32)
        return (wide.astype(np.float32) * scale).astype(np.float32)


Value = Known | Dequantized


def moved_axis(before: tuple[int, ...], after: tuple[int, ...], axis: int) -> int | None:
    """Where ``axis`` lies after a reshape that keeps it whole, else None."""
    leading = prod(before[:axis])
    for place, size in enumerate(after):
        if size == before[axis] and prod(after[:place]) == leading:
            return place
    return None
