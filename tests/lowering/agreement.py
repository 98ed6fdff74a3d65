"""The comparison that every test of lowering ends in."""

from __future__ import annotations

import numpy as np

from sima_compiler.arithmetic import dequantize
from sima_compiler.ir.graph import Graph
from sima_compiler.ir.layers import LayerGraph
from sima_compiler.ir.verify import verify_graph, verify_layers
from sima_compiler.machine.description import Machine
from sima_compiler.sim.reference import run_graph
from sima_compiler.stages.legalize import legalize
from sima_compiler.stages.partition import partition
from tests.lowering.layer_evaluator import run_layers

MACHINE = Machine.load("mlsoc")


def lowered(graph: Graph) -> LayerGraph:
    """Legalized and partitioned for the default machine."""
    verify_graph(graph)
    found = legalize(graph, MACHINE)
    verify_layers(found)
    result = partition(found, MACHINE)
    verify_layers(result)
    return result


def agreed(graph: Graph, *, batch: int = 2, seed: int = 0) -> LayerGraph:
    """The layers, after comparing every byte of every output with the reference."""
    layers = lowered(graph)
    random = np.random.default_rng(seed)
    stored = {
        name: random.integers(-128, 128, (batch, *graph.tensors[name].shape)).astype(np.int8) for name in graph.inputs
    }
    real = {name: dequantize(values, graph.tensors[name].quant) for name, values in stored.items()}
    expected = run_graph(graph, real)
    for name, found in zip(graph.outputs, run_layers(layers, stored), strict=True):
        np.testing.assert_array_equal(found.reshape(expected[name].shape), expected[name], err_msg=name)
    return layers


def names(layers: LayerGraph) -> list[str]:
    """Layer names without segment and number."""
    found = [layer.name for segment in layers.segments for layer in segment.layers]
    return [name.split("/")[1].rsplit("_", 1)[0] for name in found]
