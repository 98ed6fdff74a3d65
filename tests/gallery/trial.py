"""One quantized file, tried: read, compiled at two batch sizes, simulated, compared with the file in onnxruntime,
outputs and what can be matched within.

In: an original file. Out: an `Outcome`. Always: whatever happens is an outcome, never an exception; a Python error
that is not one of the project's own is a verdict of its own, because users must never see one. A file that differs is
judged once more, its operators of `FLOAT_INSIDE` fed onnxruntime's own input (`listed.py`).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import numpy as np
import onnx

from sima_compiler import Archive, Model, SimaError, simulate
from sima_compiler.arithmetic import dequantize
from sima_compiler.errors import InternalError
from sima_compiler.sim.reference import run_graph
from tests.gallery.hindrances import Hindrance, hindrances
from tests.gallery.listed import Listed, differing_elements, judge_inside, judge_outputs
from tests.gallery.matching import matched
from tests.support.judges import boundary_parameters
from tests.support.outside import Outside

BATCHES = (1, 4)


class Verdict(StrEnum):
    """What became of a file."""

    EXACT = "exact"
    LISTED = "exact but for listed nodes"
    DIFFERS = "differs"
    REFUSED = "refused"
    BROKEN = "broken"
    UNQUANTIZED = "not quantized"


@dataclass(frozen=True, slots=True)
class Batch:
    """One compile: asked for and built batch, runtime cycles, elements compared and elements that differ.

    ``listed``: where some differ and the graph has operators of `FLOAT_INSIDE`, what they explain of it.
    """

    desired: int
    actual: int
    cycles: int
    elements: int
    differing: int
    listed: Listed | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """Tensors within the network at batch 1: how many the file has too, their elements, and those that differ.

    ``listed``: as in `Batch`.
    """

    tensors: int
    elements: int
    differing: int
    listed: Listed | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """``host``: operators at the end that the archive leaves to the host. ``listed``: operators of `FLOAT_INSIDE` by
    node, of those that lie off though they are given onnxruntime's own input. ``error``: why there is no result, or
    what no listed operator explains.
    """

    network: str
    form: str
    verdict: Verdict
    batches: tuple[Batch, ...] = ()
    inside: Inside | None = None
    host: tuple[str, ...] = ()
    listed: Mapping[str, str] = field(default_factory=dict)
    obstacles: tuple[Hindrance, ...] = ()
    error: str = ""


def attempt(network: str, form: str, original: Path, values: tuple[float, float]) -> Outcome:
    """Everything for one file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _attempt(network, form, original, values)
    except SimaError as error:
        if isinstance(error, InternalError):
            return _broken(network, form, error)
        return Outcome(network, form, Verdict.REFUSED, obstacles=hindrances(error))
    except Exception as error:  # noqa: BLE001 - the very thing that must not happen to a user
        return _broken(network, form, error)


def _broken(network: str, form: str, error: Exception) -> Outcome:
    return Outcome(network, form, Verdict.BROKEN, error=f"{type(error).__name__}: {error}".splitlines()[0][:300])


def _attempt(network: str, form: str, original: Path, values: tuple[float, float]) -> Outcome:
    model = Model.from_onnx(original, mla_only=True)  # host layers have judges of their own
    judge = Outside(original, model.graph.outputs)
    batches = tuple(_batch(original, model, judge, size, values) for size in BATCHES)
    inside = _inside(original, model, judge, values)
    judged = [part.listed for part in (*batches, inside) if part.listed is not None]
    return Outcome(
        network=network,
        form=form,
        verdict=_verdict((*batches, inside)),
        batches=batches,
        inside=inside,
        host=_left_to_host(original, model),
        listed={name: operator for entry in judged for name, operator in entry.nodes.items()},
        error=next((entry.fault for entry in judged if entry.fault), ""),
    )


def _verdict(parts: Sequence[Batch | Inside]) -> Verdict:
    wrong = [part for part in parts if part.differing]
    if not wrong:
        return Verdict.EXACT
    return Verdict.LISTED if all(part.listed and not part.listed.fault for part in wrong) else Verdict.DIFFERS


def _batch(original: Path, model: Model, judge: Outside, desired: int, values: tuple[float, float]) -> Batch:
    with tempfile.TemporaryDirectory(prefix="gallery-") as folder:
        result = model.compile(output_path=folder, batch_size=desired)
        archive = Archive.open(result.path)
        actual = archive.batch.actual or 1
        inputs = sample_inputs(model, judge, actual, values)
        run = simulate(archive, inputs)
    expected = judge.run(inputs, boundary_parameters(model))
    differing = sum(
        differing_elements(array, run.quantized[name] if array.dtype == np.int8 else run.outputs[name])
        for name, array in expected.items()
    )
    listed = judge_outputs(original, model, inputs, expected, run.quantized) if differing else None
    return Batch(
        desired=desired,
        actual=actual,
        cycles=result.runtime_cycles,
        elements=sum(array.size for array in expected.values()),
        differing=differing,
        listed=listed,
    )


def _inside(original: Path, model: Model, judge: Outside, values: tuple[float, float]) -> Inside:
    """The reference beside the file, tensor by tensor: a classifier's few outputs alone could hide a wrong layer."""
    values_of = matched(onnx.load(original, load_external_data=False).graph, model.graph)
    inputs = sample_inputs(model, judge, 1, values)
    found = run_graph(model.graph, inputs, keep=True)
    expected = (
        Outside(original, sorted(values_of.values())).run(inputs, boundary_parameters(model)) if values_of else {}
    )
    reals = {name: dequantize(found[name], model.graph.tensors[name].quant) for name in values_of}
    named = {name: expected[value] for name, value in values_of.items()}
    differing = sum(differing_elements(named[name], array) for name, array in reals.items())
    return Inside(
        tensors=len(values_of),
        elements=sum(array.size for array in reals.values()),
        differing=differing,
        listed=judge_inside(original, model, inputs, named) if differing else None,
    )


def sample_inputs(
    model: Model, judge: Outside, batch: int, values: tuple[float, float], seed: int = 1
) -> dict[str, np.ndarray]:
    """Seeded data: in ``values`` for inputs that are real in the file, over the whole range of bytes for the others."""
    random = np.random.default_rng(seed)
    inputs: dict[str, np.ndarray] = {}
    for name in model.graph.inputs:
        tensor = model.graph.tensors[name]
        shape = (batch, *tensor.shape)
        if judge.inputs[name].type.tensor_type.elem_type == onnx.TensorProto.FLOAT:
            inputs[name] = random.uniform(*values, shape).astype(np.float32)
        else:
            inputs[name] = dequantize(random.integers(-128, 128, shape).astype(np.int8), tensor.quant)
    return inputs


def _left_to_host(original: Path, model: Model) -> tuple[str, ...]:
    """Operators between the archive's outputs and the file's."""
    graph = onnx.load(original, load_external_data=False).graph
    producers: Mapping[str, onnx.NodeProto] = {name: node for node in graph.node for name in node.output}
    host: list[str] = []
    waiting, ends = [entry.name for entry in graph.output], set(model.graph.outputs)
    while waiting:
        name = waiting.pop()
        node = producers.get(name)
        if name in ends or node is None:
            continue
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            host.append(node.op_type)
        waiting += node.input[:1]
    return tuple(dict.fromkeys(host))
