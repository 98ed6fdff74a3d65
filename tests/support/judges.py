"""The comparison that everything else rests on: three judges, every element.

`assert_judges_agree` reads the user's file, compiles it, simulates the archive's bytes, evaluates the graph in numpy,
and runs the ORIGINAL file in onnxruntime (`tests.support.outside`); the integers of the first two and the reals of all
three must be identical. The archive's document must be one that the strict grammar takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from sima_compiler import Archive, Model, simulate
from sima_compiler.archive.grammar import validate
from sima_compiler.sim.network import run_all
from tests.support.oracle import differing
from tests.support.outside import Original, Outside, Parameters, unlike

#: Largest difference of float32 that host layers compute, as a share of the output's range.
HOST_SHARE = 1e-5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared: the archive, its actual batch, and how many output elements agreed."""

    path: Path
    batch: int
    elements: int


def assert_judges_agree(
    original: Original,
    folder: Path,
    *,
    batch: int,
    compress: bool,
    machine: str = "mlsoc",
    seed: int = 0,
    literal: bool = False,
    model: Model | None = None,
) -> Verdict:
    """Compile ``original`` for ``batch`` and compare every element of every output at the actual batch size.

    ``model``: what was read from the file, when the caller has it already. ``literal``: see `Outside`.
    """
    model = Model.from_onnx(original) if model is None else model
    result = model.compile(output_path=str(folder), batch_size=batch, compress=compress, machine=machine)
    archive = Archive.open(result.path)
    actual = archive.batch.actual
    assert actual is not None
    assert validate(archive.mpk.raw) == []
    inputs = model_inputs(model, actual, seed)
    run = simulate(archive, inputs)
    integers = reference_integers(model, inputs)
    reals = dict(zip(model.network.outputs, model.execute(inputs), strict=True))
    assert set(run.outputs) == set(reals)
    assert set(run.quantized) == set(integers)
    for name, array in integers.items():
        _same(f"{name}: reference and .lm", array, run.quantized[name])
    for name, array in reals.items():
        _same(f"{name}: execute and archive", array, run.outputs[name])
    assert_as_onnxruntime(original, model, inputs, run.outputs, run.quantized, literal=literal)
    return Verdict(Path(result.path), actual, sum(array.size for array in reals.values()))


def assert_reference_agrees(
    original: Original, *, batch: int = 2, seed: int = 0, literal: bool = False, model: Model | None = None
) -> dict[str, np.ndarray]:
    """The same without compiling: what was read from ``original``, evaluated in numpy, beside the file itself."""
    model = Model.from_onnx(original) if model is None else model
    inputs = model_inputs(model, batch, seed)
    reals = dict(zip(model.network.outputs, model.execute(inputs), strict=True))
    assert_as_onnxruntime(original, model, inputs, reals, reference_integers(model, inputs), literal=literal)
    return reals


def reference_integers(model: Model, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The reference's bytes of every output that the MLA makes."""
    found = run_all(model.network, inputs)
    hosted = {name for part in model.network.parts for name in part.outputs}
    return {name: found[name] for name in model.network.outputs if name not in hosted}


def saved_file(model: Model, folder: Path) -> onnx.ModelProto:
    """What `Model.save` wrote, which is an ONNX file: the original of a network that our `quantize` made.

    `Model.to_onnx` is no oracle for it: what the exporter does to a network, it would do to the expected numbers too.
    """
    model.save("saved", str(folder))
    return onnx.load(folder / "saved.sima")


def assert_as_onnxruntime(
    original: Original,
    model: Model,
    inputs: Mapping[str, np.ndarray],
    reals: Mapping[str, np.ndarray],
    integers: Mapping[str, np.ndarray],
    *,
    literal: bool = False,
) -> None:
    """The original file gives these outputs, every element. Bytes of the file are compared with ``integers``.

    What host layers make may differ by `HOST_SHARE` of its range, integers among it not at all.
    """
    outside = Outside(original, model.network.outputs, literal=literal)
    expected = outside.run(inputs, boundary_parameters(model))
    assert set(expected) == set(reals)
    for name, array in expected.items():
        if name in integers:
            problem = unlike(array, reals[name], integers[name])
        else:
            problem = _unlike_on_host(array, reals[name])
        assert not problem, f"{name}: original file and archive: {problem}"


def _unlike_on_host(expected: np.ndarray, found: np.ndarray) -> str:
    """What is wrong; rows that onnxruntime did not select are no part of its result."""
    if expected.shape[1:] != found.shape[1:] or len(expected) > len(found):
        return f"shape {found.shape}, onnxruntime's is {expected.shape}"
    allowed = HOST_SHARE * float(np.ptp(expected)) if found.dtype.kind == "f" and expected.size else 0.0
    difference = np.abs(expected.astype(np.float64) - found[: len(expected)])
    largest = float(difference.max(initial=0.0))
    return "" if largest <= allowed else f"differs by {largest}, allowed is {allowed}"


def signal_to_noise(source: Original, model: Model, *, batch: int = 2, seed: int = 0) -> dict[str, float]:
    """Decibels by which each output of a float file stands above what quantizing changed; the judge of `quantize`."""
    inputs = model_inputs(model, batch, seed)
    expected = Outside(source, model.network.outputs).run(inputs, {})
    found = dict(zip(model.network.outputs, model.execute(inputs), strict=True))
    return {name: _decibels(array, found[name]) for name, array in expected.items()}


def _decibels(expected: np.ndarray, found: np.ndarray) -> float:
    noise = float(np.sum((expected.astype(np.float64) - found) ** 2))
    return float(10 * np.log10(np.sum(expected.astype(np.float64) ** 2) / noise)) if noise else float("inf")


def boundary_parameters(model: Model) -> dict[str, Parameters]:
    """Scale and zero point of every input, which files that take bytes need."""
    inputs = [port.name for port in model.network.inputs if port.name in model.graph.tensors]
    quants = {name: model.graph.tensors[name].quant for name in inputs}
    return {name: Parameters(float(quant.scale), int(quant.zero_point)) for name, quant in quants.items()}


def model_inputs(model: Model, batch: int, seed: int) -> dict[str, np.ndarray]:
    """Seeded normal data for every input of the model."""
    random = np.random.default_rng(seed)
    shapes = {port.name: port.shape for port in model.network.inputs}
    return {name: random.standard_normal((batch, *shape), dtype=np.float32) for name, shape in shapes.items()}


def _same(what: str, expected: np.ndarray, found: np.ndarray) -> None:
    problem = differing(expected, found)
    assert not problem, f"{what}: {problem}"
