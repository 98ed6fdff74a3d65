"""Arithmetic on shapes, as exporters write it in front of Reshape and Resize.

In: Shape, and any operator on shapes and constants. Out: constants, and values that depend on the batch. Always: such
a value is computed for several batches by the evaluator that computes constants, and only what is then the same number
each time, or the batch itself, may become a size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler.frontend.constants.evaluation import evaluate
from sima_compiler.frontend.constants.known import Known
from sima_compiler.frontend.constants.views import view
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import BATCHES, Constant, ShapeVector, Value

Arrays = Sequence[npt.NDArray[np.generic]]

#: Operators that work on shapes more often than on activations: behind an obstacle they are no obstacle themselves.
SHAPE_OPERATORS = frozenset({"Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Cast", "Identity"})


def convert_shape(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """Shape of an activation: the batch, then what is known."""
    shape = reader.shape(node)
    return [sizes_of(node, [(batch, *shape) for batch in BATCHES])]


def sizes_of(node: SourceNode, shapes: Sequence[tuple[int, ...]]) -> Value:
    """What a Shape gives of a value that has these whole shapes at `BATCHES`."""
    part = slice(node.integer("start", 0), int(node.attributes.get("end", len(shapes[0]))))
    return _value([np.array(shape[part], np.int64) for shape in shapes])


def fold_constants(proto: onnx.NodeProto, node: SourceNode, reader: Reader) -> Sequence[Value]:
    """A node whose inputs are constants and shapes, evaluated: once, or once for every batch of `BATCHES`.

    Raises:
        UnsupportedError: it cannot be evaluated.
    """
    values = {name: reader.value(node, place) for place, name in enumerate(node.inputs) if name}
    shapes = [value for value in values.values() if isinstance(value, ShapeVector)]
    runs: list[Arrays] = []
    for place in range(len(BATCHES) if shapes else 1):
        feeds = {name: value.values[place] for name, value in values.items() if isinstance(value, ShapeVector)}
        feeds |= {name: value.array for name, value in values.items() if isinstance(value, Constant)}
        runs.append(_evaluated(proto, feeds, reader))
    return [_value(results) for results in zip(*runs, strict=True)]


def _evaluated(proto: onnx.NodeProto, feeds: dict[str, npt.NDArray[np.generic]], reader: Reader) -> Arrays:
    inputs = [Known(value=feeds[name]) if name else None for name in proto.input]
    moved = view(proto, inputs) if not any(proto.output[1:]) else None
    if isinstance(moved, Known):
        return [moved.array()]
    wanted = [name for name in proto.output if name]
    sets = onnx.ModelProto(opset_import=[onnx.helper.make_opsetid("", reader.opset)])
    results = evaluate([proto], feeds, wanted, sets)
    return [results[name] for name in wanted]


def _value(results: Arrays) -> Value:
    """The same for every batch: a constant."""
    first, *others = results
    if all(np.array_equal(first, other) for other in others):
        return Constant(first)
    return ShapeVector(tuple(results))
