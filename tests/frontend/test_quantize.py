"""Float models: prepared, calibrated, quantized, without a trace on disk or in the log."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sima_compiler import CalibrationError, Model, ModelError, quantize
from sima_compiler.frontend.calibration import calibration_random
from sima_compiler.frontend.float_model import prepare_float
from sima_compiler.frontend.quantize import quantize_onnx
from sima_compiler.ir.graph import Op
from tests.support.judges import assert_reference_agrees, model_inputs
from tests.support.oracle import run_onnxruntime


def float_network(*, batch: int | str = "n", opset: int = 11, repeat_constants: bool = True) -> onnx.ModelProto:
    """Conv, batch normalization, a two-input Sum, a lone batch normalization, Relu, pool, Reshape, Gemm, Softmax."""
    random = np.random.default_rng(0)
    constants = {
        "w": random.standard_normal((4, 3, 3, 3)) / 5, "v": random.standard_normal((4, 4, 1, 1)) / 2,
        "scale": random.uniform(0.5, 2, 4), "shift": random.standard_normal(4), "mean": random.standard_normal(4),
        "variance": random.uniform(0.5, 2, 4), "m": random.standard_normal((4, 5)), "b": random.standard_normal(5),
    }  # fmt: skip
    normal = ["scale", "shift", "mean", "variance"]
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["c"], "conv", pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", *normal], ["n"], "folded"),
        helper.make_node("Conv", ["n", "v"], ["d"], "branch"),
        helper.make_node("Sum", ["n", "d"], ["s"], "sum"),
        helper.make_node("BatchNormalization", ["s", *normal], ["t"], "alone"),
        helper.make_node("Relu", ["t"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Reshape", ["p", "target"], ["f"], "flatten"),
        helper.make_node("Gemm", ["f", "m", "b"], ["logits"], "dense"),
        helper.make_node("Softmax", ["logits"], ["probability"], "softmax", axis=1),
    ]
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()]
    tensors.append(numpy_helper.from_array(np.array([batch if isinstance(batch, int) else -1, 4], np.int64), "target"))
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 8, 8])]
    if repeat_constants:
        inputs += [helper.make_tensor_value_info(entry.name, entry.data_type, entry.dims) for entry in tensors]
    output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, [batch, 5])
    graph = helper.make_graph(nodes, "float", inputs, [output], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6)


def samples(count: int = 3, batch: int = 2) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(1)
    return [{"image": random.standard_normal((batch, 3, 8, 8), dtype=np.float32)} for _ in range(count)]


@pytest.mark.parametrize("batch", ["n", 1, 2])
def test_a_float_network_is_quantized_and_close_to_itself(batch: int | str) -> None:
    source = float_network(batch=batch)
    model = quantize(source, samples(), "small")
    operators = [node.op for node in model.graph.nodes]
    assert model.name == "small"
    assert model.graph.outputs == ("probability",)
    assert operators[-1] is Op.SOFTMAX
    assert Op.ADD in operators
    assert operators.count(Op.CONV) == 3  # the folded normalization is gone, the lone one became a depthwise Conv
    assert model.graph.batch == (batch if isinstance(batch, int) else 0)
    assert_reference_agrees(quantize_onnx(source, samples()).model, batch=4, model=model)
    inputs = {"image": samples(1, 4)[0]["image"]}
    (found,) = model.execute(inputs)
    pieces = [
        run_onnxruntime(source, {"image": x})["probability"]
        for x in np.split(inputs["image"], 4 // (batch if batch in (1, 2) else 4))
    ]
    assert np.abs(np.concatenate(pieces) - found).max() < 0.1 * np.abs(found).max()


def test_preparing_keeps_the_function_and_the_source() -> None:
    source = float_network()
    before = source.SerializeToString()
    prepared = prepare_float(source)
    assert source.SerializeToString() == before
    assert {node.op_type for node in prepared.graph.node}.isdisjoint({"BatchNormalization", "Sum"})
    (x,) = samples(1)
    np.testing.assert_allclose(
        run_onnxruntime(prepared, x)["probability"], run_onnxruntime(source, x)["probability"], rtol=1e-5, atol=1e-6
    )


def test_weights_are_symmetric_per_channel_and_activations_asymmetric() -> None:
    model = quantize(float_network(), samples(), "small")
    convolutions = [node for node in model.graph.nodes if node.op is Op.CONV]
    assert all(node.weights is not None and node.weights.scales.size == 4 for node in convolutions)
    relu = next(node for node in model.graph.nodes if node.op is Op.GLOBAL_AVERAGE_POOL)
    assert model.graph.tensors[relu.inputs[0]].quant.zero_point == -128


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_methods_of_calibration(method: str) -> None:
    assert quantize(float_network(), samples(), method=method).graph.outputs == ("probability",)
    with pytest.raises(CalibrationError, match="minmax, percentile"):
        quantize(float_network(), samples(), method="guess")


def test_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    handlers = list(logging.getLogger().handlers)
    quantize(float_network(), samples(), "small")
    assert not list(work.iterdir())
    assert not list(temporary.iterdir())
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert logging.getLogger().handlers == handlers
    assert logging.root.manager.disable == logging.NOTSET


BAD_DATA: dict[str, tuple[Any, str]] = {
    "none": (None, "NoneType"),
    "empty": ([], "empty"),
    "a mapping": ({"image": samples(1)[0]["image"]}, "iterable of"),
    "an array": ([samples(1)[0]["image"]], "sample 0 is a ndarray"),
    "wrong name": ([{"picture": samples(1)[0]["image"]}], "the model takes image"),
    "one name too many": ([samples(1)[0] | {"more": np.zeros(3)}], "more"),
    "wrong shape": ([{"image": np.zeros((1, 3, 8, 9), np.float32)}], "expected shape (batch, 3, 8, 8)"),
    "no batch": ([{"image": np.zeros((3, 8, 8), np.float32)}], "found (3, 8, 8)"),
    "text": ([{"image": np.array(["x"])}], "expected numbers"),
    "not a number": ([{"image": np.full((1, 3, 8, 8), np.nan, np.float32)}], "192 of 192"),
    "infinite": ([samples(1)[0], {"image": np.full((1, 3, 8, 8), np.inf, np.float32)}], "sample 1"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_unusable_calibration_data(name: str) -> None:
    data, word = BAD_DATA[name]
    with pytest.raises(CalibrationError) as caught:
        quantize(float_network(), data)
    assert word in str(caught.value)


def test_random_calibration_is_seeded() -> None:
    first, again = calibration_random(float_network(), 2, 7), calibration_random(float_network(), 2, 7)
    assert np.array_equal(first[1]["image"], again[1]["image"])
    assert not np.array_equal(first[1]["image"], calibration_random(float_network(), 2, 8)[1]["image"])
    counts: list[Any] = [0, -1, 1.5, True]
    for count in counts:
        with pytest.raises(CalibrationError, match="at least 1"):
            calibration_random(float_network(), count)


def test_a_quantized_model_is_not_quantized_again() -> None:
    model = quantize(float_network(), samples(1), "small")
    with pytest.raises(ModelError, match="already"):
        quantize(model.to_onnx(), samples(1))


def test_a_float_model_names_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    onnx.save(float_network(), path)
    with pytest.raises(ModelError, match=r"float\.onnx: a float model") as caught:
        Model.from_onnx(path)
    assert "calibration" in caught.value.hint


def test_the_name_comes_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(float_network(), path)
    model = quantize(path, samples(1))
    assert model.name == "net"
    assert model_inputs(model, 1, 0)["image"].shape == (1, 3, 8, 8)


def test_a_network_that_onnxruntimes_adjustment_of_biases_fails_on_is_quantized_without_it() -> None:
    """LayerNormalization per channel; what it holds is said by its rule, not by an error of onnxruntime."""
    random = np.random.default_rng(0)
    constants = {"w": random.standard_normal((6, 4)), "g": random.uniform(0.5, 2, 4), "b": random.standard_normal(4)}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"], "product"),
        helper.make_node("LayerNormalization", ["p", "g", "b"], ["y"], "normal", axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    source = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    data = [{"x": random.standard_normal((2, 6), dtype=np.float32)}]
    assert "LayerNormalization" in [node.op_type for node in quantize_onnx(source, data).model.graph.node]
