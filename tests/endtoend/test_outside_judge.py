"""The outside judge itself: it finds every kind of wrong reading, and its uint8 form means what the file means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from sima_compiler import Model
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.oracle import differing, quantize_by_onnxruntime
from tests.support.outside import Outside, session
from tests.support.qdq_graph import INT8, UINT8, QdqGraph
from tests.support.qdq_writer import random_inputs
from tests.support.unsigned import unsigned_form


def file(kind: type = INT8) -> onnx.ModelProto:
    """Conv with bias, Relu, a residual and a constant Add, Concat, MaxPool, Pad, Gemm."""
    net = QdqGraph(kind, seed=4)
    x = net.input((3, 8, 8), scale=0.021)
    bias = net.constant(net.random.integers(-3000, 3000, 4), np.int32)
    bias = net.op("DequantizeLinear", bias, net.constant(0.021 * np.full(4, 0.0101), np.float32), axis=0)
    weights = net.op(
        "DequantizeLinear", net.constant(net.random.integers(-127, 128, (4, 3, 3, 3)), np.int8),
        net.constant(np.full(4, 0.0101), np.float32), net.constant(np.zeros(4), np.int8), axis=0,
    )  # fmt: skip
    y = net.pair(net.op("Relu", net.op("Conv", x, weights, bias, pads=[1, 1, 1, 1])), 0.023, -128)
    offset = net.operand(net.random.integers(-128, 128, (1, 4, 1, 1)), 0.0131, 5)
    z = net.pair(net.op("Add", net.op("MaxPool", y, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), offset), 0.029, -60)
    joined = net.pair(net.op("Concat", y, z, axis=1), 0.031, -70)
    padded = net.op("Pad", joined, net.constant([0, 0, 1, 0, 0, 0, 0, 1], np.int64))
    flat = net.op("Flatten", net.pair(padded, 0.031, -70))
    dense = net.op("MatMul", net.pair(flat, 0.031, -70), net.weights((648, 5), 0.003, axis=1))
    net.output(net.pair(dense, 0.11, 9))
    return net.model()


def change(
    model: onnx.ModelProto, choose: Callable[[np.ndarray], bool], to: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Every constant of which ``choose`` says yes becomes what ``to`` makes of it."""
    found = 0
    for entry in model.graph.initializer:
        array = numpy_helper.to_array(entry)
        if choose(array):
            entry.CopyFrom(numpy_helper.from_array(np.asarray(to(array.copy()), array.dtype), entry.name))
            found += 1
    assert found


def is_zero_point(value: int) -> Callable[[np.ndarray], bool]:
    return lambda array: array.dtype == np.int8 and array.shape == () and array == value


def one_weight_off(model: onnx.ModelProto) -> None:
    change(model, lambda array: array.shape == (4, 3, 3, 3), lambda array: array ^ (array == array.max()))


def bias_off_by_hundreds(model: onnx.ModelProto) -> None:
    change(model, lambda array: array.dtype == np.int32, lambda array: array + 300)


def scale_two_percent_off(model: onnx.ModelProto) -> None:
    change(model, lambda array: array.shape == () and array == np.float32(0.029), lambda array: array * 1.02)


def zero_point_off_by_one(model: onnx.ModelProto) -> None:
    change(model, is_zero_point(9), lambda array: array + 1)


def constant_off_by_one(model: onnx.ModelProto) -> None:
    change(model, lambda array: array.shape == (1, 4, 1, 1), lambda array: array ^ 1)


def pads_on_the_other_side(model: onnx.ModelProto) -> None:
    change(model, lambda array: array.shape == (8,), lambda array: array[[0, 1, 6, 7, 4, 5, 2, 3]])


