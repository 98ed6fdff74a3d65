"""Numbers that no integer arithmetic can mean: NaN, infinity, negative scales.

In: a model whose constants are folded. Out: nothing, or one error that names node, tensor and value. Always: infinite
limits (Clip, Pad, Max, Min) pass, because they are how files say "no limit".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from sima_compiler.errors import ModelError
from sima_compiler.frontend.constants.ordering import is_quantizer, label
from sima_compiler.frontend.constants.tensors import Array, decode

#: Operators that take an infinite constant for what it says.
LIMITS = frozenset({"Clip", "Pad", "Max", "Min", "Where"})
HINT = "the file is damaged, or its training or quantization went wrong; export it again"


def refuse_bad_numbers(graph: onnx.GraphProto) -> None:
    """Check the real constants of every node.

    Raises:
        ModelError: names the node, the tensor and the first bad value.
    """
    floats = {entry.name: decode(entry) for entry in graph.initializer if entry.data_type == onnx.TensorProto.FLOAT}
    bad = {name: array for name, array in floats.items() if not np.isfinite(array).all()}
    for node in graph.node:
        if is_quantizer(node, "QuantizeLinear", "DequantizeLinear"):
            check_scale(node, floats)
        for name in node.input:
            if name in bad and (node.op_type not in LIMITS or np.isnan(bad[name]).any()):
                check_finite(node, name, bad[name])


def check_scale(node: onnx.NodeProto, known: Mapping[str, Array]) -> None:
    """A scale is finite and not negative; 0 is what a pruned channel has."""
    name = node.input[1] if len(node.input) > 1 else ""
    scale = known.get(name)
    if scale is None:
        return
    wrong = ~np.isfinite(scale) | (scale < 0)
    if wrong.any():
        raise ModelError(
            f"{label(node)}: its scale {name!r} is {_first(scale, wrong)}, expected a positive number", hint=HINT
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
