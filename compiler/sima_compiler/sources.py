"""The model that a person named, and the samples that go with it.

In: parsed options whose ``model`` is a path or, in a notebook, an `onnx.ModelProto`, and whose ``calibration`` is a
path or anything that `quantize` takes. Out: a `Model`; arrays of an ``.npz`` file. Always: what is wrong with a path or
an option is found before the work starts.
"""

from __future__ import annotations

import argparse
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.names import is_archive_name
from sima_compiler.arguments import ending_of
from sima_compiler.errors import CalibrationError, InputError, ModelError, OptionError, SimaError
from sima_compiler.files.nearby import meant
from sima_compiler.folders import check_output_folder
from sima_compiler.progress import Progress, ProgressCallback, silent

if TYPE_CHECKING:
    from sima_compiler.exporting import ExportResult
    from sima_compiler.frontend.calibration import CalibrationData
    from sima_compiler.frontend.loading import OnnxModel
    from sima_compiler.model import Model
    from sima_compiler.view.check import CheckReport
    from sima_compiler.view.verify import VerifyReport

MODEL_SUFFIXES = (".sima", ".onnx")
#: Seed of ``--calibration-random``: the same samples on every machine.
CALIBRATION_SEED = 0
RANDOM_WARNING = "calibrated with random numbers: batch size and cycles are right, the outputs' accuracy is meaningless"

Array = npt.NDArray[Any]
InputShapes = Mapping[str, Sequence[int]]
#: Digits of a size that are read: more would be no size anyway.
MOST_DIGITS = 18


def model_from_arguments(
    arguments: argparse.Namespace, warn: Callable[[str], None], progress: ProgressCallback | None = None
) -> Model:
    """The quantized model that ``arguments.model`` and the calibration options describe.

    ``warn`` takes sentences that the user should read, such as `RANDOM_WARNING`; ``progress`` hears of one stage.

    Raises:
        ModelError: no such file, or not a model. CalibrationError: unusable samples. OptionError: options that
        contradict each other. OutputError: the output folder neither exists nor can be made; that is found out
        before the work starts.
    """
    source = source_of(arguments)
    if getattr(arguments, "output_path", None) is not None:
        check_output_folder(Path(arguments.output_path).expanduser())
    shapes = input_shapes_of(arguments)
    calibrated = is_calibrated(arguments)
    stage = "quantize" if calibrated else "read"
    report = progress or silent
    report(Progress(stage, 0, 1))
    if calibrated:
        model = _calibrated_model(arguments, source, shapes, warn)
    else:
        model = _read_model(source, arguments.name, shapes, ending_of(arguments))
    report(Progress(stage, 1, 1))
    return model


def source_of(arguments: argparse.Namespace) -> Path | OnnxModel:
    """The model's file, which exists, or the ONNX model itself.

    Raises:
        ModelError: no such file, or of a kind that is no model.
        OptionError: calibration for a model that is quantized already.
    """
    source = _file_or_model(arguments)
    if isinstance(source, Path) and is_calibrated(arguments) and source.suffix.lower() != ".onnx":
        raise OptionError(f"{source}: calibration is for float .onnx models", hint="leave the calibration option out")
    return source


def _file_or_model(arguments: argparse.Namespace) -> Path | OnnxModel:
    if not isinstance(arguments.model, str | Path):
        return arguments.model
    path = Path(arguments.model).expanduser()
    _check_model_file(path)
    return path


def check_from_arguments(arguments: argparse.Namespace) -> CheckReport:
    """What `Model.check` says about ``arguments.model``.

    Raises:
        ModelError: no such file, or of a kind that is no model. OptionError: an unusable ``--input-shape``.
    """
    from sima_compiler.model import Model

    return Model.check(_file_or_model(arguments), input_shapes=input_shapes_of(arguments), **ending_of(arguments))


