"""Calibration data, checked before anything runs.

In: an iterable of {input name: array}, or a model to make random data for. Out: float32 arrays in pieces of the batch
that the model was written for. Always: names, shapes and finiteness are settled here; whatever is wrong is a
`CalibrationError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler.errors import CalibrationError
from sima_compiler.frontend.batch import source_batch
from sima_compiler.frontend.loading import load_onnx
from sima_compiler.frontend.values import GraphInput

CalibrationData = Iterable[Mapping[str, npt.ArrayLike]]


def model_inputs(model: onnx.ModelProto) -> tuple[list[GraphInput], int]:
    """Inputs (per sample) and literal batch (0: symbolic) of a float model."""
    inputs, batch, _ = source_batch(model, {entry.name for entry in model.graph.initializer})
    return inputs, batch


def checked_samples(model: onnx.ModelProto, data: CalibrationData) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Calibration data as float32, cut into pieces of the batch that the model was written for.

    Raises:
        CalibrationError: see `quantize_onnx`.
    """
    inputs, batch = model_inputs(model)
    if data is None or isinstance(data, Mapping | str | bytes) or not isinstance(data, Iterable):
        raise CalibrationError(
            f"calibration data is a {type(data).__name__}, expected an iterable of {{input name: array}}",
            hint="for example [{'input': images}]",
        )
    samples: list[dict[str, npt.NDArray[np.float32]]] = []
    for index, entry in enumerate(data):
        samples += _pieces(_checked(entry, inputs, index), max(batch, 1))
    if not samples:
        raise CalibrationError("calibration data is empty", hint="give at least one {input name: array}")
    return samples


def _checked(entry: object, inputs: Sequence[GraphInput], index: int) -> dict[str, npt.NDArray[np.float32]]:
    names = [value.name for value in inputs]
    if not isinstance(entry, Mapping):
        found = type(entry).__name__
        raise CalibrationError(f"calibration sample {index} is a {found}, expected {{input name: array}}")
    if set(entry) != set(names):
        raise CalibrationError(
            f"calibration sample {index} has inputs {', '.join(map(str, entry)) or 'none'}; "
            f"the model takes {', '.join(names)}"
        )
    arrays = {value.name: _checked_array(entry[value.name], value, index) for value in inputs}
    if len({array.shape[0] for array in arrays.values()}) > 1:
        raise CalibrationError(f"calibration sample {index}: leading dimensions differ between inputs")
    return arrays


def _checked_array(value: npt.ArrayLike, declared: GraphInput, index: int) -> npt.NDArray[np.float32]:
    where = f"calibration sample {index}, input {declared.name!r}"
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise CalibrationError(f"{where}: expected numbers, found {array.dtype}")
    array = array.astype(np.float32)
    if array.ndim == 0 or array.shape[1:] != declared.shape or array.shape[0] < 1:
        expected = ", ".join(map(str, ("batch", *declared.shape)))
        raise CalibrationError(f"{where}: expected shape ({expected}), found {array.shape}")
    if not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise CalibrationError(f"{where}: {bad} of {array.size} values are NaN or infinite")
    return array


def _pieces(arrays: Mapping[str, npt.NDArray[np.float32]], batch: int) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Whole pieces of ``batch`` samples; a short last one is filled up by repeating its last sample."""
    count = next(iter(arrays.values())).shape[0]
    rows = [np.minimum(np.arange(start, start + batch), count - 1) for start in range(0, count, batch)]
    return [{name: array[row] for name, array in arrays.items()} for row in rows]


def calibration_random(
    model: str | Path | onnx.ModelProto, samples: int, seed: int = 0
) -> list[dict[str, npt.NDArray[np.float32]]]:
    """Seeded standard normal data in the model's shapes: exercises the compiler, says nothing about accuracy.

    Raises:
        CalibrationError: ``samples`` is not a whole number of at least 1.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise CalibrationError(f"number of calibration samples is {samples!r}, expected at least 1")
    inputs, _ = model_inputs(load_onnx(model))
    random = np.random.default_rng(seed)
    return [
        {value.name: random.standard_normal((1, *value.shape), dtype=np.float32) for value in inputs}
        for _ in range(samples)
    ]
