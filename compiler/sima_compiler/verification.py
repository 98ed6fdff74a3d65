"""The simulated archive beside the user's own file in onnxruntime.

In: a file or an ONNX model, float or quantized, and samples. Out: a `VerifyReport`. Always: the archive is compiled
into a folder that goes away again; what is compared is what its `.lm` computes, every element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.reader import Archive
from sima_compiler.arithmetic import dequantize
from sima_compiler.errors import InputError, ModelError
from sima_compiler.feeding import fed_comparison, listed_nodes
from sima_compiler.files.scratch import scratch_folder
from sima_compiler.frontend.calibration import CalibrationData, check_drawable, samples_of
from sima_compiler.frontend.float_model import prepare_float
from sima_compiler.frontend.input_shapes import InputShapes, with_input_shapes
from sima_compiler.frontend.loading import OnnxModel, is_quantized, load_onnx
from sima_compiler.frontend.original import Original, has_int8_activations
from sima_compiler.frontend.unrounded import unrounded
from sima_compiler.ir.graph import Float32Array, Graph, Node
from sima_compiler.model import Model, quantize
from sima_compiler.sim.network import run_all
from sima_compiler.simulation import simulate
from sima_compiler.view.verify import (
    HOST_TOLERANCE,
    Form,
    FormComparison,
    LayerComparison,
    ListedComparison,
    OutputComparison,
    VerifyReport,
    verdict_of,
)

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified: the user's own ONNX model, and the `Model` that was made of it.

    ``is_float``: the file is a float one, so that the exact reference is the quantized network.
    """

    path: str
    file: OnnxModel
    model: Model
    is_float: bool


@dataclass(frozen=True, slots=True, eq=False)
class _SimulatedRun:
    """One run of the archive; the first ``samples`` rows of its inputs are no repetitions."""

    inputs: Mapping[str, Float32Array]
    outputs: Mapping[str, Array]
    samples: int


def verify(
    source: str | Path | OnnxModel,
    samples: Mapping[str, npt.ArrayLike] | None = None,
    *,
    calibration_data: CalibrationData | None = None,
    input_shapes: InputShapes | None = None,
    count: int = 2,
    seed: int = 0,
    batch_size: int = 1,
    layers: bool = False,
    cut_at: Sequence[str] = (),
    mla_only: bool = False,
) -> VerifyReport:
    """Simulate the archive of ``source`` beside the file itself in onnxruntime.

    ``samples``: arrays by input name, a sample per row; without them the first ``count`` of ``calibration_data``, which
    a float model needs, else ``count`` that are drawn with ``seed`` over the whole range of each input. ``layers`` also
    ranks every layer by what rounding and saturation cost it. ``cut_at`` and ``mla_only`` are those of a compile.

    Raises:
        ModelError: the model does not compile, or is float and nothing is there to calibrate it with.
        InputError: the samples do not fit.
    """
    file = with_input_shapes(load_onnx(source), input_shapes or {})
    name = source.graph.name or "model" if isinstance(source, OnnxModel) else Path(source).stem
    is_float = not is_quantized(file)
    if is_float and calibration_data is None:
        raise ModelError(
            f"{name}: a float model, which must be calibrated to be quantized",
            hint="give calibration data; on the command line --calibration FILE.npz or --calibration-random SAMPLES",
        )
    listed = [] if calibration_data is None else list(samples_of(calibration_data))
    given = cast("list[Mapping[str, npt.ArrayLike]]", listed)  # `quantize` looks at each of them
    ending: dict[str, Any] = {"cut_at": cut_at, "mla_only": mla_only}
    model = quantize(file, given, name, **ending) if given else Model.from_onnx(file, name, **ending)
    subject = Subject(name if isinstance(source, OnnxModel) else str(source), file, model, is_float)
    chosen = samples or first_rows(given, count) or random_samples(model, count, seed)
    return verify_model(subject, chosen, layers=layers, batch_size=batch_size)


def first_rows(given: Sequence[Mapping[str, npt.ArrayLike]], count: int) -> Mapping[str, npt.ArrayLike]:
    """The first ``count`` calibration samples, one per row; empty when there are none."""
    rows: dict[str, list[Array]] = {}
    for piece in given[:count]:
        for name, array in piece.items():
            rows.setdefault(name, []).append(np.asarray(array))
    return {name: np.concatenate(pieces)[:count] for name, pieces in rows.items()}


