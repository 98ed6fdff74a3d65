"""onnx's own node tests as quantized files: every case of an operator of the MLA, and every case on bytes.

In: the cases of the onnx package. Out: an ONNX file and the case's own samples. A float case is wrapped: activations
and the first result (all, of a Split) get QuantizeLinear and DequantizeLinear over the range of the case's data,
weights become int8, what else is an input of the node becomes a constant. A case on bytes stays as it is, but for its
second and further inputs, which become constants.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

#: What the vendor's list of the MLA names, by ONNX operators (Variance and Rsqrt are written with several).
OPERATORS = frozenset({
    "Add", "ArgMax", "AveragePool", "Expand", "Clip", "Concat", "Conv", "ConvTranspose", "DepthToSpace", "Div",
    "Einsum", "Elu", "Erf", "Exp", "Gelu", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish",
    "InstanceNormalization", "LayerNormalization", "LeakyRelu", "Log", "LRN", "MatMul", "MaxPool", "Mul", "Pad", "Pow",
    "PRelu", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "RMSNormalization",
    "Sigmoid", "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Sub", "Swish", "Gather", "Tanh",
    "Transpose", "BatchNormalization", "Gemm", "Flatten", "Squeeze", "Unsqueeze", "Mish", "Max", "Min", "Neg", "Abs",
    "LogSoftmax",
})  # fmt: skip
#: Operators on bytes.
BYTES = frozenset(
    {"QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "QuantizeLinear", "DequantizeLinear"}
)
#: All of whose inputs are activations.
JOINS = frozenset({"Add", "Sub", "Mul", "Div", "Max", "Min", "Concat", "MatMul", "Einsum", "Sum"})
#: With weights at input 1.
WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm"})
#: The newest operator set of which onnxruntime has every operator; cases of newer forms than that are left out by it.
NEWEST_OPSET = 24
BYTE_TYPES = (TensorProto.INT8, TensorProto.UINT8)


@dataclass(frozen=True, slots=True)
class Case:
    """A file, and arrays for what it leaves open."""

    name: str
    operator: str
    model: onnx.ModelProto
    inputs: Mapping[str, np.ndarray]


@cache
def cases() -> tuple[Case, ...]:
    """All of them in the order of their names."""
    with warnings.catch_warnings():  # onnx computes expected values as it collects, infinities among them
        warnings.simplefilter("ignore")
        found = sorted(collect_testcases(None), key=lambda case: case.name)
    return tuple(made for case in found if not case.name.endswith("_cpu") for made in _case(case))


def _case(case: Any) -> Iterator[Case]:
    graph = case.model.graph
    operator = graph.node[0].op_type
    if len(graph.node) != 1 or graph.node[0].domain or operator not in OPERATORS | BYTES or not case.data_sets:
        return
    given, expected = case.data_sets[0]
    arrays = {entry.name: value for entry, value in zip(graph.input, given, strict=True)}
    if not all(isinstance(value, np.ndarray | np.generic) for value in (*arrays.values(), *expected)):
        return  # sequences and values that may be absent
    arrays = {name: _single(value) for name, value in arrays.items()}
    results = [_single(value) for value in expected]
    first = helper.np_dtype_to_tensor_dtype(next(iter(arrays.values())).dtype)
    if operator in BYTES or first in BYTE_TYPES:
        yield _as_it_is(case, arrays)
    elif first == TensorProto.FLOAT and (results[0].dtype == np.float32 or operator == "ArgMax"):
        yield _wrapped(case, arrays, results)


def _single(value: np.ndarray | np.generic) -> np.ndarray:
    """Doubles as float32: Einsum's cases are of doubles alone."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def _as_it_is(case: Any, arrays: Mapping[str, np.ndarray]) -> Case:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    first = model.graph.input[0]
    fixed = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name != first.name]
    model.graph.initializer.extend(fixed)
    del model.graph.input[1:]
    _limit_opset(model)
    real = arrays[first.name]
    if real.dtype in (np.int8, np.uint8):  # samples are reals: of bytes, the numbers
        real = real.astype(np.float32)
    return Case(case.name, model.graph.node[0].op_type, model, {first.name: real})


def _wrapped(case: Any, arrays: Mapping[str, np.ndarray], results: Sequence[np.ndarray]) -> Case:
    node = onnx.NodeProto()
    node.CopyFrom(case.model.graph.node[0])
    names = [name for name in node.input if name]
    floating = [name for name in dict.fromkeys(names) if arrays[name].dtype == np.float32]
    moving = floating if node.op_type in JOINS else floating[:1]
    pen = _Pen()
    pairs = {name: pen.pair(name, arrays[name]) for name in moving}
    if node.op_type in WEIGHTED:
        pairs[names[1]] = pen.weights(names[1], arrays[names[1]])
    for place, name in enumerate(node.input):
        if name in pairs:
            node.input[place] = pairs[name]
        elif name:
            pen.constants.setdefault(name, arrays[name])
    outputs = [name for name in node.output if name][: len(results) if node.op_type == "Split" else 1]
    node.output[:] = [f"{name}_raw" for name in outputs]
    pen.nodes.append(node)
    ends = [
        pen.pair(f"{name}_raw", array, name) if array.dtype == np.float32 else f"{name}_raw"
        for name, array in zip(outputs, results, strict=False)
    ]
    graph = helper.make_graph(
        pen.nodes,
        case.name,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, arrays[name].shape) for name in moving],
        [
            helper.make_tensor_value_info(end, helper.np_dtype_to_tensor_dtype(array.dtype), None)
            for end, array in zip(ends, results, strict=False)
        ],
        [numpy_helper.from_array(array, name) for name, array in pen.constants.items()],
    )
    opset = max(13, next(entry.version for entry in case.model.opset_import if not entry.domain))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    _limit_opset(model)
    return Case(case.name, node.op_type, model, {name: arrays[name] for name in moving})


def _limit_opset(model: onnx.ModelProto) -> None:
    for entry in model.opset_import:
        if not entry.domain:
            entry.version = min(entry.version, NEWEST_OPSET)


class _Pen:
    """Nodes and constants of a wrapped case."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def pair(self, name: str, values: np.ndarray, result: str = "") -> str:
        """Q and DQ over the range of the values, as uint8."""
        finite = values[np.isfinite(values)]
        low, high = min(float(finite.min(initial=0)), 0.0), max(float(finite.max(initial=0)), 0.0)
        scale = np.float32(max(high - low, 1e-3) / 255)
        zero = np.uint8(np.clip(np.rint(-low / scale), 0, 255))
        self.constants |= {f"{name}_scale": np.asarray(scale), f"{name}_zero": np.asarray(zero)}
        parameters, result = [f"{name}_scale", f"{name}_zero"], result or f"{name}_dq"
        self.nodes.append(helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}_q"], f"{name}_q"))
        self.nodes.append(helper.make_node("DequantizeLinear", [f"{name}_q", *parameters], [result], result))
        return result

    def weights(self, name: str, values: np.ndarray) -> str:
        """DQ of int8, one scale."""
        scale = np.float32(max(float(np.abs(values).max(initial=0)), 1e-3) / 127)
        stored = np.rint(values / scale).astype(np.int8)
        self.constants |= {
            f"{name}_q": stored,
            f"{name}_scale": np.asarray(scale),
            f"{name}_zero": np.asarray(np.int8(0)),
        }
        inputs = [f"{name}_q", f"{name}_scale", f"{name}_zero"]
        self.nodes.append(helper.make_node("DequantizeLinear", inputs, [f"{name}_dq"], f"{name}_dq"))
        return f"{name}_dq"
