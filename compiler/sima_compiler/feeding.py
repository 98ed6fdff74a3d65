"""Operators of the list (`frontend.float_inside`) given onnxruntime's own input, every other node compared exactly.

In: a form of the network in onnxruntime, the graph that was read from it, samples. Out: a `ListedComparison` for each
listed node; nothing where something else differs, or where the form has no value for a listed node. Always: what the
nodes behind a listed one read is onnxruntime's result of it, so that a step of difference goes no further.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sima_compiler.arithmetic import quantize
from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.frontend.loading import OnnxModel
from sima_compiler.frontend.original import Original
from sima_compiler.ir.graph import Float32Array, Graph, Int8Array, Node
from sima_compiler.sim.reference import run_node
from sima_compiler.view.verify import ListedComparison


def listed_nodes(graph: Graph) -> list[Node]:
    """The nodes that onnxruntime computes in float32, in an order that cannot be met."""
    return [node for node in graph.nodes if node.op in FLOAT_INSIDE]


def fed_comparison(
    file: OnnxModel, graph: Graph, origins: Mapping[str, str], rows: Mapping[str, Float32Array]
) -> tuple[ListedComparison, ...]:
    """``origins``: the value of the file by tensor of the graph; ``rows``: samples by input name.

    Raises:
        ModelError: onnxruntime cannot run the file.
    """
    wanted = {name: origins[name] for name in (*graph.outputs, *(node.output for node in listed_nodes(graph)))}
    original = Original(file, wanted, {name: graph.tensors[name].quant for name in (*graph.inputs, *wanted)})
    if original.missing:
        return ()
    expected = {
        name: quantize(real.reshape(-1, *graph.tensors[name].shape), graph.tensors[name].quant)
        for name, real in original.run(rows).items()
    }
    found, values = _fed(graph, expected, rows)
    same = all(np.array_equal(expected[name], values[name]) for name in graph.outputs)
    return found if same and all(one.is_allowed for one in found) else ()


def _fed(
    graph: Graph, expected: Mapping[str, Int8Array], rows: Mapping[str, Float32Array]
) -> tuple[tuple[ListedComparison, ...], dict[str, Int8Array]]:
    """What each listed node makes of onnxruntime's input, and every tensor with onnxruntime's in their place."""
    values = {name: quantize(rows[name], graph.tensors[name].quant) for name in graph.inputs}
    found: list[ListedComparison] = []
    for node in graph.nodes:
        result = run_node(node, [values[name] for name in node.inputs], graph.tensors)
        row = FLOAT_INSIDE.get(node.op)
        if row is not None:
            steps = np.abs(expected[node.output].astype(np.int16) - result)
            found.append(
                ListedComparison(
                    node=node.source or node.name,
                    operator=str(node.op),
                    reason=row.reason,
                    elements=int(steps.size),
                    differing=int(np.count_nonzero(steps)),
                    largest_steps=int(steps.max(initial=0)),
                    share=row.share,
                )
            )
            result = expected[node.output]
        values[node.output] = result
    return tuple(found), values