def verify_model(
    subject: Subject, samples: Mapping[str, npt.ArrayLike], *, layers: bool = False, **options: Any
) -> VerifyReport:
    """Compile, simulate and compare. ``samples``: arrays by input name, one sample per row; ``options``: of `compile`.

    Raises:
        InputError: the samples do not fit. SimaError: whatever keeps the model from compiling.
    """
    rows = _checked(subject.model, samples)
    count = len(next(iter(rows.values())))
    with scratch_folder("verify") as folder:
        result = subject.model.compile(output_path=folder, **options)
        runs = _simulated(Archive.open(result.path), rows, result.actual_batch_size, count)
    forms = tuple(_forms(subject, runs))
    exact = any(form.is_exact for form in forms if form.form is not Form.FLOAT)
    listed = () if exact else _listed(subject, rows)
    int8 = not subject.is_float and has_int8_activations(subject.file)
    return VerifyReport(
        path=subject.path,
        exact=exact,
        verdict=verdict_of(forms, int8=int8, listed=listed),
        samples=count,
        actual_batch_size=result.actual_batch_size,
        int8_activations=int8,
        forms=forms,
        listed=listed,
        layers=ranked_layers(subject, rows) if layers else (),
        warnings=result.warnings,
    )


def random_samples(model: Model, count: int, seed: int) -> dict[str, Float32Array]:
    """Seeded samples that use the whole range of each input."""
    random = np.random.default_rng(seed)
    samples: dict[str, Float32Array] = {}
    for name, shape in model.inputs.items():
        check_drawable(name, shape)
        low, high = _range(model, name)
        samples[name] = random.uniform(low, high, (count, *shape)).astype(np.float32)
    return samples


def _range(model: Model, name: str) -> tuple[float, float]:
    """What an input can hold; of one that only the A65 reads, numbers of every sign that are not large."""
    tensor = model.graph.tensors.get(name)
    if tensor is None:
        return -1.0, 1.0
    quant = tensor.quant
    return (-128 - quant.zero_point) * quant.scale, (127 - quant.zero_point) * quant.scale


def _checked(model: Model, samples: Mapping[str, npt.ArrayLike]) -> dict[str, Float32Array]:
    """The samples of the archive's inputs as float32, all with the same number of rows."""
    missing = [name for name in model.inputs if name not in samples]
    if missing:
        raise InputError(f"no samples for input {missing[0]!r}", hint=f"the model takes {', '.join(model.inputs)}")
    rows = {name: np.asarray(samples[name], np.float32) for name in model.inputs}
    for name, shape in model.inputs.items():
        if rows[name].shape[1:] != shape or not len(rows[name]):
            raise InputError(f"input {name!r}: expected shape (samples, {', '.join(map(str, shape))}), "
                             f"found {rows[name].shape}")  # fmt: skip
    if len({len(array) for array in rows.values()}) > 1:
        raise InputError("the inputs have different numbers of samples")
    return rows


def _simulated(archive: Archive, rows: Mapping[str, Float32Array], batch: int, count: int) -> tuple[_SimulatedRun, ...]:
    """All samples, simulated batch by batch; a short last batch repeats its last sample."""
    runs: list[_SimulatedRun] = []
    for start in range(0, count, batch):
        chosen = np.minimum(np.arange(start, start + batch), count - 1)
        inputs = {name: array[chosen] for name, array in rows.items()}
        runs.append(_SimulatedRun(inputs, simulate(archive, inputs).outputs, min(batch, count - start)))
    return tuple(runs)


def _forms(subject: Subject, runs: Sequence[_SimulatedRun]) -> Iterator[FormComparison]:
    """The file as it is; unless that is exact, the uint8 form of the quantized network too."""
    own = _compared(Form.FLOAT if subject.is_float else Form.ORIGINAL, subject.file, subject.model, runs)
    yield own
    if subject.is_float or not own.is_exact:
        yield _compared(Form.UINT8, subject.model.to_onnx(uint8=True), subject.model, runs)


def _listed(subject: Subject, rows: Mapping[str, Float32Array]) -> tuple[ListedComparison, ...]:
    """The listed nodes where nothing else differs: in the file itself, or for a float file, or one with int8
    activations, in the uint8 form.
    """
    model = subject.model
    if model.network.parts or not listed_nodes(model.graph):
        return ()
    files = [] if subject.is_float else [subject.file]
    if subject.is_float or has_int8_activations(subject.file):
        files.append(model.to_onnx(uint8=True))
    for file in files:
        try:
            found = fed_comparison(file, model.graph, model.origins, rows)
        except ModelError:
            continue
        if found:
            return found
    return ()


def _compared(form: Form, file: OnnxModel, model: Model, runs: Sequence[_SimulatedRun]) -> FormComparison:
    quants = {name: tensor.quant for name, tensor in model.graph.tensors.items()}
    try:
        original = Original(file, {name: model.origins[name] for name in model.network.outputs}, quants)
        expected = [original.run(run.inputs) for run in runs]
    except ModelError as error:
        return FormComparison(form, (), error.message)
    hosted = {name for part in model.network.parts for name in part.outputs}
    compared = tuple(
        _output(name, *_joined(name, expected, runs), None if name in hosted else quants[name].scale)
        for name in expected[0]
    )
    missing = ", ".join(original.missing)
    return FormComparison(form, compared, f"the file has no value for {missing}" if missing and not compared else "")


