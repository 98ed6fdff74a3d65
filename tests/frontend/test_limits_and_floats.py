"""Limits that cross, and constants and boundaries of other floats: equal to the original file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import Model, quantize
from sima_compiler.frontend.canonical import canonical
from tests.support.exact_forms import Forms, dequantized, finish, pruned
from tests.support.judges import assert_judges_agree, assert_reference_agrees, saved_file
from tests.support.oracle import run_onnxruntime
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

exact = Forms()


# Clip with its limits crossed: the upper one wins.


def limits(net: QdqGraph, low: float, high: float) -> list[str]:
    return [net.constant(low, np.float32), net.constant(high, np.float32)]


@exact()
def crossed_limits_behind_a_product(net: QdqGraph) -> None:
    x = net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3)))
    finish(net, net.op("Clip", x, *limits(net, 2, -1)))


@exact()
def crossed_limits_alone(net: QdqGraph) -> None:
    finish(net, net.op("Clip", net.input((3, 6, 6)), *limits(net, 1.5, 0.5)), 0.01, 0)


@exact()
def crossed_limits_behind_relu(net: QdqGraph) -> None:
    x = net.op("Relu", net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3))))
    finish(net, net.op("Clip", x, *limits(net, 3, 1)), 0.03, -100)


@exact()
def limits_that_cross_those_in_front(net: QdqGraph) -> None:
    x = net.op("Clip", net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3))), *limits(net, 0, 1))
    finish(net, net.op("Clip", x, *limits(net, 2, 5)), 0.03, -100)


@exact()
def crossed_limits_that_are_quantized(net: QdqGraph) -> None:
    x = net.op("Add", net.input((3, 6, 6)), net.input((3, 6, 6), "other"))
    low, high = dequantized(net, 90, np.int8, 0.02, 0), dequantized(net, 10, np.int8, 0.02, 0)
    finish(net, net.op("Clip", x, low, high), 0.02, 3)


@exact()
def crossed_limits_on_a_pruned_channel(net: QdqGraph) -> None:
    x = net.op("Conv", net.input((3, 6, 6)), pruned(net, 2)[0])
    finish(net, net.op("Clip", x, *limits(net, 2, -1)))


@exact()
def no_upper_limit(net: QdqGraph) -> None:
    x = net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3)))
    finish(net, net.op("Clip", x, *limits(net, 0.5, np.inf)))


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("name", exact)
def test_equal_to_the_original(name: str, kind: type, tmp_path: Path) -> None:
    exact.assert_exact(name, kind, tmp_path)


# Float16 and double become float32.


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_boundaries_of_other_floats(kind: int, tmp_path: Path) -> None:
    net = QdqGraph()
    image = net.float_input((3, 6, 6))
    net.inputs[0].type.tensor_type.elem_type = kind
    x = net.pair(net.op("Cast", image, to=TensorProto.FLOAT), 0.02, 3)
    y = net.pair(net.op("Conv", x, net.weights((4, 3, 3, 3))))
    net.output(net.op("Cast", y, to=kind), dtype=kind)
    original = net.model()
    model = Model.from_onnx(original)
    inputs = {"image": np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float16).astype(np.float32)}
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    (expected,) = run_onnxruntime(original, {"image": inputs["image"].astype(dtype)}).values()
    assert np.array_equal(model.execute(inputs)[0].astype(dtype), expected)
    onnx.checker.check_model(model.to_onnx(), full_check=True)


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_constants_of_other_floats(kind: type, tmp_path: Path) -> None:
    """Real weights behind a pair, a limit and a scale, all of another type until a Cast."""
    net = QdqGraph()
    as_float = {"to": TensorProto.FLOAT}
    weights = net.op("Cast", net.constant(net.random.normal(0, 0.2, (4, 3, 3, 3)), kind), **as_float)
    parameters = [net.op("Cast", net.constant(0.0041, kind), **as_float), net.constant(0, np.int8)]
    weights = net.op("DequantizeLinear", net.op("QuantizeLinear", weights, *parameters), *parameters)
    x = net.op("Conv", net.input((3, 6, 6)), weights)
    finish(net, net.op("Clip", x, net.op("Cast", net.constant(-0.37, kind), **as_float)), 0.013)
    assert_judges_agree(net.model(), tmp_path, batch=2, compress=True)


@pytest.mark.parametrize("inside", [True, False], ids=["float16 behind Cast", "float16 at the boundary"])
def test_a_float16_model_is_quantized_as_float32(inside: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = numpy_helper.from_array(random.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float16), "w")
    layer = [helper.make_node("Conv", ["h", "w"], ["c"]), helper.make_node("Relu", ["c"], ["r"])]
    casts = [
        helper.make_node("Cast", ["x"], ["h"], to=TensorProto.FLOAT16),
        helper.make_node("Cast", ["r"], ["y"], to=TensorProto.FLOAT),
    ]
    kind, names = (TensorProto.FLOAT, ("x", "y")) if inside else (TensorProto.FLOAT16, ("h", "r"))
    image = helper.make_tensor_value_info(names[0], kind, [1, 3, 8, 8])
    result = helper.make_tensor_value_info(names[1], kind, None)
    nodes = [casts[0], *layer, casts[1]] if inside else layer
    float_model = helper.make_model(
        helper.make_graph(nodes, "half", [image], [result], [weights]),
        opset_imports=[helper.make_opsetid("", 13)], ir_version=8,
    )  # fmt: skip
    samples = [{names[0]: random.standard_normal((1, 3, 8, 8), dtype=np.float32)} for _ in range(4)]
    model = quantize(float_model, samples)
    assert [node.op for node in model.graph.nodes] == ["Conv"]
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    (expected,) = run_onnxruntime(float_model, {names[0]: samples[0][names[0]].astype(dtype)}).values()
    noise = model.execute(samples[0])[0] - expected.astype(np.float32)
    assert 10 * np.log10(np.square(expected.astype(np.float64)).mean() / np.square(noise).mean()) > 30  # decibels
    assert_judges_agree(saved_file(model, tmp_path), tmp_path, batch=1, compress=True)


def test_nodes_that_do_nothing_are_gone_before_reading() -> None:
    net = QdqGraph()
    x = net.op("Cast", net.input((3, 6, 6)), to=TensorProto.FLOAT)
    x = net.op("Dropout", net.op("Identity", net.op("Max", x)))
    stored = net.op("Cast", net.quantize(net.op("Sigmoid", x), 1 / 256, -128), to=TensorProto.UINT8)
    net.output(net.op("Identity", net.dequantize(stored, 1 / 256, -128)))
    operators = [node.op_type for node in canonical(net.model()).graph.node]
    assert operators == ["QuantizeLinear", "DequantizeLinear", "Sigmoid", "QuantizeLinear", "DequantizeLinear"]


@pytest.mark.parametrize("operator", ["Max", "Min"])
def test_the_larger_and_the_smaller_of_a_tensor_and_itself_is_the_tensor(operator: str) -> None:
    net = QdqGraph(UINT8)
    x = net.input((4, 3, 3))
    net.output(net.pair(net.op(operator, x, x), 0.021, 5))
    assert_reference_agrees(net.model())
