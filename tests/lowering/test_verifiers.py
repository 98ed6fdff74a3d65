"""The verifiers notice what stages could get wrong: each case breaks one promise and expects stage and place."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from sima_compiler.errors import InternalError
from sima_compiler.ir.graph import ConvAttributes, Graph, Node, Op, Quantization, ShapeAttributes
from sima_compiler.ir.layers import Convolution, Copy, Layer, LayerGraph, Lookup, Move, Pooling, Resize
from sima_compiler.ir.verify import verify_graph, verify_layers
from sima_compiler.ir.verify_overlaps import PAIRED_MOVES, Reach, Walk, overlap
from sima_compiler.stages.legalize import legalize
from sima_compiler.stages.partition import partition
from tests.lowering.agreement import MACHINE
from tests.lowering.graph_pen import Pen


def network() -> Graph:
    """One of each family of kernels."""
    pen = Pen(3)
    x = pen.input(4, 6, 6)
    y = pen.conv(x, 4, (3, 3), pads=(1, 1, 1, 1))
    z = pen.binary(Op.ADD, y, pen.unary(Op.TANH, x))
    w = pen.concat(pen.slice(z, (0, 0, 0), (2, 6, 6), (1, 1, 1)), pen.pool(Op.MAX_POOL, x, ConvAttributes((1, 1))))
    v = pen.resize(w, (0, 5), (1, 2, 3))
    return pen.graph(pen.gemm(pen.reshape(pen.constant(Op.MUL, v, (6, 1, 1)), 36), 5))


def layers() -> LayerGraph:
    return partition(legalize(network(), MACHINE), MACHINE)


def with_node(graph: Graph, op: Op, change: Callable[[Node], Node]) -> Graph:
    """The graph with its first node of that operator changed."""
    index = next(index for index, node in enumerate(graph.nodes) if node.op is op)
    nodes = list(graph.nodes)
    nodes[index] = change(nodes[index])
    return replace(graph, nodes=tuple(nodes))


def with_layer(found: LayerGraph, kind: type, change: Callable[[Layer], Layer]) -> LayerGraph:
    """The layers with the first one of that kernel changed."""
    segment = found.segments[0]
    index = next(index for index, layer in enumerate(segment.layers) if isinstance(layer.kernel, kind))
    changed = list(segment.layers)
    changed[index] = change(changed[index])
    return replace(found, segments=(replace(segment, layers=tuple(changed)),))


def window(node: Node, **changes: object) -> Node:
    assert isinstance(node.attributes, ConvAttributes)
    return replace(node, attributes=replace(node.attributes, **changes))  # type: ignore[arg-type]


def moved(node: Node, **changes: object) -> Node:
    assert isinstance(node.attributes, ShapeAttributes)
    return replace(node, attributes=replace(node.attributes, **changes))  # type: ignore[arg-type]


def weighted(node: Node, **changes: object) -> Node:
    assert node.weights is not None
    return replace(node, weights=replace(node.weights, **changes))  # type: ignore[arg-type]


GRAPH_FAULTS: dict[str, tuple[Callable[[Graph], Graph], str]] = {
    "order": (lambda g: replace(g, nodes=g.nodes[::-1]), "operand"),
    "twice": (lambda g: replace(g, nodes=(*g.nodes, g.nodes[-1])), "named twice"),
    "output": (lambda g: replace(g, outputs=("nothing",)), "output nothing"),
    "no output": (lambda g: replace(g, outputs=()), "no output"),
    "pads": (lambda g: with_node(g, Op.CONV, lambda n: window(n, pads=(0, 0, 0, 0))), "shape is"),
    "groups": (lambda g: with_node(g, Op.CONV, lambda n: window(n, groups=2)), "weights is"),
    "clamp": (lambda g: with_node(g, Op.CONV, lambda n: replace(n, clamp=(5, 128))), "clamp"),
    "no weights": (lambda g: with_node(g, Op.GEMM, lambda n: replace(n, weights=None)), "weights missing"),
    "bias": (lambda g: with_node(g, Op.GEMM, lambda n: weighted(n, bias=np.zeros(4, np.int32))), "bias is"),
    "scales": (lambda g: with_node(g, Op.GEMM, lambda n: weighted(n, scales=np.ones(2, np.float32))), "scales"),
    "one operand": (lambda g: with_node(g, Op.ADD, lambda n: replace(n, inputs=n.inputs[:1])), "operands is 1"),
    "slice": (lambda g: with_node(g, Op.SLICE, lambda n: moved(n, starts=(3, 0, 0))), "reaches outside"),
    "rows": (lambda g: with_node(g, Op.RESIZE_NEAREST, lambda n: moved(n, rows=(0, 6))), "reach outside"),
    "axis": (lambda g: with_node(g, Op.CONCAT, lambda n: moved(n, axis=1)), "joined axis"),
    "scale": (
        lambda g: replace(g, tensors={**g.tensors, "t0": replace(g.tensors["t0"], quant=Quantization(0.0, 0))}),
        "not positive",
    ),
    "zero point": (
        lambda g: replace(g, tensors={**g.tensors, "t0": replace(g.tensors["t0"], quant=Quantization(1.0, 128))}),
        "zero point 128",
    ),
}


@pytest.mark.parametrize("fault", GRAPH_FAULTS)
def test_faulty_graphs_are_noticed(fault: str) -> None:
    verify_graph(network())
    break_it, sentence = GRAPH_FAULTS[fault]
    with pytest.raises(InternalError, match=rf"^frontend: .*{sentence}"):
        verify_graph(break_it(network()))


def kernel(found: LayerGraph, kind: type, **changes: object) -> LayerGraph:
    """Fields of the first kernel of that kind changed."""
    return with_layer(found, kind, lambda layer: replace(layer, kernel=replace(layer.kernel, **changes)))  # type: ignore[type-var]


def first_moves(found: LayerGraph) -> tuple[Move, ...]:
    copies = [layer.kernel for layer in found.segments[0].layers if isinstance(layer.kernel, Copy)]
    return copies[0].moves


def with_move(found: LayerGraph, **changes: object) -> LayerGraph:
    first, *rest = first_moves(found)
    return kernel(found, Copy, moves=(replace(first, **changes), *rest))  # type: ignore[arg-type]


def with_map(found: LayerGraph, name: str, **changes: object) -> LayerGraph:
    segment = found.segments[0]
    changed = replace(segment.maps[name], **changes)  # type: ignore[arg-type]
    return replace(found, segments=(replace(segment, maps={**segment.maps, name: changed}),))


def reordered(found: LayerGraph) -> LayerGraph:
    segment = found.segments[0]
    return replace(found, segments=(replace(segment, layers=segment.layers[::-1]),))


LAYER_FAULTS: dict[str, tuple[Callable[[LayerGraph], LayerGraph], str]] = {
    "order": (reordered, "number is|unknown at this point"),
    "name": (lambda f: with_layer(f, Pooling, lambda one: replace(one, name="MLA_0/x_77")), "number is 77"),
    "segment": (lambda f: with_layer(f, Pooling, lambda one: replace(one, name="pool_2")), "begin with its segment"),
    "reason": (lambda f: with_layer(f, Pooling, lambda one: replace(one, reason="")), "no reason"),
    "twice": (lambda f: with_layer(f, Pooling, lambda one: replace(one, output="x0")), "writes x0 again"),
    "output": (lambda f: replace(f, outputs=("nothing",)), "output nothing"),
    "input as output": (lambda f: replace(f, outputs=f.inputs), "is an input's"),
    "map": (lambda f: with_map(f, "x0", rows=5), "elements is"),
    "axes": (lambda f: with_map(f, "x0", source_axes=(1, 1, 0)), "source_axes"),
    "lookup": (lambda f: kernel(f, Lookup, table=np.zeros(255, np.int8)), "lookup is"),
    "lookup type": (lambda f: kernel(f, Lookup, table=np.zeros(256, np.uint8)), "lookup is"),
    "clamp": (lambda f: kernel(f, Convolution, clamp=(3, 2)), "clamp"),
    "groups": (lambda f: kernel(f, Convolution, groups=3), "groups do not divide"),
    "bias": (lambda f: kernel(f, Convolution, bias=np.zeros(4, np.int64)), "bias is"),
    "multipliers": (lambda f: kernel(f, Convolution, multipliers=np.zeros(4, np.float32)), "not positive"),
    "binary": (lambda f: kernel(f, Convolution, binary=None), "quantization of the result"),
    "operand": (lambda f: with_layer(f, Convolution, lambda one: replace(one, inputs=one.inputs[:1])), "operands is"),
    "operand's map": (lambda f: with_map(f, "t1", quant=Quantization(0.5, 0)), "its quantization"),
    "rows": (lambda f: kernel(f, Resize, rows=(0, 9)), "reach outside"),
    "no moves": (lambda f: kernel(f, Copy, moves=()), "copy of nothing"),
    "hole": (lambda f: kernel(f, Copy, moves=first_moves(f)[:1]), "operands is|left unwritten"),
    "overlap": (lambda f: with_move(f, target_offset=1), "overlap"),
    "outside": (lambda f: with_move(f, source_offset=140), "goes to 10 of 6 rows of"),
    "stride": (lambda f: with_move(f, source_strides=(1, 1)), "strides is"),
    "across pixels": (lambda f: with_move(f, source_strides=(24, 3, 1)), "of 4 channels of"),
    "lookup of a move": (lambda f: with_move(f, lookup=np.zeros(3, np.int8)), "lookup is"),
}


@pytest.mark.parametrize("fault", LAYER_FAULTS)
def test_faulty_layers_are_noticed(fault: str) -> None:
    verify_layers(layers())
    break_it, sentence = LAYER_FAULTS[fault]
    with pytest.raises(InternalError, match=rf"^partition: .*({sentence})"):
        verify_layers(break_it(layers()))


def test_faults_before_partition_name_the_stage_before_it() -> None:
    with pytest.raises(InternalError, match=r"^legalize: "):
        verify_layers(kernel(legalize(network(), MACHINE), Convolution, clamp=(3, 2)))


def reach(rows: Walk | int, columns: Walk | int, channels: Walk | int) -> Reach:
    """A number stands for itself alone."""
    walks = [axis if isinstance(axis, Walk) else Walk(axis) for axis in (rows, columns, channels)]
    return walks[0], walks[1], walks[2]


def run(start: int, size: int) -> Walk:
    return Walk(start, ((1, size),))


def random_walk(random: np.random.Generator) -> Walk:
    """Up to three steps, in any order, that may nest, meet or stand still."""
    steps = [tuple(map(int, random.integers((0, 1), (4, 4)))) for _ in range(int(random.integers(4)))]
    return Walk(int(random.integers(4)), tuple((stride, size) for stride, size in steps))


def listed(walk: Walk) -> list[int]:
    counts = product(*(range(size) for _, size in walk.steps))
    return [
        walk.start + sum(count * stride for count, (stride, _) in zip(taken, walk.steps, strict=True))
        for taken in counts
    ]


def test_walks_count_and_list_each_number_once() -> None:
    random = np.random.default_rng(12)
    nested: set[bool] = set()
    for _ in range(300):
        walk = random_walk(random)
        numbers = sorted(set(listed(walk)))
        assert walk.numbers().tolist() == numbers
        assert (walk.distinct, walk.last) == (len(numbers), numbers[-1])
        nested.add(len(numbers) == len(listed(walk)))
    assert nested == {True, False}


def test_steps_that_continue_each_other_are_counted_without_a_list() -> None:
    started = time.process_time()
    assert Walk(0, ((1 << 40, 1 << 20), (1, 1 << 40))).distinct == 1 << 60
    assert not overlap([reach(0, 0, run(number << 40, 1 << 40)) for number in range(3)])
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(("first", "second"), [(3, 7), (3, PAIRED_MOVES + 2), (PAIRED_MOVES, PAIRED_MOVES + 1)])
def test_two_moves_that_overlap_are_seen_among_hundreds(first: int, second: int) -> None:
    """One move for each channel, as a table for each channel is written; then two of them share one."""
    written = [reach(run(0, 2), run(0, 2), number) for number in range(PAIRED_MOVES + 8)]
    assert not overlap(written)
    written[second] = reach(run(0, 2), 1, first)
    assert overlap(written)
    written[first] = reach(run(0, 2), 0, first)
    assert not overlap(written), "the same channel, but other columns"


def test_moves_that_share_numbers_of_every_axis_in_a_chain_are_compared_pair_by_pair() -> None:
    """Each shares a row with the next, a column with the one after, a channel with all: no axis tells them apart."""
    written = [reach(run(number, 2), 2 * number % 7, 0) for number in range(PAIRED_MOVES + 8)]
    assert not overlap(written)
    assert overlap([*written, reach(PAIRED_MOVES, 2 * PAIRED_MOVES % 7, 0)])


def test_overlaps_are_those_of_painted_elements() -> None:
    random = np.random.default_rng(7)
    outcomes: set[bool] = set()
    for _ in range(300):
        count = int(random.integers(1, 6))
        written = [reach(*(random_walk(random) for _ in range(3))) for _ in range(count)]
        painted = np.zeros((32, 32, 32), np.int64)
        for one in written:
            painted[np.ix_(*(sorted(set(listed(walk))) for walk in one))] += 1
        assert overlap(written) == bool(painted.max() > 1)
        outcomes.add(overlap(written))
    assert outcomes == {True, False}


def test_the_parts_of_a_wide_concatenation_are_told_apart_at_once() -> None:
    """In pairs these are 16,000,000 products of 64,000 terms."""
    started = time.process_time()
    written = [reach(run(0, 4), run(0, 4), run(16 * number, 16)) for number in range(4000)]
    assert not overlap(written)
    assert time.process_time() - started < 5
