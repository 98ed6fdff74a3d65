"""Constants that a file computes: whatever stands between the numbers and their reader, the original file's result.

Each network is compiled, its archive simulated, and compared with onnxruntime on the very file, every element. Each
case also says which views it needs: `test_every_view_is_needed` turns them off one at a time and must see a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import Model, SimaError
from sima_compiler.frontend.constants import folding, views
from tests.support.judges import assert_judges_agree
from tests.support.oracle import differing, run_onnxruntime
from tests.support.qdq_graph import INT8, QdqGraph

Build = Callable[[QdqGraph], None]
CASES: dict[str, Build] = {}
OPSETS: dict[str, int] = {}
#: Operator of a view -> the cases that cannot be read without it, and need nothing but views.
NEEDS: dict[str, list[str]] = {}
#: Cases with something that only an evaluator computes.
COMPUTED: list[str] = []


def case(*needs: str, computed: bool = False, opset: int = 17) -> Callable[[Build], Build]:
    def register(build: Build) -> Build:
        CASES[build.__name__], OPSETS[build.__name__] = build, opset
        COMPUTED.extend([build.__name__] * computed)
        for operator in needs:
            NEEDS.setdefault(operator, []).append(build.__name__)
        return build

    return register


def network(name: str, kind: type = np.uint8) -> onnx.ModelProto:
    net = QdqGraph(kind, opset=OPSETS[name])
    CASES[name](net)
    return net.model()


def finish(net: QdqGraph, value: str, scale: float = 0.05, zero: int = -7) -> None:
    net.output(net.pair(value, scale, zero))


def real(net: QdqGraph, shape: tuple[int, ...], spread: float = 0.3) -> str:
    return net.constant(net.random.normal(0, spread, shape), np.float32)


def fake_quantized(net: QdqGraph, value: str, scale: Any, zero: Any = 0, kind: type = np.int8, **attributes) -> str:
    """As quantization-aware training leaves it: real numbers behind Q and DQ."""
    parameters = [net.constant(scale, np.float32), net.constant(zero, kind)]
    stored = net.op("QuantizeLinear", value, *parameters, **attributes)
    return net.op("DequantizeLinear", stored, *parameters, **attributes)


def conv(net: QdqGraph, weights: str, channels: int = 3, **attributes) -> None:
    finish(net, net.op("Conv", net.input((channels, 6, 6)), weights, **attributes))


@case(computed=True)
def real_weights_behind_a_pair(net: QdqGraph) -> None:
    conv(net, fake_quantized(net, real(net, (4, 3, 3, 3)), 0.004))


@case(computed=True)
def real_weights_behind_a_pair_per_channel(net: QdqGraph) -> None:
    scales = net.random.uniform(0.002, 0.008, 5)
    conv(net, fake_quantized(net, real(net, (5, 3, 3, 3)), scales, np.zeros(5), axis=0))


@case(computed=True)
def real_weights_behind_clip_and_a_pair(net: QdqGraph) -> None:
    limits = [net.constant(-0.2, np.float32), net.constant(0.25, np.float32)]
    conv(net, fake_quantized(net, net.op("Clip", real(net, (4, 3, 3, 3)), *limits), 0.002))


@case(computed=True)
def integers_limited_between_the_pair(net: QdqGraph) -> None:
    """As brevitas narrows weights: Clip on bytes."""
    parameters = [net.constant(0.004, np.float32), net.constant(0, np.int8)]
    stored = net.op("QuantizeLinear", real(net, (4, 3, 3, 3)), *parameters)
    narrow = net.op("Clip", stored, net.constant(-100, np.int8), net.constant(90, np.int8))
    conv(net, net.op("DequantizeLinear", narrow, *parameters))


@case(computed=True)
def a_real_operand_behind_a_pair(net: QdqGraph) -> None:
    x = net.input((4, 6, 6))
    finish(net, net.op("Add", x, fake_quantized(net, real(net, (1, 4, 1, 1), 1.0), 0.02, 128, np.uint8)))


@case(computed=True)
def a_negative_operand_behind_a_pair(net: QdqGraph) -> None:
    operand = net.constant(-np.abs(net.random.normal(0, 1, (1, 4, 1, 1))), np.float32)
    x = net.op("Relu", net.op("Conv", net.input((3, 6, 6)), fake_quantized(net, real(net, (4, 3, 3, 3)), 0.004)))
    finish(net, net.op("Add", net.pair(x, 0.02, -128), fake_quantized(net, operand, 0.013, 255, np.uint8)))


@case(computed=True)
def a_pair_behind_a_pair(net: QdqGraph) -> None:
    inner = fake_quantized(net, real(net, (4, 3, 3, 3)), 0.009)
    conv(net, fake_quantized(net, inner, 0.004))


@case(computed=True)
def weights_that_are_computed(net: QdqGraph) -> None:
    """Weight normalization: direction times length over norm."""
    direction, length = real(net, (4, 3, 3, 3)), net.constant(net.random.uniform(0.5, 2, (4, 1, 1, 1)), np.float32)
    norm = net.op("ReduceL2", direction, axes=[1, 2, 3], keepdims=1)
    conv(net, fake_quantized(net, net.op("Mul", net.op("Div", direction, norm), length), 0.008))


@case("Cast")
def a_zero_point_through_cast(net: QdqGraph) -> None:
    zero = net.op("Cast", net.constant(100, np.int32), to=TensorProto.UINT8)
    stored = net.constant(net.random.integers(0, 256, (1, 4, 1, 1)), np.uint8)
    operand = net.op("DequantizeLinear", stored, net.constant(0.02, np.float32), zero)
    finish(net, net.op("Add", net.input((4, 6, 6)), operand))


@case("Identity")
def a_zero_point_and_a_scale_through_identity(net: QdqGraph) -> None:
    x = net.float_input((3, 5, 5))
    scale = net.op("Identity", net.op("Identity", net.constant(0.03, np.float32)))
    zero = net.op("Identity", net.constant(115, np.uint8))
    pair = net.op("DequantizeLinear", net.op("QuantizeLinear", x, scale, zero), scale, zero)
    finish(net, net.op("Conv", pair, net.weights((4, 3, 3, 3))))


@case("Cast", "Reshape")
def zero_points_through_cast_and_reshape_of_a_list(net: QdqGraph) -> None:
    zeros = net.op("Reshape", net.constant([[0.0], [1.0], [-2.0], [3.0]], np.float32), net.constant([-1], np.int64))
    stored = net.constant(net.random.integers(-100, 101, (4, 3, 3, 3)), np.int8)
    scales = net.constant(net.random.uniform(0.002, 0.01, 4), np.float32)
    conv(net, net.op("DequantizeLinear", stored, scales, net.op("Cast", zeros, to=TensorProto.INT8), axis=0))


@case(computed=True)
def a_zero_point_that_is_calculated(net: QdqGraph) -> None:
    zero = net.op("Sub", net.constant(200, np.uint8), net.constant(80, np.uint8))
    x = net.float_input((3, 5, 5))
    scale = net.op("Div", net.constant(6.0, np.float32), net.constant(255.0, np.float32))
    pair = net.op("DequantizeLinear", net.op("QuantizeLinear", x, scale, zero), scale, zero)
    finish(net, net.op("Sigmoid", pair), 1 / 256, -128)


@case("Reshape")
def weights_behind_a_reshape_that_keeps_and_infers(net: QdqGraph) -> None:
    kernel = net.op("Reshape", net.weights((6, 4), axis=0), net.constant([0, 0, 1, -1], np.int64))
    conv(net, kernel, 4)


@case("Reshape", "Transpose")
def weights_behind_reshape_and_transpose(net: QdqGraph) -> None:
    """Scales along axis 0 of (24, 9): they run over the output channels only after the moves."""
    flat = net.weights((36, 6), axis=1)
    kernel = net.op("Transpose", net.op("Reshape", flat, net.constant([4, 3, 3, 6], np.int64)), perm=[3, 0, 1, 2])
    conv(net, kernel, 4)


@case("Reshape", "Transpose")
def weights_whose_scales_run_over_the_last_of_two_equal_sizes(net: QdqGraph) -> None:
    """(36, 4) with scales along its 4, then (4, 3, 3, 4): the other 4 is not theirs."""
    split = net.op("Reshape", net.weights((36, 4), axis=1), net.constant([4, 3, 3, 4], np.int64))
    conv(net, net.op("Transpose", split, perm=[3, 0, 1, 2]), 4)


@case(computed=True)
def integers_through_a_cast_that_numpy_leaves_alone(net: QdqGraph) -> None:
    stored = net.op("Cast", net.constant(net.random.integers(-99, 100, (4, 3, 3, 3)), np.float16), to=TensorProto.INT8)
    conv(net, net.op("DequantizeLinear", stored, net.constant(0.01, np.float32), net.constant(0, np.int8)))


@case("Unsqueeze", "Squeeze")
def weights_behind_unsqueeze_and_squeeze(net: QdqGraph) -> None:
    wide = net.op("Unsqueeze", net.weights((5, 3), axis=0), net.constant([0, 3, -1], np.int64))
    conv(net, net.op("Squeeze", wide, net.constant([0], np.int64)))


@case("Flatten")
def weights_behind_flatten(net: QdqGraph) -> None:
    x = net.pair(net.op("Flatten", net.input((12, 1, 1))), 0.02, 3)
    finish(net, net.op("Gemm", x, net.op("Flatten", net.weights((7, 3, 4), axis=0)), transB=1))


@case("Transpose")
def a_matrix_behind_transpose(net: QdqGraph) -> None:
    finish(net, net.op("MatMul", net.input((12,)), net.op("Transpose", net.weights((7, 12), axis=0))))


@case("Transpose", "Slice", "Concat", "Gather")
def integers_that_are_cut_joined_and_picked(net: QdqGraph) -> None:
    stored = net.constant(net.random.integers(-127, 128, (3, 3, 3, 8)), np.int8)
    turned = net.op("Transpose", stored, perm=[3, 2, 0, 1])
    part = net.op("Slice", turned, net.constant([1]), net.constant([4]), net.constant([0]))
    rest = net.op("Gather", turned, net.constant([0, 7, 5]), axis=0)
    joined = net.op("Concat", part, rest, axis=0)
    conv(net, net.op("DequantizeLinear", joined, net.constant(0.01, np.float32), net.constant(0, np.int8)))


@case("Identity")
def weights_behind_identity(net: QdqGraph) -> None:
    conv(net, net.op("Identity", net.weights((5, 3, 3, 3), axis=0)))


@case("Dropout")
def weights_behind_dropout(net: QdqGraph) -> None:
    conv(net, net.op("Dropout", net.weights((5, 3, 3, 3), axis=0)))


@case("Cast")
def weights_behind_a_cast_to_float(net: QdqGraph) -> None:
    conv(net, net.op("Cast", net.weights((5, 3, 3, 3), axis=0), to=TensorProto.FLOAT))


@case("Shape", "Gather", "Concat")
def a_target_shape_out_of_the_shape_of_weights(net: QdqGraph) -> None:
    sizes = net.op("Shape", net.constant(np.zeros((12, 9)), np.float32))
    target = net.op("Concat", net.constant([0]), net.op("Gather", sizes, net.constant([0])), axis=0)
    flat = net.op("Reshape", net.input((3, 2, 2)), target)
    finish(net, net.op("MatMul", net.pair(flat, 0.02, 3), net.weights((12, 5), axis=1)), 0.02)


@case()
def weights_in_constant_nodes(net: QdqGraph) -> None:
    values = net.random.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    stored = net.op("Constant", value=numpy_helper.from_array(values))
    scale, zero = net.op("Constant", value_float=0.01), net.op("Constant", value=numpy_helper.from_array(np.int8(0)))
    conv(net, net.op("DequantizeLinear", stored, scale, zero))


@case("Cast")
def constant_nodes_in_every_form(net: QdqGraph) -> None:
    zero = net.op("Cast", net.op("Constant", value_int=3), to=TensorProto.INT8)
    scales = net.op("Constant", value_floats=[0.01, 0.02, 0.005, 0.03])
    zeros = net.op("Cast", net.op("Constant", value_ints=[0, 0, 0, 0]), to=TensorProto.INT8)
    stored = net.constant(net.random.integers(-120, 121, (4, 3, 3, 3)), np.int8)
    kernel = net.op("DequantizeLinear", stored, scales, zeros, axis=0)
    operand = net.op("DequantizeLinear", net.constant([[[[5]], [[-9]], [[100]], [[0]]]], np.int8),
                     net.op("Constant", value_float=0.02), zero)  # fmt: skip
    x = net.pair(net.op("Conv", net.input((3, 6, 6)), kernel))
    finish(net, net.op("Add", x, operand))


@case(computed=True)
def a_constant_of_a_shape(net: QdqGraph) -> None:
    ones = net.op(
        "ConstantOfShape", net.constant([1, 4, 1, 1]), value=helper.make_tensor("v", TensorProto.INT8, [1], [9])
    )
    operand = net.op("DequantizeLinear", ones, net.constant(0.02, np.float32), net.constant(0, np.int8))
    finish(net, net.op("Mul", net.input((4, 6, 6)), operand), 0.01)


@case(computed=True)
def a_constant_spread_to_the_shape_of_another(net: QdqGraph) -> None:
    like = net.op("Shape", net.constant(np.zeros((1, 4, 1, 1)), np.int8))
    spread = net.op("Expand", net.constant([-60], np.int8), like)
    operand = net.op("DequantizeLinear", spread, net.constant(0.02, np.float32), net.constant(0, np.int8))
    finish(net, net.op("Add", net.input((4, 6, 6)), operand))


@case(computed=True)
def a_bias_that_torch_divides_by_its_scale(net: QdqGraph) -> None:
    x = net.input((16,), scale=0.05)
    kernel = net.weights((5, 16), axis=0)
    scales = net.nodes[-1].input[1]
    unit = net.op("Mul", scales, net.constant(0.05, np.float32))
    steps = net.op("Cast", net.op("Div", real(net, (5,), 1.0), unit), to=TensorProto.INT32)
    finish(net, net.op("Gemm", x, kernel, net.op("DequantizeLinear", steps, unit, axis=0), transB=1), 0.2)


@case()
def a_cast_to_the_same_type_between_the_pair(net: QdqGraph) -> None:
    stored = net.quantize(net.float_input((16,)), 0.05, 0)
    same = net.op("Cast", stored, to=TensorProto.UINT8 if net.kind is np.uint8 else TensorProto.INT8)
    finish(net, net.op("MatMul", net.dequantize(same, 0.05, 0), net.weights((16, 5))))


@case(computed=True)
def a_target_shape_that_is_joined(net: QdqGraph) -> None:
    target = net.op("Concat", net.constant([0]), net.op("Mul", net.constant([2]), net.constant([6])), axis=0)
    flat = net.op("Reshape", net.input((3, 2, 2)), target)
    finish(net, net.op("MatMul", net.pair(flat, 0.02, 3), net.weights((12, 5), axis=1)), 0.02)


@case(computed=True)
def limits_that_are_calculated(net: QdqGraph) -> None:
    low = net.op("Neg", net.constant(0.25, np.float32))
    high = net.op("Add", net.constant(0.5, np.float32), net.constant(0.25, np.float32))
    finish(net, net.op("Clip", net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3))), low, high), 0.01)


@pytest.mark.parametrize("kind", [np.uint8, INT8])
@pytest.mark.parametrize("name", CASES)
def test_the_archive_equals_the_original(name: str, kind: type, tmp_path: Path) -> None:
    literal = name == "a_pair_behind_a_pair"
    assert_judges_agree(network(name, kind), tmp_path, batch=2, compress=True, literal=literal)


@pytest.mark.parametrize("operator", sorted(views.VIEWS))
def test_every_view_is_needed(operator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it integers become real weights, which are refused, or onnxruntime is needed where numpy would do."""
    assert operator in NEEDS, "every view has a case"
    before = {name: graph_of(name) for name in NEEDS[operator]}
    monkeypatch.setitem(views.VIEWS, operator, lambda *_: None)
    monkeypatch.setattr(folding, "evaluate", no_evaluator)
    assert all(graph_of(name) != before[name] for name in NEEDS[operator])


