"""What calibration data may be, which types inputs keep, and what is said about samples that teach little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic

from sima_compiler import CalibrationError, Model, ModelError, quantize, verify
from sima_compiler.frontend.calibration import calibration_random
from sima_compiler.view.check import ModelKind
from tests.networks.float_net import FloatNet
from tests.support.oracle import quiet_onnxruntime


def network() -> onnx.ModelProto:
    net = FloatNet(3)
    x = net.unary("Relu", net.conv(net.input((3, 8, 8), "image"), 8, 3))
    return net.model([net.conv(x, 4)], "net")


def images(count: int, seed: int = 4) -> list[dict[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    return [{"image": random.standard_normal((1, 3, 8, 8), dtype=np.float32)} for _ in range(count)]


class Reader(CalibrationDataReader):
    def __init__(self, samples: list[dict[str, np.ndarray]]) -> None:
        self.samples = iter(samples)

    def get_next(self) -> Any:
        return next(self.samples, None)


def test_onnxruntimes_reader_is_as_good_as_a_list() -> None:
    assert quantize(network(), Reader(images(4))).checksum == quantize(network(), images(4)).checksum
    with pytest.raises(CalibrationError, match="empty"):
        quantize(network(), Reader([]))
    with pytest.raises(CalibrationError, match="sample 1"):
        quantize(network(), Reader([*images(1), {"image": np.zeros((1, 3, 8, 9), np.float32)}]))


def bytes_network(kind: int) -> onnx.ModelProto:
    """An integer image, cast and scaled in the network, in front of a convolution."""
    source = network()
    source.graph.input[0].CopyFrom(helper.make_tensor_value_info("raw", kind, ["N", 3, 8, 8]))
    cast = helper.make_node("Cast", ["raw"], ["real"], "cast", to=TensorProto.FLOAT)
    scale = onnx.numpy_helper.from_array(np.array(1 / 64, np.float32), "scale")
    source.graph.initializer.append(scale)
    nodes = [cast, helper.make_node("Mul", ["real", "scale"], ["image"], "mul"), *source.graph.node]
    del source.graph.node[:]
    source.graph.node.extend(nodes)
    return source


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (TensorProto.UINT8, np.uint8),
        (TensorProto.INT8, np.int8),
        (TensorProto.INT32, np.int32),
        (TensorProto.BOOL, bool),
    ],
)
def test_random_samples_have_the_type_of_their_input(kind: int, dtype: type) -> None:
    samples = calibration_random(bytes_network(kind), 3)
    assert {sample["raw"].dtype for sample in samples} == {np.dtype(dtype)}
    assert len(np.unique(np.concatenate([sample["raw"] for sample in samples]))) > (1 if dtype is bool else 6)


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.INT64])
def test_integer_inputs_are_quantized_as_the_numbers_that_they_are(kind: int) -> None:
    source = bytes_network(kind)
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    random = np.random.default_rng(0)
    samples = [{"raw": random.integers(0, 100, (2, 3, 8, 8)).astype(dtype)} for _ in range(3)]
    report = verify(source, calibration_data=samples)
    assert report.exact
    (against_float,) = report.forms[0].outputs
    assert against_float.snr_db is not None
    assert against_float.snr_db > 30


def test_numbers_that_are_none_of_the_inputs_type_are_refused() -> None:
    source = bytes_network(TensorProto.UINT8)
    for bad in (0.5, 256.0, -1.0):
        with pytest.raises(CalibrationError, match="the model takes uint8"):
            quantize(source, [{"raw": np.full((1, 3, 8, 8), bad, np.float32)}])


def test_float64_beyond_float32_is_refused() -> None:
    with pytest.raises(CalibrationError, match="beyond the range of float32"):
        quantize(network(), [{"image": np.full((1, 3, 8, 8), 1e300)}])


# --- what is said about samples ---------------------------------------------------------------------------------------


def warnings_of(samples: list[dict[str, np.ndarray]], **options: str) -> tuple[str, ...]:
    return quantize(network(), samples, **options).graph.warnings


def test_good_samples_give_no_warning() -> None:
    assert warnings_of(images(4)) == ()


def test_samples_that_are_copies_of_one_are_said() -> None:
    (warning,) = warnings_of(images(1) * 5)
    assert "input 'image': the 5 calibration samples hardly differ" in warning
    near = [{"image": images(1)[0]["image"] + np.float32(1e-4) * index} for index in range(3)]
    assert "the 3 calibration samples hardly differ" in warnings_of(near)[0]


def test_an_input_of_one_value_is_said() -> None:
    assert "every calibration value is 0.25" in warnings_of([{"image": np.full((2, 3, 8, 8), 0.25, np.float32)}])[0]


def test_a_tensor_that_never_moves_is_named() -> None:
    net = FloatNet(3)
    x = net.conv(net.input((3, 8, 8), "image"), 8, 3)
    dead = net.unary("Relu", net.binary("Sub", net.clip(x, -1.0, 1.0), net.constant(np.float32([3.0]))))
    model = quantize(net.model([net.conv(dead, 4)]), images(2))
    assert any("is 0 on every calibration sample" in warning and dead in warning for warning in model.graph.warnings)


def test_ranges_that_cut_values_off_are_named_per_tensor(capfd: pytest.CaptureFixture[str]) -> None:
    """A percentile leaves out what minmax keeps: one large value in a sea of small ones."""
    net = FloatNet(3)
    source = net.model([net.conv(net.input((3, 200, 200), "image"), 1)], "net")
    random = np.random.default_rng(4)
    samples = [{"image": random.standard_normal((1, 3, 200, 200), dtype=np.float32)} for _ in range(2)]
    samples[0]["image"][0, 0, 0, 0] = 400
    assert quantize(source, samples).graph.warnings == ()
    warnings = quantize(source, samples, method="percentile").graph.warnings
    assert len(warnings) == 1
    assert warnings[0].startswith("tensor 'image': ")
    assert warnings[0].endswith("to 400")
    assert capfd.readouterr().out == ""


def test_warnings_travel_with_the_model() -> None:
    model = quantize(network(), images(1) * 3)
    assert "hardly differ" in model.renamed("other").graph.warnings[0]


# --- models that are no float models ----------------------------------------------------------------------------------


def test_dynamic_quantization_is_sent_back_to_the_float_model(tmp_path: Path) -> None:
    onnx.save(network(), tmp_path / "float.onnx")
    with quiet_onnxruntime():
        quantize_dynamic(tmp_path / "float.onnx", tmp_path / "dynamic.onnx")
    with pytest.raises(ModelError, match="dynamic quantization") as caught:
        quantize(tmp_path / "dynamic.onnx", images(1))
    assert "float model" in caught.value.hint
    assert Model.check(tmp_path / "dynamic.onnx").kind is ModelKind.DYNAMIC


def test_a_fill_beyond_the_inputs_range_survives_quantization() -> None:
    """Pad with -2.5 around values from 0 to 1; its range is that of its own result."""
    net = FloatNet(3)
    x = net.input((3, 8, 8), "image")
    pads, fill = net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), net.constant(np.float32(-2.5))
    padded = net.node("Pad", [x, pads, fill], (3, 10, 10))
    source = net.model([padded, net.conv(padded, 4, 3)])
    samples = [{"image": np.random.default_rng(0).random((2, 3, 8, 8), np.float32)} for _ in range(3)]
    report = verify(source, calibration_data=samples)
    assert report.exact
    assert min(output.snr_db or 99 for output in report.forms[0].outputs) > 30
