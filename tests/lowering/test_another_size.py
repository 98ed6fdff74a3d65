"""A network told for another input size is the one that its file says at that size, or the reason why there is none.

The judge is the reader: the same file with other rows and columns at its inputs, read anew, has the same text.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from sima_compiler.ir.another_size import FixedSize, InputSize, at_size, input_size, smaller
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.text import graph_text
from sima_compiler.ir.verify import verify_graph
from tests.networks.float_net import FloatNet
from tests.networks.topologies import mobilenet_v2, unet, yolo_style
from tests.support.input_size import at_input_size
from tests.support.qdq_writer import Style, write_qdq


def padded_alike() -> onnx.ModelProto:
    """Pads that depend on the size: SAME, above and below."""
    net = FloatNet(5)
    x = net.conv(net.input((3, 42, 30), "image"), 8, 3)
    for at, (rows, columns) in (("SAME_UPPER", (21, 15)), ("SAME_LOWER", (11, 8))):
        weights = net.constant(net.random.standard_normal((8, 8, 3, 3)).astype(np.float32), "w")
        x = net.node("Conv", [x, weights], (8, rows, columns), kernel_shape=[3, 3], strides=[2, 2], auto_pad=at)
    x = net.node("MaxPool", [x], (8, 6, 4), kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")
    return net.model([x], "padded_alike")


def shuffled() -> onnx.ModelProto:
    """A slice of every other place, axes moved and regrouped as a pixel shuffle does, and a head of boxes."""
    net = FloatNet(6)
    image = net.input((4, 16, 24), "image")
    sliced = [
        net.node(
            "Slice",
            [image, *(net.constant(np.array(v, np.int64), "s") for v in ([at, 0], [99, 99], [2, 3], [2, 2]))],
            (4, 8, 12),
        )
        for at in (0, 1)
    ]
    x = net.conv(net.concat(sliced), 16, 3)
    x = net.node("Pad", [x, net.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "p")], (16, 10, 14))
    x = net.conv(x, 16, 3, pads=(0, 0, 0, 0))
    channel = net.binary("Mul", x, net.unary("Sigmoid", net.conv(net.global_pool(x), 16)), (16, 8, 12))
    return net.model([channel, net.upsample(x), net.node("Transpose", [x], (8, 12, 16), perm=[0, 2, 3, 1])], "shuffled")


NETWORKS: dict[str, tuple[Callable[[], onnx.ModelProto], tuple[int, int]]] = {
    "mobilenet": (lambda: mobilenet_v2(96, 0.25), (32, 32)),
    "detector": (lambda: yolo_style(128, 8), (64, 64)),
    "unet": (lambda: unet(64, 4), (32, 32)),
    "padded_alike": (padded_alike, (18, 14)),
    "shuffled": (shuffled, (8, 12)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_network_that_the_file_says_at_that_size(name: str) -> None:
    make, wanted = NETWORKS[name]
    model = write_qdq(make(), 3, Style())
    found = smaller(Model.from_onnx(model).graph)
    assert not isinstance(found, FixedSize), found
    graph, _, size = found
    assert (size.rows, size.columns) == wanted
    verify_graph(graph)
    assert graph_text(graph) == graph_text(Model.from_onnx(at_input_size(model, *wanted)).graph)


def told(net: FloatNet, outputs: list[str]) -> Graph:
    return Model.from_onnx(write_qdq(net.model(outputs), 3, Style())).graph


def dense_behind_flatten(net: FloatNet) -> str:
    return net.dense(net.flatten(net.conv(net.input((3, 16, 16)), 4, 3)), 5)


def map_as_constant(net: FloatNet) -> str:
    places = net.random.standard_normal((1, 3, 16, 16)).astype(np.float32)
    return net.binary("Add", net.input((3, 16, 16)), net.constant(places, "places"))


def large_window(net: FloatNet) -> str:
    return net.pool("MaxPool", net.conv(net.input((3, 16, 16)), 4, 3), 10, stride=1)


def crop(net: FloatNet) -> str:
    bounds = [net.constant(np.array(v, np.int64), "s") for v in ([2, 2], [14, 14], [2, 3], [1, 1])]
    return net.node("Slice", [net.input((3, 16, 16)), *bounds], (3, 12, 12))


def stated_sizes(net: FloatNet) -> str:
    return net.reshape(net.conv(net.input((3, 16, 16)), 4, 3), (4, 8, 2, 16))


def no_map(net: FloatNet) -> str:
    return net.dense(net.input((48,)), 5)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (dense_behind_flatten, r"Gemm .* has weights for exactly 1,024 values, where 512 would come"),
        (map_as_constant, r"Add .* has a constant of its map's own size"),
        (large_window, r"the window of MaxPool .* is larger than its map would be"),
        (crop, r"Slice .* cuts fixed places out of its map"),
        (stated_sizes, r"Reshape .* states sizes that belong to this input"),
        (no_map, r"input input0 is no map of rows and columns"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_ties_a_network_to_its_size_is_named(make: Callable[[FloatNet], str], reason: str) -> None:
    net = FloatNet(4)
    found = smaller(told(net, [make(net)]))
    assert isinstance(found, FixedSize)
    assert re.search(reason, found.reason), found.reason


def test_a_stride_that_does_not_divide_a_size_sends_to_the_next_one() -> None:
    net = FloatNet(4)
    graph = told(net, [net.conv(net.conv(net.input((3, 20, 20)), 4, 3, stride=2), 4, 3, stride=2)])
    size = input_size(graph)
    assert isinstance(size, InputSize)
    refused = at_size(graph, size, 10, 20)
    assert isinstance(refused, FixedSize)
    assert refused.others_may_do
    assert isinstance(at_size(graph, size, 8, 20), Graph)
