"""Forms in which exporters write pads, blocks, gathering and tiling: each equals onnxruntime on the file itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sima_compiler.errors import UnsupportedError
from tests.support.exporter_forms import Build, Forms, integers, padded, real
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, QdqGraph

form = FORMS = Forms()


@form
def a_fill_below_the_range_of_the_input(net: QdqGraph) -> str:
    return padded(net, -0.25, 0, 0, 1, 1, 0, 0, 1, 1)


@form
def a_fill_above_the_range_of_the_input(net: QdqGraph) -> str:
    return padded(net, 4.0, 0, 0, 2, 0, 0, 0, 0, 1)


@form
def a_fill_between_the_steps_of_the_input(net: QdqGraph) -> str:
    return padded(net, 0.0149, 0, 1, 2, 0, 0, 0, 0, 1)


@form
def an_infinite_fill_below_a_maximum(net: QdqGraph) -> str:
    x = padded(net, -np.inf, 0, 0, 1, 1, 0, 0, 1, 1)
    return net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])


@form
def the_least_fill_below_a_maximum_and_a_convolution(net: QdqGraph) -> str:
    x = padded(net, np.finfo(np.float32).min, 0, 0, 1, 1, 0, 0, 1, 1)
    return net.op("Conv", net.pair(net.op("MaxPool", x, kernel_shape=[3, 3]), 0.01, -128), net.weights((5, 3, 2, 2)))


@form
def pads_that_crop(net: QdqGraph) -> str:
    return padded(net, 0.5, 0, 0, -1, 2, 0, 1, 3, -2)


@form
def pads_that_reflect(net: QdqGraph) -> str:
    return padded(net, None, 0, 0, 2, 3, 0, 0, 1, 0, mode="reflect")


@form
def pads_that_repeat_the_edge_and_crop(net: QdqGraph) -> str:
    return padded(net, None, 0, 0, 2, -1, 0, 0, 9, 2, mode="edge")


@form
def pads_of_chosen_axes(net: QdqGraph) -> str:
    net.opset = 18
    x = net.input((3, 6, 7), scale=0.01, zero=-128)
    return net.op("Pad", x, integers(net, 1, 2, 3, 0), real(net, -0.1), integers(net, -1, 2))


@form
def a_pad_between_a_function_and_a_convolution(net: QdqGraph) -> str:
    x = net.op("Tanh", net.input((3, 6, 7), scale=0.01, zero=-128))
    x = net.pair(net.op("Pad", x, integers(net, 0, 0, 1, 1, 0, 0, 1, 1), real(net, -3.0)), 0.03, 7)
    return net.op("Conv", x, net.weights((5, 3, 3, 3)))


@form
def a_pad_with_a_value_of_its_scale_and_no_pair(net: QdqGraph) -> str:
    x = net.input((3, 6, 7), scale=0.5, zero=-3)
    x = net.op("Pad", x, integers(net, 0, 0, 1, 1, 0, 0, 1, 1), real(net, -1.5))
    return net.op("MaxPool", x, kernel_shape=[2, 2])


@form
def space_to_depth_then_a_convolution(net: QdqGraph) -> str:
    x = net.pair(net.op("SpaceToDepth", net.input((3, 8, 6)), blocksize=2), 0.02, 3)
    return net.op("Conv", x, net.weights((8, 12, 3, 3)))


@form
def space_to_depth_of_bytes_in_threes(net: QdqGraph) -> str:
    x = net.quantize(net.float_input((2, 9, 6)), 0.02, 3)
    return net.dequantize(net.op("SpaceToDepth", x, blocksize=3), 0.02, 3)


@form
def depth_to_space_with_the_block_in_front(net: QdqGraph) -> str:
    return net.op("DepthToSpace", net.input((12, 4, 3)), blocksize=2, mode="DCR")


@form
def depth_to_space_with_the_block_behind(net: QdqGraph) -> str:
    x = net.pair(net.op("Conv", net.input((12, 4, 3)), net.weights((18, 12, 1, 1), axis=0)), 0.0217, 3)
    return net.op("DepthToSpace", x, blocksize=3, mode="CRD")


@form
def depth_to_space_written_out(net: QdqGraph) -> str:
    x = net.op("Reshape", net.input((12, 4, 3)), integers(net, 0, 3, 2, 2, 4, 3))
    x = net.op("Transpose", x, perm=[0, 1, 4, 2, 5, 3])
    return net.op("Reshape", x, integers(net, 0, 3, 8, 6))


@form
def four_strided_slices_joined(net: QdqGraph) -> str:
    x, parts = net.input((3, 8, 6)), []
    for start in ([0, 0], [1, 0], [0, 1], [1, 1]):
        at = [integers(net, *values) for values in (start, (99, 99), (2, 3), (2, 2))]
        parts.append(net.op("Slice", x, *at))
    joined = net.pair(net.op("Concat", *parts, axis=1), 0.02, 3)
    return net.op("Conv", joined, net.weights((8, 12, 3, 3)))


def gathered(net: QdqGraph, indices: object, axis: int, shape: tuple[int, ...] = (6, 5, 7)) -> str:
    return net.op("Gather", net.input(shape), net.constant(indices, np.int64), axis=axis)


@form
def gathered_channels_in_another_order(net: QdqGraph) -> str:
    x = net.pair(gathered(net, [2, 1, 0, 5, 3, 4], 1), 0.02, 3)
    return net.op("Conv", x, net.weights((8, 6, 3, 3)))


@form
def gathered_channels_without_a_pair(net: QdqGraph) -> str:
    return net.op("MaxPool", gathered(net, [4, 4, -1, 0], 1), kernel_shape=[2, 2])


@form
def gathered_channels_in_steps(net: QdqGraph) -> str:
    return gathered(net, [1, 3, 5], 1)


@form
def one_gathered_channel(net: QdqGraph) -> str:
    return net.op("Sigmoid", gathered(net, 4, 1))


@form
def gathered_rows_and_columns(net: QdqGraph) -> str:
    rows = net.op("Gather", net.input((6, 5, 7)), integers(net, 4, 4, 0, 2), axis=-2)
    return net.op("Gather", rows, integers(net, 6, 0, 0), axis=3)


@form
def a_table_of_gathered_features(net: QdqGraph) -> str:
    return gathered(net, [[8, 0, 1], [1, 7, 7]], 1, (9,))


@form
def gathered_bytes(net: QdqGraph) -> str:
    x = net.quantize(net.float_input((6, 5, 7)), 0.02, 3)
    return net.dequantize(net.op("Gather", x, integers(net, 5, 1, 1), axis=1), 0.02, 3)


@form
def gathered_channels_of_the_input_before_it_is_quantized(net: QdqGraph) -> str:
    x = net.pair(net.op("Gather", net.float_input((3, 8, 8)), integers(net, 2, 1, 0), axis=1), 0.02, 3)
    return net.op("Conv", x, net.weights((8, 3, 3, 3)))


@form
def tiled_and_expanded(net: QdqGraph) -> str:
    x = net.op("Tile", net.input((2, 3, 4)), integers(net, 1, 2, 1, 3))
    y = net.op("Expand", net.input((1, 3, 1), "other"), integers(net, 1, 4, 3, 12))
    return net.op("Add", net.pair(x, 0.02, 3), net.pair(y, 0.02, 3))


@form
def depth_to_space_written_out_with_the_block_in_front(net: QdqGraph) -> str:
    x = net.op("Reshape", net.input((12, 4, 3)), integers(net, 0, 2, 2, 3, 4, 3))
    x = net.op("Transpose", x, perm=[0, 3, 4, 1, 5, 2])
    return net.op("Reshape", x, integers(net, 0, 3, 8, 6))


@form
def space_to_depth_written_out(net: QdqGraph) -> str:
    x = net.op("Reshape", net.input((3, 8, 6)), integers(net, 0, 3, 4, 2, 3, 2))
    x = net.op("Transpose", x, perm=[0, 1, 3, 5, 2, 4])
    return net.op("Reshape", x, integers(net, 0, 12, 4, 3))


@form
def a_pixel_shuffle_of_channels_last(net: QdqGraph) -> str:
    """As TensorFlow's depth_to_space comes out of a converter, its transpositions kept."""
    x = net.op("Transpose", net.input((4, 3, 12)), perm=[0, 3, 1, 2])
    x = net.op("Transpose", net.op("DepthToSpace", x, blocksize=2), perm=[0, 2, 3, 1])
    return net.op("Transpose", net.pair(x, 0.0217, 3), perm=[0, 3, 1, 2])


