"""How good a quantized network is: a criterion of the user's over labelled data, and the error of every layer.

In: a quantized network, data, and a function that judges. Out: one number, or a `LayerErrors`. Always: the integers
of the reference are judged, which the `.lm` reproduces exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy.typing as npt

from sima_compiler.arithmetic import dequantize, quantize
from sima_compiler.errors import InputError
from sima_compiler.frontend.loading import OnnxModel
from sima_compiler.frontend.original import Original
from sima_compiler.frontend.unrounded import unrounded
from sima_compiler.ir.graph import Float32Array, Graph, Int8Array, Node
from sima_compiler.ir.host import Array
from sima_compiler.sim.reference import check_inputs, run_node
from sima_compiler.view.accuracy import LayerError, LayerErrors

#: Inputs by name, the samples in front.
Inputs = Mapping[str, npt.ArrayLike]
#: Inputs -> outputs in the model's order.
Execute = Callable[[Inputs], list[Array]]
#: (outputs in the model's order, labels) -> the value for these samples, averaged over them.
Criterion = Callable[[list[Array], Any], float]
#: (reference, quantized) -> the error of one layer; both float32, the samples in front.
ErrorMetric = Callable[[Float32Array, Float32Array], float]


def evaluate(execute: Execute, data: Iterable[tuple[Inputs, Any]], criterion: Criterion) -> float:
    """The criterion's mean over all samples of ``data``, whose pieces may have different numbers of them.

    Raises:
        InputError: there is no data, or a piece is no pair, or its inputs do not fit.
    """
    total, count = 0.0, 0
    for piece in data:
        inputs, labels = _pair(piece)
        outputs = execute(inputs)
        samples = len(outputs[0])
        total += float(criterion(outputs, labels)) * samples
        count += samples
    if not count:
        raise InputError("there is no data to evaluate on", hint="give pairs of ({input name: array}, labels)")
    return total / count


def exact_values(graph: Graph, file: OnnxModel, origins: Mapping[str, str]) -> Original:
    """The network without rounding, ready to give every node's value; ``file`` is its QDQ form."""
    return Original(unrounded(file), {node.output: origins[node.output] for node in graph.nodes}, {})


def layer_errors(
    graph: Graph,
    exact: Original,
    data: Iterable[Inputs],
    error_metric: ErrorMetric,
    *,
    local_feed: bool,
) -> LayerErrors:
    """The error of every layer against the network without rounding, averaged over all samples, in order of execution.

    ``local_feed``: each layer reads the reference's values, so that the error is its own; without it each reads what
    the quantized network gave, so that errors add up as they do on the machine. ``exact``: `exact_values` of the graph.

    Raises:
        InputError: there is no data, or it does not fit.
    """
    totals: dict[str, float] = {}
    count = 0
    for inputs in data:
        real = check_inputs(graph, inputs)
        samples = len(next(iter(real.values())))
        reference = {**real, **exact.run(real)}
        for name, found in _quantized(graph, real, reference if local_feed else {}).items():
            if name in reference:
                totals[name] = totals.get(name, 0.0) + float(error_metric(reference[name], found)) * samples
        count += samples
    if not count:
        raise InputError("there is no data to analyze", hint="give {input name: array}, one or several")
    rows = tuple(_row(node, totals[node.output] / count) for node in graph.nodes if node.output in totals)
    return LayerErrors(graph.name, local_feed=local_feed, samples=count, layers=rows)


def _quantized(
    graph: Graph, real: Mapping[str, Float32Array], fed: Mapping[str, Float32Array]
) -> dict[str, Float32Array]:
    """What every node gives; where ``fed`` holds an input of a node, the node reads that instead."""
    values: dict[str, Int8Array] = {name: quantize(array, graph.tensors[name].quant) for name, array in real.items()}
    for node in graph.nodes:
        read = [quantize(fed[name], graph.tensors[name].quant) if name in fed else values[name] for name in node.inputs]
        values[node.output] = run_node(node, read, graph.tensors)
    return {node.output: dequantize(values[node.output], graph.tensors[node.output].quant) for node in graph.nodes}


def _row(node: Node, error: float) -> LayerError:
    return LayerError(node=node.source or node.name, operator=str(node.op), tensor=node.output, error=error)


def _pair(piece: object) -> tuple[Inputs, Any]:
    if not isinstance(piece, tuple | list) or len(piece) != 2 or not isinstance(piece[0], Mapping):
        raise InputError("the data must be pairs of ({input name: array}, labels)",
                         hint="such as [({'image': images}, labels)]")  # fmt: skip
    return piece[0], piece[1]
