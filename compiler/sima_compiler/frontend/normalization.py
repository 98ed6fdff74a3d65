"""BatchNormalization of a float model that onnxruntime's basic optimizations leave.

In: a float model. Out: the same model, in place. Always: the same function; a normalization behind a ConvTranspose that
nothing else reads goes into its weights and bias, any other becomes a depthwise 1 x 1 convolution.

::

    before: ConvTranspose -> BatchNormalization     after: ConvTranspose
    before: Concat -> BatchNormalization            after: Concat -> Conv
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler.frontend.constants.names import Names
from sima_compiler.frontend.constants.tensors import decode, encode

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Line:
    """Factor and offset of each channel."""

    factor: Reals
    offset: Reals


def fold_normalizations(model: onnx.ModelProto, names: Names) -> None:
    """Rewrite ``model`` in place; what has computed statistics stays."""
    constants = {entry.name: decode(entry) for entry in model.graph.initializer}
    producers = {name: node for node in model.graph.node for name in node.output}
    readers = Counter(name for node in model.graph.node for name in node.input)
    readers.update(entry.name for entry in model.graph.output)
    gone: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type != "BatchNormalization" or any(name not in constants for name in node.input[1:5]):
            continue
        line = _line(node, constants)
        front = producers.get(node.input[0])
        if front is not None and _takes(front, constants) and readers[node.input[0]] == 1:
            _into_transposed(model, front, line, constants, names)
            front.output[0] = node.output[0]
            producers[node.output[0]] = front
            gone.append(node)
        else:
            _as_convolution(model, node, line, names)
    for node in gone:
        model.graph.node.remove(node)


def _line(node: onnx.NodeProto, constants: Mapping[str, npt.NDArray[Any]]) -> Line:
    scale, shift, mean, variance = (constants[name].astype(np.float64) for name in node.input[1:5])
    epsilon = next((entry.f for entry in node.attribute if entry.name == "epsilon"), 1e-5)
    factor = scale / np.sqrt(variance + epsilon)
    return Line(factor, shift - mean * factor)


def _takes(front: onnx.NodeProto, constants: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Whether the operator in front is a transposed convolution with constants."""
    known = all(name in constants for name in front.input[1:] if name)
    return front.op_type == "ConvTranspose" and not front.domain and len(front.input) > 1 and known


def _into_transposed(
    model: onnx.ModelProto,
    front: onnx.NodeProto,
    line: Line,
    constants: Mapping[str, npt.NDArray[Any]],
    names: Names,
) -> None:
    """Weights (Cin, Cout / groups, kh, kw) times the factor of the output that each belongs to."""
    weights = constants[front.input[1]].astype(np.float64)
    groups = next((entry.i for entry in front.attribute if entry.name == "group"), 1)
    channels, outputs = weights.shape[:2]
    factor = np.repeat(line.factor.reshape(groups, outputs), channels // groups, axis=0)
    scaled = weights * factor.reshape(channels, outputs, *(1,) * (weights.ndim - 2))
    bias = constants[front.input[2]].astype(np.float64) if len(front.input) > 2 and front.input[2] else 0.0
    label = front.name or front.output[0]
    new_weights = encode(scaled.astype(np.float32), names.fresh(f"{label}_weights"))
    new_bias = encode((bias * line.factor + line.offset).astype(np.float32), names.fresh(f"{label}_bias"))
    model.graph.initializer.extend([new_weights, new_bias])
    del front.input[1:]
    front.input.extend([new_weights.name, new_bias.name])


def _as_convolution(model: onnx.ModelProto, node: onnx.NodeProto, line: Line, names: Names) -> None:
    label = node.name or node.output[0]
    weights = encode(line.factor.astype(np.float32).reshape(-1, 1, 1, 1), names.fresh(f"{label}_weights"))
    bias = encode(line.offset.astype(np.float32), names.fresh(f"{label}_bias"))
    model.graph.initializer.extend([weights, bias])
    inputs = [node.input[0], weights.name, bias.name]
    node.CopyFrom(onnx.helper.make_node("Conv", inputs, [node.output[0]], label, group=int(line.factor.size)))
