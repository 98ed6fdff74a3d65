"""Averages without a quantization right beside them: onnxruntime sums float32, in an order that the result shows.

Scales are such that many averages lie half-way between two steps, where another order of the sums gives other bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from sima_compiler import Model
from sima_compiler.errors import UnsupportedError
from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.ir.graph import Op, RealAverageAttributes, SumOrder
from sima_compiler.sim.reference import run_node
from tests.support.judges import assert_judges_agree, assert_reference_agrees
from tests.support.on_mla import on_mla
from tests.support.qdq_graph import INT8, UINT8, QdqGraph


def clipped(net: QdqGraph, value: str, cells: int) -> str:
    """A Clip that cuts into the range of `finished`: onnxruntime keeps it, and leaves what is in front in float32."""
    return net.op("Clip", value, *(net.constant(bound * 0.02 / cells, np.float32) for bound in (-650, 510)))


def finished(net: QdqGraph, value: str, cells: int = 64) -> onnx.ModelProto:
    """One step of the result is eight of the sums over ``cells``, so that one in eight lies half-way between two."""
    net.output(net.pair(value, 8 * 0.02 / cells, 3))
    return net.model()


def pooled(operator: str, shape: tuple[int, ...], kind: type = UINT8, **attributes: object) -> onnx.ModelProto:
    net = QdqGraph(kind, seed=3)
    kernel = attributes.get("kernel_shape", shape[1:])
    assert isinstance(kernel, tuple)
    cells = int(np.prod(kernel))
    return finished(net, clipped(net, net.op(operator, net.input(shape), **attributes), cells), cells)


def mean(net: QdqGraph, value: str, axes: tuple[int, ...] = (2, 3), keepdims: int = 1) -> str:
    return net.op("ReduceMean", value, axes=axes, keepdims=keepdims)


def order_of(model: onnx.ModelProto) -> SumOrder:
    graph = Model.from_onnx(model).graph
    (found,) = [node.attributes for node in graph.nodes if isinstance(node.attributes, RealAverageAttributes)]
    return found.order


@pytest.mark.parametrize("shape", [(48, 7, 7), (50, 7, 7), (24, 3, 5), (9, 1, 3), (32, 13, 9)])
@pytest.mark.parametrize("operator", ["GlobalAveragePool", "AveragePool"])
def test_whole_maps(shape: tuple[int, ...], operator: str) -> None:
    """onnxruntime packs the channels of an AveragePool, but not those of a GlobalAveragePool."""
    model = pooled(operator, shape, **({"kernel_shape": shape[1:]} if operator == "AveragePool" else {}))
    packed = operator == "AveragePool" and shape[0] % 16 == 0
    assert order_of(model) is (SumOrder.ROWS if packed else SumOrder.LANES)
    assert_reference_agrees(model, batch=40)


@pytest.mark.parametrize("channels", [7, 16])
@pytest.mark.parametrize(
    ("size", "attributes"),
    [((9, 11), {"kernel_shape": (3, 3)}),
     ((9, 11), {"kernel_shape": (3, 3), "strides": (2, 2), "pads": (1, 1, 1, 1)}),
     ((8, 10), {"kernel_shape": (3, 2), "strides": (2, 1), "pads": (1, 0, 0, 1), "count_include_pad": 1}),
     ((13, 14), {"kernel_shape": (5, 5), "strides": (3, 3), "pads": (2, 2, 2, 2)}),
     ((9, 12), {"kernel_shape": (2, 4), "auto_pad": "SAME_LOWER"}),
     ((6, 6), {"kernel_shape": (6, 6)})],
)  # fmt: skip
def test_windows(channels: int, size: tuple[int, int], attributes: dict[str, object]) -> None:
    assert_reference_agrees(pooled("AveragePool", (channels, *size), **attributes), batch=12)


@pytest.mark.parametrize("shape", [(8, 7, 7), (32, 7, 7), (12, 3, 5), (16, 13, 9), (20, 1, 3), (4, 1, 1), (5, 2, 2)])
@pytest.mark.parametrize(("axes", "keepdims"), [((2, 3), 1), ((-1, -2), 0)])
def test_means(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: int) -> None:
    net = QdqGraph(seed=2)
    model = finished(net, mean(net, net.input(shape), axes, keepdims), shape[1] * shape[2])
    assert order_of(model) is SumOrder.PAIRS
    assert_reference_agrees(model, batch=12)


def test_a_mean_of_an_odd_number_of_values() -> None:
    """Samples start at other places of onnxruntime's vectors: exact one by one, listed where there may be more."""
    one, many = QdqGraph(batch=1, seed=2), QdqGraph(seed=2)
    assert_reference_agrees(finished(one, mean(one, one.input((3, 5, 5))), 25), batch=9)
    graph = Model.from_onnx(finished(many, mean(many, many.input((3, 5, 5))))).graph
    assert [node.op for node in graph.nodes] == [Op.REDUCE_MEAN]
    assert Op.REDUCE_MEAN in FLOAT_INSIDE


