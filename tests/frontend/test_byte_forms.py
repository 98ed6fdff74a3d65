"""Cast, Clip, Max and Min on bytes, and images of bytes: equal to onnxruntime on the file itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sima_compiler import Model
from sima_compiler.errors import UnsupportedError
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.oracle import run_onnxruntime
from tests.support.qdq_graph import INT8, UINT8, QdqGraph

Build = Callable[[QdqGraph], str]
FORMS: dict[str, Build] = {}
SCALE, ZERO = 0.02, 3


def form(build: Build) -> Build:
    FORMS[build.__name__.replace("_", " ")] = build
    return build


def quantized(net: QdqGraph) -> str:
    return net.quantize(net.float_input((3, 12, 12)), SCALE, ZERO)


def limit(net: QdqGraph, value: int) -> str:
    """A byte of the file, given in the int8 frame."""
    return net.constant(value + 128 if net.kind is UINT8 else value, net.kind)


@form
def clipped_to_half_of_the_range(net: QdqGraph) -> str:
    return net.dequantize(net.op("Clip", quantized(net), limit(net, -128), limit(net, -1)), SCALE, ZERO)


@form
def clipped_above_only_then_a_convolution(net: QdqGraph) -> str:
    x = net.dequantize(net.op("Clip", quantized(net), "", limit(net, 20)), SCALE, ZERO)
    return net.op("Conv", x, net.weights((6, 3, 3, 3)), pads=[1, 1, 1, 1])


@form
def at_least_and_at_most(net: QdqGraph) -> str:
    x = net.op("Max", quantized(net), limit(net, -40))
    return net.dequantize(net.op("Min", limit(net, 50), x), SCALE, ZERO)


@form
def clipped_between_casts(net: QdqGraph) -> str:
    wide = net.op("Cast", quantized(net), to=TensorProto.INT32)
    bounds = [net.constant(int(net.constants[limit(net, value)]), np.int32) for value in (-30, 60)]
    kind = TensorProto.UINT8 if net.kind is UINT8 else TensorProto.INT8
    return net.dequantize(net.op("Cast", net.op("Clip", wide, *bounds), to=kind), SCALE, ZERO)


@form
def cast_to_its_own_type(net: QdqGraph) -> str:
    kind = TensorProto.UINT8 if net.kind is UINT8 else TensorProto.INT8
    return net.op("Tanh", net.dequantize(net.op("Cast", quantized(net), to=kind), SCALE, ZERO))


@form
def clipped_then_moved(net: QdqGraph) -> str:
    x = net.op("Transpose", net.op("Clip", quantized(net), limit(net, -70), limit(net, 70)), perm=[0, 2, 3, 1])
    return net.op("Sigmoid", net.dequantize(net.op("Reshape", x, net.constant([0, -1], np.int64)), SCALE, ZERO))


@form
def read_by_two(net: QdqGraph) -> str:
    clipped = net.op("Clip", quantized(net), limit(net, -20), limit(net, 127))
    left, right = net.dequantize(clipped, SCALE, ZERO), net.dequantize(clipped, SCALE, ZERO)
    return net.op("Add", left, net.pair(net.op("Tanh", right), 0.01, 0))


@form
def clips_on_both_sides_of_a_pool(net: QdqGraph) -> str:
    x = net.op("MaxPool", net.op("Clip", quantized(net), limit(net, -9), limit(net, 99)), kernel_shape=[2, 2])
    return net.dequantize(net.op("Clip", x, limit(net, 0), limit(net, 80)), SCALE, ZERO)


def network(name: str, kind: type = UINT8) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=len(name))
    net.output(net.pair(FORMS[name](net), 0.0217, -20))
    return net.model()


@pytest.mark.parametrize("name", FORMS)
def test_limits_on_bytes(name: str, tmp_path: Path) -> None:
    results = assert_reference_agrees(network(name))
    assert all(len(np.unique(array)) > 3 for array in results.values()), "the case is too small to tell anything"
    model = Model.from_onnx(network(name, INT8))
    model.save("net", str(tmp_path))
    image = np.random.default_rng(2).standard_normal((1, 3, 12, 12)).astype(np.float32)
    again = Model.load("net", str(tmp_path)).execute({"image": image})
    assert np.array_equal(model.execute({"image": image})[0], again[0])
    assert np.array_equal(Model.from_onnx(network(name)).execute({"image": image})[0], again[0])


IMAGES: dict[str, Build] = {
    "divided by 255": lambda net: net.op("Div", bytes_in(net), real(net, 255)),
    "times 1 / 255": lambda net: net.op("Mul", bytes_in(net), real(net, 1 / 255)),
    "centred and scaled by channel": lambda net: net.op(
        "Mul",
        net.op("Sub", bytes_in(net), real(net, np.reshape([123.7, 116.3, 103.5], (1, 3, 1, 1)))),
        real(net, np.reshape([1 / 58.4, 1 / 57.1, 1 / 57.4], (3, 1, 1))),
    ),
    "channels last, then turned": lambda net: net.op(
        "Transpose", net.op("Mul", bytes_in(net, (12, 12, 3)), real(net, 1 / 255)), perm=[0, 3, 1, 2]
    ),
    "turned as bytes, then normalized": lambda net: net.op(
        "BatchNormalization",
        net.op("Cast", net.op("Transpose", byte_input(net, (12, 12, 3)), perm=[0, 3, 1, 2]), to=TensorProto.FLOAT),
        *[real(net, values) for values in ([1, 1.1, 0.9], [0, 0.1, 0.2], [123.0, 116.0, 103.0], [3400, 3200, 3300])],
    ),
}


def real(net: QdqGraph, value: object) -> str:
    return net.constant(value, np.float32)


def byte_input(net: QdqGraph, shape: tuple[int, ...] = (3, 12, 12)) -> str:
    kind = TensorProto.UINT8 if net.kind is UINT8 else TensorProto.INT8
    net.inputs.append(helper.make_tensor_value_info("image", kind, [net.batch, *shape]))
    return "image"


def bytes_in(net: QdqGraph, shape: tuple[int, ...] = (3, 12, 12)) -> str:
    return net.op("Cast", byte_input(net, shape), to=TensorProto.FLOAT)


@pytest.mark.parametrize("name", IMAGES)
def test_images_of_bytes(name: str, tmp_path: Path) -> None:
    net = QdqGraph(UINT8, seed=3)
    x = net.pair(IMAGES[name](net), 1 / 60, -40)
    net.output(net.pair(net.op("Conv", x, net.weights((6, 3, 3, 3)))))
    assert_bytes_agree(net.model(), tmp_path)


def assert_bytes_agree(source: onnx.ModelProto, folder: Path) -> None:
    """All 256 bytes occur: real inputs 0 to 255 are the bytes themselves."""
    model = Model.from_onnx(source)
    tensor = model.graph.tensors["image"]
    assert (tensor.quant.scale, tensor.quant.zero_point) == (1.0, -128)
    verdict = assert_judges_agree(source, folder, batch=2, compress=True)
    assert verdict.elements
    image = np.random.default_rng(0).integers(0, 256, (2, *tensor.shape)).astype(np.uint8)
    expected = run_onnxruntime(source, {"image": image})
    found = model.execute({"image": image.astype(np.float32)})
    for array, name in zip(found, model.graph.outputs, strict=True):
        assert np.array_equal(array, expected[name])


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (lambda net: net.dequantize(net.op("Add", quantized(net), limit(net, 2)), SCALE, ZERO), "computes with bytes"),
        (lambda net: net.op("Cast", net.dequantize(quantized(net), SCALE, ZERO), to=TensorProto.INT32), "float32"),
        (
            lambda net: net.dequantize(
                net.op("Cast", net.op("Cast", quantized(net), to=TensorProto.INT8), to=TensorProto.UINT8), SCALE, ZERO
            ),
            "",
        ),
    ],
    ids=["a sum of bytes", "reals cast to integers", "bytes that wrap twice"],
)
def test_what_is_no_limit_is_refused(build: Build, rule: str) -> None:
    net = QdqGraph()
    value = build(net)
    net.output(net.pair(value) if rule != "float32" else value)
    if not rule:
        assert_reference_agrees(net.model())
        return
    with pytest.raises(UnsupportedError, match=rule):
        on_mla(net.model())
