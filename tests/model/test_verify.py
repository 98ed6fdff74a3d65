"""`verify`: what differs is found, counted and ranked, and the form that onnxruntime ran is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnxruntime.quantization import QuantType

from sima_compiler import InputError, Model, ModelError, verification, verify
from sima_compiler.verification import Subject, random_samples, verify_model
from sima_compiler.view.verify import EXPLANATIONS, Form, VerifyReport, verify_text
from tests.networks.float_net import FloatNet
from tests.support.oracle import quantize_by_onnxruntime
from tests.support.qdq_graph import INT8, UINT8, QdqGraph
from tests.support.small_models import small_float_model


def convolution(pen: QdqGraph, value: str, *, scale: float = 0.05) -> str:
    return pen.pair(pen.op("Conv", value, pen.weights((8, 8, 3, 3), 0.002, axis=0), pads=[1, 1, 1, 1]), scale, -7)


def deep(kind: type, *, batch: int | str = "batch", layers: int = 4) -> onnx.ModelProto:
    """Convolutions one behind the other, enough of them for ties to occur."""
    pen = QdqGraph(kind, batch=batch)
    value = pen.input((8, 16, 16))
    for _ in range(layers):
        value = convolution(pen, value)
    pen.output(value)
    return pen.model()


def images(count: int, seed: int = 0) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    return [{"image": random.standard_normal((1, 3, 8, 8), dtype=np.float32)} for _ in range(count)]


def forms(report: VerifyReport) -> list[Form]:
    return [form.form for form in report.forms]


def test_a_uint8_file_equals_itself() -> None:
    report = verify(deep(UINT8))
    assert (report.exact, forms(report), report.int8_activations) == (True, [Form.ORIGINAL], False)
    (output,) = report.forms[0].outputs
    assert (output.elements, output.differing, output.largest_steps, output.snr_db) == (2 * 8 * 16 * 16, 0, 0.0, None)
    assert report.verdict == "exact: every element equals onnxruntime on your file"


def test_an_int8_file_is_exact_at_least_in_its_uint8_form_and_that_is_said() -> None:
    report = verify(deep(INT8, layers=6), count=4)
    assert report.exact
    assert report.int8_activations
    assert "leaves most int8 convolutions in float" in " ".join(repr(report).split())
    if not report.forms[0].is_exact:  # depends on the processor
        assert forms(report) == [Form.ORIGINAL, Form.UINT8]
        assert report.forms[0].outputs[0].differing > 0
        assert "elements differ from onnxruntime on your int8 file as it is" in report.verdict


def test_a_float_file_is_compared_with_its_quantized_form_too() -> None:
    report = verify(small_float_model(), calibration_data=images(4))
    assert (report.exact, forms(report)) == (True, [Form.FLOAT, Form.UINT8])
    (output,) = report.forms[0].outputs
    assert output.differing > 0
    assert output.snr_db is not None
    assert output.snr_db > 25
    with pytest.raises(ModelError, match="must be calibrated"):
        verify(small_float_model())


def test_a_file_with_a_batch_of_its_own_runs_piece_by_piece() -> None:
    report = verify(deep(UINT8, batch=2, layers=1), count=5, batch_size=3)
    assert report.exact
    assert report.samples == 5
    assert report.forms[0].outputs[0].elements == 5 * 8 * 16 * 16


def test_what_the_host_runs_at_the_end_is_not_compared_but_what_goes_into_it() -> None:
    pen = QdqGraph(UINT8)
    logits = pen.pair(pen.op("Gemm", pen.input((6,)), pen.weights((6, 4))))
    pen.output(pen.op("Softmax", logits, axis=1))
    report = verify(pen.model())
    assert report.exact
    assert report.forms[0].outputs[0].elements == 2 * 4


def test_bytes_at_the_boundary_are_compared_as_what_they_stand_for() -> None:
    for kind, dtype in ((UINT8, TensorProto.UINT8), (INT8, TensorProto.INT8)):
        pen = QdqGraph(kind)
        pen.inputs.append(onnx.helper.make_tensor_value_info("image", dtype, ["batch", 8, 6, 6]))
        summed = pen.op("Add", pen.dequantize("image", 0.02, 3), pen.dequantize("image", 0.02, 3))
        pen.output(pen.quantize(summed, 0.05, -7), dtype=dtype)
        assert verify(pen.model()).exact


@pytest.mark.parametrize("operators", [False, True], ids=["QDQ", "QOperator"])
@pytest.mark.parametrize("kind", [QuantType.QUInt8, QuantType.QInt8], ids=["uint8", "int8"])
def test_files_of_quantize_static(operators: bool, kind: QuantType, tmp_path: Path) -> None:
    model = quantize_by_onnxruntime(small_float_model(), images(4), tmp_path, operators=operators, activation=kind)
    report = verify(model)
    assert report.exact
    assert report.int8_activations == (kind is QuantType.QInt8)


# --- what differs is found --------------------------------------------------------------------------------------------


def one_step_off(outputs: Mapping[str, np.ndarray], scale: float, count: int) -> dict[str, np.ndarray]:
    changed = {name: array.copy() for name, array in outputs.items()}
    for array in changed.values():
        array.reshape(-1)[:count] += np.float32(scale)
    return changed


def test_elements_that_differ_are_counted_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = verification.simulate

    def lying(archive, inputs):
        run = honest(archive, inputs)
        return type(run)(one_step_off(run.outputs, 3 * 0.05, 5), run.quantized, run.trace)

    monkeypatch.setattr(verification, "simulate", lying)
    report = verify(deep(UINT8, layers=1), count=1)
    (output,) = report.forms[0].outputs
    assert (report.exact, output.differing, round(output.largest_steps, 3)) == (False, 5, 3.0)
    assert output.snr_db is not None
    assert report.verdict == "differs: 5 elements are not what onnxruntime computes"


def test_a_file_that_was_read_wrongly_is_not_exact(tmp_path: Path) -> None:
    """The archive of one file beside another one, whose bias is a single unit higher."""
    right = FloatNet(4)
    x = right.conv(right.input((3, 8, 8), "image"), 4, 3)
    source = right.model([x])
    model = quantize_by_onnxruntime(source, images(4), tmp_path, activation=QuantType.QUInt8)
    wrong = onnx.ModelProto()
    wrong.CopyFrom(model)
    bias = next(
        entry for entry in wrong.graph.initializer if entry.data_type == TensorProto.INT32 and entry.dims == [4]
    )
    values = onnx.numpy_helper.to_array(bias).copy()
    bias.CopyFrom(onnx.numpy_helper.from_array(values + 500, bias.name))
    subject = Subject("net", wrong, Model.from_onnx(model, "net"), is_float=False)
    report = verify_model(subject, random_samples(subject.model, 2, 0))
    assert not report.forms[0].is_exact
    assert report.forms[0].outputs[0].differing > 0


# --- layers -----------------------------------------------------------------------------------------------------------


def test_the_layer_that_saturates_stands_first_and_its_share_is_right() -> None:
    pen = QdqGraph(UINT8)
    first = convolution(pen, pen.input((8, 12, 12)))
    narrow = convolution(pen, first, scale=0.002)
    pen.output(convolution(pen, narrow))
    model = pen.model()
    report = verify(model, layers=True)
    assert len(report.layers) == 3
    worst = max(report.layers, key=lambda layer: layer.saturated)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    assert worst.node == convolutions[1]
    assert worst.saturated > 0.1
    assert report.layers[0].node in convolutions[1:]
    assert sorted(layer.saturated > 0.01 for layer in report.layers) == [False, False, True]
    assert "Layers by saturation" in verify_text(report)


def test_layers_of_a_float_file_are_held_to_the_float_values() -> None:
    report = verify(small_float_model(), calibration_data=images(4), layers=True)
    assert {layer.operator for layer in report.layers} >= {"Conv", "Add", "Gemm"}
    assert all(layer.snr_db is None or layer.snr_db > 20 for layer in report.layers)
    assert all(layer.saturated < 0.01 for layer in report.layers)
    ranked = [layer.snr_db for layer in report.layers if layer.snr_db is not None]
    assert ranked == sorted(ranked)


def test_a_range_that_is_a_relu_does_not_count_as_saturated() -> None:
    """Half of the values are negative and meant to be cut off."""
    pen = QdqGraph(UINT8)
    value = pen.op("Conv", pen.input((8, 12, 12)), pen.weights((8, 8, 3, 3), 0.002, axis=0), pads=[1, 1, 1, 1])
    pen.output(pen.pair(value, 0.05, -128))
    (layer,) = verify(pen.model(), layers=True).layers
    assert layer.saturated == 0
    assert layer.snr_db is not None
    assert layer.snr_db > 30


# --- samples and forms ------------------------------------------------------------------------------------------------


def test_samples_may_be_given_and_are_checked() -> None:
    model = deep(UINT8, layers=1)
    sample = {"image": np.random.default_rng(0).standard_normal((3, 8, 16, 16))}
    assert verify(model, sample).samples == 3
    for bad in ({"image": np.zeros((1, 8, 16, 15))}, {"image": np.zeros((0, 8, 16, 16))}, {"other": sample["image"]}):
        with pytest.raises(InputError):
            verify(model, bad)


def test_drawn_samples_depend_on_the_seed_alone() -> None:
    model = Model.from_onnx(deep(UINT8, layers=1))
    first, again, other = random_samples(model, 2, 1), random_samples(model, 2, 1), random_samples(model, 2, 2)
    assert np.array_equal(first["image"], again["image"])
    assert not np.array_equal(first["image"], other["image"])


def test_every_fact_stands_in_every_form() -> None:
    report = verify(small_float_model(), calibration_data=images(4), layers=True)
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    for form in (" ".join(repr(report).split()), report._repr_html_()):
        assert report.verdict in form
        for comparison in report.forms:
            assert EXPLANATIONS[comparison.form] in form
            for output in comparison.outputs:
                assert output.name in form
                assert f"{output.largest_steps:.3g} steps" in form
        for layer in report.layers:
            assert layer.node in form
    assert [form["form"] for form in data["forms"]] == ["float", "uint8"]
    assert set(data["forms"][0]["outputs"][0]) == {
        "name", "elements", "differing", "largest_steps", "snr_db", "largest_share",
    }  # fmt: skip
    assert set(data["layers"][0]) == {"node", "operator", "tensor", "snr_db", "saturated"}


# --- operators of the list --------------------------------------------------------------------------------------------


def averaged(operand: int) -> onnx.ModelProto:
    """A mean that onnxruntime sums in float32, where 2 of 2,000 lie half-way between two steps, and a product."""
    pen = QdqGraph(UINT8, seed=1)
    mean = pen.pair(pen.op("ReduceMean", pen.input((40, 11), scale=0.03), axes=[2], keepdims=1), 0.1, 3)
    pen.output(pen.pair(pen.op("Mul", mean, pen.operand([[[operand]]], 0.02)), 0.03, 1))
    return pen.model()


def many_samples() -> dict[str, np.ndarray]:
    return {"image": np.random.default_rng(0).uniform(-3.84, 3.72, (50, 40, 11)).astype(np.float32)}


def test_a_step_that_the_list_allows_is_told_as_such() -> None:
    report = verify(averaged(17), many_samples(), batch_size=50)
    assert (report.exact, report.agrees) == (False, True)
    (node,) = report.listed
    assert (node.operator, node.elements, node.largest_steps) == ("ReduceMean", 2000, 1)
    assert 0 < node.differing <= 6
    assert report.verdict.startswith("exact but for 1 node that onnxruntime computes in float32")
    for form in (" ".join(repr(report).split()), report._repr_html_()):
        assert "own input; every other node is exact" in form
    assert report.to_dict()["listed"][0]["node"] == node.node


def test_what_differs_beside_the_list_is_still_wrong() -> None:
    """The archive of one file beside another one, in which the product behind the mean is larger."""
    subject = Subject("net", averaged(19), Model.from_onnx(averaged(17), "net"), is_float=False)
    report = verify_model(subject, many_samples(), batch_size=50)
    assert (report.exact, report.agrees, report.listed) == (False, False, ())
    assert report.verdict.startswith("differs: ")