def divided(net: QdqGraph, value: str) -> str:
    return net.op("Div", value, net.constant(6, np.float32))


@pytest.mark.parametrize("kind", [UINT8, INT8])
@pytest.mark.parametrize("channels", [6, 32])
def test_of_what_is_computed_in_front(channels: int, kind: type) -> None:
    """As quantize_static leaves a hard-swish in QOperator form; the value itself is quantized too."""
    net = QdqGraph(kind, seed=5)
    x = divided(net, net.input((channels, 6, 7), scale=0.12))
    gate = net.pair(net.op("GlobalAveragePool", x), 8 * 0.02 / 42, 3)
    net.output(net.pair(net.op("Mul", net.pair(x, 0.02, 3), gate), 0.03, 1))
    assert_reference_agrees(net.model(), batch=30)
    graph = Model.from_onnx(net.model()).graph
    average = next(node for node in graph.nodes if node.op is Op.REAL_AVERAGE_POOL)
    assert isinstance(average.attributes, RealAverageAttributes)
    assert average.attributes.steps == ("div",)


@pytest.mark.parametrize("operator", ["AveragePool", "ReduceMean", "GlobalAveragePool"])
def test_of_a_function_and_a_movement(operator: str) -> None:
    net = QdqGraph(seed=7)
    x = net.op("HardSwish", net.op("Transpose", net.input((6, 7, 8), scale=0.05), perm=(0, 3, 1, 2)))
    attributes = {"AveragePool": {"kernel_shape": (3, 3)}, "ReduceMean": {"axes": (2, 3)}}.get(operator, {})
    assert_reference_agrees(finished(net, net.op(operator, x, **attributes)), batch=16)


@pytest.mark.parametrize("channels", [10, 32])
def test_behind_a_maximum(channels: int) -> None:
    """onnxruntime packs the channels of a MaxPool in float32, and the pool behind takes them as they lie."""
    net = QdqGraph(seed=5)
    x = net.op("MaxPool", divided(net, net.input((channels, 14, 14), scale=0.12)), kernel_shape=(2, 2), strides=(2, 2))
    model = finished(net, net.op("GlobalAveragePool", x), 49)
    assert order_of(model) is (SumOrder.LANES if channels == 10 else SumOrder.ROWS)
    assert_reference_agrees(model, batch=40)


def test_a_function_that_falls_has_no_maximum_in_bytes() -> None:
    net = QdqGraph(seed=5)
    x = net.op("Div", net.input((3, 8, 8)), net.constant(-6, np.float32))
    model = finished(net, net.op("GlobalAveragePool", net.op("MaxPool", x, kernel_shape=(2, 2))))
    with pytest.raises(UnsupportedError, match="every activation is quantized"):
        on_mla(model)


@pytest.mark.parametrize("order", [order for order in SumOrder if order is not SumOrder.PAIRS])
def test_other_orders_give_other_bytes(order: SumOrder) -> None:
    """So the comparisons above see in which order the sums are made."""
    net = QdqGraph(seed=3)
    graph = Model.from_onnx(finished(net, mean(net, net.input((32, 7, 7))), 49)).graph
    (node,) = graph.nodes
    assert isinstance(node.attributes, RealAverageAttributes)
    values = np.random.default_rng(0).integers(-128, 128, (40, 32, 7, 7)).astype(np.int8)
    other = replace(node, attributes=replace(node.attributes, order=order))
    assert (run_node(node, [values], graph.tensors) != run_node(other, [values], graph.tensors)).any()


ARCHIVED = {
    "rows": pooled("AveragePool", (32, 9, 8), kernel_shape=(9, 8)),
    "lanes": pooled("GlobalAveragePool", (40, 9, 7)),
    "windows by columns": pooled("AveragePool", (21, 24, 20), INT8, kernel_shape=(3, 3), pads=(1, 1, 1, 1)),
    "windows by rows": pooled("AveragePool", (48, 24, 20), INT8, kernel_shape=(3, 5), strides=(2, 2)),
}


@pytest.mark.parametrize("name", [*ARCHIVED, "pairs"])
def test_the_archive_is_equal_too(name: str, tmp_path: Path) -> None:
    net = QdqGraph(INT8, seed=4)
    model = ARCHIVED[name] if name in ARCHIVED else finished(net, mean(net, net.input((36, 7, 7)), keepdims=0), 49)
    assert_judges_agree(model, tmp_path, batch=3, compress=True, machine="tiny")


def test_a_large_map_is_summed_in_parts(tmp_path: Path) -> None:
    """Cell by cell the sum may stop and go on: a map that fits on no chip."""
    model = pooled("AveragePool", (16, 90, 90), kernel_shape=(90, 90))
    assert_judges_agree(model, tmp_path, batch=1, compress=False, machine="tiny")
