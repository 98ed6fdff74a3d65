"""``simac sweep``: every combination of options for one model, as one table."""

from __future__ import annotations

import argparse
import contextlib
import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sima_compiler.arguments import add_calibration_arguments, add_report_arguments
from sima_compiler.cli.command import Command, Output, Warnings, say
from sima_compiler.errors import OptionError
from sima_compiler.files.whole import check_target, write_whole
from sima_compiler.sources import is_calibrated, model_from_arguments, source_of
from sima_compiler.view.html.sweep import sweep_page
from sima_compiler.view.sweep import SweepRow
from sima_compiler.view.sweep_text import described, summary, sweep_text

if TYPE_CHECKING:
    from sima_compiler.sweeping.sizes import InputSize

#: Numbers of an option such as ``1-4096``: more points would be a slip of the finger.
_MOST_NUMBERS = 4096
_WEIGHTS = {"compressed": (True,), "raw": (False,), "both": (True, False)}


def prepare(parser: argparse.ArgumentParser) -> None:
    """The options of ``simac sweep``."""
    parser.add_argument("model", metavar="MODEL", help=".sima file, quantized .onnx, or float .onnx with calibration")
    add_calibration_arguments(parser)
    parser.add_argument("--name", default=None, metavar="NAME", help="name of the model (default: the file's)")
    parser.add_argument("--batch-size", default="1", metavar="N,N,...", help="largest batches wanted: 1,2,4 or 1-8")
    parser.add_argument("--quads", default=None, metavar="N,N,...", help="quads of the MLA to use (default: all)")
    parser.add_argument("--weights", choices=sorted(_WEIGHTS), default="compressed", help="how the .lm stores weights")
    parser.add_argument(
        "--machine", action="append", default=None, metavar="NAME|FILE", help="may be given several times"
    )
    parser.add_argument(
        "--input-shape",
        action="append",
        default=None,
        metavar="224x224",
        help="rows and columns, or a whole shape, or NAME=SHAPE[,NAME=SHAPE]; may be given several times",
    )
    parser.add_argument("--jobs", type=int, default=None, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--dask", default=None, metavar="ADDRESS", help="a Dask scheduler, such as tcp://10.0.0.5:8786")
    parser.add_argument(
        "-o",
        "--output-path",
        default=None,
        metavar="DIR",
        help="keep finished rows here and go on from them next time; the last part of the path is created",
    )
    parser.add_argument("--keep-archives", action="store_true", help="keep every archive in the output folder too")
    parser.add_argument("--csv", default=None, metavar="FILE", help="write the table as CSV")
    parser.add_argument("--html", default=None, metavar="FILE", help="write a report that opens offline in any browser")
    add_report_arguments(parser)


def run(arguments: argparse.Namespace) -> Output:
    """Sweep; JSON: points, failed, rows [{key, network, input_size, machine, quads, compress, desired_batch_size,
    actual_batch_size, runtime_cycles, ...}], pareto [key], best {goal: key}, warnings.
    """
    from sima_compiler.sweeping.running import sweep

    warnings = Warnings()
    for file in filter(None, (arguments.csv, arguments.html)):
        check_target(Path(file).expanduser())
    if arguments.jobs is not None and arguments.jobs < 1:
        raise OptionError(f"--jobs {arguments.jobs}: needs at least 1 process")
    with _executor(arguments.dask) as executor:
        table = sweep(
            _model(arguments, warnings),
            batch_sizes=_numbers("--batch-size", arguments.batch_size),
            quads=_numbers("--quads", arguments.quads) if arguments.quads else None,
            compress=_WEIGHTS[arguments.weights],
            machines=arguments.machine or ["mlsoc"],
            input_shapes=[_shape(text) for text in arguments.input_shape] if arguments.input_shape else None,
            executor=executor,
            jobs=arguments.jobs,
            output_path=arguments.output_path,
            keep_archives=arguments.keep_archives,
            on_row=_told(),
        )
    for file, text in ((arguments.csv, table.to_csv), (arguments.html, lambda: sweep_page(table))):
        if file:
            write_whole(Path(file).expanduser(), text().encode("utf-8"))
    data = {**table.to_dict(), "warnings": warnings.sentences}
    problem = "no combination could be compiled" if table.failed and not table.built else ""
    return Output(data, sweep_text(table), problem=problem, value=table)


def _model(arguments: argparse.Namespace, warnings: Warnings) -> Any:
    """A model in memory as it is, a float file calibrated, a quantized file by its path: its sizes may be open."""
    from sima_compiler.model import Model

    if isinstance(arguments.model, Model):
        return arguments.model
    source = source_of(arguments)
    if not is_calibrated(arguments):
        return source
    names = {**vars(arguments), "input_shape": None, "output_path": None}
    return model_from_arguments(argparse.Namespace(**names), warnings)


@contextlib.contextmanager
def _executor(address: str | None) -> Generator[Any, None, None]:
    if address is None:
        yield None
        return
    from sima_compiler.sweeping.executors import dask_client

    client = dask_client(address)
    try:
        yield client
    finally:
        client.close()


def _told() -> Callable[[SweepRow, int, int], None]:
    def tell(row: SweepRow, done: int, total: int) -> None:
        names = ("input_size", "machine", "quads", "compress", "desired_batch_size")
        what = row.problem or summary(row)
        say(f"[{done}/{total}] {described(row, [name for name in names if getattr(row, name) != ''])}: {what}")

    return tell


def _numbers(option: str, text: str | Sequence[int]) -> list[int]:
    """``1,2,4-8`` as numbers, each once.

    Raises:
        OptionError: anything else.
    """
    found: dict[int, None] = {}
    for piece in str(text).replace(" ", "").split(","):
        ends = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", piece)
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
        if not 1 <= first <= last or last - first >= _MOST_NUMBERS:
            raise OptionError(f"{option} {text}: {piece!r} is no number or range", hint=f"try {option} 1,2,4 or 1-8")
        found.update(dict.fromkeys(range(first, last + 1)))
    return list(found)


def _shape(text: str) -> InputSize:
    """``224x224``, a whole shape, or shapes by input name.

    Raises:
        OptionError: anything else.
    """
    if "=" in text:
        pairs = [piece.rpartition("=") for piece in text.split(",")]
        return {name: _sizes(text, sizes) for name, _, sizes in pairs}
    return _sizes(text, text)


def _sizes(whole: str, text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,9}(x\d{1,9})+", text):
        raise OptionError(f"--input-shape {whole}: sizes are numbers joined by x", hint="try --input-shape 224x224")
    return tuple(int(size) for size in text.split("x"))


COMMAND = Command(
    "sweep",
    "compile every combination of options and compare them",
    "  simac sweep resnet50.sima --batch-size 1,2,4,8 --quads 1,2,4 -o sweep --html sweep.html\n"
    "  simac sweep yolo.onnx --input-shape 320x320 --input-shape 640x640 --weights both --csv yolo.csv\n"
    "  simac sweep resnet50.sima --batch-size 1-32 --dask tcp://10.0.0.5:8786 -o sweep",
    prepare,
    run,
)
