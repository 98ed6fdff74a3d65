"""The options of a compile, defined once for the command line and for the notebook's magic.

In: an `argparse` parser, or the namespace that it parsed. Out: the parser with the options; a `Model`; keywords for
`Model.compile`. Always holds: what ``simac compile`` takes, ``%sima_compile`` takes too, under the same names.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import logging
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sima_compiler.archive.names import is_archive_name
from sima_compiler.errors import CalibrationError, ModelError, OptionError, SimaError
from sima_compiler.folders import check_output_folder
from sima_compiler.printable import printable_lines
from sima_compiler.progress import Progress, ProgressCallback, silent

if TYPE_CHECKING:
    from sima_compiler.model import Model

MODEL_SUFFIXES = (".sima", ".onnx")
#: Seed of ``--calibration-random``: the same samples on every machine.
CALIBRATION_SEED = 0
RANDOM_WARNING = "calibrated with random numbers: batch size and cycles are right, the outputs' accuracy is meaningless"

Array = npt.NDArray[Any]
Samples = Iterable[Mapping[str, Array]]


def add_compile_arguments(parser: argparse.ArgumentParser) -> None:
    """Every option of a compile, the model included."""
    add_model_arguments(parser)
    add_output_argument(parser)
    parser.add_argument(
        "--batch-size",
        type=int,
        default=1,
        metavar="N",
        help="largest batch wanted; the biggest one up to it that pays off is built (default: 1)",
    )
    parser.add_argument("--no-compress", action="store_true", help="store the weights raw in the .lm")
    parser.add_argument("--quads", type=int, default=None, metavar="N", help="quads of the MLA to use (default: all)")
    parser.add_argument(
        "--machine", default="mlsoc", metavar="NAME|FILE", help="bundled machine or a YAML file (default: mlsoc)"
    )
    parser.add_argument(
        "--exact", action="store_true", help="place on-chip buffers with OR-Tools: slower (needs the extra [exact])"
    )
    parser.add_argument("--html", default=None, metavar="FILE", help="write a report that opens offline in any browser")
    add_report_arguments(parser)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, how to calibrate it when it is a float one, and its name."""
    parser.add_argument("model", metavar="MODEL", help=".sima file, quantized .onnx, or float .onnx with calibration")
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--calibration",
        default=None,
        metavar="FILE.npz",
        help="an array per model input; the first axis counts samples",
    )
    source.add_argument(
        "--calibration-random",
        type=int,
        default=None,
        metavar="SAMPLES",
        help="calibrate with that many random samples: for trying things out, accuracy is meaningless",
    )
    parser.add_argument("--name", default=None, metavar="NAME", help="name of the compiled model (default: the file's)")


def add_output_argument(parser: argparse.ArgumentParser) -> None:
    """``-o``: the folder that takes the result."""
    parser.add_argument(
        "-o",
        "--output-path",
        default=".",
        metavar="DIR",
        help="folder for the result; its last part is created if its parent exists (default: the current one)",
    )


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """``--json`` and ``-v``: how to say what was done."""
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every stage with its time")


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
    path = Path(arguments.model).expanduser()
    _check_model_file(path)
    check_output_folder(Path(arguments.output_path).expanduser())
    calibrated = arguments.calibration is not None or arguments.calibration_random is not None
    if calibrated and path.suffix.lower() != ".onnx":
        raise OptionError(f"{path}: calibration is for float .onnx models", hint="leave the calibration option out")
    stage = "quantize" if calibrated else "read"
    report = progress or silent
    report(Progress(stage, 0, 1))
    model = _calibrated_model(arguments, path, warn) if calibrated else _read_model(path, arguments.name)
    report(Progress(stage, 1, 1))
    return model


def _check_model_file(path: Path) -> None:
    if not path.is_file():
        problem = "a folder" if path.is_dir() else "no such file"
        raise ModelError(f"{path}: {problem}", hint=_file_hint(path))
    if is_archive_name(path.name):
        raise ModelError(f"{path}: an archive, which is compiled already", hint=f"look into it: simac inspect {path}")
    if path.suffix.lower() not in MODEL_SUFFIXES:
        raise ModelError(f"{path}: expected a {' or '.join(MODEL_SUFFIXES)} file", hint="export the network to ONNX")


def _file_hint(path: Path) -> str:
    """Models in the folder that was named, or the file that was probably meant."""
    folder = path if path.is_dir() else path.parent
    try:
        names = sorted(found.name for found in folder.iterdir() if found.suffix.lower() in MODEL_SUFFIXES)
    except OSError:
        names = []
    meant = names[:3] if path.is_dir() else difflib.get_close_matches(path.name, names, 1)
    if meant:
        return f"did you mean {' or '.join(str(folder / name) for name in meant)}?"
    return "MODEL is a .sima or .onnx file"


def _calibrated_model(arguments: argparse.Namespace, path: Path, warn: Callable[[str], None]) -> Model:
    from sima_compiler.model import quantize

    return quantize(path, _samples(arguments, path, warn), model_name=arguments.name or path.stem)


def _read_model(path: Path, name: str | None) -> Model:
    from sima_compiler.model import Model

    if path.suffix.lower() == ".onnx":
        return _quantized_model(path, name)
    model = Model.load(path.name, path.parent)
    return Model.from_onnx(path, name) if name else model


def _quantized_model(path: Path, name: str | None) -> Model:
    from sima_compiler.frontend.loading import is_quantized, load_onnx
    from sima_compiler.model import Model

    try:
        return Model.from_onnx(path, name)
    except ModelError as error:
        if is_quantized(load_onnx(path)):
            raise
        raise ModelError(
            f"{path}: a float model, which must be calibrated to be quantized",
            hint="add --calibration FILE.npz, or --calibration-random SAMPLES to try things out",
        ) from error


def compile_keywords(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `Model.compile`: folder, batch size, compression; machine, quads and exact where they were named."""
    keywords: dict[str, Any] = {
        "output_path": str(Path(arguments.output_path).expanduser()),
        "batch_size": arguments.batch_size,
        "compress": not arguments.no_compress,
    }
    if arguments.quads is not None:
        keywords["quads"] = arguments.quads
    if arguments.machine != "mlsoc":
        keywords["machine"] = arguments.machine
    if arguments.exact:
        keywords["exact"] = True
    return keywords


@contextlib.contextmanager
def logging_from_arguments(arguments: argparse.Namespace) -> Generator[None]:
    """With ``-v`` the library's log stands on stderr for as long as the block runs."""
    if not getattr(arguments, "verbose", False):
        yield
        return
    logger = logging.getLogger("sima_compiler")
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("%(levelname)s %(name)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _PrintableFormatter(logging.Formatter):
    """A log quotes names out of files, which must not reach a terminal as they are."""

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record without escape codes."""
        return printable_lines(super().format(record))


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
        raise error(f"{path}: cannot be read: {cause.strerror or cause}") from cause
    except (ValueError, AttributeError, EOFError, TypeError, zipfile.BadZipFile) as cause:
        raise error(f"{path}: not an .npz file of plain arrays", hint="numpy.savez(path, input_name=array)") from cause


def _samples(arguments: argparse.Namespace, path: Path, warn: Callable[[str], None]) -> Samples:
    if arguments.calibration is not None:
        return read_samples(Path(arguments.calibration).expanduser())
    if arguments.calibration_random < 1:
        raise OptionError(f"--calibration-random {arguments.calibration_random}: needs at least 1 sample")
    from sima_compiler.frontend.calibration import calibration_random

    warn(RANDOM_WARNING)
    return calibration_random(path, arguments.calibration_random, CALIBRATION_SEED)