def verify_from_arguments(arguments: argparse.Namespace, warn: Callable[[str], None] = warnings.warn) -> VerifyReport:
    """What `verify` says about ``arguments.model``, on ``arguments.input`` or on drawn samples.

    Raises:
        ModelError, CalibrationError, InputError, OptionError: as their names say.
    """
    from sima_compiler.verification import verify

    source, shapes = source_of(arguments), input_shapes_of(arguments)
    if arguments.samples < 1:
        raise OptionError(f"--samples {arguments.samples}: needs at least 1 sample")
    given = arguments.input
    return verify(
        source,
        read_npz(Path(given).expanduser(), InputError) if isinstance(given, str | Path) else joined_samples(given),
        calibration_data=samples_of_arguments(arguments, source, shapes, warn) if is_calibrated(arguments) else None,
        input_shapes=shapes,
        count=arguments.samples,
        seed=arguments.seed,
        batch_size=arguments.batch_size,
        layers=arguments.layers,
        **ending_of(arguments),
    )


def joined_samples(given: Any) -> Mapping[str, Array] | None:
    """Samples out of a variable: one {input name: array}, or a list of them, joined.

    Raises:
        InputError: neither.
    """
    if given is None or isinstance(given, Mapping):
        return given
    pieces = list(given) if isinstance(given, Iterable) else []
    if not pieces or not all(isinstance(piece, Mapping) and piece.keys() == pieces[0].keys() for piece in pieces):
        raise InputError(f"samples are a {type(given).__name__}, expected {{input name: array}} or a list of them")
    return {name: np.concatenate([np.asarray(piece[name]) for piece in pieces]) for name in pieces[0]}


def export_from_arguments(arguments: argparse.Namespace, warn: Callable[[str], None] = warnings.warn) -> ExportResult:
    """Writes the network of ``arguments.model`` to ``arguments.output_path``.

    Raises:
        ModelError, CalibrationError, OptionError, OutputError: as their names say.
    """
    from sima_compiler.exporting import export_model

    without_folder = argparse.Namespace(**{**vars(arguments), "output_path": None})
    model = model_from_arguments(without_folder, warn)
    return export_model(model, arguments.output_path, uint8=arguments.uint8)


def is_calibrated(arguments: argparse.Namespace) -> bool:
    """Whether an option gives samples."""
    return arguments.calibration is not None or arguments.calibration_random is not None


