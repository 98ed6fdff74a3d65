"""ConvTranspose in every form that the rules allow: given onnxruntime's input at most one step off, archives exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Model, quantize
from sima_compiler.bounds.loads import layer_macs
from sima_compiler.errors import UnsupportedError
from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.ir.graph import ConvAttributes, Op
from sima_compiler.machine.description import Machine
from sima_compiler.pipeline import lower
from tests.networks.float_net import FloatNet
from tests.support.fed_nodes import assert_fed_nodes_agree
from tests.support.judges import signal_to_noise
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph
from tests.support.qdq_writer import random_inputs

SHAPE = (8, 7, 5)


def transposed(
    kernel: tuple[int, int],
    *,
    outputs: int = 4,
    group: int = 1,
    bias: bool = True,
    kind: type = INT8,
    **settings: object,
) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=kernel[0])
    x = net.input(SHAPE, scale=0.02, zero=-11)
    inputs = [x, net.weights((SHAPE[0], outputs // group, *kernel), axis=1)]
    if bias:
        inputs.append(net.constant(net.random.standard_normal(outputs) * 0.5, np.float32))
    net.output(net.pair(net.op("ConvTranspose", *inputs, group=group, **settings), 0.05, -30))
    return net.model()


FORMS: dict[str, onnx.ModelProto] = {
    "2x2 over 2": transposed((2, 2), strides=[2, 2]),
    "4x4 over 2, pads 1": transposed((4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
    "3x3 over 2, one more": transposed((3, 3), strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]),
    "3x3 over 2, odd": transposed((3, 3), strides=[2, 2], pads=[1, 1, 1, 1], kind=UINT8),
    "unlike strides": transposed((3, 2), strides=[1, 2], bias=False),
    "stride 1": transposed((3, 3), pads=[1, 1, 1, 1]),
    "holes of one bias each": transposed((1, 1), strides=[2, 2]),
    "holes of one byte": transposed((1, 1), strides=[2, 2], bias=False),
    "rows and columns of holes": transposed((2, 3), strides=[4, 8], output_padding=[3, 2]),
    "crops more than the kernel": transposed((3, 3), strides=[2, 2], pads=[4, 4, 5, 3]),
    "results beyond the last input": transposed((3, 3), strides=[1, 4], pads=[1, 1, 2, 0], output_padding=[0, 2]),
    "nothing but bias": transposed((1, 2), strides=[2, 8], pads=[1, 2, 12, 34], output_padding=[1, 5]),
    "16 apart": transposed((16, 16), strides=[16, 16], outputs=3),
    "depthwise": transposed((4, 4), strides=[2, 2], pads=[1, 1, 1, 1], group=8, outputs=8),
    "depthwise, stride 1": transposed((3, 3), group=8, outputs=8, kind=UINT8),
    "same, odd one behind": transposed((4, 3), strides=[1, 2], auto_pad="SAME_UPPER"),
    "same, odd one in front": transposed((4, 3), strides=[1, 2], auto_pad="SAME_LOWER"),
    "same, kernel below the stride": transposed((1, 2), strides=[2, 4], auto_pad="SAME_UPPER"),
    "valid": transposed((3, 3), strides=[2, 2], auto_pad="VALID", output_padding=[1, 0]),
    "of a given size": transposed((3, 3), strides=[2, 2], output_shape=[14, 10]),
    "of a given size, upper": transposed((3, 3), strides=[2, 2], output_shape=[14, 10], auto_pad="SAME_UPPER"),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_archive_and_the_original_agree(name: str, tmp_path: Path) -> None:
    verdict = assert_fed_nodes_agree(FORMS[name], tmp_path, batch=2)
    assert list(verdict.nodes)
    assert_fed_nodes_agree(FORMS[name], tmp_path, batch=1, compress=False, machine="tiny", seed=1)


REFUSED: dict[str, tuple[onnx.ModelProto, str]] = {
    "stride 3": (transposed((3, 3), strides=[3, 1]), "strides are 1, 2, 4, 8 or 16"),
    "depthwise, stride 4": (transposed((4, 4), strides=[4, 4], group=8, outputs=8), "depthwise 1 or 2"),
    "dilated": (transposed((3, 3), dilations=[2, 1]), "dilations are 1"),
    "two groups": (transposed((3, 3), group=2), "one group, or is depthwise"),
    "two outputs per channel": (transposed((2, 2), group=8, outputs=16), "one group, or is depthwise"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_the_published_constraint(name: str) -> None:
    model, rule = REFUSED[name]
    with pytest.raises(UnsupportedError, match=rule):
        on_mla(model)


@pytest.mark.parametrize("name", FORMS)
def test_multiplications_are_those_of_the_file(name: str) -> None:
    """Every input value meets every weight of its channel whose product is kept; no layer adds any."""
    graph = Model.from_onnx(FORMS[name]).graph
    (node,) = (node for node in graph.nodes if node.op is Op.CONV_TRANSPOSE)
    (segment,) = lower(graph, Machine.load("mlsoc")).segments
    window, (outputs, *target) = node.attributes, graph.tensors[node.output].shape
    assert isinstance(window, ConvAttributes)
    met = [
        sum(0 <= place * stride + tap - crop < length for place in range(size) for tap in range(kernel))
        for size, kernel, stride, crop, length in zip(
            SHAPE[1:], window.kernel, window.strides, window.pads, target, strict=False
        )
    ]
    expected = met[0] * met[1] * outputs * SHAPE[0] // window.groups
    assert sum(layer_macs(layer, segment) for layer in segment.layers) == expected


def test_functions_behind_it_ride_on_its_way_out_and_an_addition_is_its_bias() -> None:
    net = QdqGraph(seed=1)
    y = net.op("ConvTranspose", net.input(SHAPE), net.weights((8, 4, 2, 2)), strides=[2, 2])
    y = net.op("Add", y, net.constant(net.random.standard_normal((1, 4, 1, 1)), np.float32))
    y = net.pair(net.op("Relu", y), 0.03, -128)
    net.output(net.pair(net.op("Sigmoid", y), 1 / 256, -128))
    assert_fed_nodes_agree(net.model())
    (segment,) = lower(Model.from_onnx(net.model()).graph, Machine.load("mlsoc")).segments
    assert segment.layers[0].name.split("/")[-1] == "conv2d_transpose_add_relu_sigmoid_0"


def decoder(groups: int = 1, *, normalized: bool) -> onnx.ModelProto:
    """A Conv and a ConvTranspose, with a BatchNormalization behind each where ``normalized``."""
    net = FloatNet(5)
    x = net.conv(net.input((3, 8, 8)), 8, 3)
    weights = net.constant((net.random.standard_normal((8, 8 // groups, 2, 2)) * 0.3).astype(np.float32), "w")
    y = net.node("ConvTranspose", [x, weights], (8, 16, 16), strides=[2, 2], group=groups)
    if normalized:
        bounds = [(0.5, 2.0), (-1.0, 1.0), (-1.0, 1.0), (0.2, 3.0)]
        vectors = [net.constant(net.random.uniform(*pair, 8).astype(np.float32), "v") for pair in bounds]
        y = net.node("BatchNormalization", [y, *vectors], (8, 16, 16))
    return net.model([net.unary("Relu", y)])


@pytest.mark.parametrize("groups", [1, 8])
def test_a_normalization_behind_it_is_folded(groups: int) -> None:
    source = decoder(groups, normalized=True)
    samples = [random_inputs(source, 4, np.random.default_rng(0))]
    model = quantize(source, samples, "decoder")
    assert [node.op for node in model.graph.nodes] == [Op.CONV, Op.CONV_TRANSPOSE]
    assert all(decibels > 25 for decibels in signal_to_noise(source, model).values())


def test_the_judge_finds_a_wrong_weight() -> None:
    """The judge of fed nodes: one weight beside the file's is more than a tie."""
    source = FORMS["2x2 over 2"]
    model = Model.from_onnx(source)
    wrong = onnx.ModelProto()
    wrong.CopyFrom(source)
    entry = next(entry for entry in wrong.graph.initializer if list(entry.dims) == [8, 4, 2, 2])
    array = onnx.numpy_helper.to_array(entry).copy()
    array[0, 0, 0, 0] ^= 64
    entry.CopyFrom(onnx.numpy_helper.from_array(array, entry.name))
    with pytest.raises(AssertionError, match="off"):
        assert_fed_nodes_agree(wrong, model=model)


def test_every_row_of_the_list_says_why_and_how_much() -> None:
    for op, row in FLOAT_INSIDE.items():
        assert row.reason, op
        assert row.measured, op
        assert 0 < row.share < 0.01, op
