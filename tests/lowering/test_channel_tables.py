"""A table per channel: a depthwise convolution where each is a line, else a copy that looks up; never other bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sima_compiler.frontend.onnx_qdq import graph_from_onnx
from sima_compiler.ir.graph import Graph, TableAttributes
from sima_compiler.ir.layers import BinaryOp, Convolution, Copy, Kernel
from tests.lowering.agreement import agreed, names
from tests.support.qdq_graph import QdqGraph


def graph_of(*steps: tuple[str, float, float], shape: tuple[int, ...] = (6, 9, 7), function: str = "") -> Graph:
    """Operators with a constant per channel of an image, or of the last axis, drawn between two numbers."""
    net = QdqGraph(seed=len(steps))
    value = net.input(shape, scale=0.03, zero=-11)
    channels = (shape[0], 1, 1) if len(shape) == 3 else (shape[-1],)
    for operator, low, high in steps:
        value = net.op(operator, value, net.constant(net.random.uniform(low, high, channels), np.float32))
    if function:
        value = net.op(function, value)
    net.output(net.pair(value, 0.021, 5))
    return graph_from_onnx(net.model(), "net")


def kernel_of(graph: Graph) -> tuple[Kernel, list[str]]:
    layers = agreed(graph)
    return layers.segments[0].layers[-1].kernel, names(layers)


def test_a_scale_and_a_shift_per_channel_are_one_convolution() -> None:
    kernel, called = kernel_of(graph_of(("Mul", 0.4, 2.0), ("Add", -1.0, 1.0)))
    assert isinstance(kernel, Convolution)
    assert kernel.is_depthwise
    assert called == ["mul_add"]


def test_slopes_may_fall_or_be_zero() -> None:
    graph = graph_of(("Mul", -2.0, 2.0), ("Sub", -1.0, 1.0))
    assert isinstance(kernel_of(graph)[0], Convolution)
    flat = graph_of(("Mul", 0.0, 0.0))
    assert agreed(flat)
    assert isinstance(kernel_of(graph_of(("Mul", -1.0, 1.0), ("Max", 9.0, 10.0)))[0], Convolution)


@pytest.mark.parametrize("function", ["Sigmoid", "Relu"])
def test_bent_functions_are_looked_up(function: str) -> None:
    kernel, called = kernel_of(graph_of(("Mul", 0.4, 2.0), ("Add", -1.0, 1.0), function=function))
    assert isinstance(kernel, Copy)
    assert len(kernel.moves) == 6
    assert called == [f"mul_add_{function.lower()}"]


@pytest.mark.parametrize(("low", "high", "op"), [(-0.5, 1.0, BinaryOp.MAX), (1.0, 2.0, BinaryOp.MIN)])
def test_slopes_below_zero_meet_the_input_on_the_way_out(low: float, high: float, op: BinaryOp) -> None:
    kernel, called = kernel_of(graph_of(("PRelu", low, high)))
    assert isinstance(kernel, Convolution)
    assert kernel.is_depthwise
    assert kernel.binary is not None
    assert (kernel.binary.op, called) == (op, ["prelu"])


def test_slopes_on_both_sides_of_one_are_looked_up() -> None:
    assert isinstance(kernel_of(graph_of(("PRelu", 0.5, 2.0)))[0], Copy)


def test_quantized_slopes_ride_on_a_convolution() -> None:
    net = QdqGraph(seed=9)
    x = net.pair(net.op("Conv", net.input((3, 8, 8)), net.weights((6, 3, 3, 3), axis=0)), 0.03, 2)
    net.output(net.pair(net.op("PRelu", x, net.operand(net.random.integers(-40, 90, (6, 1, 1)), 0.01)), 0.02, -40))
    kernel, called = kernel_of(graph_from_onnx(net.model(), "net"))
    assert isinstance(kernel, Convolution)
    assert called == ["conv2d_prelu"]


def test_one_byte_beside_the_line_is_enough() -> None:
    graph = graph_of(("Mul", 0.4, 2.0), ("Add", -1.0, 1.0))
    node = graph.nodes[0]
    assert isinstance(node.attributes, TableAttributes)
    tables = node.attributes.tables.copy()
    tables[3, 128] ^= 1
    bent = replace(graph, nodes=(replace(node, attributes=replace(node.attributes, tables=tables)),))
    assert isinstance(kernel_of(bent)[0], Copy)


def test_neighbours_with_one_table_share_a_move() -> None:
    graph = graph_of(("Max", -1.0, -0.9), function="Sigmoid")
    node = graph.nodes[0]
    assert isinstance(node.attributes, TableAttributes)
    tables = node.attributes.tables[[0, 0, 0, 1, 1, 0]]
    same = replace(graph, nodes=(replace(node, attributes=replace(node.attributes, tables=tables)),))
    kernel, _ = kernel_of(same)
    assert isinstance(kernel, Copy)
    assert len(kernel.moves) == 3


def test_columns_of_a_matrix_are_channels() -> None:
    assert isinstance(kernel_of(graph_of(("Mul", 0.4, 2.0), shape=(5, 8)))[0], Convolution)
    assert isinstance(kernel_of(graph_of(("Mul", 0.4, 2.0), shape=(5, 8), function="Sigmoid"))[0], Copy)


def test_equal_tables_at_equal_distances_share_a_move() -> None:
    """Anchors: columns repeat in every row of cells, rows run on."""
    net = QdqGraph()
    cells = np.stack([np.resize(np.arange(6), 48), np.repeat(np.arange(8), 6)])
    value = net.op("Sub", net.input((2, 48), scale=0.03, zero=-11), net.constant(cells[np.newaxis], np.float32))
    net.output(net.pair(net.op("Sigmoid", value), 1 / 256, -128))
    kernel, called = kernel_of(graph_from_onnx(net.model(), "net"))
    assert isinstance(kernel, Copy)
    assert called[-1] == "sub_sigmoid"
    assert len(kernel.moves) <= 6 + 8 + 6


def test_a_constant_for_every_value_is_one_convolution() -> None:
    """4,096 places, each a line: as channels, between two copies, and not 4,096 moves."""
    net = QdqGraph(seed=1)
    value = net.op("Add", net.input((16, 16, 16)), net.constant(net.random.uniform(-1, 1, (1, 16, 16, 16)), np.float32))
    net.output(net.pair(value, 0.0217, 3))
    layers = agreed(graph_from_onnx(net.model(), "net"))
    kernels = [layer.kernel for layer in layers.segments[0].layers]
    assert sum(isinstance(kernel, Convolution) for kernel in kernels) == 1
    assert all(len(kernel.moves) <= 1 for kernel in kernels if isinstance(kernel, Copy))
