"""Index tables of Resize, for every coordinate mode and nearest mode, against onnxruntime's float Resize."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from sima_compiler import Model, UnsupportedError
from sima_compiler.frontend.resizing import COORDINATES, ROUNDING, nearest_indices
from tests.support.on_mla import on_mla
from tests.support.oracle import run_onnxruntime
from tests.support.qdq_graph import QdqGraph

SCALES = (1.0, 2.0, 3.0, 1.5, 0.5, 0.6, 2.6, 0.3333, 7 / 5, 1.25)
LENGTHS = (1, 2, 5, 13, 29)


def float_indices(length: int, coordinate: str, nearest: str, *, scale: float = 0.0, size: int = 0) -> tuple[int, ...]:
    """What onnxruntime picks along the columns of a row that holds 0, 1, 2 ..."""
    given = np.array([1, 1, 1, size] if size else [1, 1, 1, scale], np.int64 if size else np.float32)
    node = helper.make_node(
        "Resize", ["x", "", "", "given"] if size else ["x", "", "given"], ["y"],
        mode="nearest", coordinate_transformation_mode=coordinate, nearest_mode=nearest,
    )  # fmt: skip
    graph = helper.make_graph(
        [node], "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1, length])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(given, "given")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    row = np.arange(length, dtype=np.float32).reshape(1, 1, 1, length)
    return tuple(int(value) for value in run_onnxruntime(model, {"x": row})["y"].reshape(-1))


@pytest.mark.parametrize("nearest", ROUNDING)
@pytest.mark.parametrize("coordinate", COORDINATES)
def test_tables_equal_onnxruntime(coordinate: str, nearest: str) -> None:
    for length, scale in itertools.product(LENGTHS, SCALES):
        size = int(np.floor(np.float32(length) * np.float32(scale)))
        if size and size != length:
            ours = nearest_indices(length, size, np.float32(scale), coordinate, nearest)
            assert ours == float_indices(length, coordinate, nearest, scale=scale), (length, scale)
    for length, size in itertools.product(LENGTHS, (3, 4, 9, 17)):
        ours = nearest_indices(length, size, np.float32(size) / np.float32(length), coordinate, nearest)
        assert ours == float_indices(length, coordinate, nearest, size=size), (length, size)


def test_a_map_that_keeps_its_size_is_copied_whatever_the_scales_are() -> None:
    net = QdqGraph()
    up = net.op("Resize", net.input((2, 3, 4)), "", net.constant([1, 1, 1.2, 1.2], np.float32), mode="nearest",
                coordinate_transformation_mode="asymmetric", nearest_mode="ceil")  # fmt: skip
    net.output(net.pair(up, 0.02, 3))
    (node,) = Model.from_onnx(net.model()).graph.nodes
    assert (node.attributes.rows, node.attributes.columns) == ((0, 1, 2), (0, 1, 2, 3))


@pytest.mark.parametrize(("scales", "rows"), [((2.0, 3.0), (0, 0, 1, 1, 2, 2)), ((1.0, 2.0), (0, 1, 2))])
def test_upsample_repeats_rows(scales: tuple[float, float], rows: tuple[int, ...]) -> None:
    net = QdqGraph(opset=13)
    factors = net.constant([1, 1, *scales], np.float32)
    up = net.op("Resize", net.input((2, 3, 4)), "", factors, coordinate_transformation_mode="asymmetric",
                nearest_mode="floor")  # fmt: skip
    net.output(net.pair(up, 0.02, 3))
    (node,) = Model.from_onnx(net.model()).graph.nodes
    assert node.attributes.rows == rows


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"mode": "cubic"}, "nearest neighbour"),
        ({"mode": "nearest", "coordinate_transformation_mode": "tf_crop_and_resize"}, "coordinate mode"),
    ],
)
def test_other_modes_are_refused(attributes: dict[str, Any], word: str) -> None:
    net = QdqGraph()
    up = net.op("Resize", net.input((2, 3, 4)), "", net.constant([1, 1, 2, 2], np.float32), **attributes)
    net.output(net.pair(up, 0.02, 3))
    with pytest.raises(UnsupportedError, match=word):
        on_mla(net.model())


def test_channels_are_not_resized() -> None:
    net = QdqGraph()
    up = net.op("Resize", net.input((2, 3, 4)), "", net.constant([1, 2, 2, 2], np.float32), mode="nearest")
    net.output(net.pair(up, 0.02, 3))
    with pytest.raises(UnsupportedError, match="rows and columns only"):
        on_mla(net.model())
