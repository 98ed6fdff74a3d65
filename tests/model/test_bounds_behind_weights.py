"""What must wait for the last weights: worked by hand, and only where no part of it could be done before."""

from __future__ import annotations

from sima_compiler import Machine, Model
from sima_compiler.bounds.behind import work_behind_weights
from sima_compiler.bounds.loads import LayerLoad, layer_loads, weight_sizes
from sima_compiler.bounds.total import segment_bounds
from sima_compiler.ir.layers import Segment
from sima_compiler.pipeline import lower
from tests.support.qdq_graph import QdqGraph

TINY = Machine.load("tiny")
SCORES, INPUTS = 2000, 512


def scored(*, softmax: bool = True, pixels: int = 1, second_result: bool = False) -> Segment:
    """2,000 scores behind 512 inputs, and a softmax over them."""
    net = QdqGraph()
    x = net.input((pixels, INPUTS), "x")
    scores = net.pair(net.op("MatMul", x, net.weights((INPUTS, SCORES))), 0.1, 0)
    if softmax:
        net.output(net.pair(net.op("Softmax", scores, axis=-1), 1 / 256, -128))
    if second_result or not softmax:
        net.output(scores)
    (segment,) = lower(Model.from_onnx(net.model(), "scored").graph, TINY).segments
    return segment


def loads_of(segment: Segment, batch: int) -> tuple[LayerLoad, ...]:
    return layer_loads(segment, weight_sizes(segment, len), TINY, quads=2, batch=batch)


def test_a_softmax_behind_a_dense_layer_waits_for_the_last_weights() -> None:
    """8 bytes a cycle: a command is fetched and the load begins, weights and input arrive, then the softmax of the
    sample whose input came last, or of all if the weights came last; a result leaves.
    """
    segment = scored()
    loads = loads_of(segment, 3)
    assert work_behind_weights(segment, loads) == loads[-1].padded_cycles > SCORES
    weights, reached, left = INPUTS * SCORES, 40 + 8 + 40, 40 + 8
    used = TINY.fill_cycles + 1
    found = segment_bounds(segment, loads, TINY, quads=2, batch=3)
    assert found.padded_bound_cycles == reached + weights // 8 + used + loads[-1].padded_cycles + left
    (_, last), one = loads_of(segment, 1), segment_bounds(segment, loads_of(segment, 1), TINY, quads=2, batch=1)
    assert one.padded_bound_cycles == reached + (weights + INPUTS) // 8 + used + last.padded_cycles + left


def test_nothing_waits_that_could_be_done_before() -> None:
    """A second result may be the last one to be computed; of several pixels some are done before; scores are counted
    with their weights.
    """
    for segment in (scored(second_result=True), scored(pixels=4), scored(softmax=False)):
        assert work_behind_weights(segment, loads_of(segment, 2)) == 0