def _joined(name: str, expected: Sequence[Mapping[str, Array]], runs: Sequence[_SimulatedRun]) -> tuple[Array, Array]:
    """An output of all runs, onnxruntime's and the archive's, without the samples that fill the last one.

    Where onnxruntime selects fewer rows than the archive has place for, the rest is not compared.
    """
    pairs: list[tuple[Array, Array]] = []
    for wanted, run in zip(expected, runs, strict=True):
        there, here, batch = wanted[name], run.outputs[name], len(next(iter(run.inputs.values())))
        fewer = there.ndim == here.ndim and there.shape[1:] == here.shape[1:] and len(there) < len(here)
        here = here[: len(there)] if fewer else here
        whole = there.ndim and len(there) == batch == len(here)
        pairs.append((there[: run.samples], here[: run.samples]) if whole else (there, here))
    alike = all(there.ndim and there.shape[1:] == here.shape[1:] for there, here in pairs)
    if not alike:
        return pairs[0]
    return np.concatenate([there for there, _ in pairs]), np.concatenate([here for _, here in pairs])


def _output(name: str, expected: Array, found: Array, scale: float | None) -> OutputComparison:
    """``scale`` is that of an output's bytes; None for what the A65 makes."""
    if expected.shape != found.shape:
        expected = expected.reshape(found.shape) if expected.size == found.size else np.full(found.shape, np.nan)
    spread = float(np.ptp(expected)) if expected.size and np.isfinite(expected).all() else 0.0
    step = scale or spread * HOST_TOLERANCE or HOST_TOLERANCE
    difference = np.abs(expected.astype(np.float64) - found)
    difference = np.nan_to_num(difference, nan=MOST_STEPS * step, posinf=MOST_STEPS * step)
    exact = scale is not None or found.dtype.kind != "f"
    return OutputComparison(
        name=name,
        elements=int(found.size),
        differing=int(np.sum(expected != found if exact else difference > step)),
        largest_steps=float((difference / (1.0 if scale is None else step)).max(initial=0.0)),
        snr_db=signal_to_noise(float(np.sum(np.square(expected, dtype=np.float64))), float(np.sum(difference**2))),
        largest_share=None if exact else float(difference.max(initial=0.0)) / (spread or 1.0),
    )


def signal_to_noise(signal: float, noise: float) -> float | None:
    """Decibels; None where there is no noise, the lowest finite number where there is nothing but noise."""
    if noise == 0:
        return None
    return float(10 * np.log10(signal / noise)) if signal > 0 and np.isfinite(noise) else LEAST_DECIBELS


#: Steps between the ends of a range: what NaN and infinity in onnxruntime's output count as.
MOST_STEPS = 255
#: Stands for noise without a signal, so that JSON needs no infinity.
LEAST_DECIBELS = -999.0


# --- layers -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sums:
    """Over all samples of one tensor: energy of the reference, energy of the error, values cut off, values."""

    signal: float = 0.0
    noise: float = 0.0
    cut: int = 0
    values: int = 0


def ranked_layers(subject: Subject, rows: Mapping[str, Float32Array]) -> tuple[LayerComparison, ...]:
    """Every node that has a counterpart without rounding, the largest error first.

    The counterpart is the float file where there is one, else the quantized network with limited ranges and no
    rounding.
    """
    graph = subject.model.graph
    file = prepare_float(subject.file) if subject.is_float else unrounded(subject.model.to_onnx())
    original = Original(file, {node.output: subject.model.origins[node.output] for node in graph.nodes}, {})
    sums = {node.output: _Sums() for node in graph.nodes if node.output not in original.missing}
    for row in range(len(next(iter(rows.values())))):
        sample = {name: array[row : row + 1] for name, array in rows.items()}
        reference, found = original.run(sample), run_all(subject.model.network, sample)
        for name, total in sums.items():
            _add(total, reference[name], dequantize(found[name], graph.tensors[name].quant), graph, name)
    found_layers = [_layer(node, sums[node.output]) for node in graph.nodes if node.output in sums]
    return tuple(sorted(found_layers, key=lambda layer: np.inf if layer.snr_db is None else layer.snr_db))


def _add(total: _Sums, reference: Float32Array, found: Float32Array, graph: Graph, name: str) -> None:
    quant = graph.tensors[name].quant
    low, high = (-128 - quant.zero_point) * quant.scale, (127 - quant.zero_point) * quant.scale
    kept = np.clip(reference, low, high)
    beyond = reference > high + quant.scale / 2
    if low < 0:  # a range that starts at 0 is a Relu: what it cuts off below is meant
        beyond = beyond | (reference < low - quant.scale / 2)
    against = reference if low < 0 else np.maximum(reference, 0)
    total.signal += float(np.sum(np.square(kept, dtype=np.float64)))
    total.noise += float(np.sum(np.square(against.astype(np.float64) - found)))
    total.cut += int(beyond.sum())
    total.values += reference.size


def _layer(node: Node, total: _Sums) -> LayerComparison:
    return LayerComparison(
        node=node.source or node.name,
        operator=str(node.op),
        tensor=node.output,
        snr_db=signal_to_noise(total.signal, total.noise),
        saturated=total.cut / max(total.values, 1),
    )
