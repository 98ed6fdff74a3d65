"""Random graphs of every rank down to `.lm` bytes on a small machine: the simulator's bytes are the reference's."""

from __future__ import annotations

import numpy as np
import pytest

from sima_compiler.arithmetic import dequantize
from sima_compiler.errors import UnsupportedError
from sima_compiler.ir.graph import Graph
from sima_compiler.machine.description import Machine
from sima_compiler.pipeline import ConstantStore, Plan, Target, assemble, lower, plan
from sima_compiler.sim.execute import run_lm
from sima_compiler.sim.reference import run_graph
from tests.lowering.random_graphs import random_graph

TINY = Machine.load("tiny")
CHUNKS, GRAPHS, BATCH = 4, 20, 2


def executed(graph: Graph, seed: int) -> None:
    """Compile for a batch of two, run the bytes, compare every output."""
    layers = lower(graph, TINY)
    found = plan(layers.segments[0], Target(TINY, TINY.quads, True), BATCH, ConstantStore(compress=True))
    assert isinstance(found, Plan), found.sentence()
    random = np.random.default_rng(seed)
    shapes = {name: (BATCH, *graph.tensors[name].shape) for name in graph.inputs}
    stored = {name: random.integers(-128, 128, shape).astype(np.int8) for name, shape in shapes.items()}
    expected = run_graph(graph, {name: dequantize(stored[name], graph.tensors[name].quant) for name in stored})
    results = run_lm(assemble(found), stored)
    for name, own in zip(graph.outputs, layers.outputs, strict=True):
        np.testing.assert_array_equal(results[own].reshape(expected[name].shape), expected[name], err_msg=name)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_graphs_execute(chunk: int) -> None:
    refused = 0
    for number in range(GRAPHS):
        seed = 1000 + chunk * GRAPHS + number
        try:
            executed(random_graph(seed, steps=2 + seed % 11), seed)
        except UnsupportedError:
            refused += 1
        except Exception as error:
            error.add_note(f"random_graph({seed}, {2 + seed % 11})")
            raise
    assert refused <= GRAPHS // 10
