"""What operators of `FLOAT_INSIDE` explain of a file that differs: the judgement of the network tests, as a finding.

In: a file, its model, inputs, and what onnxruntime gives for them. Out: a `Listed`, None where the graph has no such
operator. Always: each listed node is given onnxruntime's own input and may lie off as far as its row says; with
onnxruntime's result in its place every compared element must be equal, and the archive must equal the plain evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sima_compiler import Model
from sima_compiler.arithmetic import dequantize
from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.sim.reference import run_graph
from tests.support.fed_nodes import feed_listed_nodes

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Listed:
    """``nodes``: operator by name of the listed nodes that lie off. ``fault``: what they do not explain."""

    nodes: Mapping[str, str] = field(default_factory=dict)
    fault: str = ""


def judge_outputs(original: Path, model: Model, inputs: Arrays, expected: Arrays, simulated: Arrays) -> Listed | None:
    """``expected``: the file's outputs, float32, or int8 where it ends in bytes; ``simulated``: the archive's, int8."""
    plain = run_graph(model.graph, inputs)
    off = sum(differing_elements(plain[name], simulated[name]) for name in model.graph.outputs)
    if off:
        return Listed(fault=f"{off} output elements of the archive differ from the plain evaluation")
    return judge_inside(original, model, inputs, expected)


def judge_inside(original: Path, model: Model, inputs: Arrays, expected: Arrays) -> Listed | None:
    """The same of any tensors of the graph, ``expected`` by their names."""
    operators = {node.source or node.name: str(node.op) for node in model.graph.nodes if node.op in FLOAT_INSIDE}
    if not operators:
        return None
    try:
        found, values, _ = feed_listed_nodes(original, model, inputs)
    except AssertionError as error:
        return Listed(fault=f"listed nodes: {error}")
    nodes = {name: operators[name] for name, seen in found.items() if seen.off}
    for name, array in expected.items():
        quant = model.graph.tensors[name].quant
        off = differing_elements(array, values[name] if array.dtype == np.int8 else dequantize(values[name], quant))
        if off:
            return Listed(nodes, f"{name}: {off} of {array.size} elements differ with listed nodes fed")
    return Listed(nodes)


def differing_elements(expected: np.ndarray, found: np.ndarray) -> int:
    """How many elements are unlike; all of them where the sizes are."""
    if expected.size != found.size:
        return max(expected.size, found.size)
    return int(np.count_nonzero(expected.reshape(found.shape) != found))