def test_views_need_no_evaluator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "evaluate", no_evaluator)
    for name in {name for names in NEEDS.values() for name in names}:
        Model.from_onnx(network(name))


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_computed_needs_the_evaluator(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "evaluate", no_evaluator)
    with pytest.raises(SimaError, match="no evaluator"):
        Model.from_onnx(network(name))


def no_evaluator(nodes: Sequence[onnx.NodeProto], *_: object) -> dict[str, np.ndarray]:
    raise SimaError(f"no evaluator for {nodes[0].op_type}")


def graph_of(name: str) -> str:
    try:
        graph = Model.from_onnx(network(name)).graph
    except SimaError as error:
        return str(error)
    return repr([(node.op, node.weights, node.constant, node.attributes, node.clamp) for node in graph.nodes])


def sparse(array: np.ndarray, name: str) -> onnx.SparseTensorProto:
    flat = array.reshape(-1)
    places = np.flatnonzero(flat)
    values, indices = numpy_helper.from_array(flat[places], name), numpy_helper.from_array(places, f"{name}_places")
    return helper.make_sparse_tensor(values, indices, array.shape)


def test_sparse_weights(tmp_path: Path) -> None:
    net = QdqGraph()
    conv(net, net.weights((4, 3, 3, 3)))
    dense = net.model()
    stored = next(entry for entry in dense.graph.initializer if len(entry.dims) == 4)
    values = np.where(np.abs(numpy_helper.to_array(stored).astype(int)) < 90, 0, numpy_helper.to_array(stored))
    stored.CopyFrom(numpy_helper.from_array(values.astype(np.int8), stored.name))
    model = onnx.ModelProto()
    model.CopyFrom(dense)
    kept = [entry for entry in dense.graph.initializer if entry.name != stored.name]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.graph.sparse_initializer.append(sparse(values.astype(np.int8), stored.name))
    inputs = {"image": np.random.default_rng(0).standard_normal((2, 3, 6, 6), dtype=np.float32)}
    (expected,) = run_onnxruntime(dense, inputs).values()
    assert not differing(expected, Model.from_onnx(model).execute(inputs)[0])


def function_network() -> onnx.ModelProto:
    """A layer in a function of the model's own, as torch's exporter writes modules."""
    net = QdqGraph()
    finish(net, net.op("Conv", net.input((3, 6, 6)), net.weights((4, 3, 3, 3))))
    model = net.model()
    conv_node = next(node for node in model.graph.node if node.op_type == "Conv")
    body = [
        helper.make_node("Conv", ["data", "kernel"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["result"]),
    ]
    sets = [helper.make_opsetid("", 17)]
    model.functions.append(helper.make_function("own", "Layer", ["data", "kernel"], ["result"], body, sets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    conv_node.op_type, conv_node.domain = "Layer", "own"
    return model


def test_functions_of_the_model_are_inlined(tmp_path: Path) -> None:
    verdict = assert_judges_agree(function_network(), tmp_path, batch=2, compress=True)
    assert verdict.elements


def test_q_and_dq_of_com_microsoft(tmp_path: Path) -> None:
    model = network("real_weights_behind_a_pair_per_channel")
    for node in model.graph.node:
        if node.op_type.endswith("QuantizeLinear") or node.op_type == "DequantizeLinear":
            node.domain = "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert_judges_agree(model, tmp_path, batch=2, compress=True)
