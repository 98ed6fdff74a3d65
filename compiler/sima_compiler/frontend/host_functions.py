"""Elementwise functions that IEEE 754 does not settle: evaluated by onnxruntime, whose kernels define them.

In: a node and the float32 values of its first input. Out: float32 values of the same shape. Always: one node at a time,
as onnxruntime runs it between DequantizeLinear and QuantizeLinear; it is loaded only when such a node is met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import as_function, step_name, unary
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Constant, QuantizedConstant, Value
from sima_compiler.ir.graph import Float32Array

#: Functions of their first input alone; Pow has a constant exponent beside it.
FUNCTIONS = (
    "Exp", "Log", "Erf", "Softplus", "Softsign", "Elu", "Selu", "Celu", "ThresholdedRelu", "Gelu", "Mish", "Pow",
    "Swish", "Sin", "Cos", "Atan",
)  # fmt: skip


def convert_host_function(node: SourceNode, reader: Reader) -> Sequence[Value]:
    """One of `FUNCTIONS` on the 256 values of its input."""
    value = reader.activation(node)
    function = as_function(value, node, reader)
    if function is None:
        reader.builder.check_settles(value, node)
        raise node.unsupported("its input is no activation", rule=rules.QUANTIZED.sentence)
    extras = {name: _number(node, reader, place) for place, name in enumerate(node.inputs[1:], 1) if name}
    result = unary(function, step_name(node.operator), node.name, lambda x: _run(node, reader.opset, x, extras))
    return [result]


def _number(node: SourceNode, reader: Reader, place: int) -> Float32Array:
    value = reader.value(node, place)
    rules.REAL_CONSTANT.check(node, f"input {node.inputs[place]!r} is no constant number", _is_number(value))
    return reader.constant(node, place).astype(np.float32)


def _is_number(value: Value) -> bool:
    return isinstance(value, Constant) and value.array.size == 1 and not isinstance(value, QuantizedConstant)


def _run(node: SourceNode, opset: int, values: Float32Array, extras: Mapping[str, Float32Array]) -> Float32Array:
    import onnxruntime

    proto = helper.make_node(node.operator, ["x", *node.inputs[1:]], ["y"], **node.attributes)
    graph = helper.make_graph(
        [proto], "function",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, values.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, values.shape)],
        [numpy_helper.from_array(array, name) for name, array in extras.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(["y"], {"x": np.ascontiguousarray(values)})[0], np.float32)
    except Exception as error:  # onnxruntime's exceptions have no common public base
        raise node.unsupported(
            f"onnxruntime cannot evaluate it: {error}", rule=rules.KNOWN_OPERATOR.sentence
        ) from error