def operands_exchanged(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Concat")
    node.input[:] = list(reversed(node.input))


def clamp_left_out(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type = "Identity"
    change(model, is_zero_point(-128), lambda array: array + 5)


def window_of_another_size(model: onnx.ModelProto) -> None:
    node = next(node for node in model.graph.node if node.op_type == "MaxPool")
    del node.attribute[:]
    node.attribute.append(onnx.helper.make_attribute("kernel_shape", [1, 1]))


WRONG: list[Callable[[onnx.ModelProto], None]] = [
    one_weight_off, bias_off_by_hundreds, scale_two_percent_off, zero_point_off_by_one, constant_off_by_one,
    pads_on_the_other_side, operands_exchanged, clamp_left_out, window_of_another_size,
]  # fmt: skip


def test_the_file_and_its_archive_agree(tmp_path: Path) -> None:
    assert assert_judges_agree(file(), tmp_path, batch=3, compress=True).batch == 3


@pytest.mark.parametrize("fault", WRONG)
def test_an_archive_of_a_file_read_wrongly_is_found(tmp_path: Path, fault: Callable[[onnx.ModelProto], None]) -> None:
    """What was compiled is a model with one fault; numpy and the ``.lm`` agree about it, the original does not."""
    wrong = file()
    fault(wrong)
    model = Model.from_onnx(wrong)
    assert_judges_agree(wrong, tmp_path, batch=2, compress=False, model=model)
    with pytest.raises(AssertionError, match="original file and archive"):
        assert_judges_agree(file(), tmp_path, batch=2, compress=False, model=model)


def test_int8_and_uint8_files_give_one_form() -> None:
    signed, unsigned = file(INT8), file(UINT8)
    (name,) = (entry.name for entry in signed.graph.output)
    inputs = random_inputs(signed, 2, np.random.default_rng(0))
    (expected,) = session(unsigned).run([name], inputs)
    assert not differing(np.asarray(expected), Outside(signed, [name]).run(inputs, {})[name])
    assert unsigned_form(unsigned).model.SerializeToString() == Outside(unsigned, [name]).form.SerializeToString()


def test_a_file_of_uint8_is_left_as_it_is() -> None:
    source = file(UINT8)
    form = unsigned_form(source).model
    assert {entry.name: entry.raw_data for entry in form.graph.initializer} == {
        entry.name: entry.raw_data for entry in source.graph.initializer
    }
    assert sorted(map(str, form.graph.node)) == sorted(map(str, source.graph.node))


@pytest.mark.parametrize("operators", [False, True], ids=["qdq", "qoperator"])
def test_no_activation_is_int8_in_the_form_that_runs(tmp_path: Path, operators: bool) -> None:
    """Optimized, every operator computes with integers: whatever stayed in float would round differently."""
    net = FloatNet(6)
    x = net.unary("Relu", net.conv(net.input((3, 8, 8)), 8, 3))
    x = net.binary("Add", net.conv(x, 8, 3), x)
    x = net.concat([x, net.unary("LeakyRelu", net.conv(x, 4, 3))])
    float_model = net.model([net.dense(net.flatten(net.global_pool(x)), 5)])
    batches = [random_inputs(float_model, 2, np.random.default_rng(0))]
    original = quantize_by_onnxruntime(float_model, batches, tmp_path, operators=operators)
    form = unsigned_form(original).model
    options_path = tmp_path / "optimized.onnx"
    session(form, saved=options_path)
    kinds = {node.op_type for node in onnx.load(options_path).graph.node}
    assert kinds >= {"QLinearConv", "QLinearAdd", "QLinearConcat", "QLinearLeakyRelu", "QLinearGlobalAveragePool"}
    assert not kinds & {"Conv", "FusedConv", "Gemm", "MatMul", "Add", "Concat", "LeakyRelu"}
    assert_reference_agrees(original)


def test_bytes_at_the_boundary_are_shifted_too() -> None:
    net = QdqGraph(INT8, batch=1)
    image = net.float_input((6, 5, 3))
    net.inputs[0].type.tensor_type.elem_type = TensorProto.INT8
    x = net.dequantize(net.op("Transpose", image, perm=[0, 3, 1, 2]), 0.02, 3)
    bytes_out = net.quantize(net.op("Sigmoid", x), 1 / 256, -128)
    net.output(bytes_out, dtype=TensorProto.INT8)
    form = unsigned_form(net.model())
    assert form.shifted == {"image", bytes_out}
    stored = np.random.default_rng(0).integers(-128, 128, (1, 6, 5, 3)).astype(np.int8)
    (expected,) = session(net.model()).run(None, {"image": stored})
    (found,) = session(form.model).run(None, {"image": (stored.astype(np.int16) + 128).astype(np.uint8)})
    assert np.array_equal(np.asarray(found).astype(np.int16) - 128, expected)
    assert_reference_agrees(net.model(), batch=3)


def test_a_node_without_a_uint8_form_sees_the_bytes_of_the_file() -> None:
    """Bytes that are made reals by a Cast are numbers, not a quantized tensor: they must not move by 128."""
    net = QdqGraph(INT8)
    x = net.quantize(net.float_input((3, 4)), 0.02, 3)
    net.output(net.op("Cast", x, to=TensorProto.FLOAT))
    inputs = random_inputs(net.model(), 2, np.random.default_rng(1))
    (expected,) = session(net.model()).run(None, inputs)
    (found,) = session(unsigned_form(net.model()).model).run(None, inputs)
    assert np.array_equal(np.asarray(expected), np.asarray(found))
