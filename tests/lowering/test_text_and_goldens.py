"""The text forms: goldens of small networks, and that text shows every change of behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sima_compiler.ir.graph import ConvAttributes, Graph, Op, Quantization
from sima_compiler.ir.text import graph_text, layers_text
from tests.lowering.agreement import agreed
from tests.lowering.graph_pen import Pen


def residual() -> Graph:
    """Two convolutions that meet, a pool, and a classifier."""
    pen = Pen(1)
    stem = pen.conv(pen.input(3, 8, 8), 6, (3, 3), pads=(1, 1, 1, 1))
    x = pen.pool(Op.MAX_POOL, stem, ConvAttributes((2, 2), (2, 2)))
    y = pen.conv(x, 6, (3, 3), pads=(1, 1, 1, 1), groups=6, clamp=(-20, 90), fused=("clip",))
    z = pen.unary(Op.RELU, pen.binary(Op.ADD, pen.conv(y, 6), x))
    return pen.graph(pen.gemm(pen.reshape(pen.global_pool(z), 6), 10))


def movement() -> Graph:
    """Every copy, a table, a resize and operands that spread."""
    pen = Pen(2)
    x = pen.input(4, 4, 6)
    shuffled = pen.reshape(pen.transpose(pen.reshape(x, 2, 2, 4, 6), 1, 0, 2, 3), 4, 4, 6)
    wide = pen.concat(pen.slice(shuffled, (1, 0, 0), (3, 4, 6), (1, 1, 1)), x)
    gated = pen.binary(Op.MUL, wide, pen.unary(Op.SIGMOID, pen.global_pool(wide)))
    large = pen.resize(pen.constant(Op.SUB, gated, (6, 1, 1), first=True), (0, 0, 1, 3), (0, 2, 2))
    return pen.graph(pen.pad(pen.unary(Op.LEAKY_RELU, x, alpha=0.1), (0, 1, 0), (0, 0, 2), 7), large)


def test_residual_graph_text(golden: Callable[[str], None]) -> None:
    golden(graph_text(residual()))


def test_residual_layers_text(golden: Callable[[str], None]) -> None:
    golden(layers_text(agreed(residual())))


def test_movement_graph_text(golden: Callable[[str], None]) -> None:
    golden(graph_text(movement()))


def test_movement_layers_text(golden: Callable[[str], None]) -> None:
    golden(layers_text(agreed(movement())))


def test_one_changed_weight_shows() -> None:
    graph = residual()
    node = graph.nodes[0]
    assert node.weights is not None
    values = node.weights.values.copy()
    values[0, 0, 0, 0] ^= 1
    changed = replace(graph, nodes=(replace(node, weights=replace(node.weights, values=values)), *graph.nodes[1:]))
    assert graph_text(changed) != graph_text(graph)
    assert layers_text(agreed(changed)) != layers_text(agreed(graph))


def test_a_changed_scale_shows() -> None:
    graph = residual()
    tensor = graph.tensors["x0"]
    quant = Quantization(tensor.quant.scale * (1 + 2**-20), tensor.quant.zero_point)
    changed = replace(graph, tensors={**graph.tensors, "x0": replace(tensor, quant=quant)})
    assert graph_text(changed) != graph_text(graph)
