"""What older operator sets state in attributes and newer ones in inputs: both equal onnxruntime on the file itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import quantize
from tests.networks.float_net import FloatNet
from tests.support.judges import assert_judges_agree, assert_reference_agrees, saved_file, signal_to_noise
from tests.support.qdq_graph import QdqGraph
from tests.support.qdq_writer import random_inputs

Build = Callable[[QdqGraph], str]
LARGEST = 2**31 - 1


def table(net: QdqGraph, *values: float, dtype: type = np.int64) -> str:
    return net.constant(values, dtype)


def x(net: QdqGraph) -> str:
    return net.input((4, 6, 5), scale=0.02, zero=3)


def scales(net: QdqGraph, *values: float) -> str:
    return table(net, *values, dtype=np.float32)


#: Operator set and form.
FORMS: dict[str, tuple[int, Build]] = {
    "resize 10, scales": (10, lambda net: net.op("Resize", x(net), scales(net, 1, 1, 2, 3), mode="nearest")),
    "resize 10, smaller": (10, lambda net: net.op("Resize", x(net), scales(net, 1, 1, 0.5, 0.6), mode="nearest")),
    "resize 11, region and scales": (
        11, lambda net: net.op("Resize", x(net), scales(net), scales(net, 1, 1, 2, 1.7), mode="nearest"),
    ),
    "resize 11, sizes": (
        11, lambda net: net.op("Resize", x(net), scales(net), scales(net), table(net, 1, 4, 9, 11),
                               nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
    ),
    "resize 13, aligned corners": (
        13, lambda net: net.op("Resize", x(net), "", "", table(net, 1, 4, 13, 3), nearest_mode="ceil",
                               coordinate_transformation_mode="align_corners"),
    ),
    "resize 18, axes": (18, lambda net: net.op("Resize", x(net), "", scales(net, 2, 3), axes=[3, 2])),
    "resize 18, negative axes and sizes": (
        18, lambda net: net.op("Resize", x(net), "", "", table(net, 12, 7), axes=[-2, -1]),
    ),
    "resize 19, half pixels": (
        19, lambda net: net.op("Resize", x(net), "", scales(net, 1, 1, 1.5, 2.5),
                               coordinate_transformation_mode="half_pixel_symmetric"),
    ),
    "clip 10": (10, lambda net: net.op("Clip", x(net), min=-0.4, max=0.7)),
    "clip 10, below only": (10, lambda net: net.op("Clip", x(net), min=0.1)),
    "clip 12": (12, lambda net: net.op("Clip", x(net), "", net.constant(0.3, np.float32))),
    "pad 10": (10, lambda net: net.op("Pad", x(net), pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5)),
    "pad 10, edge": (10, lambda net: net.op("Pad", x(net), pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="edge")),
    "pad 19, wrap": (
        19, lambda net: net.op("Pad", x(net), table(net, 0, 0, 1, 2, 0, 0, 3, 1), mode="wrap"),
    ),
    "slice 10": (
        10, lambda net: net.op("Slice", x(net), table(net, 1), table(net, LARGEST), table(net, 2), table(net, 2)),
    ),
    "split 11": (11, lambda net: net.op("Split", x(net), split=[1, 3], axis=1, outputs=2)[1]),
    "split 18, by count": (18, lambda net: net.op("Split", x(net), axis=3, num_outputs=3, outputs=3)[2]),
    "squeeze 11": (11, lambda net: net.op("Squeeze", net.op("Unsqueeze", x(net), axes=[2]), axes=[-3])),
    "unsqueeze 13": (13, lambda net: net.op("Unsqueeze", x(net), table(net, -1, 1))),
    "mean 13": (13, lambda net: net.op("ReduceMean", x(net), axes=[-1, 2], keepdims=1)),
    "mean 18": (18, lambda net: net.op("ReduceMean", x(net), table(net, 2, 3), keepdims=0)),
    "batch normalization 10": (
        10, lambda net: net.op("BatchNormalization", x(net), *[scales(net, 1, 2, 0.5, 3) for _ in range(4)]),
    ),
    "depth to space 10": (10, lambda net: net.op("DepthToSpace", x(net), blocksize=2)),
    "sum and max 10": (10, lambda net: net.op("Max", net.op("Sum", x(net), scales(net, 0.3)), scales(net, -0.2))),
    "dropout 10": (10, lambda net: net.op("Dropout", net.op("Neg", x(net)), ratio=0.3)),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_equal_to_onnxruntime(name: str) -> None:
    opset, build = FORMS[name]
    net = QdqGraph(seed=len(name), opset=opset, batch=1)
    net.output(net.pair(build(net), 0.0213, -4))
    results = assert_reference_agrees(net.model(), batch=3)
    assert all(len(np.unique(array)) > 3 for array in results.values()), "the case is too small to tell anything"


def test_upsample_of_a_float_model(tmp_path: Path) -> None:
    """Upsample ends with operator set 9, before QuantizeLinear begins."""
    net = FloatNet(1, opset=9)
    x = net.conv(net.input((3, 5, 4)), 6, 3)
    x = net.node("Upsample", [x, net.constant(np.array([1, 1, 2, 3], np.float32))], (6, 10, 12), mode="nearest")
    source = net.model([net.conv(x, 4)])
    onnx.save(source, tmp_path / "float.onnx")
    model = quantize(str(tmp_path / "float.onnx"), [random_inputs(source, 2, np.random.default_rng(0))])
    assert_judges_agree(saved_file(model, tmp_path), tmp_path, batch=2, compress=True, model=model)
    assert min(signal_to_noise(source, model).values()) > 20