@pytest.mark.parametrize("name", FORMS)
def test_equal_to_onnxruntime(name: str) -> None:
    results = assert_reference_agrees(FORMS.network(name))
    assert all(len(np.unique(array)) > 3 for array in results.values()), "the case is too small to tell anything"


@pytest.mark.parametrize("name", list(FORMS)[::4])
def test_the_archive_is_equal_too(name: str, tmp_path: Path) -> None:
    assert_judges_agree(FORMS.network(name, INT8), tmp_path, batch=2, compress=True, machine="tiny")


REFUSED: dict[str, tuple[Build, str]] = {
    "a fill that the scale does not hold": (
        lambda net: net.op("Conv", padded(net, -0.25, 0, 0, 1, 1, 0, 0, 1, 1), net.weights((5, 3, 2, 2))),
        "Pad fills with a value that its input's scale",
    ),
    "pads that reflect channels": (
        lambda net: padded(net, None, 0, 1, 0, 0, 0, 0, 0, 0, mode="reflect"), "repeats rows",
    ),
    "pads that reflect too far": (
        lambda net: padded(net, None, 0, 0, 6, 0, 0, 0, 0, 0, mode="reflect"), "smaller than",
    ),
    "gathering over the batch": (lambda net: gathered(net, [0, 0], 0), "first dimension"),
    "gathering by data": (
        lambda net: net.op("Gather", net.input((4,)), net.op("Cast", net.float_input((2,), "at"), to=7), axis=1),
        "Cast makes float32",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_a_rule(name: str) -> None:
    build, rule = REFUSED[name]
    net = QdqGraph()
    net.output(net.pair(build(net)))
    with pytest.raises(UnsupportedError, match=rule):
        on_mla(net.model())
