"""The comparison that everything else rests on: three judges, every element.

`assert_judges_agree` compiles a model, simulates the archive's bytes, evaluates the graph in numpy and asks
onnxruntime; the integers of the first two and the reals of all three must be identical.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sima_compiler import Archive, Model, simulate
from sima_compiler.sim.reference import run_graph
from tests.support.oracle import differing, run_onnxruntime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared: the archive, its actual batch, and how many output elements agreed."""

    path: Path
    batch: int
    elements: int


def assert_judges_agree(
    model: Model, folder: Path, *, batch: int, compress: bool, machine: str = "mlsoc", seed: int = 0
) -> Verdict:
    """Compile for ``batch`` and compare every element of every output at the actual batch size."""
    result = model.compile(output_path=str(folder), batch_size=batch, compress=compress, machine=machine)
    archive = Archive.open(result.path)
    actual = archive.batch.actual
    assert actual is not None
    inputs = model_inputs(model, actual, seed)
    run = simulate(archive, inputs)
    integers = run_graph(model.graph, inputs)
    reals = dict(zip(model.graph.outputs, model.execute(inputs), strict=True))
    oracle = run_onnxruntime(model.to_onnx(uint8=True), inputs)
    assert set(run.outputs) == set(run.quantized) == set(integers) == set(reals) == set(oracle)
    for name in model.graph.outputs:
        _same(f"{name}: reference and .lm", integers[name], run.quantized[name])
        _same(f"{name}: execute and onnxruntime", oracle[name], reals[name])
        _same(f"{name}: .lm and onnxruntime", oracle[name], run.outputs[name])
    return Verdict(Path(result.path), actual, sum(array.size for array in integers.values()))


def model_inputs(model: Model, batch: int, seed: int) -> dict[str, np.ndarray]:
    """Seeded normal data for every input of the model."""
    random = np.random.default_rng(seed)
    shapes = {name: model.graph.tensors[name].shape for name in model.graph.inputs}
    return {name: random.standard_normal((batch, *shape), dtype=np.float32) for name, shape in shapes.items()}


def _same(what: str, expected: np.ndarray, found: np.ndarray) -> None:
    problem = differing(expected, found)
    assert not problem, f"{what}: {problem}"
