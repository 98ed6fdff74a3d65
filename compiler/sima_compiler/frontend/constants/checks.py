"""Numbers that no integer arithmetic can mean: NaN, infinity, negative scales.

In: a model whose constants are folded. Out: nothing, or one error that names node, tensor and value. Always: infinite
limits (Clip, Pad, Max, Min) pass, because they are how files say "no limit".
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.ordering import is_quantizer, label
from sima_compiler.frontend.constants.tensors import Array, decode, type_name

#: Operators that take an infinite constant for what it says.
LIMITS = frozenset({"Clip", "Pad", "Max", "Min", "Where"})
#: Products of two scales, and their quotient by a third, stay inside float32 on both sides.
SMALLEST_SCALE, LARGEST_SCALE = 2.0**-100, 2.0**100
HINT = "the file is damaged, or its training or quantization went wrong; export it again"


def refuse_bad_numbers(graph: onnx.GraphProto) -> None:
    """Check the real constants of every node.

    Raises:
        ModelError: names the node, the tensor and the first bad value.
    """
    floats = {entry.name: decode(entry) for entry in graph.initializer if entry.data_type == onnx.TensorProto.FLOAT}
    bad = {name: array for name, array in floats.items() if not np.isfinite(array).all()}
    tensors = {entry.name: entry for entry in graph.initializer}
    for node in graph.node:
        if is_quantizer(node, "QuantizeLinear", "DequantizeLinear"):
            check_scale(node, tensors, floats)
            _check_shapes(node, tensors)
        for name in node.input:
            if name in bad and (node.op_type not in LIMITS or np.isnan(bad[name]).any()):
                check_finite(node, name, bad[name])


def _check_shapes(node: onnx.NodeProto, tensors: Mapping[str, onnx.TensorProto]) -> None:
    entries = [tensors.get(name) for name in (*node.input, "")[:3]]
    values, scale, zero = (None if entry is None else tuple(entry.dims) for entry in entries)
    if scale is not None:
        check_parameters(node, values, scale, scale if zero is None else zero)


def check_parameters(
    node: onnx.NodeProto, values: tuple[int, ...] | None, scale: tuple[int, ...], zero: tuple[int, ...]
) -> None:
    """Shapes of a quantization: as many zero points as scales, and as many of both as their axis is long.

    ``values``: the shape of what is dequantized, None where that is not known.

    Raises:
        ModelError: they do not fit.
    """
    attributes = {entry.name: entry.i for entry in node.attribute}
    axis, count = attributes.get("axis", 1), math.prod(scale)
    if count == 0:
        raise ModelError(f"{label(node)}: it has no scale", hint=HINT)
    if math.prod(zero) != count:
        raise ModelError(f"{label(node)}: {math.prod(zero)} zero points for {count} scales", hint=HINT)
    if values is None or count == 1 or attributes.get("block_size"):
        return
    if len(scale) != 1 or not -len(values) <= axis < len(values) or values[axis] != count:
        raise ModelError(f"{label(node)}: scales of shape {scale} do not run over axis {axis} of {values}", hint=HINT)


def check_scale(node: onnx.NodeProto, tensors: Mapping[str, onnx.TensorProto], floats: Mapping[str, Array]) -> None:
    """A scale is real, finite and not negative; 0 is what a pruned channel has."""
    name = node.input[1] if len(node.input) > 1 else ""
    scale = floats.get(name)
    if scale is None:
        if name in tensors:
            found = type_name(tensors[name].data_type)
            raise ModelError(f"{label(node)}: its scale {name!r} holds {found}, expected FLOAT", hint=HINT)
        return
    wrong = ~np.isfinite(scale) | (scale < 0) | (scale > LARGEST_SCALE)
    if wrong.any():
        raise ModelError(
            f"{label(node)}: its scale {name!r} is {_first(scale, wrong)}, expected a positive number up to 2^100",
            hint=HINT,
        )


def check_finite(node: onnx.NodeProto, name: str, array: Array) -> None:
    """A constant of real numbers has no NaN and no infinity."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        found = _first(array, ~np.isfinite(array))
        raise ModelError(f"{label(node)}: its constant {name!r} holds {found}, which no integer stands for", hint=HINT)


def _first(array: Array, wrong: np.ndarray) -> str:
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    where = f" at {list(place)}" if array.size > 1 else ""
    return f"{float(array[place])}{where}"