def input_shapes_of(arguments: argparse.Namespace) -> dict[str, tuple[int, ...]]:
    """Shapes by input name, from ``--input-shape NAME=1x3x320x320``; commas will do between sizes.

    Raises:
        OptionError: no name, no sizes, or one input twice.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for text in arguments.input_shape or ():
        name, _, sizes = text.rpartition("=")
        numbers = sizes.replace(",", "x").split("x")
        if not name or not all(number.isascii() and number.isdigit() for number in numbers):
            raise OptionError(
                f"--input-shape {text}: expected NAME=SIZES", hint="for example --input-shape images=1x3x320x320"
            )
        if name in shapes:
            raise OptionError(f"--input-shape {text}: input {name!r} has a shape already", hint="give it once")
        shapes[name] = tuple(int(number[:MOST_DIGITS]) for number in numbers)
    return shapes


def _check_model_file(path: Path) -> None:
    if not path.is_file():
        problem = "a folder" if path.is_dir() else "no such file"
        raise ModelError(f"{path}: {problem}", hint=_file_hint(path))
    if is_archive_name(path.name):
        raise ModelError(f"{path}: an archive, which is compiled already", hint=f"look into it: simac inspect {path}")
    if path.suffix.lower() not in MODEL_SUFFIXES:
        raise ModelError(f"{path}: expected a {' or '.join(MODEL_SUFFIXES)} file", hint="export the network to ONNX")


def _file_hint(path: Path) -> str:
    """Models in the folder that was named, or the file or variable that was probably meant."""
    if path.name.startswith(("$", "{")):
        return f"no variable of that name: a notebook leaves {path.name} as it is"
    return meant(path, lambda name: name.lower().endswith(MODEL_SUFFIXES)) or "MODEL is a .sima or .onnx file"


def source_name(source: Path | OnnxModel) -> str:
    """What a model is called when no option says so."""
    return source.stem if isinstance(source, Path) else source.graph.name or "model"


def _calibrated_model(
    arguments: argparse.Namespace, source: Path | OnnxModel, shapes: InputShapes, warn: Callable[[str], None]
) -> Model:
    from sima_compiler.model import quantize

    samples = samples_of_arguments(arguments, source, shapes, warn)
    named = arguments.name or source_name(source)
    return quantize(source, samples, model_name=named, input_shapes=shapes, **ending_of(arguments))


def _read_model(source: Path | OnnxModel, name: str | None, shapes: InputShapes, ending: Mapping[str, Any]) -> Model:
    from sima_compiler.model import Model

    if not isinstance(source, Path) or source.suffix.lower() == ".onnx":
        return _quantized_model(source, name, shapes, ending)
    if name or shapes or ending:
        return Model.from_onnx(source, name, input_shapes=shapes, **ending)
    return Model.load(source.name, source.parent)


def _quantized_model(
    source: Path | OnnxModel, name: str | None, shapes: InputShapes, ending: Mapping[str, Any]
) -> Model:
    from sima_compiler.frontend.loading import is_quantized, load_onnx
    from sima_compiler.model import Model

    try:
        return Model.from_onnx(source, name, input_shapes=shapes, **ending)
    except ModelError as error:
        if is_quantized(load_onnx(source)):
            raise
        label = str(source) if isinstance(source, Path) else source_name(source)
        raise ModelError(
            f"{label}: a float model, which must be calibrated to be quantized",
            hint="add --calibration FILE.npz, or --calibration-random SAMPLES to try things out",
        ) from error


def samples_of_arguments(
    arguments: argparse.Namespace, source: Path | OnnxModel, shapes: InputShapes, warn: Callable[[str], None]
) -> CalibrationData:
    """The samples that a calibration option names; ``warn`` hears when they are random.

    Raises:
        CalibrationError: no ``.npz`` file of plain arrays. OptionError: fewer than one random sample.
    """
    given = arguments.calibration
    if given is not None:
        return read_samples(Path(given).expanduser()) if isinstance(given, str | Path) else given
    if arguments.calibration_random < 1:
        raise OptionError(f"--calibration-random {arguments.calibration_random}: needs at least 1 sample")
    from sima_compiler.frontend.calibration import calibration_random

    warn(RANDOM_WARNING)
    return calibration_random(source, arguments.calibration_random, CALIBRATION_SEED, shapes)


def read_samples(path: Path) -> Iterator[dict[str, Array]]:
    """Samples of an ``.npz`` file one by one, each with a leading batch dimension of 1.

    Raises:
        CalibrationError: not an ``.npz`` file of plain arrays, no array, or arrays that differ in their sample count.
    """
    arrays = read_npz(path, CalibrationError)
    if not arrays:
        raise CalibrationError(f"{path}: holds no arrays", hint="numpy.savez(path, input_name=array)")
    lengths = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise CalibrationError(
            f"{path}: the first axes, which count samples, must be equal and not 0, found {lengths}",
            hint="give every model input the same number of samples",
        )
    for index in range(min(lengths.values())):
        yield {name: array[index : index + 1] for name, array in arrays.items()}


def read_npz(path: Path, error: type[SimaError]) -> dict[str, Array]:
    """Every array of an ``.npz`` file; pickled objects are refused.

    Raises:
        error: the file is missing, or no ``.npz`` file of plain arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except OSError as cause:
        hint = meant(path, lambda name: name.endswith(".npz"))
        raise error(f"{path}: cannot be read: {cause.strerror or cause}", hint=hint) from cause
    except (ValueError, AttributeError, EOFError, TypeError, zipfile.BadZipFile) as cause:
        raise error(f"{path}: not an .npz file of plain arrays", hint="numpy.savez(path, input_name=array)") from cause
