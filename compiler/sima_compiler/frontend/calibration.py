"""Calibration data, checked before anything runs.

In: an iterable of {input name: array} or onnxruntime's `CalibrationDataReader`, or a model to make random data for.
Out: arrays of the inputs' own types in pieces of the batch that the model was written for. Always: names, shapes and
finiteness are settled here; whatever is wrong is a `CalibrationError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import onnx

from sima_compiler.errors import CalibrationError, ModelError
from sima_compiler.frontend.batch import source_batch
from sima_compiler.frontend.input_shapes import InputShapes, is_open, sizes_of_inputs, with_input_shapes
from sima_compiler.frontend.loading import load_onnx
from sima_compiler.frontend.values import GraphInput

Array = npt.NDArray[Any]
Sample = Mapping[str, npt.ArrayLike]


@runtime_checkable
class SampleReader(Protocol):
    """What onnxruntime's `CalibrationDataReader` is: a sample per call, None at the end."""

    def get_next(self) -> Sample | None:
        """The next sample."""
        ...


#: Values of what is made for an input at once: 1 GiB as float32.
MOST_VALUES = 1 << 28

CalibrationData = Iterable[Sample] | SampleReader


def model_inputs(model: onnx.ModelProto) -> tuple[list[GraphInput], int]:
    """Inputs (per sample) and literal batch (0: symbolic) of a float model."""
    inputs, batch, _ = source_batch(model, {entry.name for entry in model.graph.initializer})
    return inputs, batch


def samples_of(data: CalibrationData) -> Iterator[object]:
    """The samples one by one, whatever holds them; none of them is looked at yet.

    Raises:
        CalibrationError: neither an iterable nor a reader.
    """
    if isinstance(data, SampleReader):
        return iter(data.get_next, None)
    if data is None or isinstance(data, Mapping | str | bytes | np.ndarray) or not isinstance(data, Iterable):
        raise CalibrationError(
            f"calibration data is a {type(data).__name__}, expected an iterable of {{input name: array}} or a "
            "CalibrationDataReader",
            hint="for example [{'input': images}]",
        )
    return iter(data)


def shapes_of_samples(model: onnx.ModelProto, sample: object) -> dict[str, tuple[int, ...]]:
    """Whole shapes that ``sample`` gives to the inputs of which the file leaves sizes open.

    Raises:
        CalibrationError: the sample contradicts a size that the file fixes.
    """
    open_inputs = {name: sizes for name, sizes in sizes_of_inputs(model).items() if is_open(sizes)}
    if not isinstance(sample, Mapping):
        return {}
    found: dict[str, tuple[int, ...]] = {}
    for name, sizes in open_inputs.items():
        shape = tuple(np.shape(sample[name])) if name in sample else ()
        if sizes is not None and shape:
            _check_against_open(name, sizes, shape)
        if shape:
            found[name] = shape
    return found


def _check_against_open(name: str, sizes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    wanted = [size or None for size in sizes[1:]]
    if len(shape) == len(sizes) and all(want in (None, have) for want, have in zip(wanted, shape[1:], strict=True)):
        return
    expected = ", ".join(["batch", *(str(size or "any") for size in wanted)])
    raise CalibrationError(
        f"calibration sample 0, input {name!r}: expected shape ({expected}), found {shape}",
        hint=shape_hint(wanted, shape),
    )


def checked_samples(model: onnx.ModelProto, data: Iterable[object]) -> list[dict[str, Array]]:
    """Calibration data in the inputs' own types, cut into pieces of the batch that the model was written for.

    Raises:
        CalibrationError: see `quantize_onnx`. ModelError: a batch of the file's own size is beyond any memory.
    """
    inputs, batch = model_inputs(model)
    for value in inputs:
        check_drawable(value.name, (max(batch, 1), *value.shape))
    types = input_types(model)
    samples: list[dict[str, Array]] = []
    for index, entry in enumerate(data):
        samples += _pieces(_checked(entry, inputs, types, index), max(batch, 1))
    if not samples:
        raise CalibrationError("calibration data is empty", hint="give at least one {input name: array}")
    return samples


def input_types(model: onnx.ModelProto) -> dict[str, np.dtype[Any]]:
    """The type of each input: real inputs count as float32, integers keep theirs."""
    return {entry.name: _runtime_type(int(entry.type.tensor_type.elem_type)) for entry in model.graph.input}


def _runtime_type(kind: int) -> np.dtype[Any]:
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind)) if kind else np.dtype(np.float32)
    return dtype if dtype.kind in "iub" else np.dtype(np.float32)


def _checked(
    entry: object, inputs: Sequence[GraphInput], types: Mapping[str, np.dtype[Any]], index: int
) -> dict[str, Array]:
    names = [value.name for value in inputs]
    if not isinstance(entry, Mapping):
        found = type(entry).__name__
        raise CalibrationError(f"calibration sample {index} is a {found}, expected {{input name: array}}")
    if set(entry) != set(names):
        raise CalibrationError(
            f"calibration sample {index} has inputs {', '.join(map(str, entry)) or 'none'}; "
            f"the model takes {', '.join(names)}"
        )
    arrays = {value.name: _checked_array(entry[value.name], value, types[value.name], index) for value in inputs}
    if len({array.shape[0] for array in arrays.values()}) > 1:
        raise CalibrationError(f"calibration sample {index}: leading dimensions differ between inputs")
    return arrays


