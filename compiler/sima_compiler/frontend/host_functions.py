"""Elementwise functions that IEEE 754 does not settle: evaluated by onnxruntime, whose kernels define them.

In: a node and the float32 values of its first input. Out: float32 values of the same shape. Always: one node at a time,
as onnxruntime runs it between DequantizeLinear and QuantizeLinear; it is loaded only when such a node is met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from sima_compiler.frontend import rules
from sima_compiler.frontend.functions import as_function, constant_rows, real_constant, step_name, unary
from sima_compiler.frontend.onnx_node import SourceNode
from sima_compiler.frontend.reader import Reader
from sima_compiler.frontend.values import Constant, QuantizedConstant, RealFunction, Value
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
    if node.operator == "Pow":
        return [_power(node, reader, function)]
    extras = {name: _number(node, reader, place) for place, name in enumerate(node.inputs[1:], 1) if name}
    result = unary(function, step_name(node.operator), node.name, lambda x: _run(node, reader.opset, x, extras))
    return [result]


def _power(node: SourceNode, reader: Reader, base: RealFunction) -> RealFunction:
    """Pow with constant exponents: one number in the type of the file, of which onnxruntime squares and cubes, or a
    number for each place.
    """
    value = reader.value(node, 1)
    rules.POWER.check(node, "its exponents are computed", isinstance(value, Constant | QuantizedConstant))
    assert isinstance(value, Constant | QuantizedConstant), "checked above"
    exponents = value.array if isinstance(value, Constant) else real_constant(value)
    if exponents.size == 1:
        extras = {node.inputs[1]: exponents.reshape(())}
        return unary(base, "pow", node.name, lambda x: _run(node, reader.opset, x, extras))
    rows = constant_rows(node, exponents, base.shape)
    shape = np.broadcast_shapes(rows.shape, base.values.shape)
    extras = {node.inputs[1]: np.ascontiguousarray(np.broadcast_to(rows.astype(exponents.dtype), shape))}
    spread = replace(base, values=np.ascontiguousarray(np.broadcast_to(base.values, shape)))
    return unary(spread, "pow", node.name, lambda x: _run(node, reader.opset, x, extras))


def _number(node: SourceNode, reader: Reader, place: int) -> Float32Array:
    value = reader.value(node, place)
    is_number = isinstance(value, Constant) and value.array.size == 1
    rules.REAL_NUMBER.check(node, f"input {node.inputs[place]!r} is no constant number", is_number)
    return reader.constant(node, place).astype(np.float32)


def _run(
    node: SourceNode, opset: int, values: Float32Array, extras: Mapping[str, npt.NDArray[np.generic]]
) -> Float32Array:
    import onnxruntime

    names = {name: f"extra_{place}" for place, name in enumerate(extras)}
    proto = helper.make_node(
        node.operator, ["x", *(names.get(name, "") for name in node.inputs[1:])], ["y"], **node.attributes
    )
    graph = helper.make_graph(
        [proto], "function",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, values.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, values.shape)],
        [numpy_helper.from_array(array, names[name]) for name, array in extras.items()],
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
