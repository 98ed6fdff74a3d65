"""The judge of networks with operators of `FLOAT_INSIDE`: they are fed onnxruntime's own input, all else is exact.

Node after node the graph is evaluated in numpy. A listed node's bytes are compared with onnxruntime's for the ORIGINAL
file: one step at most, in no larger share of elements than its row allows. What the following nodes read is
onnxruntime's result, so that every output of the network must then be equal, every element. The compiled program must
equal the plain evaluation as always; how far that ends from onnxruntime is told, not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sima_compiler import Archive, Model, arithmetic, simulate
from sima_compiler.frontend.float_inside import FLOAT_INSIDE
from sima_compiler.ir.graph import Node
from sima_compiler.sim.reference import check_inputs, run_graph, run_node
from tests.support.judges import boundary_parameters, model_inputs
from tests.support.oracle import differing
from tests.support.outside import Original, Outside

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Difference:
    """Elements that lie off, by at most ``steps``, of so many."""

    off: int
    steps: int
    elements: int

    @property
    def share(self) -> float:
        return self.off / self.elements


@dataclass(frozen=True, slots=True)
class Fed:
    """``nodes``: by listed node, given onnxruntime's input. ``outputs``: end to end. ``top1``: share of rows of all
    outputs whose largest element, over the axis behind the batch, is the same one.
    """

    nodes: Mapping[str, Difference]
    outputs: Mapping[str, Difference]
    top1: float

    def __str__(self) -> str:
        lines = [f"{name}: {found.off} of {found.elements} off by one step" for name, found in self.nodes.items()]
        lines += [
            f"{name}: end to end {found.off} of {found.elements} off by up to {found.steps} steps"
            for name, found in self.outputs.items()
        ]
        return "\n".join([*lines, f"top-1 agreement {self.top1:.4f}"])


def assert_fed_nodes_agree(
    original: Original,
    folder: Path | None = None,
    *,
    batch: int = 2,
    seed: int = 0,
    model: Model | None = None,
    compress: bool = True,
    machine: str = "mlsoc",
    inputs: Arrays | None = None,
) -> Fed:
    """Judge ``original`` as the module says, and print the verdict; with ``folder``, its archive too."""
    model = Model.from_onnx(original) if model is None else model
    model = model.ending(mla_only=True) if model.network.parts else model  # host layers have judges of their own
    graph = model.graph
    path = None
    if folder is not None:
        result = model.compile(output_path=str(folder), batch_size=batch, compress=compress, machine=machine)
        path, batch = result.path, result.actual_batch_size
    inputs = inputs or model_inputs(model, batch, seed)
    own = run_graph(graph, inputs)
    if path is not None:
        found = simulate(Archive.open(path), inputs).quantized
        for name in graph.outputs:
            problem = differing(own[name], found[name])
            assert not problem, f"{name}: reference and .lm: {problem}"
    nodes, fed, expected = feed_listed_nodes(original, model, inputs)
    for name in graph.outputs:
        problem = differing(expected[name], fed[name])
        assert not problem, f"{name}: original file and reference, listed nodes fed: {problem}"
    outputs = {name: _difference(expected[name], own[name]) for name in graph.outputs}
    top1 = _top1([(expected[name], own[name]) for name in graph.outputs])
    verdict = Fed(nodes, outputs, top1)
    print(verdict)
    return verdict


def feed_listed_nodes(
    original: Original, model: Model, inputs: Arrays
) -> tuple[dict[str, Difference], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What each listed node says of onnxruntime's own input, which its row must allow (AssertionError); int8 of every
    tensor of the graph with onnxruntime's in their place; int8 of the outputs and the listed nodes in onnxruntime.
    """
    listed = [node for node in model.graph.nodes if node.op in FLOAT_INSIDE]
    expected = _expected(original, model, listed, inputs)
    return *_fed(model, expected, inputs), expected


def assert_one_step_at_most(original: Original, model: Model, *, batch: int = 2, seed: int = 0, share: float) -> None:
    """For a network that ends in a listed node between movements that the file does not have: no value of the file is
    the node's own, so its outputs are judged, which nothing but the node may have put off.
    """
    inputs = model_inputs(model, batch, seed)
    outside = Outside(original, model.graph.outputs).run(inputs, boundary_parameters(model))
    for name, found in zip(model.graph.outputs, model.execute(inputs), strict=True):
        quant = model.graph.tensors[name].quant
        seen = _difference(arithmetic.quantize(outside[name], quant), arithmetic.quantize(found, quant))
        assert seen.steps <= 1, f"{name}: {seen.steps} steps off"
        assert seen.off <= max(1.0, share * seen.elements), f"{name}: {seen.off} of {seen.elements} are off"


def _expected(original: Original, model: Model, listed: list[Node], inputs: Arrays) -> dict[str, np.ndarray]:
    """Bytes of the outputs and of what every listed node makes, as the original file has them."""
    graph = model.graph
    places = {node.output: model.origins.get(node.output, "") for node in listed if node.output not in graph.outputs}
    assert all(places.values()), f"no value of the file is what {', '.join(places)} hold"
    outside = Outside(original, [*graph.outputs, *places.values()])
    reals = outside.run(inputs, boundary_parameters(model))
    named = {name: name for name in graph.outputs} | places
    return {
        name: array if array.dtype == np.int8 else arithmetic.quantize(array, graph.tensors[name].quant)
        for name, place in named.items()
        for array in (reals[place].reshape(-1, *graph.tensors[name].shape),)
    }


def _fed(model: Model, expected: Arrays, inputs: Arrays) -> tuple[dict[str, Difference], dict[str, np.ndarray]]:
    """What each listed node says of onnxruntime's own input, and every tensor with onnxruntime's in their place."""
    graph = model.graph
    real = check_inputs(graph, inputs)
    values = {name: arithmetic.quantize(array, graph.tensors[name].quant) for name, array in real.items()}
    found: dict[str, Difference] = {}
    for node in graph.nodes:
        result = run_node(node, [values[name] for name in node.inputs], graph.tensors)
        row = FLOAT_INSIDE.get(node.op)
        if row is not None:
            seen = _difference(expected[node.output], result)
            assert seen.steps <= 1, f"{node.name}: {seen.steps} steps off, given onnxruntime's own input"
            # One tie among few elements says nothing about a share.
            most = max(1.0, row.share * seen.elements)
            assert seen.off <= most, f"{node.name}: {seen.share:.2e} of its elements are off, its row says {row.share}"
            found[node.source or node.name] = seen
            result = expected[node.output]
        values[node.output] = result
    return found, values


def _difference(expected: np.ndarray, found: np.ndarray) -> Difference:
    assert expected.shape == found.shape, f"expected {expected.shape}, found {found.shape}"
    steps = np.abs(expected.astype(np.int16) - found.astype(np.int16))
    return Difference(int(np.count_nonzero(steps)), int(steps.max(initial=0)), int(steps.size))


def _top1(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """Both sides' largest element over the first axis behind the batch; 1 where there is nothing to choose from."""
    same = [
        (expected.argmax(axis=1) == found.argmax(axis=1)).reshape(-1) for expected, found in pairs if expected.ndim > 1
    ]
    return float(np.mean(np.concatenate(same))) if same else 1.0