def _checked_array(value: npt.ArrayLike, declared: GraphInput, dtype: np.dtype[Any], index: int) -> Array:
    where = f"calibration sample {index}, input {declared.name!r}"
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise CalibrationError(f"{where}: expected numbers, found {array.dtype}")
    if array.ndim == 0 or array.shape[1:] != declared.shape or array.shape[0] < 1:
        expected = ", ".join(map(str, ("batch", *declared.shape)))
        raise CalibrationError(
            f"{where}: expected shape ({expected}), found {array.shape}", hint=shape_hint(declared.shape, array.shape)
        )
    if not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise CalibrationError(f"{where}: {bad} of {array.size} values are NaN or infinite")
    return _as_type(array, dtype, where)


def _as_type(array: Array, dtype: np.dtype[Any], where: str) -> Array:
    """The same numbers in the input's type; float64 beyond float32 and fractions for integers are refused."""
    with np.errstate(over="ignore", invalid="ignore"):
        result = array.astype(dtype)
    if dtype.kind == "f":
        if not np.isfinite(result).all():
            raise CalibrationError(f"{where}: values beyond the range of float32")
    elif not np.array_equal(result, array):
        raise CalibrationError(
            f"{where}: the model takes {dtype} there, and some values are no such numbers",
            hint=f"give the raw {dtype} values, without normalizing them first",
        )
    return result


def shape_hint(expected: Sequence[int | None], found: Sequence[int]) -> str:
    """What was probably meant by a shape that does not fit; ``expected`` is per sample, None where it is open."""

    def fits(sizes: Sequence[int]) -> bool:
        return len(sizes) == len(expected) and all(
            want is None or want == have for want, have in zip(expected, sizes, strict=True)
        )

    if fits(found):
        return "one sample without the batch in front: array[None]"
    if len(expected) == 3 and len(found) == 4:
        rows, columns, channels = found[1:]
        if fits((channels, rows, columns)):
            return "these samples have the channels last (NHWC): array.transpose(0, 3, 1, 2)"
        if fits((found[2], found[3], found[1])):
            return "these samples have the channels first (NCHW): array.transpose(0, 2, 3, 1)"
    if len(expected) == 3 and len(found) == 3 and fits((found[2], found[0], found[1])):
        return "one sample with the channels last: array.transpose(2, 0, 1)[None]"
    return ""


def _pieces(arrays: Mapping[str, Array], batch: int) -> list[dict[str, Array]]:
    """Whole pieces of ``batch`` samples; a short last one is filled up by repeating its last sample."""
    count = next(iter(arrays.values())).shape[0]
    rows = [np.minimum(np.arange(start, start + batch), count - 1) for start in range(0, count, batch)]
    return [{name: array[row] for name, array in arrays.items()} for row in rows]


def calibration_random(
    model: str | Path | onnx.ModelProto, samples: int, seed: int = 0, input_shapes: InputShapes | None = None
) -> list[dict[str, Array]]:
    """Seeded data in the model's shapes: exercises the compiler, says nothing about accuracy.

    Real inputs are standard normal, bytes run over their whole range, other integers from 0 to 7.

    Raises:
        CalibrationError: ``samples`` is not a whole number of at least 1.
        ModelError: an input's size is open, or beyond any memory.
    """
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise CalibrationError(f"number of calibration samples is {samples!r}, expected at least 1")
    loaded = with_input_shapes(load_onnx(model), input_shapes or {})
    inputs, _ = model_inputs(loaded)
    for value in inputs:
        check_drawable(value.name, value.shape)
    types = input_types(loaded)
    random = np.random.default_rng(seed)
    drawers = {value.name: _drawer(random, (1, *value.shape), types[value.name]) for value in inputs}
    return [{name: draw() for name, draw in drawers.items()} for _ in range(samples)]


def check_drawable(name: str, shape: Sequence[int]) -> None:
    """Refuses to make samples of sizes that only a damaged file has.

    Raises:
        ModelError: an array of that shape for input ``name`` would have more than `MOST_VALUES` values.
    """
    if prod(shape) > MOST_VALUES:
        sizes = ", ".join(map(str, shape))
        raise ModelError(
            f"input {name!r}: an array of shape ({sizes}) has more than {MOST_VALUES:,} values",
            hint="the file's shapes are damaged, or meant for another size",
        )


def _drawer(random: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Callable[[], Array]:
    if dtype.kind == "f":
        return lambda: random.standard_normal(shape, dtype=np.float32)
    if dtype.itemsize == 1 and dtype.kind != "b":
        limits = np.iinfo(dtype)
        return lambda: random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)
    return lambda: random.integers(0, 2 if dtype.kind == "b" else 8, shape).astype(dtype)
